import { describe, expect, it } from 'vitest';
import { findProfile, PROFILES } from '../../../src/nic/index.js';
import { checkLimit, effectiveSetting } from '../../../src/nic/profiles/checkLimits.js';
import { burst, returning, simulate } from '../../support/simulate.js';

const SETTINGS = ['queues', 'rxRing', 'txRing', 'mtu', 'headroom'] as const;

describe('profiles', () => {
  it('have names of their own', () => {
    expect(new Set(PROFILES.map(({ name }) => name)).size).toBe(PROFILES.length);
  });

  it.each(PROFILES)('$name takes its own defaults and refuses what lies outside its limits', (profile) => {
    for (const setting of SETTINGS) {
      const limit = profile[setting];
      expect(checkLimit(limit, limit.default, 'code', setting, profile.name)).toBeUndefined();
      for (const value of [limit.min - 1, limit.max + 1, Number.NaN]) {
        expect(checkLimit(limit, value, 'code', setting, profile.name), `${setting} ${value}`).toMatchObject({ code: 'code', where: `NIC ${profile.name}` });
      }
    }
  });

  it.each(PROFILES)('$name tells what its descriptors stand for, unless they are its own', ({ format, formatNote, name }) => {
    expect(formatNote !== '').toBe(format === findProfile('plain')?.format && name !== 'plain');
  });

  it.each([
    ['r8169', 'rxRing', 512, 'EOPNOTSUPP', 'fixed at 256, as NUM_RX_DESC', 'leave it out: it is fixed at 256'],
    ['veth', 'txRing', 128, 'EOPNOTSUPP', 'fixed at 256, as VETH_RING_SIZE', 'leave it out: it is fixed at 256'],
    ['igb', 'rxRing', 8192, 'EINVAL', 'at most 4096', 'use 64 to 4096'],
    ['ice', 'rxRing', 32, 'EINVAL', 'at least 64', 'use 64 to 8160'],
    ['mlx5', 'rxRing', 8193, 'EINVAL', 'at most 8192', 'use 2 to 8192'],
    ['igc', 'queues', 5, 'EINVAL', 'at most 4', 'use 1 to 4'],
    ['plain', 'rxRing', 100, 'EINVAL', 'powers of two only', 'use a power of two from 64 to 8192'],
    ['plain', 'rxRing', 512.5, 'EINVAL', 'whole numbers only', 'use a power of two from 64 to 8192'],
    ['plain', 'headroom', 100, 'EINVAL', 'multiples of 8 only, as struct xdp_frame', 'use a multiple of 8 from 64 to 512'],
    ['octeontx2', 'headroom', 256, 'EOPNOTSUPP', 'fixed at 128', 'leave it out: it is fixed at 128'],
  ] as const)('%s refuses %s %d: %s, %s', (name, setting, value, errno, rule, hint) => {
    const problem = checkLimit(findProfile(name)![setting], value, 'code', setting, name);
    expect(problem?.message).toContain(`${setting} ${value} is refused (${errno}): ${rule}`);
    expect(problem?.hint).toBe(hint);
  });

  it.each([
    ['igb', 'rxRing', 257, 264], ['ixgbe', 'txRing', 4089, 4096], ['i40e', 'rxRing', 65, 96], ['ice', 'rxRing', 8129, 8160],
    ['mlx5', 'rxRing', 1000, 1024], ['mlx5', 'rxRing', 1024, 1024], ['mlx4', 'txRing', 65, 128],
    // What is refused, and drivers that don't round.
    ['igb', 'rxRing', 63, 63], ['igb', 'rxRing', 4097, 4097], ['plain', 'rxRing', 100, 100], ['r8169', 'rxRing', 255, 255],
  ] as const)('%s makes of %s %d: %d', (name, setting, value, effective) => {
    expect(effectiveSetting(findProfile(name)![setting], value)).toBe(effective);
  });

  it('a NIC has the ring that its driver made of the size', () => {
    const { simulation } = simulate({ object: returning(2), frames: burst(3, 64), nic: { profile: findProfile('mlx5')!, rxRingSize: 1000, txRingSize: 65 } });
    expect(simulation.nic.settings).toMatchObject({ rxRingSize: 1024, txRingSize: 128 });
    expect(simulation.nic.driver.ringUse(0)).toMatchObject({ rxSize: 1024, txSize: 128 });
  });
});
