import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/commandLine.js';
import { unwrap } from '../../src/base/index.js';
import { MemorySink, openCapture, PcapWriter } from '../../src/packet/index.js';
import { isScenarioClean, packetWay, runScenario, scenarioText, scenarioVerdict } from '../../src/report/index.js';
import type { ScenarioReport } from '../../src/report/index.js';
import { udpFrame } from '../support/simulate.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const folder = temporaryFolder();
const EXAMPLE = 'fixtures/scenarios/load-balancer.json';
const report = unwrap(runScenario({ scenario: EXAMPLE }));

/** A capture of short packets, a microsecond apart. */
function captureOf(count: number): Uint8Array {
  const sink = new MemorySink();
  const writer = new PcapWriter(sink);
  for (let i = 0; i < count; i++) writer.writePacket(udpFrame(64), 0, 64, 1000, i * 1000);
  unwrap(writer.close());
  return sink.bytes();
}

async function sim(...args: string[]): Promise<{ exitCode: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const terminal = { out: { write: (text: string) => (out += text) }, err: { write: (text: string) => (err += text) }, env: {}, nowMs: () => 0 };
  return { exitCode: await runCommandLine(['scenario', ...args], terminal), out, err };
}

describe('the report of a scenario', () => {
  it('tells of an object that no NIC runs, as of a forgotten xdp', () => {
    const unused = 'note: no NIC runs a program of object load_balancer; say so in "xdp" of a NIC: {"object": "load_balancer"}';
    expect(scenarioText(report, (title) => title)).not.toContain('note:');
    const [balancer, ...servers] = report.hosts;
    const forgotten = { ...balancer, nics: balancer.nics.map((nic) => ({ ...nic, xdp: null })) };
    expect(scenarioText({ ...report, hosts: [forgotten, ...servers] }, (title) => title)).toContain(`\n  ${unused}\n`);
  });

  it('sums over hosts what each host has', () => {
    expect(report.packets).toEqual({ received: 280, bytes: 138_078 });
    for (const [name, count] of Object.entries(report.outcomes)) expect(count, name).toBe(report.hosts.reduce((sum, { outcomes }) => sum + outcomes[name], 0));
    const received = report.hosts.reduce((sum, { packets }) => sum + packets.received, 0);
    expect(Object.values(report.outcomes).reduce((sum, count) => sum + count, 0)).toBe(received);
    expect(received).toBe(280 + report.links.reduce((sum, { delivered }) => sum + delivered, 0));
    expect(isScenarioClean(report)).toBe(true);
    expect(scenarioVerdict(report)).toBe('everything is fine');
  });

  it('has what each NIC did, and each link', () => {
    const [balancer, first, second] = report.hosts;
    expect(balancer.nics.map(({ name, ifindex, profile, received, sent }) => [name, ifindex, profile, received.packets, sent.packets])).toEqual([
      ['eth0', 1, 'ice', 280, 97], ['eth1', 2, 'ice', 34, 34], ['eth2', 3, 'ice', 63, 69],
    ]);
    expect(balancer.nics[0].xdp).toEqual({ object: 'load_balancer', program: 'to_servers', mode: 'native', frags: false });
    expect(balancer.outcomes).toMatchObject({ stack: 177, redirect: 200 });
    expect([first.outcomes.tx, second.outcomes.tx]).toEqual([34, 66]);
    expect(report.links).toMatchObject([
      { link: 'balancer.eth1 > server1.eth0', rate_bits_per_s: 1e10, delay_ns: 5000, loss: 0, queue_frames: null, frames: 34, delivered: 34 },
      { link: 'server1.eth0 > balancer.eth1', frames: 34, delivered: 34 },
      { link: 'balancer.eth2 > server2.eth0', loss: 0.05, queue_frames: 64, frames: 69, delivered: 66, lost: 3 },
      { link: 'server2.eth0 > balancer.eth2' },
    ]);
    expect(balancer.objects[0].maps.forwarded.entries.map(({ value }) => value)).toEqual([34, 69, 97]);
  });

  it('follows a packet', () => {
    expect(unwrap(packetWay(report, 43)).map((line) => line.replace(/^ +[\d.]+ +/, ''))).toEqual([
      'The way of packet 43 (seconds since boot, step)',
      'packet 43 on balancer, in by eth0: XDP_REDIRECT, redirect',
      'packet 43 over balancer.eth1 > server1.eth0, in 5,085 ns: there as packet 44',
      'packet 44 on server1, in by eth0: XDP_TX, tx',
      'packet 44 over server1.eth0 > balancer.eth1, in 5,085 ns: there as packet 45',
      'packet 45 on balancer, in by eth1: XDP_REDIRECT, redirect',
    ]);
    expect(packetWay({ ...report, journal: report.journal.slice(0, 3) }, 43)).toMatchObject({ problem: { code: 'unknown-packet', message: 'the journal does not hold the way of packet 43, but the first 3 steps of others' } });
  });

  it('a packet that is not there was told of on standard output, with exit status 0', async () => {
    expect(packetWay(report, 9999)).toMatchObject({ problem: { code: 'unknown-packet', where: '--packet', message: 'there is no packet 9999: 477 packets arrived at NICs', hint: 'use a number from 1 to 477' } });
    expect(await sim(EXAMPLE, '--packet', '9999')).toEqual({ exitCode: 2, out: '', err: 'sim: --packet: there is no packet 9999: 477 packets arrived at NICs; use a number from 1 to 477\n' });
    expect(await sim(EXAMPLE, '--packet', '1e300')).toMatchObject({ exitCode: 2, out: '' });
  });

  it('the way of a packet behind the first ten thousand steps was not to be had', async () => {
    const many = folder.write('many.pcap', captureOf(10_050));
    const lab = folder.write('many.json', JSON.stringify({ hosts: [{ name: 'a', nics: [{ name: 'in', in: many, profile: 'plain', xdp: { object: 'reflector' } }], objects: [{ file: `${process.cwd()}/fixtures/programs/reflector/reflector.o` }] }] }));
    const long = unwrap(runScenario({ scenario: lab }));
    expect([long.journal_entries, long.packets.received]).toEqual([10_050, 10_050]);
    expect(packetWay(long, 10_050)).toMatchObject({ ok: false });
    expect((await sim(lab, '--packet', '10050')).out).toMatch(/^The way of packet 10050 .*\n.* packet 10050 on a, in by in: /);
    expect(unwrap(runScenario({ scenario: EXAMPLE, packet: 43 })).journal_entries).toBe(5);
  });

  it('is the same each time, and another with another seed where there is loss', () => {
    expect(unwrap(runScenario({ scenario: EXAMPLE }))).toEqual(report);
    const lossOf = (seed: number): number => unwrap(runScenario({ scenario: EXAMPLE, seed })).links.reduce((sum, { lost }) => sum + lost, 0);
    expect(new Set([1, 2, 3].map(lossOf)).size).toBeGreaterThan(1);
  });

  it('tells in the text what is not clean', () => {
    const broken: ScenarioReport = { ...report, audit: { ok: false, checks: [{ name: 'link a > b', ok: false, detail: '3 sent, 2 arrived' }] } };
    expect(scenarioText(broken, (title) => title)).toContain('Audit: FAILED');
    expect(scenarioVerdict(broken)).toBe('FAILED: the audit of link a > b failed: 3 sent, 2 arrived');
  });
});

