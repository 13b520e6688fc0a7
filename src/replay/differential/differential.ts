import { ok } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { CASE_CPU } from '../../cases/index.js';
import type { Difference } from '../../cases/index.js';
import { thisHost } from '../bpfSyscall.js';
import { CpuBinding } from '../cpuBinding.js';
import type { KernelBpf } from '../kernelBpf.js';
import { NetNamespace } from '../net/netNamespace.js';
import { NetSyscalls } from '../net/netSyscalls.js';
import { generalExclusions, helperExclusions, mapExclusions } from './byNature.js';
import type { Exclusion } from './byNature.js';
import { describeCase, drawCases } from './cases.js';
import type { DifferentialCase } from './cases.js';
import { readObjects, readPackets } from './corpus.js';
import type { CorpusPacket } from './corpus.js';
import { Draw, makeNoise, seedFor } from './draw.js';
import { KernelMachine } from './kernelSide.js';
import { signatureOf, writeReproducer } from './reproducer.js';
import type { Reproducer } from './reproducer.js';
import { SidePair } from './sidePair.js';
import type { Machines, OpenProblem } from './sidePair.js';
import { SimulatedMachine } from './simulatorSide.js';
import { AS_LOADED, drawStartState, withoutConstants } from './startState.js';
import type { StartState } from './startState.js';
import { findSubjects, isHeavy, leftOut } from './subjects.js';
import type { NotCompared, Subject } from './subjects.js';
import { visit } from './visit.js';
import type { Found } from './visit.js';

/** Cases that a program gets before it is the next one's turn. */
const MAX_VISIT_CASES = 500;
const MAX_HEAVY_VISIT_CASES = 4000;
/** A program with so many different cases is not visited again. */
const MAX_DIFFERENT = 20;

export interface DifferentialOptions {
  readonly kernel: KernelBpf;
  /** Folder of object files, taken as they are. */
  readonly objects: string;
  /** Folder of captures. */
  readonly captures: string;
  /** The same seed and number of cases: the same cases. */
  readonly seed: number;
  /** The run ends after so many cases, or when every program has differed too often. */
  readonly cases: number;
  /** Folder for reproducers; it is made when there is one. */
  readonly out: string;
  /** True: the run ends now. Asked between two programs. */
  readonly shouldStop: () => boolean;
  readonly onProgress: (progress: Progress) => void;
}

export interface Progress {
  readonly cases: number;
  readonly programs: number;
  readonly differences: number;
  /** The program that comes next. */
  readonly subject: string;
}

/** The same program with the same cases on the running kernel and in the simulator. */
export interface DifferentialReport {
  readonly seed: number;
  readonly objects: string;
  readonly captures: string;
  readonly packets: number;
  readonly cases: number;
  readonly programs: readonly ProgramResult[];
  readonly notCompared: readonly NotCompared[];
  readonly exclusions: readonly Exclusion[];
}

export interface ProgramResult {
  readonly object: string;
  readonly program: string;
  readonly cases: number;
  /** Cases with a difference; after 20 the program is not visited again. */
  readonly different: number;
  readonly differences: readonly FoundDifference[];
}

/** The first case of a program that differs in these parts. */
export interface FoundDifference {
  /** Names of the parts, e.g. `retval maps.counters`. */
  readonly signature: string;
  readonly case: string;
  readonly parts: readonly Difference[];
  readonly reproducer: Reproducer;
}

/** True when both sides agree in everything that was compared. */
export function isEqual(report: DifferentialReport): boolean {
  return report.programs.every(({ different }) => different === 0) && report.notCompared.every(({ status }) => status !== 'wrongly refused by the simulator');
}

/**
 * Runs every program of a folder on every packet of another and on mutations of them, in the running kernel and in the simulator, and
 * compares everything that shows. Programs take turns, each time with other contents of maps and variables.
 *
 * The kernel's side runs in a network namespace of its own, which has nothing but loopback: what programs ask of the network doesn't
 * depend on the machine's.
 *
 * Problems: those of `readObjects` and `readPackets`, `net-no-namespace`, `kernel-cpu-not-allowed`, `case-file-unwritable`.
 */
export async function runDifferential(options: DifferentialOptions): Promise<Result<DifferentialReport>> {
  const objects = readObjects(options.objects);
  if (!objects.ok) return objects;
  const packets = readPackets(options.captures);
  if (!packets.ok) return packets;
  const machines = { kernel: new KernelMachine(options.kernel), simulator: new SimulatedMachine(options.kernel.possibleCpus) };
  const noise = makeNoise(options.seed);
  const { subjects, notCompared } = findSubjects(objects.value, options.seed, noise);
  const runs = subjects.map((subject) => new ProgramRun(machines, subject, packets.value, noise, options));
  const namespace = NetNamespace.create(new NetSyscalls(await thisHost.importKoffi(), thisHost.arch));
  if (!namespace.ok) return namespace;
  const ended = await takeTurns(runs, namespace.value, options).finally(() => namespace.value.close());
  if (!ended.ok) return ended;
  const compared = runs.filter((run) => run.cases > 0);
  return ok({
    seed: options.seed,
    objects: options.objects,
    captures: options.captures,
    packets: packets.value.length,
    cases: ended.value,
    programs: compared.map((run) => run.result()),
    notCompared: [...notCompared, ...runs.flatMap((run) => run.notCompared ?? [])],
    exclusions: exclusionsOf(compared.map((run) => run.subject)),
  });
}

