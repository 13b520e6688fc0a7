import { describe, expect, it } from 'vitest';
import { ENODATA, EOPNOTSUPP } from '../../../src/base/index.js';
import { NETDEV_XDP_ACT_BASIC, PROFILES } from '../../../src/nic/index.js';
import type { NicProfile, NicSettings } from '../../../src/nic/index.js';
import { fixture, simulate, udpFrame } from '../../support/simulate.js';

/** What the three functions give for a UDP frame with a VLAN tag: timestamp, hash, VLAN tag. */
function resultsOf(profile: NicProfile, offloads: NicSettings['offloads'] = {}): number[] {
  const udp = udpFrame(64);
  const tagged = Uint8Array.from([...udp.subarray(0, 12), 0x81, 0, 0, 5, ...udp.subarray(12)]);
  const { simulation } = simulate({ object: fixture('rx_hints'), nic: { profile, offloads, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default }, frames: [{ bytes: tagged }] });
  const value = simulation.loaded.maps.get('hints')!.lookupBytes(new Uint8Array(4))!;
  const view = new DataView(value.buffer, value.byteOffset);
  return [24, 28, 32].map((at) => view.getInt32(at, true));
}

const NONE = [-EOPNOTSUPP, -EOPNOTSUPP, -EOPNOTSUPP];
const EXPECTED: Readonly<Record<string, readonly number[]>> = {
  plain: [0, 0, -ENODATA], veth: [0, 0, -ENODATA], mlx5: [0, 0, 0], mlx4: [0, 0, -EOPNOTSUPP], ice: [0, 0, 0], igc: [0, 0, -EOPNOTSUPP],
};

describe('RX hints of a tagged UDP frame', () => {
  it.each(PROFILES.filter(({ xdp }) => (xdp.features & NETDEV_XDP_ACT_BASIC) !== 0))('$name', (profile) => {
    expect(resultsOf(profile)).toEqual(EXPECTED[profile.name] ?? NONE);
  });

  it.each(['mlx5', 'mlx4', 'ice', 'igc'])('%s has no timestamp unless the device stamps', (name) => {
    expect(resultsOf(PROFILES.find((profile) => profile.name === name)!, { rxTimestamp: false })[0]).toBe(-ENODATA);
  });

  it('a tag that stays in the packet is no hint', () => {
    expect(resultsOf(PROFILES.find(({ name }) => name === 'mlx5')!, { rxVlanStrip: false })[2]).toBe(-ENODATA);
  });
});
