import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { findProfile } from '../../src/nic/index.js';
import type { NicSettings } from '../../src/nic/index.js';
import { BOOT_NS, createScenario, fillMap, IDEAL_LINK, l2fwd as forwards } from '../../src/sim/index.js';
import type { HostNicSpec, HostSpec, LinkEvent, LinkSpec, ScenarioResult, ScenarioSpec } from '../../src/sim/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { OUTCOMES } from '../../src/xdp/index.js';
import { captureOf, fixture, nicSettings, returning, udpFrame, xdpProgram } from '../support/simulate.js';
import type { TimedFrame } from '../support/simulate.js';

const redirectTo = (ifindex: number): ObjectSpec => xdpProgram(`r1 = ${ifindex}\nr2 = 0\ncall 23\nexit`);

/** A NIC eth1 to ethN by its number, which is its ifindex. */
function nic(ifindex: number, object?: string, settings: Partial<NicSettings> = {}, more: Partial<HostNicSpec> = {}): HostNicSpec {
  return { name: `eth${ifindex}`, settings: nicSettings({ ifindex, ...settings }), xdp: object === undefined ? undefined : { object }, ...more };
}

const veth = (more: Partial<NicSettings> = {}): Partial<NicSettings> => {
  const profile = findProfile('veth')!;
  return { profile, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default, ...more };
};

function host(name: string, objects: Readonly<Record<string, ObjectSpec>>, nics: readonly HostNicSpec[], more: Partial<HostSpec> = {}): ScenarioSpec['hosts'][number] {
  return { name, cpus: 1, objects, nics, ...more };
}

function wire(a: string, b: string, settings: Partial<LinkSpec> = {}): LinkSpec {
  const port = (text: string) => ({ host: text.split('.')[0], nic: text.split('.')[1] });
  return { ...IDEAL_LINK, between: [port(a), port(b)], ...settings };
}

function run(hosts: ScenarioSpec['hosts'], links: readonly LinkSpec[], to: string, frames: readonly TimedFrame[], more: Partial<ScenarioSpec> = {}) {
  const [at, port] = to.split('.');
  const scenario = unwrap(createScenario({ seed: 1, hosts, links, traffic: [{ to: { host: at, nic: port }, reader: captureOf(frames) }], ...more }));
  const events: LinkEvent[] = [];
  const result = unwrap(scenario.run({ onLinkFrame: (event) => events.push(event) }));
  for (const each of result.hosts) expect(each.result.audit.checks.filter(({ ok }) => !ok), each.host.name).toEqual([]);
  expect(result.linkAudit.ok).toBe(true);
  return { result, events };
}

/** Outcomes of a host that are not 0. */
function outcomesOf(result: ScenarioResult, name: string): Record<string, number> {
  const { outcomes } = result.hosts.find(({ host: each }) => each.name === name)!.result;
  return Object.fromEntries(OUTCOMES.filter(({ code }) => outcomes[code] > 0).map((outcome) => [outcome.name, outcomes[outcome.code]]));
}

const frames = (count: number, gapNs = 1000): TimedFrame[] => Array.from({ length: count }, (_, i) => ({ bytes: udpFrame(64, i), tNs: i * gapNs }));

