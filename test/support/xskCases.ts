import type { XdpMode } from '../../src/replay/net/xdpLink.js';
import type { XskSetting } from '../../src/replay/xsk/rawXsk.js';
import type { AddressChoice, TxChoice, XskOperation } from '../../src/replay/xsk/xskOperation.js';
import { MSG_DONTWAIT, XDP_COPY, XDP_USE_NEED_WAKEUP, XDP_USE_SG } from '../../src/umem/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { fc } from './property.js';
import { xskMap } from './simulate.js';
import { xdpProgram } from './xdpProgram.js';

// Applications of AF_XDP as they may come, good and bad ones, for tests that let two kernels do the same.

/** What the program writes before each packet, if it writes anything. */
export const METADATA = Uint8Array.of(0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8);
const REDIRECT = 'r1 = map xsks\nr2 = 0\nr3 = 0\ncall 51\nexit';
const WITH_METADATA = `r6 = r1
r2 = -8
call 54
r2 = *(u32 *)(r6 + 8)
r3 = *(u32 *)(r6 + 0)
r4 = r2
r4 += 8
if r4 > r3 goto redirect
r5 = 0xa8a7a6a5a4a3a2a1 ll
*(u64 *)(r2 + 0) = r5
redirect: ${REDIRECT}`;

/** Redirects every packet to slot 0 of the only map. */
export const redirectToSlot0 = (hasMetadata: boolean): ObjectSpec => xdpProgram(hasMetadata ? WITH_METADATA : REDIRECT, { frags: true, maps: [xskMap] });

/** Flag of metadata: the time of sending is written over it. */
const TIMESTAMP = 1;
/** Where packets lie in their chunks that ask for one, and their greatest length: metadata never reaches in. */
const PACKET_AT = 300;
const PACKET_BYTES = 250;

/** Kinds of wires. */
const WIRES = [
  ...[1500, 9000].flatMap((mtu) => [false, true].map((hasMetadata) => ({ mtu, hasMetadata, flaps: false, mode: 'native' as XdpMode }))),
  { mtu: 1500, hasMetadata: false, flaps: true, mode: 'native' as XdpMode },
  ...[1500, 9000].map((mtu) => ({ mtu, hasMetadata: mtu === 1500, flaps: false, mode: 'generic' as XdpMode })),
];

export interface Case {
  readonly wire: (typeof WIRES)[number];
  readonly settings: readonly [XskSetting, XskSetting];
  readonly operations: readonly XskOperation[];
}

const ringSize = fc.oneof({ arbitrary: fc.constantFrom(1, 2, 4, 8), weight: 3 }, { arbitrary: fc.constantFrom(16, 64), weight: 1 });

const setting: fc.Arbitrary<XskSetting> = fc.record({
  isUnaligned: fc.boolean(),
  chunk: fc.constantFrom(2048, 4096, 3000, 2176),
  chunkCount: fc.integer({ min: 1, max: 12 }),
  headroom: fc.oneof(fc.constantFrom(0, 1, 64, 100, 1344, 3392), fc.integer({ min: 0, max: 3392 })),
  txMetadataBytes: fc.constantFrom(0, 0, 8, 24, 32, 248),
  hasTxSwCsum: fc.boolean(),
  rx: ringSize, tx: ringSize, fill: ringSize, completion: ringSize,
  hasSg: fc.boolean(),
  needsWakeup: fc.boolean(),
  txBudget: fc.constantFrom(0, 0, 33, 64),
  hasSecond: fc.constantFrom(false, false, true),
}).map(({ chunk, headroom, hasSg, needsWakeup, txBudget, ...more }) => {
  const chunkSizeBytes = more.isUnaligned ? chunk : chunk === 2048 ? 2048 : 4096;
  return {
    ...more,
    chunkSizeBytes,
    headroomBytes: Math.min(headroom, chunkSizeBytes - 256 - 320 - 128),
    bindFlags: XDP_COPY | (hasSg ? XDP_USE_SG : 0) | (needsWakeup ? XDP_USE_NEED_WAKEUP : 0),
    txBudget: txBudget > 0 && more.tx >= txBudget ? txBudget : 0,
  };
});

