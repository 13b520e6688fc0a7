import { describe, expect, it } from 'vitest';
import { EOPNOTSUPP, isSince, KERNEL_RELEASES, NEWEST_KERNEL } from '../../../src/base/index.js';
import { NETDEV_XDP_ACT_RX_SG, NETDEV_XDP_ACT_XSK_ZEROCOPY } from '../../../src/nic/profiles/profile.js';
import { DRIVER_CHANGES, profileOfRelease } from '../../../src/nic/profiles/history.js';
import { findProfile, PROFILES } from '../../../src/nic/profiles/table.js';
import { createRxHints } from '../../../src/vm/index.js';
import { DescriptorBatch } from '../../../src/nic/device/batch.js';

/** Whether each release has this feature, oldest first. */
function having(profile: string, feature: number): boolean[] {
  return KERNEL_RELEASES.map((kernel) => (profileOfRelease(findProfile(profile)!, kernel).xdp.features & feature) !== 0);
}

describe('drivers of older kernels', () => {
  it('the newest kernel has the drivers that the profiles describe', () => {
    for (const profile of PROFILES) expect(profileOfRelease(profile, NEWEST_KERNEL)).toBe(profile);
  });

  it('each change is of a profile, came between two releases, and takes away what the profile has', () => {
    for (const { profile: name, since, features = 0, xdp, hadNoRxHints } of DRIVER_CHANGES) {
      const profile = findProfile(name)!;
      expect(isSince('6.1', since), name).toBe(false);
      expect(isSince(NEWEST_KERNEL, since), name).toBe(true);
      expect(profile.xdp.features & features, name).toBe(features);
      expect(features !== 0 || xdp !== undefined || hadNoRxHints === true, name).toBe(true);
    }
  });

  it('know packets in several buffers and AF_XDP zero copy from their releases on', () => {
    expect(having('virtio_net', NETDEV_XDP_ACT_RX_SG)).toEqual([false, true, true]);
    expect(having('i40e', NETDEV_XDP_ACT_RX_SG)).toEqual([false, true, true]);
    expect(having('mlx5', NETDEV_XDP_ACT_RX_SG)).toEqual([true, true, true]);
    expect(having('igb', NETDEV_XDP_ACT_XSK_ZEROCOPY)).toEqual([false, false, true]);
    expect(having('igc', NETDEV_XDP_ACT_XSK_ZEROCOPY)).toEqual([true, true, true]);
  });

  it('virtio_net of 6.1 takes programs at larger MTUs', () => {
    expect(KERNEL_RELEASES.map((kernel) => profileOfRelease(findProfile('virtio_net')!, kernel).xdp.mtuMaxLinear)).toEqual([4064, 3506, 3506]);
  });

  it('ice has no RX hints before 6.8', () => {
    const errors = KERNEL_RELEASES.map((kernel) => {
      const hints = createRxHints();
      profileOfRelease(findProfile('ice')!, kernel).readRxHints(hints, new DescriptorBatch(1), 0, new Uint8Array(64), 0, { hasRxHash: true, hasVlanStrip: true });
      return hints.timestampError;
    });
    expect(errors.slice(0, 2)).toEqual([-EOPNOTSUPP, -EOPNOTSUPP]);
    expect(errors[2]).not.toBe(-EOPNOTSUPP);
  });
});
