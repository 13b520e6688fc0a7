import { describe, expect, it } from 'vitest';
import { autoMode, checkAttach, checkSettings, featuresOf, findProfile, NETDEV_XDP_ACT_BASIC, NIC_FEATURES, PROFILES } from '../../../src/nic/index.js';
import type { NicFeature, NicProfile, NicSettings } from '../../../src/nic/index.js';
import { fixture, nicSettings, returning, simulationOf } from '../../support/simulate.js';

const { program } = simulationOf({ object: returning(2) });
const withFrags = simulationOf({ object: returning(2, { frags: true }) }).program;
const withHints = simulationOf({ object: fixture('rx_hints') }).program;
const forDevmap = { ...program, spec: { ...program.spec, attachType: 'devmap' as const } };

const usual = (profile: NicProfile, more: Partial<NicSettings> = {}): NicSettings =>
  nicSettings({ profile, queues: Math.min(4, profile.queues.max), rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default, ...more });
const on = (name: string, more: Partial<NicSettings> = {}): NicSettings => usual(findProfile(name)!, more);
const isNative = ({ xdp }: NicProfile): boolean => (xdp.features & NETDEV_XDP_ACT_BASIC) !== 0;

describe('each profile', () => {
  it.each(PROFILES)('$name: auto is native if the driver has it, and takes a simple program', (profile) => {
    const mode = autoMode(profile);
    expect(mode).toBe(isNative(profile) ? 'native' : 'generic');
    expect(checkAttach(usual(profile, { xdpMode: mode }), program)).toBeUndefined();
    expect(checkAttach(usual(profile, { xdpMode: 'native' }), program)?.code).toBe(isNative(profile) ? undefined : 'attach-no-native');
  });

  it.each(PROFILES)('$name: generic mode asks no driver', (profile) => {
    const settings = usual(profile, { xdpMode: 'generic', mtu: profile.mtu.max, features: featuresOf(profile).filter((feature) => feature !== 'tcp-data-split' && feature !== 'memory-provider') });
    expect(checkAttach(settings, program, 256)).toBeUndefined();
    expect(checkAttach(settings, withFrags)).toBeUndefined();
    expect(checkAttach(settings, withHints)).toMatchObject(isNative(profile) ? { code: 'attach-bound-generic', errno: 22 } : { code: 'bind-no-ndo', errno: 95 });
  });

  it.each(PROFILES)('$name: only nfp runs programs in the device', (profile) => {
    const problem = checkAttach(usual(profile, { xdpMode: 'offload' }), program);
    if (profile.name === 'nfp') expect(problem).toBeUndefined();
    else expect(problem).toMatchObject(isNative(profile) ? { code: 'bind-no-offload', errno: 22 } : { code: 'bind-no-ndo', errno: 95 });
  });

  it.each(PROFILES)('$name: a program of a DEVMAP goes nowhere', (profile) => {
    for (const xdpMode of ['native', 'generic'] as const) expect(checkAttach(usual(profile, { xdpMode }), forDevmap)).toMatchObject({ code: 'attach-devmap-program', errno: 22 });
  });

  it.each(PROFILES.filter(isNative))('$name: each feature that is on is a reason of its own', (profile) => {
    for (const feature of featuresOf(profile)) {
      // The largest MTU, as one of them matters there only; the program can do with it.
      const settings = usual(profile, { features: [feature], mtu: Math.min(profile.mtu.max, profile.xdp.mtuMaxLinear + 100) });
      expect(checkSettings(settings)).toBeUndefined();
      const problem = checkAttach(settings, feature === 'tcp-data-split' ? program : withFrags);
      expect(problem?.code, feature).toBe(feature === 'tcp-data-split' ? 'attach-data-split' : `attach-${feature}`);
      expect(problem?.message).toMatch(/\(E[A-Z]+\)$/);
      expect(problem?.hint).not.toBe('');
    }
  });
});