const goodAddress: fc.Arbitrary<AddressChoice> = fc.record({ chunk: fc.nat(11), offBytes: fc.oneof(fc.constantFrom(0, 0, 256, 300), fc.nat(4095)) });
const anyAddress: fc.Arbitrary<AddressChoice> = fc.record({
  low: fc.oneof(fc.constantFrom(0, 1, 24, 2048, 4096, 6144, 12 * 4096, 0xffffffff, 0xfffffffe), fc.nat(0xffffffff)),
  high: fc.constantFrom(0, 0, 1, 0xffff, 0x10000, 0x1000000, 0x8000000, 0xffffffff),
});
/** The offset of a chunk on FILL that is not its beginning counts for unaligned chunks: they may then overlap. */
const fillAddress = (bad: number): fc.Arbitrary<AddressChoice> => fc.oneof(
  { arbitrary: fc.record({ chunk: fc.nat(11), offBytes: fc.constant(0) }), weight: 8 }, { arbitrary: goodAddress, weight: 2 * bad }, { arbitrary: anyAddress, weight: bad },
);
const metadata = fc.record({
  flags: fc.oneof({ arbitrary: fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7), weight: 6 }, { arbitrary: fc.constantFrom(8, 0x80000000), weight: 1 }),
  csumStart: fc.oneof(fc.constantFrom(14, 34), fc.nat(100)),
  // Even: what is left of it is never taken for flags that ask for a time stamp.
  csumOffset: fc.oneof(fc.constantFrom(6, 16), fc.nat(50).map((half) => 2 + 2 * half)),
});
const desc: fc.Arbitrary<TxChoice> = fc.record({
  address: fc.oneof({ arbitrary: goodAddress, weight: 14 }, { arbitrary: anyAddress, weight: 1 }),
  len: fc.oneof(
    { arbitrary: fc.integer({ min: 14, max: 200 }), weight: 8 }, { arbitrary: fc.integer({ min: 1, max: 4096 }), weight: 4 },
    { arbitrary: fc.constantFrom(0, 1, 13, 14, 1518, 1519, 2048, 3520, 3521, 3840, 4096, 4097, 0x7fffffff), weight: 2 },
  ),
  options: fc.oneof({ arbitrary: fc.constant(0), weight: 8 }, { arbitrary: fc.constant(1), weight: 5 }, { arbitrary: fc.constantFrom(2, 3), weight: 3 }, { arbitrary: fc.constantFrom(4, 0x10000, 7), weight: 1 }),
  metadata: fc.option(metadata, { nil: undefined }),
});
/** Mostly 0. */
const extra = fc.oneof({ arbitrary: fc.constant(0), weight: 30 }, { arbitrary: fc.constantFrom(1, 2, 9), weight: 1 });
const end = fc.constantFrom(0, 1);
/** Descriptors as most applications queue them, so that a call meets its budget. */
const many = fc.integer({ min: 20, max: 64 }).map((count) => Array.from({ length: count }, (_, i): TxChoice => ({ address: { chunk: i, offBytes: 300 }, len: 60 + i, options: 0 })));
/** Packets of about as many descriptors as there may be, and what comes behind one. */
const chain = fc.record({ count: fc.integer({ min: 15, max: 21 }), len: fc.constantFrom(1, 20, 82, 500), rest: fc.array(desc, { maxLength: 4 }) }).map(({ count, len, rest }) => [
  ...Array.from({ length: count }, (_, i): TxChoice => ({ address: { chunk: i, offBytes: 300 }, len, options: i + 1 < count ? 1 : 0 })), ...rest,
]);

/** @param bad weight of bad FILL entries */
const operation = (bad: number, wire: Case['wire']): fc.Arbitrary<XskOperation> => fc.tuple(operationOfFirst(bad, wire), fc.boolean()).map(([each, isSecond]) => ({ ...each, isSecond }));

