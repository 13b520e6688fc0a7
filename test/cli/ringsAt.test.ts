import { describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/commandLine.js';
import type { RunReport, ScenarioReport } from '../../src/report/index.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const folder = temporaryFolder();

async function sim(...args: string[]): Promise<{ exitCode: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const terminal = { out: { write: (text: string) => (out += text) }, err: { write: (text: string) => (err += text) }, env: {}, nowMs: () => 0 };
  return { exitCode: await runCommandLine(args, terminal), out, err };
}

const RUN = ['run', 'fixtures/programs/xsk_redirect/xsk_redirect.o', '--pcap', 'fixtures/pcaps/dns.pcap', '--queues', '1'];

/** Two hosts with sockets, a capture that arrives at the first, and a link to the second. */
function lab(): string {
  const file = `${process.cwd()}/fixtures/programs/xsk_redirect/xsk_redirect.o`;
  const nic = { profile: 'ice', queues: 1, xdp: {}, xsk: 'l2fwd' };
  return folder.write('lab.json', JSON.stringify({
    hosts: [
      { name: 'left', objects: [{ file }], nics: [{ ...nic, name: 'in', in: `${process.cwd()}/fixtures/pcaps/dns.pcap` }, { name: 'out', queues: 1 }] },
      { name: 'right', objects: [{ file }], nics: [{ ...nic, name: 'eth0', xsk: { application: 'rxdrop', mode: 'copy' } }] },
    ],
    links: [{ between: ['left.out', 'right.eth0'] }],
  }));
}

const statuses = (rings: RunReport['rings_at']): unknown => rings!.map(({ at, status, note, sockets }) => [at, status, note, sockets.length]);

describe('sim run --rings-at had one sentence for two causes', () => {
  it('a packet that is not there, and a time after the end', async () => {
    const { exitCode, out } = await sim(...RUN, '--xsk', 'l2fwd', '--rings-at', 'packet:1,1ms,100s,packet:99', '--json');
    expect(exitCode).toBe(0);
    expect(statuses((JSON.parse(out) as RunReport).rings_at)).toEqual([
      ['packet:1', 'seen', '', 1], ['1ms', 'seen', '', 1], ['100s', 'after-end', expect.stringMatching(/^all had ended at [\d.]+ m?s, and the rings stayed so$/), 1],
      ['packet:99', 'no-packet', 'there is no packet 99: 24 packets came', 0],
    ]);
    const { out: text } = await sim(...RUN, '--xsk', 'l2fwd', '--rings-at', '100s,packet:99');
    expect(text).toMatch(/AF_XDP rings at 100s \(as of [^)]+\)\n {2}all had ended at [^\n]+\n {2}socket 0, /);
    expect(text).toMatch(/AF_XDP rings at packet:99 \(as of [^)]+\)\n {2}there is no packet 99: 24 packets came\n\n/);
  });

  it('no sockets', async () => {
    const { out } = await sim(...RUN, '--xsk', 'none', '--rings-at', 'packet:1,1ms,packet:99', '--json');
    expect((JSON.parse(out) as RunReport).rings_at!.map(({ status }) => status)).toEqual(['no-sockets', 'no-sockets', 'no-packet']);
  });
});

describe('sim scenario had no --rings-at', () => {
  it('shows the sockets of all hosts, by host and NIC', async () => {
    const { exitCode, out } = await sim('scenario', lab(), '--rings-at', 'packet:2,1ms,2000s,packet:99', '--json');
    const report = JSON.parse(out) as ScenarioReport;
    expect(exitCode).toBe(0);
    expect(statuses(report.rings_at)).toMatchObject([['packet:2', 'seen', '', 2], ['1ms', 'seen', '', 2], ['2000s', 'after-end', expect.stringMatching(/^all had ended at /), 2], ['packet:99', 'no-packet', 'there is no packet 99: 24 packets came', 0]]);
    expect(report.rings_at![0]!.sockets.map(({ host, nic, socket, mode }) => [host, nic, socket, mode])).toEqual([['left', 'in', 0, 'zero-copy'], ['right', 'eth0', 0, 'copy']]);
    const end = report.journal.find(({ event, packet }) => event === 'end' && packet === 2)!;
    expect(report.rings_at![0]!.t_ns).toBe(end.t_ns - 1e9);
  });

  it('in the text, too, with how the sockets are bound; and looking changes nothing', async () => {
    const [plain, looked] = [await sim('scenario', lab()), await sim('scenario', lab(), '--rings-at', 'packet:2')];
    expect(looked.out).toMatch(/\nAF_XDP rings at packet:2 \(as of [^)]+\)\n {2}left\.in, socket 0, queue 0, bound, zero-copy; /);
    expect(looked.out).toContain('\n  right.eth0, socket 0, queue 0, bound, copy; ');
    expect(looked.out.replace(/AF_XDP rings at [^]*?\n\n/, '')).toBe(plain.out);
    expect(plain.out).toContain('AF_XDP sockets of left.in (l2fwd; rings as the run left them)\n  bound: zero-copy, ');
    expect(plain.out).toContain('AF_XDP sockets of right.eth0 (rxdrop; rings as the run left them)\n  bound: copy, ');
  });

  it.each([
    [['soon'], "--rings-at: 'soon' is no moment"],
    [['packet:0'], "--rings-at: 'packet:0' is no moment"],
    [['packet:99999999999'], 'is no moment'],
    [[`${'9'.repeat(400)}s`], 'is later than any run lasts'],
    [[Array(65).fill('1ms').join(',')], '65 moments are too many'],
    [['1ms', '--packet', '1'], 'keep one of --packet and --rings-at'],
  ])('%j is refused', async (args, message) => {
    const { exitCode, out, err } = await sim('scenario', lab(), '--rings-at', ...args);
    expect([exitCode, out]).toEqual([2, '']);
    expect(err).toContain(message);
    expect(err.split('\n').length).toBe(2);
  });
});
