import { mkdirSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { ok, toHex } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { CASE_CPU, dumpEntries, dumpGlobals, isPlainMap, recordExpectations, runCases, SimulatorBackend, writeCaseFile } from '../../cases/index.js';
import type { CaseFile, Difference, TestCase } from '../../cases/index.js';
import type { TestRunInput } from '../../xdp/index.js';
import { KernelBackend } from '../kernelCaseBackend.js';
import type { KernelBpf } from '../kernelBpf.js';
import { describeCase } from './cases.js';
import type { DifferentialCase } from './cases.js';
import { shrink } from './shrink.js';
import { SidePair } from './sidePair.js';
import type { Machines } from './sidePair.js';
import { AS_LOADED } from './startState.js';
import type { StartState } from './startState.js';
import type { Subject } from './subjects.js';
import type { Found } from './visit.js';

/** A case file that shows a difference. */
export interface Reproducer {
  readonly path: string;
  /** False when `sim check` finds nothing wrong with it: what differs is not in a case file's words, or the case needs those before it. */
  readonly shows: boolean;
}

/** What a case differs in, without keys and values: equal for two cases that probably show the same defect. */
export function signatureOf(differences: readonly Difference[]): string {
  return [...new Set(differences.map(({ part }) => part.replace(/[[ ].*$/, '')))].toSorted().join(' ');
}

/**
 * Makes the case stand alone and small, and writes it into a file of its own, with the kernel's answer as its expectation.
 *
 * @param state state at the start of the visit
 * @param cases cases of the visit
 * Problem: `case-file-unwritable`
 */
export function writeReproducer(
  machines: Machines, subject: Subject, state: StartState, cases: readonly DifferentialCase[], found: Found, directory: string,
): Result<Reproducer> {
  const guilty = cases[found.caseIndex];
  const signature = signatureOf(found.differences);
  const shows = (candidate: StartState, input: TestRunInput): boolean =>
    haveCommonPart(signature, signatureOf(differencesAlone(machines, subject, candidate, input)));
  const before = stateBefore(machines, subject, state, cases, found.caseIndex);
  const alone = [AS_LOADED, state, before].find((candidate) => shows(candidate, guilty.input));
  const small = alone === undefined ? { state: before, input: guilty.input } : shrink(alone, guilty.input, shows);

  const path = join(directory, fileName(subject, signature));
  const draft: CaseFile = {
    schema: 1,
    object: relative(resolve(directory), resolve(subject.object.path)),
    ...(isEmpty(subject.object.mapSizes) ? {} : { map_sizes: subject.object.mapSizes }),
    cases: [testCaseOf(subject, small.state, small.input, `${describeCase(guilty)}; differs in ${signature}`)],
  };
  const file = withExpectation(draft, subject, machines.kernel.kernel);
  mkdirSync(directory, { recursive: true });
  const problem = writeCaseFile(path, file);
  return problem === undefined ? ok({ path, shows: showsInSimulator(file, subject) }) : { ok: false, problem };
}

function haveCommonPart(a: string, b: string): boolean {
  const parts = b.split(' ');
  return a.split(' ').some((part) => part !== '' && parts.includes(part));
}

/** What both sides make of one packet in a state of its own. */
function differencesAlone(machines: Machines, { object, program }: Subject, state: StartState, input: TestRunInput): Difference[] {
  const pair = SidePair.open(machines, object.frozen, program, state);
  if (!(pair instanceof SidePair)) return [];
  try {
    const differences = pair.run(input);
    return differences.length > 0 ? differences : pair.compareMaps();
  } finally {
    pair.close();
  }
}

/** Maps and variables in the kernel after the first `count` cases. */
function stateBefore(
  machines: Machines, { object, program }: Subject, state: StartState, cases: readonly DifferentialCase[], count: number,
): StartState {
  const pair = SidePair.open(machines, object.frozen, program, state);
  if (!(pair instanceof SidePair)) return state;
  try {
    for (let i = 0; i < count; i++) pair.run(cases[i].input);
    const { maps } = pair.kernel;
    const plain = maps.filter(({ spec }) => isPlainMap(spec)).map((map) => [map.spec.name, dumpEntries(map, CASE_CPU)] as const);
    const globals = dumpGlobals(object.frozen, (section) => maps.find(({ spec }) => spec.name === section.name)?.dump().values ?? section.initialValue!);
    return { maps: { ...state.maps, ...Object.fromEntries(plain) }, globals: { ...state.globals, ...globals } };
  } finally {
    pair.close();
  }
}

function isEmpty(object: object): boolean {
  return Object.keys(object).length === 0;
}

function fileName({ object, program }: Subject, signature: string): string {
  const name = `${basename(object.name, '.o')}-${program}-${signature}`.replace(/[^A-Za-z0-9_.-]+/g, '_').slice(0, 120);
  return `${name}.json`;
}

function testCaseOf({ program }: Subject, state: StartState, input: TestRunInput, name: string): TestCase {
  const { data, metaBytes = 0, dataEnd, dataMeta = 0, ingressIfindex = 0, rxQueueIndex = 0, egressIfindex = 0, repeat = 1, dataSizeOut = 0 } = input;
  const context = {
    ...(metaBytes === 0 ? {} : { data: metaBytes }),
    ...(dataEnd === undefined ? {} : { data_end: dataEnd }),
    ...(dataMeta === 0 ? {} : { data_meta: dataMeta }),
    ...(ingressIfindex === 0 ? {} : { ingress_ifindex: ingressIfindex }),
    ...(rxQueueIndex === 0 ? {} : { rx_queue_index: rxQueueIndex }),
    ...(egressIfindex === 0 ? {} : { egress_ifindex: egressIfindex }),
  };
  return {
    name,
    program,
    data_in: toHex(data),
    ...(dataSizeOut === 0 ? {} : { data_size_out: dataSizeOut }),
    ...(isEmpty(context) ? {} : { ctx_in: context }),
    ...(repeat === 1 ? {} : { repeat }),
    ...(isEmpty(state.maps) ? {} : { maps: state.maps }),
    ...(isEmpty(state.globals) ? {} : { globals: state.globals }),
  };
}

/** The file with the kernel's answer. What isn't the same when the kernel runs it again differs by nature and is excluded. */
function withExpectation(file: CaseFile, { object }: Subject, kernel: KernelBpf): CaseFile {
  const backend = new KernelBackend(kernel);
  const first = runCases(file, object.spec, backend);
  if (!first.ok) return file;
  const recorded = recordExpectations(file, first.value);
  const second = runCases(recorded, object.spec, backend);
  if (!second.ok) return recorded;
  const exclude = [...new Set(second.value[0].differences.map(({ part }) => part.replace(/[[ ].*$/, '')))];
  if (exclude.length === 0) return recorded;
  return recordExpectations({ ...file, cases: [{ ...file.cases[0], exclude }] }, first.value);
}

function showsInSimulator(file: CaseFile, { object }: Subject): boolean {
  const results = runCases(file, object.spec, new SimulatorBackend());
  return results.ok && results.value.some((result) => !result.ok);
}
