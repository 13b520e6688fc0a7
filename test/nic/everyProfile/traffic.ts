import { headroomOf, maxFrameBytes, rxLayout } from '../../../src/nic/index.js';
import type { Limit, NicProfile, NicSettings } from '../../../src/nic/index.js';
import { NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_RX_SG } from '../../../src/nic/index.js';
import { fc } from '../../support/property.js';
import type { TimedFrame } from '../../support/simulate.js';
import { buildFrame, frameSpecs } from '../device/offloadFrames.js';
import type { FrameSpec } from '../device/offloadFrames.js';
import { AMOUNT_BYTE, CHANGE_BYTE, VERDICT_BYTE } from './mixedProgram.js';

/** A frame as it is drawn; what its length is depends on the NIC. */
interface DrawnFrame {
  readonly spec: FrameSpec;
  readonly kind: 'packet' | 'spoilt' | 'bytes';
  readonly size: readonly ['own' | 'below' | 'mtu' | 'buffer' | 'beyond' | 'runt', number];
  readonly destination: number;
  readonly verdict: number;
  readonly change: number;
  readonly amount: number;
  /** Frames of a burst have the verdicts one after the other. */
  readonly copies: number;
  readonly gapNs: number;
}

/** A frame of the traffic, and whether its checksums are known. */
export interface TrafficFrame extends TimedFrame {
  readonly tNs: number;
  /** `right`: all of them; `wrong`: that of layer 4; `unknown`: whatever the bytes are. */
  readonly checksums: 'right' | 'wrong' | 'unknown';
}

export const drawnFrames: fc.Arbitrary<readonly DrawnFrame[]> = fc.array(
  fc.record({
    spec: frameSpecs,
    kind: fc.constantFrom('packet', 'packet', 'spoilt', 'bytes'),
    size: fc.tuple(fc.constantFrom('own', 'own', 'own', 'below', 'mtu', 'buffer', 'beyond', 'runt'), fc.nat(20_000)),
    destination: fc.constantFrom(0x02, 0x02, 0x01, 0xff),
    verdict: fc.nat(15),
    change: fc.oneof(fc.constant(0), fc.nat(7)),
    amount: fc.nat(255),
    copies: fc.oneof({ arbitrary: fc.constant(1), weight: 5 }, { arbitrary: fc.integer({ min: 2, max: 90 }), weight: 1 }),
    gapNs: fc.oneof({ arbitrary: fc.constant(0), weight: 6 }, { arbitrary: fc.constantFrom(1, 700, 20_000, 100_000, 3_000_000), weight: 3 }),
  }),
  { maxLength: 30 },
) as fc.Arbitrary<readonly DrawnFrame[]>;

/** When everything has come to rest: no timer of NAPI or moderation is that long. */
const REST_NS = 2e9;

/** The drawn frames for a NIC, and one more after a pause in which everything comes to rest. */
export function trafficFor(drawn: readonly DrawnFrame[], settings: NicSettings): TrafficFrame[] {
  let tNs = 0;
  const frames = drawn.flatMap((each) => {
    tNs += each.gapNs;
    return Array.from({ length: each.copies }, (_, copy) => ({ ...build(each, settings, each.verdict + copy), tNs }));
  });
  const last = build({ spec: EMPTY_PACKET, kind: 'packet', size: ['own', 0], destination: 2, verdict: 2, change: 0, amount: 0, copies: 1, gapNs: 0 }, settings, 2);
  return [...frames, { ...last, tNs: tNs + REST_NS }];
}

const EMPTY_PACKET: FrameSpec = {
  isIpv6: false, protocol: 17, tags: [], options: new Uint8Array(0), addresses: new Uint8Array(32), ports: new Uint8Array(4), payload: new Uint8Array(30), padding: new Uint8Array(0),
};

