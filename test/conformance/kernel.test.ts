import { afterAll, expect, it } from 'vitest';
import { EINVAL, ENOMEM, ENOSPC, Rng } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../src/xdp/index.js';
import { fixtureCaptures, fixtureObjects, readPackets } from '../support/fixtures.js';
import { withKernel } from '../support/kernelOracle.js';
import { declaredExceptions } from './byNature.js';
import { mutatedCases, packetCases } from './cases.js';
import { Differences } from './differences.js';
import { compareAllMaps, compareCases } from './sequence.js';
import { openKernelSide, openSimulatorSide } from './sides.js';
import type { Side } from './sides.js';
import { subjectsOf } from './variants.js';

// Every program, every packet: the simulator's test run and the running kernel's BPF_PROG_TEST_RUN, side by side. Each side loads the
// program once and keeps its maps through all packets. Other and more mutations of the packets:
//
//     CONFORMANCE_SEED=7 CONFORMANCE_MUTATIONS=5000 npx vitest run test/conformance/kernel.test.ts

const SEED = Number(process.env.CONFORMANCE_SEED ?? 1);
const MUTATIONS_PER_SUBJECT = Number(process.env.CONFORMANCE_MUTATIONS ?? 300);

/** A busy machine may take its time, and so do many mutations. */
const TIMEOUT_MS = 300_000;

/** Maps up to this size are compared after each capture, so that a difference is found near its cause; all of them at the end. */
const OFTEN_MAX_ENTRIES = 1024;

withKernel('every program on every packet, as the running kernel does it', (kernel) => {
  const rng = new Rng(SEED);
  const captures = fixtureCaptures().map((name) => ({ name, packets: readPackets(name) }));
  const cases = captures.map(({ name, packets }) => ({ name, cases: packetCases(packets, rng) }));
  const packets = captures.flatMap((capture) => capture.packets);
  const subjects = subjectsOf(fixtureObjects());
  const memory = new HostMemory(64);
  /** What the kernel answered how often. */
  const errnos = new Map<number, number>();
  const verdicts = new Map<number, number>();
  let compared = 0;

  const rows = subjects.map((subject, index) => ({ name: subject.name, subject, index }));
  it.each(rows)('$name: same errno, verdict, bytes, context and maps', { timeout: TIMEOUT_MS }, ({ subject, index }) => {
    const theirs = counted(openKernelSide(kernel, subject), errnos, verdicts);
    const ours = openSimulatorSide(memory, subject, kernel.possibleCpus);
    const differences = new Differences(['kernel', 'simulator']);
    try {
      for (const capture of cases) {
        compareCases(subject, theirs, ours, capture.cases, differences);
        compareAllMaps(subject, theirs, ours, `after ${capture.name}`, differences, OFTEN_MAX_ENTRIES);
        compared += capture.cases.length;
      }
      // A seed of its own, so that a program gives the same differences when it is run alone.
      const mutated = mutatedCases(packets, MUTATIONS_PER_SUBJECT, new Rng(SEED + index));
      compareCases(subject, theirs, ours, mutated, differences);
      compareAllMaps(subject, theirs, ours, 'after all packets', differences);
      compared += mutated.length;
    } finally {
      theirs.close();
      ours.close();
    }
    expect(differences.toString()).toBe('');
  });

  it('has met every verdict, a number that is none, and every errno that a packet can cause', () => {
    expect([...verdicts.keys()]).toEqual(expect.arrayContaining([XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT, 77]));
    expect([...errnos.keys()]).toEqual(expect.arrayContaining([0, EINVAL, ENOMEM, ENOSPC]));
  });

  afterAll(() => {
    console.info(
      [
        `conformance with the kernel: ${subjects.length} programs and variants, ${packets.length} packets, ${compared} cases compared, seed ${SEED}`,
        `  verdicts ${tally(verdicts)}; errnos ${tally(errnos)}`,
        ...declaredExceptions().map((line) => `  by nature: ${line}`),
      ].join('\n'),
    );
  });
});

/** The same side, its answers counted. */
function counted(side: Side, errnos: Map<number, number>, verdicts: Map<number, number>): Side {
  return {
    ...side,
    run(input) {
      const observed = side.run(input);
      errnos.set(observed.errno, (errnos.get(observed.errno) ?? 0) + 1);
      if (observed.errno === 0) verdicts.set(observed.retval, (verdicts.get(observed.retval) ?? 0) + 1);
      return observed;
    },
  };
}

function tally(counts: ReadonlyMap<number, number>): string {
  return [...counts].sort(([a], [b]) => a - b).map(([value, count]) => `${value}: ${count}`).join(', ');
}