describe('a scenario', () => {
  it('joins two hosts: one forwards, the other answers, and each packet can be followed', () => {
    const { result, events } = run(
      [
        host('a', { out: redirectTo(2), back: redirectTo(1) }, [nic(1, 'out'), nic(2, 'back')]),
        host('b', { reflector: fixture('reflector') }, [nic(1, 'reflector')]),
      ],
      [wire('a.eth2', 'b.eth1', { delayNs: 700 })], 'a.eth1', frames(3),
    );
    expect(outcomesOf(result, 'a')).toEqual({ redirect: 6 });
    expect(outcomesOf(result, 'b')).toEqual({ tx: 3 });
    expect(events.map(({ link, packetId, arrivedAs, sentNs, tNs }) => [link, packetId, arrivedAs, sentNs - BOOT_NS, tNs - sentNs]).slice(0, 4)).toEqual([
      ['a.eth2 > b.eth1', 1, 2, 0, 700],
      ['b.eth1 > a.eth2', 2, 4, 700, 700],
      ['a.eth2 > b.eth1', 3, 5, 1000, 700],
      ['b.eth1 > a.eth2', 5, 7, 1700, 700],
    ]);
    expect(result.packets).toBe(3);
  });

  it('a link within one host', () => {
    const { result } = run([host('a', { out: redirectTo(2), pass: returning(2) }, [nic(1, 'out'), nic(2, 'pass'), nic(3, 'pass')])], [wire('a.eth2', 'a.eth3')], 'a.eth1', frames(5));
    expect(outcomesOf(result, 'a')).toEqual({ redirect: 5, stack: 5 });
  });

  it('a broadcast goes over several links, as packets that come from one', () => {
    const { result, events } = run(
      [
        host('a', { all: fixture('redirect_devmap'), drop: returning(1) }, [nic(1, undefined, {}, { xdp: { object: 'all', program: 'redirect_devmap' } }), nic(2, 'drop'), nic(3, 'drop'), nic(4, 'drop')], {
          prepare(objects) {
            const all = objects.get('all')!;
            unwrap(all.setVariable('redirect_flags', String(8 | 16)));
            return fillMap(all, 'devices', [1, 2, 3, 4].map((key) => ({ key, value: { ifindex: `eth${key}` } })), 'devices', {
              possibleCpus: 1, socketCount: 0, interfaces: new Map([['eth1', 1], ['eth2', 2], ['eth3', 3], ['eth4', 4]]),
            });
          },
        }),
        host('b', { pass: returning(2) }, [nic(1, 'pass'), nic(2, 'pass'), nic(3, 'pass')]),
      ],
      [wire('a.eth2', 'b.eth1'), wire('a.eth3', 'b.eth2'), wire('a.eth4', 'b.eth3')], 'a.eth1', frames(2),
    );
    expect(outcomesOf(result, 'a')).toEqual({ redirect: 2 });
    expect(outcomesOf(result, 'b')).toEqual({ stack: 6 });
    expect(events.map(({ packetId }) => packetId)).toEqual([1, 1, 1, 5, 5, 5]);
  });

  it('packets that go round in circles end after so many links', () => {
    const hosts = [host('a', { tx: returning(3), out: redirectTo(2) }, [nic(1, 'out'), nic(2, 'tx')]), host('b', { tx: returning(3) }, [nic(1, 'tx')])];
    const { result } = run(hosts, [wire('a.eth2', 'b.eth1')], 'a.eth1', frames(2), { maxHops: 9 });
    expect(outcomesOf(result, 'b')).toEqual({ tx: 10 });
    expect(result.links.map(({ counters: { frames: sent, delivered, hopLimit } }) => [sent, delivered, hopLimit])).toEqual([[10, 10, 0], [10, 8, 2]]);
  });

  it('AF_XDP applications answer over a link', () => {
    const l2fwd = { rings: { rx: 64, tx: 64, fill: 64, completion: 64 }, chunkCount: 64 } as const;
    const { result } = run(
      [
        host('a', { out: redirectTo(2), pass: returning(2) }, [nic(1, 'out'), nic(2, 'pass')]),
        host('b', { xsk: fixture('xsk_redirect') }, [nic(1, 'xsk', {}, { xsk: { ...l2fwd, application: forwards } }), nic(2, 'xsk', {}, { xsk: { ...l2fwd, application: forwards } })]),
      ],
      [wire('a.eth2', 'b.eth1', { delayNs: 50 })], 'a.eth1', frames(20),
    );
    expect(outcomesOf(result, 'a')).toEqual({ redirect: 20, stack: 20 });
    expect(outcomesOf(result, 'b')).toEqual({ xsk: 20 });
    expect(result.hosts[1].result.applicationFrames).toBe(20);
    expect(result.hosts[1].host.sockets.map(({ id, rxPackets }) => [id, rxPackets])).toEqual([[0, 20], [1, 0]]);
  });

  it('captures begin when they are told to', () => {
    const hosts = [host('a', { pass: returning(2) }, [nic(1, 'pass'), nic(2, 'pass')])];
    const at = (port: string, startNs: number) => ({ to: { host: 'a', nic: port }, reader: captureOf(frames(2)), startNs });
    const scenario = unwrap(createScenario({ seed: 1, hosts, links: [], traffic: [at('eth1', 5000), at('eth2', 0)] }));
    const seen: (number | string)[][] = [];
    const result = unwrap(scenario.run({ hostWatcher: () => ({ onPacketEnd: ({ packetId, ifindex, tNs }) => seen.push([packetId, ifindex, tNs - BOOT_NS]) }) }));
    expect(seen).toEqual([[1, 2, 0], [2, 2, 1000], [3, 1, 5000], [4, 1, 6000]]);
    expect(result.hosts[0].result.packetsReceived).toBe(4);
  });
});

