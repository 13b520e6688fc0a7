import { describe, expect, it } from 'vitest';
import { ENODATA, EOPNOTSUPP } from '../../../src/base/index.js';
import { NETDEV_XDP_ACT_BASIC, PROFILES } from '../../../src/nic/index.js';
import type { NicProfile, NicSettings } from '../../../src/nic/index.js';
import { XDP_RSS_L3_IPV4, XDP_RSS_L4, XDP_RSS_L4_UDP } from '../../../src/vm/index.js';
import { fixture, simulate, udpFrame } from '../../support/simulate.js';

// Every driver, every hint, every offload that bears on it: results, and what the memory of the program holds afterwards. It is filled with 0xee.

const udp = udpFrame(64);
const FRAMES = {
  tagged: Uint8Array.from([...udp.subarray(0, 12), 0x81, 0, 0x20, 5, ...udp.subarray(12)]),
  /** Priority 0 in VLAN 0: the tag is 0. */
  tagZero: Uint8Array.from([...udp.subarray(0, 12), 0x81, 0, 0, 0, ...udp.subarray(12)]),
  udp,
  arp: Uint8Array.from([...udp.subarray(0, 12), 8, 6, ...new Uint8Array(46)]),
};

const [NO, NONE] = [-EOPNOTSUPP, -ENODATA];
const UNTOUCHED = { timestamp: 0xeeeeeeeeeeeeeeeen, hash: 0xeeeeeeee, type: 0xeeeeeeee, proto: 0xeeee, tci: 0xeeee };
const UDP4 = XDP_RSS_L3_IPV4 | XDP_RSS_L4 | XDP_RSS_L4_UDP;

function hintsOf(profile: NicProfile, frame: Uint8Array, offloads: NicSettings['offloads'] = {}) {
  const { simulation, result } = simulate({
    object: fixture('rx_hint_memory'), nic: { profile, offloads, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default }, frames: [{ bytes: frame }],
  });
  expect(result.audit.ok).toBe(true);
  const value = simulation.loaded.maps.get('memory')!.lookupBytes(new Uint8Array(4))!;
  const view = new DataView(value.buffer, value.byteOffset);
  return {
    results: [0, 4, 8].map((at) => view.getInt32(at, true)),
    type: view.getUint32(12, true), timestamp: view.getBigUint64(16, true), proto: view.getUint16(24, false), tci: view.getUint16(26, true), hash: view.getUint32(28, true),
  };
}

type Expected = Partial<ReturnType<typeof hintsOf>>;
/** One situation of a driver: offloads that are switched off, a frame, and what comes of it. */
type Row = readonly [off: string, frame: keyof typeof FRAMES, expected: Expected];

const { timestamp, hash, type, proto, tci } = UNTOUCHED;

/** What drivers with xdp_metadata_ops answer, by their sources of 6.18; `plain` is the model's own. */
const TABLE: Readonly<Record<string, readonly Row[]>> = {
  plain: [
    ['', 'tagged', { results: [0, 0, NONE], type: UDP4, proto, tci }],
    ['', 'arp', { results: [0, NONE, NONE], hash, type }],
    ['rxTimestamp', 'udp', { results: [NONE, 0, NONE], timestamp }],
    ['rxHash', 'udp', { results: [0, NONE, NONE], hash, type }],
  ],
  veth: [
    ['', 'tagged', { results: [0, 0, NONE], timestamp: 0n, type: 0, proto, tci: 0 }],
    ['', 'udp', { results: [0, 0, NONE], timestamp: 0n, type: XDP_RSS_L4, proto, tci: 0 }],
    ['', 'arp', { results: [0, 0, NONE], timestamp: 0n, type: 0, proto, tci: 0 }],
  ],
  mlx5: [
    // UDP is hashed by addresses alone.
    ['', 'tagged', { results: [0, 0, 0], type: XDP_RSS_L3_IPV4, proto: 0x8100, tci: 0x2005 }],
    ['', 'tagZero', { results: [0, 0, 0], proto: 0x8100, tci: 0 }],
    ['', 'arp', { results: [0, 0, NONE], hash: 0, type: 0, proto, tci }],
    ['rxTimestamp', 'udp', { results: [NONE, 0, NONE], timestamp }],
    ['rxHash', 'udp', { results: [0, NONE, NONE], hash, type }],
    ['rxVlanStrip', 'tagged', { results: [0, 0, NONE], proto, tci }],
  ],
  mlx4: [
    ['', 'tagged', { results: [0, 0, NO], type: XDP_RSS_L3_IPV4 | XDP_RSS_L4_UDP, proto, tci }],
    ['', 'arp', { results: [0, 0, NO], hash: 0, type: 0 }],
    ['rxTimestamp', 'udp', { results: [NONE, 0, NO], timestamp }],
    ['rxHash', 'udp', { results: [0, NONE, NO], hash, type }],
  ],
  ice: [
    ['', 'tagged', { results: [0, 0, 0], type: UDP4, proto: 0x8100, tci: 0x2005 }],
    ['', 'tagZero', { results: [0, 0, NONE], proto: 0x8100, tci: 0 }],
    ['', 'arp', { results: [0, NONE, NONE], hash: 0, type: 0, proto: 0x8100, tci: 0 }],
    ['rxTimestamp', 'udp', { results: [NONE, 0, NONE], timestamp: 0n }],
    ['rxHash', 'udp', { results: [0, NONE, NONE], hash: 0, type: UDP4 }],
    ['rxVlanStrip', 'tagged', { results: [0, 0, NONE], proto: 0, tci }],
  ],
  igc: [
    ['', 'tagged', { results: [0, 0, NO], type: XDP_RSS_L3_IPV4, proto, tci }],
    ['', 'arp', { results: [0, 0, NO], hash: 0, type: 0 }],
    ['rxTimestamp', 'udp', { results: [NONE, 0, NO], timestamp }],
    ['rxHash', 'udp', { results: [0, NONE, NO], hash, type }],
  ],
};

const native = PROFILES.filter(({ xdp }) => (xdp.features & NETDEV_XDP_ACT_BASIC) !== 0);

describe.each(native.filter(({ name }) => Object.hasOwn(TABLE, name)))('RX hints of $name', (profile) => {
  it.each(TABLE[profile.name]!)('without %s: %s', (off, frame, expected) => {
    expect(hintsOf(profile, FRAMES[frame], off === '' ? {} : { [off]: false })).toMatchObject(expected);
  });

  it('tell the time of arrival and the hash where they tell any', () => {
    const hints = hintsOf(profile, udp);
    if (profile.name !== 'veth') expect(Number(hints.timestamp)).toBeGreaterThan(0);
    expect(hints.hash).not.toBe(UNTOUCHED.hash);
    expect(hints.hash).not.toBe(0);
  });
});

describe.each(native.filter(({ name }) => !Object.hasOwn(TABLE, name)))('$name has no RX hints', (profile) => {
  const switchable = (['rxTimestamp', 'rxHash', 'rxVlanStrip'] as const).filter((name) => name !== 'rxHash' || profile.rss !== undefined);
  it.each(['', ...switchable])('without %s: -EOPNOTSUPP, and nothing is written', (off) => {
    expect(hintsOf(profile, FRAMES.tagged, off === '' ? {} : { [off]: false })).toEqual({ results: [NO, NO, NO], ...UNTOUCHED });
  });
});