describe('sim scenario', () => {
  it('prints text, JSON or the way of a packet', async () => {
    const text = await sim(EXAMPLE);
    expect(text).toMatchObject({ exitCode: 0, out: scenarioText(report, (title) => title) });
    expect(JSON.parse((await sim(EXAMPLE, '--json')).out)).toEqual(JSON.parse(JSON.stringify(report)));
    expect((await sim(EXAMPLE, '--packet', '43')).out).toBe(`${unwrap(packetWay(report, 43)).join('\n')}\n`);
  });

  it('writes what each NIC sends', async () => {
    const out = folder.at('sent');
    expect(await sim(EXAMPLE, '--out', out)).toMatchObject({ exitCode: 0 });
    const counts = report.hosts.flatMap(({ name, nics }) => nics.map((nic) => [`${name}.${nic.name}.pcapng`, nic.sent.packets] as const));
    for (const [file, packets] of counts) {
      const reader = unwrap(openCapture(`${out}/${file}`));
      let found = 0;
      while (reader.next() === 'packet') found++;
      reader.close();
      expect([file, found]).toEqual([file, packets]);
    }
  });

  it('writes where the file says, but never over what it reads', async () => {
    const scenario = (out: string): string => {
      const json = JSON.parse(readFileSync(EXAMPLE, 'utf8').replaceAll('"../', `"${process.cwd()}/fixtures/`)) as { hosts: { nics: object[] }[] };
      Object.assign(json.hosts[0].nics[0], { in: capture, out });
      return folder.write('lab.json', JSON.stringify(json));
    };
    const capture = folder.write('in.pcap', readFileSync('fixtures/pcaps/dns.pcap'));
    expect(await sim(scenario('answers/to-clients.pcapng'))).toMatchObject({ exitCode: 0 });
    expect(readFileSync(folder.at('answers/to-clients.pcapng')).length).toBeGreaterThan(1000);
    expect(await sim(scenario('in.pcap'))).toMatchObject({ exitCode: 2, err: expect.stringContaining('the run reads this file') });
  });

  it.each(['lab.json', 'prog.o', 'ports.json', 'network.json'])('does not write what a NIC sends over %s, which it reads', async (out) => {
    const contents = {
      'prog.o': readFileSync('fixtures/programs/load_balancer/load_balancer.o'),
      'ports.json': '[]',
      'network.json': '{}',
      'lab.json': JSON.stringify({ hosts: [{ name: 'a', network: 'network.json', objects: [{ file: 'prog.o', maps: { ports: 'ports.json' } }], nics: [{ name: 'eth0', out }] }] }),
    };
    for (const [name, content] of Object.entries(contents)) folder.write(name, content);
    expect(await sim(folder.at('lab.json'))).toMatchObject({ exitCode: 2, out: '', err: expect.stringMatching(/^sim: \S+: the run reads this file, so it is not overwritten; [^\n]+\n$/) });
    for (const [name, content] of Object.entries(contents)) expect(readFileSync(folder.at(name)).equals(Buffer.from(content)), name).toBe(true);
  });

  it.each<[string[], string]>([
    [['nowhere.json'], 'nowhere.json: '],
    [[EXAMPLE, '--seed', '-1'], '--seed: -1 is out of range'],
    [[EXAMPLE, '--packet', '0'], '--packet: 0 is no packet'],
    [[EXAMPLE, '--packet', '-1'], '--packet: -1 is no packet'],
    [[EXAMPLE, '--packet', '1.5'], '--packet: 1.5 is no packet'],
    [[EXAMPLE, '--packet', '43', '--json'], '--packet: the way of a packet is not printed as JSON'],
  ])('%j ends with 2', async (args, message) => {
    expect(await sim(...args)).toMatchObject({ exitCode: 2, out: '', err: expect.stringContaining(message) });
  });
});