describe('a veth pair', () => {
  const pair = (peerObject: string | undefined, more: Partial<NicSettings> = {}) =>
    run(
      [
        host('a', { out: redirectTo(2), pass: returning(2) }, [nic(1, 'out'), nic(2, undefined, veth())]),
        host('b', { pass: returning(2), tx: returning(3) }, [nic(1, peerObject, veth(more))]),
      ],
      [wire('a.eth2', 'b.eth1')], 'a.eth1', frames(4),
    ).result;

  it('takes XDP frames when the other end has a program in its driver', () => {
    const result = pair('pass');
    expect(outcomesOf(result, 'a')).toEqual({ redirect: 4 });
    expect(outcomesOf(result, 'b')).toEqual({ stack: 4 });
  });

  it('refuses them when it has none, or one in the stack only: EOPNOTSUPP', () => {
    for (const result of [pair(undefined), pair('pass', { xdpMode: 'generic' })]) {
      expect(outcomesOf(result, 'a')).toEqual({ redirect_not_supported: 4 });
      expect(outcomesOf(result, 'b')).toEqual({});
    }
  });

  it('is refused as a link with a rate, to another NIC, or with too many queues at the other end', () => {
    const build = (other: Partial<NicSettings>, link: Partial<LinkSpec> = {}) =>
      createScenario({
        seed: 1, traffic: [], links: [wire('a.eth1', 'a.eth2', link)],
        hosts: [host('a', { pass: returning(2) }, [nic(1, 'pass', veth()), nic(2, undefined, other)])],
      });
    expect(build({})).toMatchObject({ ok: false, problem: { code: 'scenario-link', where: 'a.eth1 and a.eth2', message: 'the other end of a veth can only be a veth' } });
    expect(build(veth(), { delayNs: 5 })).toMatchObject({ ok: false, problem: { code: 'scenario-link', message: 'a veth pair has no rate, delay, loss or queue' } });
    expect(build(veth({ queues: 2 }))).toMatchObject({ ok: false, problem: { code: 'attach-many-peer-queues' } });
  });
});

describe('a scenario that makes no sense', () => {
  const pass = { pass: returning(2) };
  const refused = (spec: Partial<ScenarioSpec>) => createScenario({ seed: 1, hosts: [host('a', pass, [nic(1, 'pass'), nic(2, 'pass')])], links: [], traffic: [], ...spec });

  it.each<[string, Partial<ScenarioSpec>, object]>([
    ['two hosts of one name', { hosts: [host('a', pass, [nic(1, 'pass')]), host('a', pass, [nic(1, 'pass')])] }, { code: 'scenario-name', where: 'host a' }],
    ['a host without a NIC', { hosts: [host('a', pass, [])] }, { code: 'scenario-name', message: 'it has no NIC' }],
    ['two NICs of one name', { hosts: [host('a', pass, [nic(1), nic(2, 'pass', {}, { name: 'eth1' })])] }, { code: 'scenario-name', message: 'there are two NICs eth1' }],
    ['two NICs of one number', { hosts: [host('a', pass, [nic(1), nic(1, 'pass', {}, { name: 'other' })])] }, { code: 'scenario-name', message: 'there are two NICs with ifindex 1' }],
    ['a link to nowhere', { links: [wire('a.eth1', 'b.eth1')] }, { code: 'scenario-port', where: 'b.eth1', hint: 'use one of: a.eth1, a.eth2' }],
    ['a link to itself', { links: [wire('a.eth1', 'a.eth1')] }, { code: 'scenario-link', where: 'a.eth1' }],
    ['two links at a NIC', { links: [wire('a.eth1', 'a.eth2'), wire('a.eth2', 'a.eth1')] }, { code: 'scenario-link', where: 'a.eth2' }],
    ['a capture where a link is', { links: [wire('a.eth1', 'a.eth2')], traffic: [{ to: { host: 'a', nic: 'eth1' }, reader: captureOf(frames(1)) }] }, { code: 'scenario-link', where: 'a.eth1' }],
    ['a host that is refused', { hosts: [host('a', pass, [nic(1, 'pass', { mtu: 20 })])] }, { code: 'nic-mtu', where: expect.stringContaining('host a, ') }],
  ])('%s is refused', (_what, spec, problem) => {
    expect(refused(spec)).toMatchObject({ ok: false, problem });
  });

  it('frames that double on each link end after so many of them', () => {
    // Both hosts send everything to both of the other's NICs.
    const prepare: HostSpec['prepare'] = (objects) => {
      const all = objects.get('all')!;
      unwrap(all.setVariable('redirect_flags', '8'));
      return fillMap(all, 'devices', [1, 2].map((key) => ({ key, value: { ifindex: key } })), 'devices', { possibleCpus: 1, socketCount: 0 });
    };
    const each = { xdp: { object: 'all', program: 'redirect_devmap' } };
    const hosts = ['a', 'b'].map((name) => host(name, { all: fixture('redirect_devmap') }, [nic(1, undefined, {}, each), nic(2, undefined, {}, each), nic(3, undefined, {}, each)], { prepare }));
    const scenario = unwrap(createScenario({
      seed: 1, hosts, links: [wire('a.eth1', 'b.eth1', { delayNs: 1000 }), wire('a.eth2', 'b.eth2', { delayNs: 1000 })], maxHops: 10,
      traffic: [{ to: { host: 'a', nic: 'eth3' }, reader: captureOf(frames(1)) }],
    }));
    const result = unwrap(scenario.run());
    // Each packet becomes two, ten times over; those that crossed ten links end.
    expect(result.links.reduce((sum, { counters }) => sum + counters.hopLimit, 0)).toBe(2 ** 11);
    expect(result.linkAudit.ok).toBe(true);
  });
});