function build({ spec, kind, size, destination, change, amount }: DrawnFrame, settings: NicSettings, verdict: number): Omit<TrafficFrame, 'tNs'> {
  const lenBytes = lengthOf(size, settings);
  const bare = buildFrame({ ...spec, payload: new Uint8Array(0), padding: new Uint8Array(0) }).bytes.length;
  const isPacket = kind !== 'bytes' && (lenBytes === undefined || lenBytes >= bare);
  const payload = lenBytes === undefined ? spec.payload : Uint8Array.from({ length: Math.max(0, lenBytes - bare) }, (_, i) => spec.payload[i % 64] ?? i & 255);
  const built = buildFrame({ ...spec, payload, ...(lenBytes === undefined ? {} : { padding: new Uint8Array(0) }) });
  const bytes = isPacket ? built.bytes : built.bytes.slice(0, lenBytes ?? built.bytes.length);
  if (kind === 'spoilt' && isPacket) bytes[built.l4Start + built.csumOffset] ^= 0x40;
  if (kind === 'bytes' && bytes.length > 20) bytes[amount % 6 + 14] ^= 0xff;
  if (destination === 0xff) bytes.fill(0xff, 0, Math.min(6, bytes.length));
  else if (bytes.length > AMOUNT_BYTE) {
    bytes[0] = destination;
    bytes[VERDICT_BYTE] = verdict;
    bytes[CHANGE_BYTE] = change;
    bytes[AMOUNT_BYTE] = amount;
  }
  return { bytes, checksums: !isPacket ? 'unknown' : kind === 'packet' ? 'right' : 'wrong' };
}

function lengthOf([kind, number]: DrawnFrame['size'], settings: NicSettings): number | undefined {
  const most = maxFrameBytes(settings.mtu);
  switch (kind) {
    case 'own':
      return undefined;
    case 'below':
      return 14 + (number % (most - 13));
    case 'mtu':
      return most - (number % 10);
    case 'buffer': {
      const { packetBytes, deviceBytes } = rxLayout(settings.profile, headroomOf(settings));
      return Math.max(14, packetBytes + (number % 3) * deviceBytes + ((number >> 2) % 9) - 4);
    }
    case 'beyond':
      return most + 1 + (number % 18_000);
    case 'runt':
      return number % 14;
  }
}

/** Values that a limit allows, small ones more often. */
export function within({ min, max, default: usual, multipleOf = 1, isPowerOfTwo = false }: Limit, most = 512): fc.Arbitrary<number> {
  const top = Math.max(min, Math.min(max, most));
  const fit = (value: number): number => {
    const stepped = isPowerOfTwo ? 2 ** Math.floor(Math.log2(value)) : value - (value % multipleOf);
    return Math.max(Math.ceil(min / multipleOf) * multipleOf, stepped);
  };
  return fc.oneof(fc.constant(fit(min)), fc.integer({ min, max: top }).map(fit), fc.constant(usual));
}

/** Settings that a profile takes, without the profile, which would be long to print; `frags` is whether the program has to handle packets of several buffers. */
export function settingsFor(profile: NicProfile): fc.Arbitrary<{ readonly settings: Omit<NicSettings, 'profile'>; readonly frags: boolean }> {
  const { xdp, offloads } = profile;
  const isNative = (xdp.features & NETDEV_XDP_ACT_BASIC) !== 0;
  const canScatter = (xdp.features & NETDEV_XDP_ACT_RX_SG) !== 0;
  const napi = fc.constantFrom({}, { deferHardIrqs: 2, groFlushTimeoutNs: 20_000 }, { groFlushTimeoutNs: 50_000 }, { deferHardIrqs: 100, groFlushTimeoutNs: 200_000 });
  const switches = fc.record({ rxChecksum: fc.boolean(), rxVlanStrip: fc.boolean(), rxTimestamp: fc.boolean() });
  return fc.boolean().chain((wantsFrags) => {
    const frags = wantsFrags && canScatter;
    const mostMtu = frags || !isNative ? profile.mtu.max : Math.min(profile.mtu.max, xdp.mtuMaxLinear);
    return fc.record({
      queues: within(profile.queues, 8),
      rxRingSize: within(profile.rxRing),
      txRingSize: within(profile.txRing),
      mtuChoice: fc.oneof(fc.constantFrom(1500, mostMtu), fc.integer({ min: profile.mtu.min, max: mostMtu })),
      headroomBytes: within(profile.headroom),
      isDmaCoherent: fc.boolean(),
      interruptDelayNs: fc.constantFrom(undefined, undefined, 0, 5000, 80_000),
      napi,
      switches,
    }).map(({ switches: wanted, mtuChoice, ...settings }) => ({
      frags,
      settings: {
        ifindex: 1, ...settings, mtu: frags || !isNative ? mtuChoice : Math.min(mtuChoice, rxLayout(profile, settings.headroomBytes).packetBytes - maxFrameBytes(0)),
        offloads: { rxChecksum: wanted.rxChecksum && offloads.rxChecksum, rxVlanStrip: wanted.rxVlanStrip && offloads.rxVlanStrip, rxTimestamp: wanted.rxTimestamp && offloads.rxTimestamp },
      },
    }));
  });
}
