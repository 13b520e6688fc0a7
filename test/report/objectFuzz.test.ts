import { readFileSync, readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { ProblemError, Rng } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { inspectObject } from '../../src/report/index.js';
import { Vm, loadObjectBytes, objectMemoryBytes } from '../../src/vm/index.js';
import { TestRunner } from '../../src/xdp/index.js';
import { checkSpec } from '../support/checkSpec.js';
import { MUTATIONS } from '../support/objectMutations.js';
import { quietEnvironment } from '../support/xdpProgram.js';

// The whole way of a damaged object: load, inspect, into a machine, run. `XDP_SIM_FUZZ=100000 npx vitest run test/report/objectFuzz.test.ts`
// is the long form; XDP_SIM_FUZZ_SEED begins elsewhere. Case N of a seed is always the same object.

// Time and memory count in the long form only, which has the process for itself: in the quick one the heap is full of what other tests left.
const isLong = process.env.XDP_SIM_FUZZ !== undefined;
const CASES = Number(process.env.XDP_SIM_FUZZ ?? 1200);
const SEED = Number(process.env.XDP_SIM_FUZZ_SEED ?? 20261126);
const SLOWEST_MS = 1000;
const MOST_BYTES = 256 * 2 ** 20;

const FOLDERS = ['fixtures/programs', 'test/vm/loader/objects', 'test/replay/objects', 'test/cli/objects', 'fixtures/bad'];
const FILES = FOLDERS.flatMap((folder) => (readdirSync(folder, { recursive: true }) as string[]).filter((file) => file.endsWith('.o')).map((file) => `${folder}/${file}`)).sort();
const KINDS = Object.keys(MUTATIONS);

/** Takes the object as far as it goes; how far that was. */
function goThrough(bytes: Uint8Array): 'refused' | 'loaded' | 'ran' {
  const object = loadObjectBytes(bytes, 'fuzz.o');
  if (!object.ok) {
    expect(object.problem).toMatchObject({ code: expect.stringMatching(/^[a-z0-9-]+$/), message: expect.stringMatching(/./), where: expect.stringMatching(/^fuzz\.o/) });
    return 'refused';
  }
  checkSpec(object.value);
  const report = inspectObject(object.value);
  expect(report.programs.length).toBe(object.value.programs.length);
  const memory = HostMemory.withRoomFor(objectMemoryBytes(object.value, 2));
  const vm = new Vm({ memory, environment: { ...quietEnvironment(), possibleCpus: 2 }, instructionBudget: 20_000 });
  const loaded = vm.load(object.value);
  if (!loaded.ok) {
    expect(loaded.problem.code).toMatch(/^[a-z0-9-]+$/);
    return 'loaded';
  }
  const runner = new TestRunner(memory, vm);
  for (const program of loaded.value.programs) {
    for (const sizeBytes of [14, 100]) {
      const { fault } = runner.run(program, { data: new Uint8Array(sizeBytes).fill(8) });
      if (fault !== undefined) expect(fault.message).toContain('[insn ');
    }
  }
  return 'ran';
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function timed(bytes: Uint8Array): { readonly outcome: 'refused' | 'loaded' | 'ran'; readonly tookMs: number } {
  // Time of the CPU: what a busy machine does meanwhile doesn't count.
  const before = process.cpuUsage();
  const outcome = goThrough(bytes);
  const { user, system } = process.cpuUsage(before);
  return { outcome, tookMs: (user + system) / 1000 };
}

test(`${CASES} damaged objects`, () => {
  const objects = FILES.map((file) => readFileSync(file)).filter((bytes) => bytes.length < 2 ** 20);
  const outcomes = { refused: 0, loaded: 0, ran: 0 };
  const before = process.memoryUsage.rss();
  let most = 0;
  for (let i = 0; i < CASES; i++) {
    const rng = new Rng(SEED + i);
    const which = rng.below(objects.length);
    const kind = KINDS[rng.below(KINDS.length)]!;
    const label = `XDP_SIM_FUZZ_SEED=${SEED + i} XDP_SIM_FUZZ=1, ${FILES[which]}, ${kind}`;
    let bytes: Buffer;
    try {
      bytes = MUTATIONS[kind]!(Buffer.from(objects[which]!), rng);
    } catch (error) {
      // The mutation reads the object first, and some of these are bad to begin with.
      if (error instanceof ProblemError) continue;
      throw error;
    }
    let tookMs = Infinity;
    try {
      const first = timed(bytes);
      outcomes[first.outcome]++;
      tookMs = first.tookMs;
      // Host memories of thousands of cases before may have piled up: with an empty heap it has to be fast.
      if (tookMs > SLOWEST_MS) {
        collectGarbage();
        tookMs = timed(bytes).tookMs;
      }
    } catch (error) {
      throw new Error(label, { cause: error });
    }
    if (tookMs > SLOWEST_MS && isLong) throw new Error(`${label}: ${tookMs} ms`);
    const grown = process.memoryUsage.rss() - before;
    if (grown > most) most = grown;
    if (grown > MOST_BYTES && isLong) throw new Error(`${label}: memory has grown by ${grown} bytes`);
  }
  console.log(`seed ${SEED}: ${JSON.stringify(outcomes)}, at most ${Math.round(most / 2 ** 20)} MiB more memory`);
  if (CASES < 100) return;
  expect(outcomes.refused).toBeGreaterThan(CASES / 20);
  expect(outcomes.ran).toBeGreaterThan(CASES / 20);
}, 3_600_000);
