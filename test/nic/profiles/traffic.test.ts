import { describe, expect, it } from 'vitest';
import { NETDEV_XDP_ACT_BASIC, PROFILES } from '../../../src/nic/index.js';
import { burst, returning, simulate } from '../../support/simulate.js';

const NATIVE = PROFILES.filter(({ xdp }) => (xdp.features & NETDEV_XDP_ACT_BASIC) !== 0);

describe.each(NATIVE)('$name', (profile) => {
  const nic = { profile, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default };

  it.each([1, 2, 3])('verdict %d of 100 frames of 300 bytes', (verdict) => {
    const { ends } = simulate({ object: returning(verdict), frames: burst(100, 300), nic });
    expect(ends.length).toBe(100);
    expect(new Set(ends.map(({ retval }) => retval))).toEqual(new Set([verdict]));
    expect(new Set(ends.map(({ outcome }) => outcome)).size).toBe(1);
    if (verdict !== 1) expect(ends.every(({ bytes }) => bytes.length === 300)).toBe(true);
  });
});
