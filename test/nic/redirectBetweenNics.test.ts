import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { PROFILES } from '../../src/nic/index.js';
import type { NicProfile } from '../../src/nic/index.js';
import { createScenario } from '../../src/sim/index.js';
import type { HostNicSpec } from '../../src/sim/index.js';
import type { ObjectSpec, ProgramEntryMap } from '../../src/vm/index.js';
import { OUTCOMES, traceLine } from '../../src/xdp/index.js';
import { map } from '../replay/support/kernelPrograms.js';
import { captureOf, nicSettings, returning, udpFrame, xdpProgram } from '../support/simulate.js';

// eth1 receives and redirects to eth2. Both are NICs of one host, of any two profiles.

const [DEVMAP, DEVMAP_HASH] = [14, 25];
const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

const WAYS: Readonly<Record<string, ObjectSpec>> = {
  bpf_redirect: xdpProgram('r1 = 2\nr2 = 0\ncall 23\nexit'),
  DEVMAP: xdpProgram('r1 = map ports\nr2 = 1\nr3 = 0\ncall 51\nexit', { maps: [map('ports', DEVMAP, 4, 4, 8)] }),
  DEVMAP_HASH: xdpProgram('r1 = map ports\nr2 = 1\nr3 = 0\ncall 51\nexit', { maps: [map('ports', DEVMAP_HASH, 4, 4, 8)] }),
  broadcast: xdpProgram('r1 = map ports\nr2 = 0\nr3 = 24\ncall 51\nexit', { maps: [map('ports', DEVMAP, 4, 4, 8)] }),
};

const settingsOf = (profile: NicProfile, ifindex: number, more: Partial<HostNicSpec['settings']> = {}): HostNicSpec['settings'] =>
  nicSettings({ profile, ifindex, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default, queues: 1, ...more });

interface RunOptions {
  readonly from: NicProfile;
  readonly to: NicProfile;
  readonly way?: string;
  readonly count?: number;
  readonly third?: NicProfile;
  readonly toSettings?: Partial<HostNicSpec['settings']>;
  readonly object?: ObjectSpec;
  readonly lenBytes?: number;
}

