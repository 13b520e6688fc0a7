import { describe, expect, it } from 'vitest';
import { checkAttach, checkSettings, findProfile, maxFrameBytes, NETDEV_XDP_ACT_RX_SG, PROFILES, rxLayout } from '../../src/nic/index.js';
import type { Limit, NicSettings } from '../../src/nic/index.js';
import { nicSettings, returning, simulationOf } from '../support/simulate.js';

const codeOf = (more: Partial<NicSettings>): string | undefined => checkSettings(nicSettings(more))?.code;

describe('checkSettings', () => {
  it.each<[Partial<NicSettings>, string | undefined]>([
    [{}, undefined],
    [{ queues: 1 }, undefined], [{ queues: 64 }, undefined], [{ queues: 0 }, 'nic-queues'], [{ queues: 65 }, 'nic-queues'], [{ queues: 1.5 }, 'nic-queues'], [{ queues: NaN }, 'nic-queues'],
    [{ rxRingSize: 64 }, undefined], [{ rxRingSize: 8192 }, undefined], [{ rxRingSize: 32 }, 'nic-ring-size'], [{ rxRingSize: 100 }, 'nic-ring-size'],
    [{ rxRingSize: 16384 }, 'nic-ring-size'], [{ rxRingSize: 2 ** 32 + 64 }, 'nic-ring-size'], [{ rxRingSize: -64 }, 'nic-ring-size'], [{ rxRingSize: NaN }, 'nic-ring-size'],
    [{ txRingSize: 63 }, 'nic-ring-size'], [{ txRingSize: 128 }, undefined],
    [{ mtu: 68 }, undefined], [{ mtu: 67 }, 'nic-mtu'], [{ mtu: 9000 }, undefined], [{ mtu: 9001 }, 'nic-mtu'], [{ mtu: 1500.5 }, 'nic-mtu'],
    [{ interruptDelayNs: 0 }, undefined], [{ interruptDelayNs: -1 }, 'nic-coalesce'], [{ interruptDelayNs: Infinity }, 'nic-coalesce'], [{ interruptDelayNs: NaN }, 'nic-coalesce'],
  ])('%j: %s', (more, code) => {
    expect(codeOf(more)).toBe(code);
  });

  it('says what, where and how to mend it', () => {
    expect(checkSettings(nicSettings({ txRingSize: 100 }))).toEqual({
      code: 'nic-ring-size',
      where: 'NIC plain',
      message: 'TX ring size 100 is refused (EINVAL): powers of two only, as the device takes rings of 64 to 8192 descriptors',
      hint: 'use a power of two from 64 to 8192',
    });
  });
});

describe('checkAttach', () => {
  const { program } = simulationOf({ object: returning(2) });
  const withFrags = simulationOf({ object: returning(2, { frags: true }) }).program;

  it('a program for a map entry is not for a device', () => {
    const devmap = { ...program, spec: { ...program.spec, section: 'xdp/devmap', attachType: 'devmap' as const } };
    expect(checkAttach(nicSettings(), devmap)).toMatchObject({ code: 'attach-devmap-program', message: expect.stringContaining('DEVMAP') });
  });

  it('one buffer takes 3520 bytes: MTU 3498 with header and two VLAN tags', () => {
    const settings = nicSettings();
    expect(rxLayout(settings.profile, 256).packetBytes).toBe(3520);
    expect(maxFrameBytes(3498)).toBe(3520);
    expect(checkAttach(nicSettings({ mtu: 3498 }), program)).toBeUndefined();
    expect(checkAttach(nicSettings({ mtu: 3499 }), program)).toMatchObject({ code: 'attach-mtu', hint: expect.stringContaining('--mtu 3498') });
  });

  it('a frags program takes any MTU, where the NIC can do it', () => {
    const settings = nicSettings({ mtu: 9000 });
    expect(checkAttach(settings, withFrags)).toBeUndefined();
    const { xdp } = settings.profile;
    const withoutSg = { ...settings.profile, xdp: { ...xdp, features: xdp.features & ~NETDEV_XDP_ACT_RX_SG } };
    expect(checkAttach({ ...settings, profile: withoutSg }, withFrags)?.code).toBe('attach-mtu');
  });
});

const fits = ({ multipleOf = 1, isPowerOfTwo = false }: Limit, value: number): boolean => value % multipleOf === 0 && (!isPowerOfTwo || (value & (value - 1)) === 0);

describe('profiles', () => {
  it('are found by name', () => {
    expect(findProfile('plain')?.name).toBe('plain');
    expect(findProfile('ixgbe9')).toBeUndefined();
  });

  it.each(PROFILES)('$name holds together', (profile) => {
    const headroomBytes = profile.headroom.default;
    const { queues, rxRing, txRing, mtu, headroom } = profile;
    for (const limit of [queues, rxRing, txRing, mtu, headroom]) {
      expect(limit.min <= limit.default && limit.default <= limit.max).toBe(true);
      expect([limit.min, limit.default, limit.max].map((value) => fits(limit, value))).toEqual([true, true, true]);
    }
    expect([2048, 4096]).toContain(profile.frameSizeBytes);
    expect(headroomBytes).toBeGreaterThanOrEqual(40);
    expect(checkSettings(nicSettings({ profile, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default }))).toBeUndefined();
    // The longest frame must not need more buffers than one packet can have.
    if (profile.offloads.rxScatter) expect(Math.ceil(maxFrameBytes(profile.mtu.max) / rxLayout(profile, headroomBytes).packetBytes)).toBeLessThanOrEqual(18);
  });

  it('names are unique', () => {
    expect(new Set(PROFILES.map(({ name }) => name)).size).toBe(PROFILES.length);
  });
});

describe('settings that no driver would see', () => {
  it.each([
    [{ ifindex: 0 }, 'nic-ifindex'],
    [{ ifindex: NaN }, 'nic-ifindex'],
    [{ ifindex: 2 ** 31 }, 'nic-ifindex'],
    [{ napi: { deferHardIrqs: -1 } }, 'nic-napi'],
    [{ napi: { groFlushTimeoutNs: NaN } }, 'nic-napi'],
  ] as const)('%j is refused: %s', (change, code) => {
    expect(checkSettings(nicSettings(change))).toMatchObject({ code });
  });
});
