import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { isClean, RUN_DEFAULTS, runCapture, runText, runVerdict } from '../../src/report/index.js';
import type { RunReport } from '../../src/report/index.js';
import { parseRingMoments } from '../../src/report/ringsAt.js';

const OPTIONS = {
  ...RUN_DEFAULTS, object: 'fixtures/programs/xsk_redirect/xsk_redirect.o', pcap: 'fixtures/pcaps/mixed.pcap', queues: 1, xsk: 'rxdrop', xskMode: 'copy', set: [], map: [],
};

const run = (options: Partial<Parameters<typeof runCapture>[0]> = {}): RunReport => unwrap(runCapture({ ...OPTIONS, ...options }));
const textOf = (report: RunReport): string => runText(report, (title) => title);

describe('--rings-at', () => {
  it('shows the rings of every socket at times and at the ends of packets', () => {
    const report = run({ ringsAt: '0ns,packet:99999, 100s', xskFrames: 4, queues: 2 });
    expect(report.rings_at!.map(({ at, sockets }) => [at, sockets.length])).toEqual([['0ns', 2], ['100s', 2], ['packet:99999', 0]]);
    const [fill] = report.rings_at![0]!.sockets[0]!.rings;
    expect(fill).toMatchObject({ ring: 'FILL', producer: 4, consumer: 0, cached_producer: 0, cached_consumer: 0, used: 4, entries_omitted: 0 });
    expect(fill!.entries[1]).toEqual({ index: 1, slot: 1, address: '4096', chunk: 1, owner: 'fillRing', packet: 0, note: '' });
    const text = textOf(report);
    expect(text).toContain('AF_XDP rings at 0ns (as of 0 ns)\n  socket 0, queue 0, bound, copy; chunks: fillRing 4\n    FILL: 4 of 4,096, producer 4, consumer 0; the kernel knows 0 and 0\n');
    expect(text).toContain('      [1]  index 1  address 4096   chunk 1  fillRing\n');
    expect(text).toContain('AF_XDP rings at packet:99999 (as of 7.622 s)\n  there is no packet 99999: 280 packets came\n');
  });

  it('of a packet shows the entry that the application does not see yet', () => {
    const all = run();
    expect(all.rings_at).toBeUndefined();
    const numbers = Array.from({ length: 60 }, (_, i) => `packet:${i + 1}`).join(',');
    const looked = run({ ringsAt: numbers });
    const entries = looked.rings_at!.flatMap(({ at, sockets }) => sockets[0]!.rings.find(({ ring }) => ring === 'RX')!.entries.map((entry) => ({ at, ...entry })));
    expect(entries.length).toBeGreaterThan(0);
    for (const { at, packet, owner, note } of entries) expect([at, owner, note]).toEqual([`packet:${packet}`, 'rxRing', 'not published yet']);
    const { rings_at: _rings, ...rest } = looked;
    expect(rest).toEqual(all);
  });

  it.each(['', 'soon', '1.5', 'packet:0', 'packet:x', '1ms,', Array(65).fill('1ms').join(',')])('%j is no list of moments', (text) => {
    const parsed = parseRingMoments(text);
    expect(!parsed.ok && parsed.problem.code).toBe('rings-at-syntax');
  });
});

describe('findings in the report', () => {
  const finding = { code: 'double-submission', severity: 'mistake', socket: 1, queue: 1, ring: 'FILL', count: 3, first_ns: 12, message: 'chunk 1 was put\u001b into FILL', hint: 'give it once', history: 'chunk 1: FILL slot 0 at 0 ns' };

  it('a clean run has none', () => {
    const report = run();
    expect(report.xsk_findings).toEqual([]);
    expect(textOf(report)).not.toContain('did wrong');
    expect(isClean(report)).toBe(true);
  });

  it('starvation is a warning, with who had the chunks, and the run stays clean', () => {
    const report = run({ xskRings: 'fill=1,rx=64,tx=64,comp=64', xskFrames: 2, rxUsecs: 1_000_000 });
    const starved = report.xsk_findings.find(({ code }) => code === 'fill-starvation')!;
    expect(starved).toMatchObject({ severity: 'warning', ring: 'FILL', count: report.xsk[0]!.rx_fill_ring_empty_descs });
    expect(starved.message).toMatch(/^FILL of queue 0 was empty when the kernel wanted a chunk, first at [\d.]+ s; of the chunks 1 with the application, 1 with the RX ring$/);
    expect(textOf(report)).toContain(`  warning fill-starvation, socket 0, ${starved.count} times: FILL of queue 0 was empty`);
    expect(isClean(report)).toBe(true);
  });

  it('a mistake is told first, with its history and its mending, and the run is not clean', () => {
    const report: RunReport = { ...run(), xsk_findings: [{ ...finding, code: 'rx-not-read', severity: 'warning', count: 1, history: '' }, finding] };
    expect(textOf(report)).toContain(`What the AF_XDP applications did wrong or left undone (docs/af-xdp.md)
  MISTAKE double-submission, socket 1, 3 times: chunk 1 was put\\x1b into FILL
    chunk 1: FILL slot 0 at 0 ns
    to mend it: give it once
  warning rx-not-read, socket 1: chunk 1 was put\\x1b into FILL
    to mend it: give it once
`);
    expect(isClean(report)).toBe(false);
    expect(runVerdict(report)).toMatch(/^FAILED: an AF_XDP application broke the rules: chunk 1 was put/);
  });

  it('what two sockets do alike is mended once', () => {
    const report: RunReport = { ...run(), xsk_findings: [finding, { ...finding, code: 'invalid-descriptor', history: '' }, { ...finding, socket: 2, count: 1 }] };
    expect(textOf(report)).toContain(`
  MISTAKE double-submission, socket 1, 3 times: chunk 1 was put\\x1b into FILL
    chunk 1: FILL slot 0 at 0 ns
  MISTAKE double-submission, socket 2: chunk 1 was put\\x1b into FILL
    chunk 1: FILL slot 0 at 0 ns
    to mend it: give it once
  MISTAKE invalid-descriptor, socket 1, 3 times: chunk 1 was put\\x1b into FILL
    to mend it: give it once
`);
  });

  it('many are cut', () => {
    const report: RunReport = { ...run(), xsk_findings: Array.from({ length: 25 }, () => finding) };
    expect(textOf(report)).toContain('  and 5 more (--json shows them)');
  });
});
