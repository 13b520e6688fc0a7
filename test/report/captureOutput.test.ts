import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { openCapture } from '../../src/packet/index.js';
import type { RunOptions, RunReport } from '../../src/report/index.js';
import { OUTCOMES } from '../../src/xdp/index.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { reportOf } from './support.js';

// The files of --out: every packet in the one of its destination, with verdict, queue and number.

const folder = temporaryFolder();
const FILES = ['stack', 'tx', 'xsk', 'xsk-tx', 'dropped'] as const;

const hasTshark = spawnSync('tshark', ['--version']).status === 0;
if (!hasTshark) console.warn('SKIPPED: tshark is not installed, so nothing checks the captures of --out against Wireshark');

interface Written {
  readonly data: string;
  readonly tSec: number;
  readonly tNsec: number;
  readonly originalLen: number;
}

function packetsOf(path: string): Written[] {
  const reader = unwrap(openCapture(path));
  const packets: Written[] = [];
  for (let status = reader.next(); status !== 'end'; status = reader.next()) {
    if (status === 'error') throw new Error(reader.problem!.message);
    const { data, offBytes, capturedLen, tSec, tNsec, originalLen } = reader;
    packets.push({ data: Buffer.from(data.subarray(offBytes, offBytes + capturedLen)).toString('hex'), tSec, tNsec, originalLen });
  }
  reader.close();
  return packets;
}

let runs = 0;
function runTo(program: string, capture: string, more: Partial<RunOptions> = {}): { readonly report: RunReport; readonly path: (file: string) => string } {
  const out = folder.at(`run${runs++}`);
  return { report: reportOf(program, capture, { ...more, out }), path: (file) => `${out}/${file}.pcapng` };
}

function lostCount({ outcomes }: RunReport): number {
  return OUTCOMES.filter(({ delivered }) => !delivered).reduce((sum, { name }) => sum + outcomes[name]!, 0);
}

/** Programs that between them reach every destination. */
const RUNS: readonly (readonly [program: string, capture: string, more: Partial<RunOptions>])[] = [
  ['reflector', 'mixed.pcap', {}], ['xsk_redirect', 'mixed.pcap', { xsk: 'l2fwd' }], ['switch_drop', 'dns-nano.pcapng', {}], ['aborter', 'vlan.pcap', {}],
  ['return_77', 'dns.pcap', {}], ['meta_writer', 'http.pcap', {}], ['frags_pass', 'jumbo.pcap', { mtu: 9000 }], ['redirect_self', 'dns.pcap', {}],
  ['test/cli/objects/unchecked.o', 'ipv6-nd.pcap', {}], ['reflector', 'jumbo.pcap', {}],
];

