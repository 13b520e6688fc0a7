import { afterAll, describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { CASE_CPU } from '../../src/cases/index.js';
import { CpuBinding } from '../../src/replay/cpuBinding.js';
import { KernelXskWorld } from '../../src/replay/xsk/kernelXskWorld.js';
import type { XskSetting } from '../../src/replay/xsk/rawXsk.js';
import { XskLockstep } from '../../src/replay/xsk/xskLockstep.js';
import type { TxChoice, XskOperation } from '../../src/replay/xsk/xskOperation.js';
import { KERNEL_QUIRKS, MSG_DONTWAIT, XDP_COPY, XDP_USE_SG } from '../../src/umem/index.js';
import type { AfXdpParts } from '../../src/umem/index.js';
import { kernelOracle } from '../support/kernelOracle.js';
import { fc } from '../support/property.js';
import { METADATA, randomCase, redirectToSlot0 } from '../support/xskCases.js';
import type { Case } from '../support/xskCases.js';
import { withKernelSockets } from '../support/xskSides.js';
import { XskVeth } from '../support/xskVeth.js';

// Applications on the simulator and on the running kernel, compared after every step: results, rings, chunks, statistics. The long form is
// XDP_SIM_XSK=20000 npx vitest run test/replay/xskDifferential.test.ts; XDP_SIM_XSK_SEED begins elsewhere.
//
// The simulator's side is `src/umem` alone, with a device that hands packets over at once: so does the kernel, whose softirq runs before a send call
// goes on. A simulated veth takes all packets of a call in one poll and flushes once, so that fewer FILL entries are published in between.

const CASES = Number(process.env.XDP_SIM_XSK ?? 150);
const SEED = Number(process.env.XDP_SIM_XSK_SEED ?? 20261127);

/** A packet's way through a busy kernel, ms. */
const PATIENCE_MS = 100;
/** Wires of each kind: making one for each case would take most of the time, and a queue takes a while to become free. */
const COPIES = 5;

/** What has to be among the cases, or they say nothing. */
const MUST_BE_SEEN = [
  'sendto 0', 'sendto EAGAIN', 'sendto EBUSY', 'sendto EINVAL', 'sendto ENETDOWN', 'sendto EOPNOTSUPP', 'recvfrom 0', 'recvfrom ENETDOWN', 'poll 0', 'poll 1', 'poll 4', 'poll 5',
  'rx_dropped', 'tx_invalid_descs', 'rx_ring_full', 'rx_fill_ring_empty_descs', 'tx_ring_empty_descs', 'descriptors on RX', 'addresses on COMPLETION',
];

const PLAIN: XskSetting = {
  chunkSizeBytes: 4096, chunkCount: 8, isUnaligned: false, headroomBytes: 0, txMetadataBytes: 0, hasTxSwCsum: false, rx: 8, tx: 8, fill: 8, completion: 8, bindFlags: XDP_COPY,
  txBudget: 0, hasSecond: false,
};
const END = { end: 0 };
const send: XskOperation = { ...END, kind: 'sendto', flags: MSG_DONTWAIT };
const complete = (count: number): XskOperation => ({ ...END, kind: 'consume', ring: 'completion', count, extra: 0 });
const queue = (...descs: TxChoice[]): XskOperation => ({ ...END, kind: 'queue', descs, extra: 0 });
const fill = (end: number, ...chunks: number[]): XskOperation => ({ end, kind: 'fill', entries: chunks.map((chunk) => ({ chunk, offBytes: 0 })), extra: 0 });
const desc = (chunk: number, options = 0, len = 60, offBytes = 256): TxChoice => ({ address: { chunk, offBytes }, len, options });
const bad = (options = 0): TxChoice => desc(7, options, 0);

/** What random applications found once: the sender's setting, and what is done. */
const REGRESSIONS: Record<string, readonly [Partial<XskSetting>, ...XskOperation[]]> = {
  'an invalid descriptor drops what there is of its packet, even when COMPLETION has no room for itself': [{ completion: 1 }, queue(desc(0, 1), bad()), send, complete(1), send],
  'what follows an invalid descriptor with CONTD is drained, though the call found COMPLETION full': [
    { tx: 4, completion: 1 }, queue(desc(0), bad(1)), send, complete(1), queue(desc(1), desc(2), desc(3), desc(4)), send, complete(1), send,
  ],
  'what follows an invalid descriptor of a packet is drained, though it was put right meanwhile': [
    { tx: 4, completion: 1 }, queue(desc(0, 1), bad()), send, complete(1), queue(desc(1), desc(2), desc(3), desc(4)), send, complete(1), send,
  ],
  'an invalid descriptor that is a packet of its own drains nothing': [{ tx: 4, completion: 1 }, queue(desc(0), bad()), send, complete(1), queue(desc(1), desc(2), desc(3), desc(4)), send],
  'an odd address comes back even, in a packet only the first one': [{}, queue(desc(0, 0, 60, 257), desc(1, 1, 60, 301), desc(2, 0, 60, 303)), send],
  'a packet that is dropped gets its time of sending, too': [{ txMetadataBytes: 24 }, queue({ ...desc(0, 3), metadata: { flags: 1, csumStart: 0, csumOffset: 0 } }, bad()), send],
  'refused metadata come back with every call, beyond the end of COMPLETION': [{ completion: 1 }, queue(desc(0, 2)), send, send, send, complete(1), send, complete(8), send],
  'the CPU sums up the first part of a packet only': [
    { txMetadataBytes: 24, hasTxSwCsum: true }, fill(1, 0, 1), queue({ ...desc(0, 3, 100), metadata: { flags: 2, csumStart: 34, csumOffset: 6 } }, desc(1, 0, 101)), send,
  ],
  'a producer that runs ahead makes stale descriptors go again': [{ tx: 4 }, fill(1, 0, 1, 2, 3), { ...END, kind: 'queue', descs: [desc(0), desc(1)], extra: 5 }, send],
  'FILL without an entry counts as empty for a packet of several chunks, with too few it does not': [
    { bindFlags: XDP_COPY | XDP_USE_SG }, { end: 1, kind: 'frame', lenBytes: 9000, seed: 1 }, fill(0, 0, 1), { end: 1, kind: 'frame', lenBytes: 9000, seed: 2 }, fill(0, 2), { end: 1, kind: 'frame', lenBytes: 9000, seed: 3 },
  ],
  'metadata of 8 bytes reach into the packet': [{ txMetadataBytes: 8 }, fill(1, 0), queue({ ...desc(0, 2), metadata: { flags: 2, csumStart: 14, csumOffset: 6 } }), send],
};

await withKernelSockets('AF_XDP in lockstep with the kernel', (net) => {
  const wires = new Map<string, KernelXskWorld[]>();
  const seen = new Map<string, number>();

  /** The wire that has rested longest. */
  const kernelWire = (kind: Case['wire']): KernelXskWorld => {
    const name = JSON.stringify(kind);
    const worlds = wires.get(name) ?? [];
    wires.set(name, worlds);
    const world = worlds.length < COPIES ? unwrap(KernelXskWorld.create(net, kernelOracle!, redirectToSlot0(kind.hasMetadata), kind.mtu, kind.mode)) : worlds.shift()!;
    worlds.push(world);
    return world;
  };

  /** What differs first, as text; empty when nothing does. @param rules of a simulated kernel that is another one */
  const run = ({ wire, settings, operations }: Case, rules: Pick<AfXdpParts, 'kernel' | 'quirks'> = {}): string => {
    const simulated = new XskVeth(wire.mtu, wire.hasMetadata ? METADATA : new Uint8Array(0), wire.mode === 'generic', rules);
    const lockstep = new XskLockstep(simulated, kernelWire(wire), settings, PATIENCE_MS);
    try {
      for (const [i, each] of operations.entries()) {
        const differences = lockstep.step(each);
        if (differences.length > 0) return [`after step ${i}, ${JSON.stringify(each)}:`, ...differences].join('\n');
      }
      return '';
    } finally {
      lockstep.close();
      for (const [what, count] of lockstep.seen) seen.set(what, (seen.get(what) ?? 0) + count);
    }
  };

  /** A packet that a busy machine delayed by more than it is waited for would not be late three times. */
  const check = (random: Case): void => {
    const differences = run(random) && run(random) && run(random);
    if (differences !== '') throw new Error(differences);
  };

  /** On one CPU a packet has arrived when the call that sends it returns. */
  const onOneCpu = (body: () => void): void => unwrap(new CpuBinding(kernelOracle!.syscalls, CASE_CPU).run(body));

  afterAll(() => {
    for (const world of [...wires.values()].flat()) world.close();
  });

  describe.each(['native', 'generic'] as const)('%s', (mode) => {
    it.each(Object.entries(REGRESSIONS))('%s', { timeout: 60_000 }, (_, [sender, ...operations]) => {
      onOneCpu(() => check({ wire: { mtu: 9000, hasMetadata: false, flaps: false, mode }, settings: [{ ...PLAIN, ...sender }, PLAIN], operations }));
    });
  });

  it.each<[keyof typeof REGRESSIONS, Pick<AfXdpParts, 'kernel' | 'quirks'>, string]>([
    ['an odd address comes back even, in a packet only the first one', { quirks: { ...KERNEL_QUIRKS, completesEvenAddress: false } }, 'completion bytes'],
    ['refused metadata come back with every call, beyond the end of COMPLETION', { quirks: { ...KERNEL_QUIRKS, completesRefusedMetadata: false } }, 'completion producer'],
    ['what follows an invalid descriptor with CONTD is drained, though the call found COMPLETION full', { kernel: '6.6' }, 'result'],
  ])('finds a simulator that is not like this kernel: %s', { timeout: 60_000 }, (name, rules, part) => {
    const [sender, ...operations] = REGRESSIONS[name];
    const wire = { mtu: 9000, hasMetadata: false, flaps: false, mode: 'native' as const };
    onOneCpu(() => expect(run({ wire, settings: [{ ...PLAIN, ...sender }, PLAIN], operations }, rules)).toContain(part));
  });

  it(`${CASES} random applications`, { timeout: 3_600_000 }, () => {
    seen.clear();
    onOneCpu(() => fc.assert(fc.property(randomCase, check), { numRuns: CASES, seed: SEED, interruptAfterTimeLimit: 3_000_000 }));
    expect(MUST_BE_SEEN.filter((what) => (seen.get(what) ?? 0) === 0)).toEqual([]);
  });
});
