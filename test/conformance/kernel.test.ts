import { afterAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { fixtureCaptures, fixtureObjects, readPackets } from '../support/fixtures.js';
import { withKernel } from '../support/kernelOracle.js';
import { declaredExceptions } from './byNature.js';
import { mutatedCases, packetCases } from './cases.js';
import { Differences } from './differences.js';
import { compareAllMaps, compareCases } from './sequence.js';
import { openKernelSide, openSimulatorSide } from './sides.js';
import { subjectsOf } from './variants.js';

// Every program, every packet: the simulator's test run and the running kernel's BPF_PROG_TEST_RUN, side by side. Each side loads the
// program once and keeps its maps through all packets. Another seed: CONFORMANCE_SEED=7 npx vitest run test/conformance

const SEED = Number(process.env.CONFORMANCE_SEED ?? 1);
const MUTATIONS_PER_SUBJECT = Number(process.env.CONFORMANCE_MUTATIONS ?? 400);

/** Maps up to this size are compared after each capture, so that a difference is found near its cause; all of them at the end. */
const OFTEN_MAX_ENTRIES = 1024;

withKernel('every program on every packet, as the running kernel does it', (kernel) => {
  const rng = new Rng(SEED);
  const captures = fixtureCaptures().map((name) => ({ name, packets: readPackets(name) }));
  const cases = captures.map(({ name, packets }) => ({ name, cases: packetCases(packets, rng) }));
  const packets = captures.flatMap((capture) => capture.packets);
  const subjects = subjectsOf(fixtureObjects());
  const memory = new HostMemory(64);
  let compared = 0;

  describe.each(subjects.map((subject, index) => ({ name: subject.name, subject, index })))('$name', ({ subject, index }) => {
    it('gives the same errno, verdict, bytes, context and maps', () => {
      const theirs = openKernelSide(kernel, subject);
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
  });

  afterAll(() => {
    console.info(
      [
        `conformance with the kernel: ${subjects.length} programs and variants, ${packets.length} packets, ${compared} cases compared, seed ${SEED}`,
        ...declaredExceptions().map((line) => `  by nature: ${line}`),
      ].join('\n'),
    );
  });
});
