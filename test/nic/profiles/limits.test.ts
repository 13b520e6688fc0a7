import { describe, expect, it } from 'vitest';
import { findProfile, PROFILES } from '../../../src/nic/index.js';
import { checkLimit } from '../../../src/nic/profiles/checkLimits.js';

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
    ['r8169', 'rxRing', 512, 'EOPNOTSUPP', 'set_ringparam'],
    ['veth', 'txRing', 128, 'EOPNOTSUPP', 'VETH_RING_SIZE'],
    ['igb', 'rxRing', 8192, 'EINVAL', '80 to 4096'],
    ['igb', 'rxRing', 257, 'EINVAL', 'multiples of 8'],
    ['ice', 'rxRing', 72, 'EINVAL', 'multiples of 32'],
    ['mlx5', 'rxRing', 1000, 'EINVAL', 'powers of two'],
    ['igc', 'queues', 5, 'EINVAL', '4 queue pairs'],
    ['mtk_eth_soc', 'mtu', 9000, 'EINVAL', '2026'],
    ['octeontx2', 'headroom', 256, 'EOPNOTSUPP', '128 bytes'],
    ['plain', 'headroom', 100, 'EINVAL', 'xdp_frame'],
  ] as const)('%s refuses %s %d: %s, as … %s', (name, setting, value, errno, reason) => {
    const message = checkLimit(findProfile(name)![setting], value, 'code', setting, name)?.message;
    expect(message).toContain(errno);
    expect(message).toContain(String(value));
    expect(message).toContain(reason);
  });
});
