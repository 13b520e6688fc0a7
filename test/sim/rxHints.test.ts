import { describe, expect, it } from 'vitest';
import { ENODATA, EOPNOTSUPP } from '../../src/base/index.js';
import { findProfile } from '../../src/nic/index.js';
import type { NicProfile } from '../../src/nic/index.js';
import { Rss, RSS_KEY_MICROSOFT } from '../../src/nic/device/rss.js';
import { BOOT_NS } from '../../src/sim/index.js';
import { XDP_RSS_L3_IPV4, XDP_RSS_L3_IPV6, XDP_RSS_L4, XDP_RSS_L4_UDP } from '../../src/vm/index.js';
import { fixture, simulate, udpFrame } from '../support/simulate.js';

const [plain, veth] = [findProfile('plain')!, findProfile('veth')!];

/** What fixture rx_hints has learnt of the last of these frames, which come 1 ms after each other. */
function hintsOf(profile: NicProfile, ...frames: readonly Uint8Array[]) {
  const { simulation } = simulate({ object: fixture('rx_hints'), nic: { profile, rxRingSize: 256, txRingSize: 256 }, frames: frames.map((bytes, i) => ({ bytes, tNs: i * 1e6 })) });
  const value = simulation.loaded.maps.get('hints')!.lookupBytes(new Uint8Array(4))!;
  const view = new DataView(value.buffer, value.byteOffset);
  return {
    packets: Number(view.getBigUint64(0, true)),
    timestampNs: Number(view.getBigUint64(8, true)),
    results: [24, 28, 32].map((at) => view.getInt32(at, true)),
    hash: view.getUint32(36, true),
    hashType: view.getUint32(40, true),
  };
}

const udp = udpFrame(64, 7);
const arp = Uint8Array.from([...udp.subarray(0, 12), 8, 6, ...new Uint8Array(46)]);
const tagged = Uint8Array.from([...udp.subarray(0, 12), 0x81, 0, 0, 5, ...udp.subarray(12)]);

/** ICMPv6 with a flow label. */
function icmp6(flowLabel: number): Uint8Array {
  return Uint8Array.from([...udp.subarray(0, 12), 0x86, 0xdd, 0x60, 0, flowLabel >> 8, flowLabel & 255, 0, 8, 58, 64, ...new Uint8Array(40)]);
}

describe('RX hints of the plain NIC', () => {
  it('are the time of arrival and the hash that chose the queue', () => {
    const hash = new Rss(RSS_KEY_MICROSOFT, 1).hashFrame(udp, 0, udp.length) >>> 0;
    expect(hintsOf(plain, arp, udp)).toEqual({
      packets: 2, timestampNs: BOOT_NS + 1e6, results: [0, 0, -ENODATA], hash, hashType: XDP_RSS_L3_IPV4 | XDP_RSS_L4 | XDP_RSS_L4_UDP,
    });
  });

  it('have no hash where none was made', () => {
    expect(hintsOf(plain, udp, arp)).toMatchObject({ results: [0, -ENODATA, -ENODATA], hash: 0, hashType: 0 });
  });

  it('look behind a VLAN tag, which stays in the packet', () => {
    expect(hintsOf(plain, tagged)).toMatchObject({ results: [0, 0, -ENODATA], hashType: XDP_RSS_L3_IPV4 | XDP_RSS_L4 | XDP_RSS_L4_UDP });
    expect(hintsOf(plain, icmp6(5))).toMatchObject({ hashType: XDP_RSS_L3_IPV6 });
  });
});

// As measured on 6.18; test/replay/net.test.ts compares them with the running kernel.
describe('RX hints of a veth', () => {
  it.each([
    ['UDP', udp, XDP_RSS_L4],
    ['ARP', arp, 0],
    ['UDP in a VLAN', tagged, 0],
    ['ICMPv6 with a flow label', icmp6(5), XDP_RSS_L4],
    ['ICMPv6 without one', icmp6(0), 0],
  ])('%s', (_what, frame, hashType) => {
    const hints = hintsOf(veth, frame);
    expect(hints).toMatchObject({ packets: 1, timestampNs: 0, results: [0, 0, -ENODATA], hashType });
    expect(hints.hash).not.toBe(0);
  });
});

it('a driver without hints says so', () => {
  const profile: NicProfile = { ...plain, readRxHints: () => {} };
  expect(hintsOf(profile, udp)).toMatchObject({ packets: 1, results: [-EOPNOTSUPP, -EOPNOTSUPP, -EOPNOTSUPP] });
});