const operationOfFirst = (bad: number, { mtu, flaps }: Case['wire']): fc.Arbitrary<XskOperation> => fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('queue' as const), end, descs: fc.oneof(many, chain), extra: fc.constant(0) }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('attach' as const), end }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('fill' as const), end, entries: fc.array(fillAddress(bad), { maxLength: 8 }), extra }), weight: 4 },
  { arbitrary: fc.record({ kind: fc.constant('queue' as const), end, descs: fc.oneof({ arbitrary: fc.array(desc, { maxLength: 6 }), weight: 8 }, { arbitrary: fc.array(desc, { maxLength: 40 }), weight: 1 }), extra }), weight: 5 },
  { arbitrary: fc.record({ kind: fc.constant('consume' as const), end, ring: fc.constantFrom('rx' as const, 'completion' as const), count: fc.oneof(fc.nat(3), fc.constant(64)), extra }), weight: 5 },
  { arbitrary: fc.record({ kind: fc.constant('sendto' as const), end, flags: fc.constantFrom(MSG_DONTWAIT, MSG_DONTWAIT, MSG_DONTWAIT, MSG_DONTWAIT, 0) }), weight: 6 },
  { arbitrary: fc.record({ kind: fc.constant('recvfrom' as const), end, flags: fc.constantFrom(MSG_DONTWAIT, MSG_DONTWAIT, MSG_DONTWAIT, 0) }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('poll' as const), end, events: fc.constantFrom(1, 4, 5, 0x145) }), weight: 2 },
  ...(flaps ? [{ arbitrary: fc.record({ kind: fc.constant('link' as const), end, isUp: fc.constantFrom(true, true, false) }), weight: 2 }] : []),
  {
    arbitrary: fc.record({
      kind: fc.constant('frame' as const), end, seed: fc.nat(255),
      lenBytes: fc.oneof({ arbitrary: fc.integer({ min: 14, max: 300 }), weight: 2 }, { arbitrary: fc.integer({ min: 14, max: mtu + 14 }), weight: 1 }),
    }),
    weight: 4,
  },
);

/**
 * A time that the kernel writes into a chunk must not be sent with a packet, as it is known to nobody: either nobody asks for one, or packets and
 * metadata have places of their own.
 */
function withoutTimes(operation: XskOperation): XskOperation {
  if (operation.kind !== 'queue') return operation;
  return { ...operation, descs: operation.descs.map((each) => ({ ...each, metadata: each.metadata && { ...each.metadata, flags: (each.metadata.flags & ~TIMESTAMP) >>> 0 } })) };
}

function withTimes(operation: XskOperation): XskOperation {
  if (operation.kind !== 'queue') return operation;
  const placed = ({ address, len, ...more }: TxChoice): TxChoice => ({
    ...more, address: 'chunk' in address ? { ...address, offBytes: PACKET_AT } : { chunk: 0, offBytes: PACKET_AT }, len: len > PACKET_BYTES && len <= 4096 ? len % PACKET_BYTES : len,
  });
  return { ...operation, descs: operation.descs.map(placed) };
}

export const randomCase: fc.Arbitrary<Case> = fc.record({
  wire: fc.constantFrom(...WIRES), settings: fc.tuple(setting, setting), hasTimes: fc.constantFrom(true, false, false),
}).chain(({ wire, settings: drawn, hasTimes }) => {
  const settings = drawn.map((each) => ({ ...each, txMetadataBytes: hasTimes ? Math.max(each.txMetadataBytes, 24) : each.txMetadataBytes })) as [XskSetting, XskSetting];
  // The kernel looks at how many entries FILL has for a packet of several chunks, not at whether they are good, and then takes what it didn't get: with
  // bad ones it would crash.
  const bad = wire.mtu > 3500 || settings.some(({ bindFlags }) => (bindFlags & XDP_USE_SG) !== 0) ? 0 : 1;
  return fc.record({ wire: fc.constant(wire), settings: fc.constant(settings), operations: fc.array(operation(bad, wire).map(hasTimes ? withTimes : withoutTimes), { minLength: 1, maxLength: 60, size: 'max' }) });
});