function exclusionsOf(subjects: readonly Subject[]): Exclusion[] {
  const objects = new Set(subjects.map(({ object }) => object));
  const byObject = [...objects].flatMap(({ name, spec, loaded, mapSizes }) => [
    ...spec.programs.filter((program) => loaded.includes(program.name)).flatMap((program) => helperExclusions(name, program)),
    ...mapExclusions(name, spec, mapSizes),
  ]);
  return [...generalExclusions(), ...byObject];
}

/** @returns the number of cases that ran */
async function takeTurns(runs: readonly ProgramRun[], namespace: NetNamespace, options: DifferentialOptions): Promise<Result<number>> {
  const cpu = new CpuBinding(options.kernel.syscalls, CASE_CPU);
  const share = Math.ceil(options.cases / Math.max(1, runs.length));
  let cases = 0;
  let turn = runs;
  while (turn.length > 0) {
    for (const run of turn) {
      if (cases >= options.cases || options.shouldStop()) return ok(cases);
      options.onProgress({ cases, programs: turn.length, differences: runs.reduce((total, each) => total + each.different, 0), subject: run.name });
      const before = run.cases;
      const count = Math.min(isHeavy(run.subject) ? MAX_HEAVY_VISIT_CASES : MAX_VISIT_CASES, share, options.cases - cases);
      const visited = namespace.enter(() => cpu.run(() => run.visit(count)));
      if (!visited.ok) return visited;
      if (!visited.value.ok) return visited.value;
      cases += run.cases - before;
      // Signals are seen only between two turns of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
    }
    turn = runs.filter((run) => run.notCompared === undefined && run.different < MAX_DIFFERENT);
  }
  return ok(cases);
}

/** One program, from visit to visit. */
class ProgramRun {
  readonly subject: Subject;
  cases = 0;
  different = 0;
  /** Why the program can't be compared: known after the first visit. */
  notCompared: NotCompared | undefined;
  readonly #machines: Machines;
  readonly #packets: readonly CorpusPacket[];
  readonly #noise: Uint8Array;
  readonly #seed: number;
  readonly #out: string;
  readonly #differences: FoundDifference[] = [];
  #visits = 0;
  /** Packets that were sent as they are so far. */
  #packetsSent = 0;

  constructor(machines: Machines, subject: Subject, packets: readonly CorpusPacket[], noise: Uint8Array, { seed, out }: DifferentialOptions) {
    this.subject = subject;
    this.#machines = machines;
    this.#packets = packets;
    this.#noise = noise;
    this.#seed = seed;
    this.#out = out;
  }

  get name(): string {
    return `${this.subject.object.name} ${this.subject.program}`;
  }

  /** Problem: `case-file-unwritable`. */
  visit(count: number): Result<void> {
    const { object, program } = this.subject;
    const draw = new Draw(seedFor(this.#seed, object.name, program, this.#visits), this.#noise);
    const opened = this.#visits === 0 ? this.#openFirst() : this.#openNext(draw);
    if (opened === undefined) return ok(undefined);
    const { pair, state } = opened;
    const cases = drawCases(this.#packets, this.#packetsSent, count, draw);
    this.#visits++;
    this.#packetsSent += Math.ceil(count / 2);
    const { ran, found } = visit(pair, () => this.#reopen(state), cases);
    this.cases += ran;
    return found === undefined ? ok(undefined) : this.#keep(found, state, cases);
  }

  result(): ProgramResult {
    const { object, program } = this.subject;
    return { object: object.name, program, cases: this.cases, different: this.different, differences: this.#differences };
  }

  #openFirst(): Opened | undefined {
    const { object, program } = this.subject;
    const pair = this.#open(AS_LOADED);
    if (!(pair instanceof SidePair)) {
      this.notCompared = leftOut(this.subject, pair, this.#machines.kernel);
      return undefined;
    }
    object.loaded.push(program);
    return { pair, state: AS_LOADED };
  }

  /** In a state that both sides accept: with some constants the verifier refuses a program, and a full map refuses an entry. */
  #openNext(draw: Draw): Opened {
    const { frozen, loaded } = this.subject.object;
    const drawn = drawStartState(frozen, loaded, this.#packets, draw);
    for (const state of [drawn, withoutConstants(frozen, drawn)]) {
      const pair = this.#open(state);
      if (pair instanceof SidePair) return { pair, state };
    }
    return { pair: this.#reopen(AS_LOADED), state: AS_LOADED };
  }

  #open(state: StartState): SidePair | OpenProblem {
    return SidePair.open(this.#machines, this.subject.object.frozen, this.subject.program, state);
  }

  #reopen(state: StartState): SidePair {
    const pair = this.#open(state);
    if (pair instanceof SidePair) return pair;
    throw new Error(`runDifferential: ${this.name}: the ${pair.side} refuses a state that it has taken before: ${pair.problem.message}`);
  }

  #keep(found: Found, state: StartState, cases: readonly DifferentialCase[]): Result<void> {
    this.different++;
    const signature = signatureOf(found.differences);
    if (this.#differences.some((known) => known.signature === signature)) return ok(undefined);
    const reproducer = writeReproducer(this.#machines, this.subject, state, cases, found, this.#out);
    if (!reproducer.ok) return reproducer;
    this.#differences.push({ signature, case: describeCase(cases[found.caseIndex]), parts: found.differences, reproducer: reproducer.value });
    return ok(undefined);
  }
}

interface Opened {
  readonly pair: SidePair;
  readonly state: StartState;
}