describe('what drivers refuse', () => {
  const cases: readonly [string, Partial<NicSettings>, number, string][] = [
    ['mlx5', { features: ['lro'] }, 22, 'attach-lro'],
    ['mlx5', { features: ['gro-hw'] }, 22, 'attach-gro-hw'],
    ['mlx5', { features: ['memory-provider'] }, 16, 'attach-memory-provider'],
    ['ixgbe', { features: ['sr-iov'] }, 22, 'attach-sr-iov'],
    ['ixgbe', { features: ['dcb'] }, 22, 'attach-dcb'],
    ['ixgbe', { features: ['lro'] }, 22, 'attach-lro'],
    ['bnxt', { features: ['separate-channels'] }, 95, 'attach-separate-channels'],
    ['bnxt', { features: ['tcp-data-split'] }, 16, 'attach-data-split'],
    ['nfp', { queues: 33 }, 22, 'attach-tx-rings'],
    ['mvneta', { features: ['hardware-buffers'] }, 95, 'attach-hardware-buffers'],
    ['mvpp2', { features: ['shared-pools'] }, 95, 'attach-shared-pools'],
    ['mtk_eth_soc', { features: ['lro'] }, 95, 'attach-lro'],
    ['ena', { features: ['no-spare-queues'] }, 22, 'attach-no-spare-queues'],
    ['virtio_net', { features: ['host-offloads'] }, 95, 'attach-host-offloads'],
    ['veth', { features: ['many-peer-queues'] }, 28, 'attach-many-peer-queues'],
    ['veth', { mtu: 4000 }, 34, 'attach-mtu'],
    ['igc', { mtu: 1501 }, 95, 'attach-mtu'],
    ['ice', { mtu: 3047 }, 95, 'attach-mtu'],
    ['i40e', { mtu: 3047 }, 22, 'attach-mtu'],
  ];
  it.each(cases)('%s with %o', (name, settings, errno, code) => {
    expect(checkAttach(on(name, settings), program)).toMatchObject({ errno, code });
  });

  it('ixgbe has an XDP ring for two CPUs, and 64 of them', () => {
    expect(checkAttach(on('ixgbe'), program, 128)).toBeUndefined();
    expect(checkAttach(on('ixgbe'), program, 129)).toMatchObject({ code: 'attach-cpus', errno: 12 });
  });

  it('nfp has 64 TX rings, half of them for XDP', () => {
    expect(checkAttach(on('nfp', { queues: 32 }), program)).toBeUndefined();
  });

  it('striding receive queues matter to mlx5 beyond one buffer only', () => {
    expect(checkAttach(on('mlx5', { features: ['striding-rq'], mtu: 3498 }), withFrags)).toBeUndefined();
    expect(checkAttach(on('mlx5', { mtu: 9000 }), withFrags)).toBeUndefined();
    expect(checkAttach(on('mlx5', { features: ['striding-rq'], mtu: 9000 }), withFrags)).toMatchObject({ code: 'attach-striding-rq', errno: 22 });
  });

  it('programs of several buffers don\'t help where the driver has none', () => {
    expect(checkAttach(on('igb', { mtu: 9000 }), withFrags)).toMatchObject({ code: 'attach-mtu', errno: 22 });
    expect(checkAttach(on('ice', { mtu: 9000 }), withFrags)).toBeUndefined();
  });
});

describe('features in settings', () => {
  it('are those that the profile knows', () => {
    expect(checkSettings(on('igb', { features: ['lro'] }))).toMatchObject({ code: 'nic-feature', message: expect.stringContaining('no lro') });
    expect(checkSettings(on('ixgbe', { features: ['gro-hw'] }))).toMatchObject({ code: 'nic-feature', hint: 'use one of: sr-iov, dcb, lro' });
    expect(checkSettings(on('mlx5', { features: ['nonsense' as NicFeature] }))).toMatchObject({ code: 'nic-feature', message: "there is no feature 'nonsense'" });
  });

  it('each is known to some profile', () => {
    const known = new Set(PROFILES.flatMap(featuresOf));
    expect(Object.keys(NIC_FEATURES).filter((feature) => !known.has(feature as NicFeature))).toEqual([]);
  });
});