describe.each(RUNS)('%s over %s %o', (program, capture, more) => {
  const { report, path } = runTo(program, capture, more);

  it('each packet is in the file of its destination', () => {
    const { outcomes } = report;
    const counts = Object.fromEntries(FILES.map((file) => [file, packetsOf(path(file)).length]));
    expect(counts).toEqual({
      stack: outcomes.stack,
      tx: outcomes.tx! + outcomes.redirect!,
      xsk: outcomes.xsk,
      'xsk-tx': report.xsk.reduce((sum, socket) => sum + socket.tx_packets, 0),
      dropped: lostCount(report),
    });
    expect(counts.stack! + counts.tx! + counts.xsk! + counts.dropped!).toBe(report.packets.received);
  });

  it.skipIf(!hasTshark)('tshark opens the files without complaint and shows verdict, queue and number', () => {
    const seen: number[] = [];
    for (const file of FILES) {
      const run = spawnSync('tshark', ['-r', path(file), '-T', 'fields', '-e', 'frame.packet_id', '-e', 'frame.interface_queue', '-e', 'frame.verdict.ebpf_xdp', '-e', 'frame.packet_flags_direction', '-e', 'frame.comment'], { encoding: 'utf8' });
      expect(run.status).toBe(0);
      // Whoever runs as root is warned of it.
      expect(run.stderr.replace(/^Running as user "root".*\n/m, '')).toBe('');
      for (const line of run.stdout.split('\n').slice(0, -1)) {
        const [packetId, queue, verdict, direction, comment] = line.split('\t');
        const isFromWire = file !== 'xsk-tx';
        if (isFromWire) seen.push(Number(packetId));
        const isLostInDevice = file === 'dropped' && comment!.startsWith('rx_');
        expect(Number(packetId)).toBeGreaterThan(0);
        expect(queue).toMatch(isLostInDevice ? /^\d*$/ : /^[0-3]$/);
        const isJudged = isFromWire && !isLostInDevice && comment!.split(',')[0] !== 'program_fault';
        expect(verdict).toMatch(isJudged ? verdictsOf(file) : /^$/);
        expect(direction).toBe(file === 'tx' || file === 'xsk-tx' ? '0x00000002' : '0x00000001');
        if (file === 'dropped') expect(OUTCOMES.filter(({ delivered }) => !delivered).map(({ name }) => name)).toContain(comment!.split(',')[0]);
      }
    }
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: report.packets.received }, (_, i) => i + 1));
  });
});

function verdictsOf(file: (typeof FILES)[number]): RegExp {
  return { stack: /^2$/, tx: /^[34]$/, xsk: /^4$/, 'xsk-tx': /^$/, dropped: /^\d+$/ }[file];
}

it('what passes untouched keeps its bytes, lengths and times to the nanosecond', () => {
  const { path } = runTo('count_hash', 'dns-nano.pcapng');
  expect(packetsOf(path('stack'))).toEqual(packetsOf('fixtures/pcaps/dns-nano.pcapng'));
});

it('what is dropped is there as it came', () => {
  const { path } = runTo('switch_drop', 'mixed.pcap', { set: ['drop_all=1'] });
  expect(packetsOf(path('dropped'))).toEqual(packetsOf('fixtures/pcaps/mixed.pcap'));
});

it('what is sent has the changed bytes: a reflected reflection is the original', () => {
  const { path } = runTo('reflector', 'dns.pcap');
  const there = packetsOf(path('tx'));
  expect(there.length).toBeGreaterThan(0);
  const back = folder.at('back');
  reportOf('reflector', 'dns.pcap', { pcap: path('tx'), out: back });
  const originals = new Set(packetsOf('fixtures/pcaps/dns.pcap').map(({ data }) => data));
  const twice = packetsOf(`${back}/tx.pcapng`);
  expect(twice).toHaveLength(there.length);
  for (const { data } of twice) expect(originals.has(data)).toBe(true);
  for (const { data } of there) expect(originals.has(data)).toBe(false);
});

it.skipIf(!hasTshark)('metadata is told in the comment', () => {
  const { path } = runTo('meta_writer', 'http.pcap');
  const comments = execFileSync('tshark', ['-r', path('stack'), '-Y', 'tcp && ip', '-T', 'fields', '-e', 'frame.comment'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n').slice(0, -1);
  expect(comments.length).toBeGreaterThan(0);
  // { u32 offload_flags; u16 csum_start; u16 csum_offset }: behind 14 + 20 bytes of headers, 16 bytes into TCP.
  for (const comment of comments) expect(comment).toMatch(/^metadata [0-9a-f]{8}22001000$/);
});

it('an earlier run is replaced, other files stay', () => {
  const first = runTo('reflector', 'mixed.pcap');
  const kept = first.path('notes');
  folder.write(kept.slice(folder.path.length + 1), 'mine');
  const out = kept.slice(0, kept.lastIndexOf('/'));
  reportOf('count_hash', 'dns.pcap', { out });
  expect(packetsOf(first.path('tx'))).toEqual([]);
  expect(packetsOf(first.path('stack'))).toHaveLength(24);
});