function run({ from, to, way = 'bpf_redirect', count = 40, third, toSettings, object = WAYS[way], lenBytes = 64 }: RunOptions) {
  const nics: HostNicSpec[] = [
    { name: 'eth1', settings: settingsOf(from, 1), xdp: { object: 'out' } },
    // Most drivers take redirected frames only while they have a program.
    { name: 'eth2', settings: settingsOf(to, 2, toSettings), xdp: { object: 'pass' } },
  ];
  if (third !== undefined) nics.push({ name: 'eth3', settings: settingsOf(third, 3), xdp: { object: 'pass' } });
  const scenario = unwrap(createScenario({
    seed: 1,
    hosts: [{
      name: 'router', cpus: 1, objects: { out: object, pass: returning(2) }, nics,
      prepare(objects) {
        const ports = objects.get('out')!.maps.get('ports') as ProgramEntryMap | undefined;
        if (ports !== undefined) nics.forEach(({ settings: { ifindex } }, i) => expect(ports.updateEntry(u32(i), ifindex, undefined, 0)).toBe(0));
        return undefined;
      },
    }],
    links: [],
    traffic: [{ to: { host: 'router', nic: 'eth1' }, reader: captureOf(Array.from({ length: count }, (_, i) => ({ bytes: udpFrame(lenBytes, i), tNs: 1000 * Math.floor(i / 20) }))) }],
  }));
  const { host, result } = unwrap(scenario.run({})).hosts[0];
  return {
    nics: host.nics.map(({ nic }) => nic),
    outcomes: Object.fromEntries(OUTCOMES.filter(({ code }) => result.outcomes[code] > 0).map(({ code, name }) => [name, result.outcomes[code]])),
    failures: result.audit.checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`),
    traces: result.traces.map(({ tracepoint, fields }) => traceLine(tracepoint, fields)),
  };
}

const profile = (name: string): NicProfile => PROFILES.find((each) => each.name === name)!;
const [NDO_XMIT, BASIC, REDIRECT] = [4, 1, 2];
const sources = PROFILES.filter(({ xdp }) => (xdp.features & (BASIC | REDIRECT)) === (BASIC | REDIRECT));
const targets = sources.filter(({ xdp }) => (xdp.features & NDO_XMIT) !== 0);

describe('a frame that one NIC received and another sends', () => {
  it.each(Object.keys(WAYS))('by %s', (way) => {
    const { nics: [eth1, eth2], outcomes, failures, traces } = run({ from: profile('plain'), to: profile('plain'), way });
    expect(outcomes).toEqual({ redirect: 40 });
    expect(failures).toEqual([]);
    expect(eth1.driver.counters(0)).toMatchObject({ rxPackets: 40, xdpRedirect: 40, xdpRedirectErrors: 0, txPackets: 0, txXdpXmit: 0 });
    expect(eth2.driver.counters(0)).toMatchObject({ rxPackets: 0, txXdpXmit: 40, txXdpXmitErrors: 0, txPackets: 40, txXdpPackets: 40 });
    const bulks = traces.filter((line) => line.startsWith('xdp_devmap_xmit'));
    expect(bulks).toEqual([16, 4, 16, 4].map((sent) => `xdp_devmap_xmit: ndo_xdp_xmit from_ifindex=1 to_ifindex=2 action=REDIRECT sent=${sent} drops=0 err=0`));
    expect(traces.filter((line) => line.startsWith('xdp_redirect:'))).toHaveLength(40);
  });

  it('goes back to the pool that it came from, by the ring: the other NIC may not touch its cache', () => {
    const { nics: [eth1, eth2] } = run({ from: profile('plain'), to: profile('plain') });
    expect(eth1.driver.bufferUse(0).stats).toMatchObject({ recycle_ring: 40, recycle_cached: 0 });
    expect(eth2.driver.bufferUse(0).stats).toMatchObject({ recycle_ring: 0, recycle_cached: 0 });
    expect([eth1.iommu.mappedCount, eth2.iommu.mappedCount]).toEqual([0, 0]);
  });

  it.each(sources.flatMap((from) => [from.name, ...targets.filter((_, i) => i % 5 === sources.indexOf(from) % 5).map(({ name }) => name)].map((to) => [from.name, to] as const)).filter(([, to]) => targets.some(({ name }) => name === to)))(
    'from %s to %s', (from, to) => {
      const { nics: [, eth2], outcomes, failures } = run({ from: profile(from), to: profile(to), way: 'DEVMAP' });
      expect(outcomes).toEqual({ redirect: 40 });
      expect(failures).toEqual([]);
      expect(eth2.driver.counters(0)).toMatchObject({ txXdpXmit: 40, txPackets: 40 });
    },
  );

  it('that the other NIC cannot take is dropped by the host, and counted by the other NIC', () => {
    const small = profile('plain');
    const { nics: [eth1, eth2], outcomes, failures } = run({ from: profile('plain'), to: { ...small, txRing: { ...small.txRing, min: 4 } }, toSettings: { txRingSize: 8 } });
    const { txXdpXmit, txXdpXmitErrors } = eth2.driver.counters(0);
    expect(txXdpXmitErrors).toBeGreaterThan(0);
    expect(outcomes).toEqual({ redirect: txXdpXmit, tx_ring_full: txXdpXmitErrors });
    expect(txXdpXmit + txXdpXmitErrors).toBe(40);
    expect(eth1.driver.counters(0)).toMatchObject({ xdpRedirect: 40, xdpRedirectErrors: 0 });
    expect(failures).toEqual([]);
  });

  it('that the other NIC takes no frames of is refused, one by one', () => {
    const { nics: [eth1, eth2], outcomes, failures } = run({ from: profile('plain'), to: profile('mlx4') });
    expect(outcomes).toEqual({ redirect_not_supported: 40 });
    expect(eth1.driver.counters(0)).toMatchObject({ xdpRedirect: 0, xdpRedirectErrors: 40 });
    expect(eth2.driver.counters(0)).toMatchObject({ txXdpXmit: 0, txXdpXmitErrors: 0 });
    expect(failures).toEqual([]);
  });

  it('that is too long for the other NIC', () => {
    const { outcomes, failures } = run({ from: profile('plain'), to: profile('plain'), toSettings: { mtu: 1000 }, lenBytes: 1019 });
    expect(outcomes).toEqual({ redirect_too_long: 40 });
    expect(failures).toEqual([]);
  });
});

describe('a broadcast to two NICs', () => {
  it.each([['plain', 'plain'], ['ixgbe', 'plain'], ['plain', 'ixgbe'], ['mlx5', 'veth']])('from %s to two %s', (from, to) => {
    const { nics: [eth1, eth2, eth3], outcomes, failures } = run({ from: profile(from), to: profile(to), third: profile(to), way: 'broadcast' });
    expect(outcomes).toEqual({ redirect: 40 });
    expect(eth1.driver.counters(0)).toMatchObject({ xdpRedirect: 40, txPackets: 0 });
    expect([eth2, eth3].map(({ driver }) => driver.counters(0).txPackets)).toEqual([40, 40]);
    expect(failures).toEqual([]);
  });
});
