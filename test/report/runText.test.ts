import { describe, expect, it } from 'vitest';
import { runText } from '../../src/report/index.js';
import type { RunReport } from '../../src/report/index.js';
import { reportOf } from './support.js';

const plain = (report: RunReport): string => runText(report, (title) => title);

/** Lines of the section whose title begins so. */
function section(report: RunReport, title: string): string[] {
  return plain(report).split('\n\n').find((text) => text.startsWith(title))?.trimEnd().split('\n') ?? [];
}

describe('the whole report', () => {
  it('of a program that sends packets back', () => {
    expect(`\n${plain(reportOf('reflector', 'mixed.pcap'))}`).toMatchInlineSnapshot(`
      "
      fixtures/programs/reflector/reflector.o: reflector over mixed.pcap
        280 packets, 138,078 bytes, 7.622 s of virtual time
        NIC plain, native mode, MTU 1500, 4 queues, 4 CPUs, jit, seed 1

      Verdicts
        XDP_PASS   47   16.8 %
        XDP_TX    233   83.2 %

      Where the packets ended
        stack   47  passed to the network stack
        tx     233  sent back out of the same port by XDP_TX

      Queues
        queue   rx  pass  drop   tx  redirect  exceptions
            0  122    20     0  102         0           0
            1   77     6     0   71         0           0
            2   38    10     0   28         0           0
            3   43    11     0   32         0           0

      Rings (each queue: RX 512 and TX 512 descriptors)
        queue  interrupts  polls  rx_no_page  tx_sent  tx_full
            0         222    222           0      102        0
            1         148    148           0       71        0
            2          66     66           0       28        0
            3          75     75           0       32        0

      page_pool
        alloc    fast 2,274, refill 17, slow 33, empty 33
        recycle  cached 233, ring 47, cache full 0, ring full 0
        pages    2,112 taken, 2,112 given back

      Audit: everything is accounted for
        ok  packets               280 on the wire, 280 with an outcome
        ok  pages                 2112 in use: 2044 on RX rings, 68 idle in the pools
        ok  pages after shutdown  all given back
        ok  DMA mappings          0 left over, 0 faults
        ok  DMA rules             every buffer was mapped, synced and unmapped as it must be
        ok  buffer rules          every buffer went back by a way that is open to it
        ok  ownership             every hand-over came from the owner
      "
    `);
  });

  it('of AF_XDP, with several things that went wrong', () => {
    expect(`\n${plain(reportOf('xsk_redirect', 'mixed.pcap', { queues: 2, xsk: 'l2fwd', mtu: 1000 }))}`).toMatchInlineSnapshot(`
      "
      fixtures/programs/xsk_redirect/xsk_redirect.o: xsk_redirect over mixed.pcap
        280 packets, 138,078 bytes, 7.622 s of virtual time
        NIC plain, native mode, MTU 1000, 2 queues, 2 CPUs, jit, seed 1

      Verdicts (the program ran on 200 of 280 packets)
        XDP_PASS      159   79.5 %
        XDP_REDIRECT   41   20.5 %

      Where the packets ended
          stack           159  passed to the network stack
          xsk              41  delivered to an AF_XDP socket
        ! rx_over_length   80  dropped by the MAC: longer than the MTU allows
        note: the MTU is 1000, and the longest frame had 1,514 bytes; --mtu 1500 lets it in

      Queues
        queue   rx  pass  drop  tx  redirect  exceptions
            0  116   101     0   0        15           0
            1   84    58     0   0        26           0

      Rings (each queue: RX 512 and TX 512 descriptors)
        queue  interrupts  polls  rx_no_page  tx_sent  tx_full
            0         131    131           0       15        0
            1         110    110           0       26        0

      AF_XDP sockets (l2fwd; rings as the run left them)
        bound: copy, need_wakeup off, 4,096 frames of 4,096 bytes each
        socket  queue  rx  tx  rx_dropped  rx_full  fill_empty  tx_invalid  FILL       RX      TX      COMPLETION
             0      0  15  15           0        0           0           0  4096/4096  0/2048  0/2048  0/2048
             1      1  26  26           0        0           0           0  4096/4096  0/2048  0/2048  0/2048

      page_pool
        alloc    fast 1,127, refill 79, slow 16, empty 16
        recycle  cached 41, ring 159, cache full 0, ring full 0
        pages    1,024 taken, 1,024 given back

      Map xsks_map (XSKMAP, 2 of 64 slots filled)
        0  =  socket 0
        1  =  socket 1

      Tracepoints
        xdp_redirect  41

      Audit: everything is accounted for
        ok  packets               280 on the wire, 280 with an outcome
        ok  pages                 1024 in use: 1022 on RX rings, 2 idle in the pools
        ok  pages after shutdown  all given back
        ok  DMA mappings          0 left over, 0 faults
        ok  DMA rules             every buffer was mapped, synced and unmapped as it must be
        ok  buffer rules          every buffer went back by a way that is open to it
        ok  ownership             every hand-over came from the owner
        ok  chunks of 2 sockets   all accounted for: fillRing 8,192
      "
    `);
  });
});

describe('sections', () => {
  it('headings are set off, nothing else is', () => {
    const text = runText(reportOf('reflector', 'dns.pcap'), (title) => `<${title}>`);
    expect(text.match(/<[^>]*>/g)).toEqual([
      '<fixtures/programs/reflector/reflector.o: reflector over dns.pcap>', '<Verdicts>', '<Where the packets ended>', '<Queues>',
      '<Rings (each queue: RX 512 and TX 512 descriptors)>', '<page_pool>', '<Audit: everything is accounted for>',
    ]);
  });

  it('no line ends in blanks, no section is empty, the text ends in one newline', () => {
    for (const program of ['reflector', 'count_percpu', 'printk', 'xsk_redirect', 'test/cli/objects/unchecked.o', 'fixtures/programs/xdp-tools/xdpfilt_alw_all.o']) {
      const text = plain(reportOf(program, 'mixed.pcap'));
      expect(text).not.toMatch(/[ \t]$/m);
      expect(text).not.toMatch(/\n\n\n|\n\n$/);
      expect(text.endsWith('\n')).toBe(true);
    }
  });

  it('large counts are grouped, values of maps are not', () => {
    const report = reportOf('count_hash', 'mixed.pcap');
    const grown = { ...report, packets: { ...report.packets, received: 12_345_678 }, verdicts: { ...report.verdicts, XDP_PASS: 12_345_678 } };
    expect(plain(grown)).toContain('  12,345,678 packets, 138,078 bytes');
    expect(section(grown, 'Verdicts')[1]).toBe('  XDP_PASS  12,345,678  100.0 %');
    expect(section(grown, 'Map')[1]).toBe('  192.0.2.1  =  {packets: 67, bytes: 29632}');
  });

  it('faults come first, each place once', () => {
    const text = plain(reportOf('test/cli/objects/null_value.o', 'dns.pcap'));
    expect(text.split('\n\n')[1]!.split('\n')).toEqual([
      'FAULTS at 24 packets',
      '  packet 1: ./null_value.c:18: load of 8 bytes at r0 = 0x0: NULL: a pointer that can be NULL was not tested, or a number was used as one [insn 7: r1 = *(u64 *)(r0 +0)]',
      '    likewise packets 2, 3, 4, 5, 6, 7, 8, 9 and 7 more',
      '  and 8 more packets; only the first 16 faults are kept',
      '  The kernel would refuse to load this program.',
    ]);
  });

  it('packets that were lost against the will of the program are marked, with what helps', () => {
    expect(section(reportOf('switch_drop', 'jumbo.pcap', { set: ['drop_udp_port=5001'] }), 'Where')).toEqual([
      'Where the packets ended',
      '    stack           38  passed to the network stack',
      '  ! rx_over_length  10  dropped by the MAC: longer than the MTU allows',
      '  note: the MTU is 1500, and the longest frame had 9,014 bytes; --mtu 9000 lets it in, but above 3498 the program must be in SEC("xdp.frags")',
    ]);
    const missed = reportOf('reflector', 'mixed.pcap');
    const lines = section({ ...missed, outcomes: { ...missed.outcomes, rx_missed: 3, tx_ring_full: 1 } }, 'Where');
    expect(lines).toContain('  note: RX rings have 512 descriptors; --rx-ring gives them more');
    expect(lines).toContain('  note: TX rings have 512 descriptors; --tx-ring gives them more');
  });

  it('a zero-copy queue without chunks is not helped by a longer RX ring, nor by leaving the XSKMAP', () => {
    const starved = reportOf('xsk_redirect', 'dns.pcap', { nic: 'ice', queues: 1, xsk: 'txonly:count=5', xskMode: 'zerocopy' });
    expect(section(starved, 'Where')).toEqual([
      'Where the packets ended',
      '  ! rx_missed  24  dropped by the NIC: no free RX descriptor',
      '  note: in zero-copy mode a queue receives into chunks of FILL alone, and had none (fill-starvation, below)',
    ]);
    expect(starved.xsk_findings).toMatchObject([{ code: 'fill-starvation', hint: expect.stringMatching(/^give chunks to FILL .* bind a socket that is only to send in copy mode/) }]);
    const copied = reportOf('xsk_redirect', 'dns.pcap', { nic: 'ice', queues: 1, xsk: 'txonly:count=5', xskMode: 'copy' });
    expect(copied.outcomes.rx_missed).toBe(0);
    expect(copied.xsk_findings).toMatchObject([{ code: 'fill-starvation', hint: expect.stringMatching(/belongs into no XSKMAP$/) }]);
  });

  it('frames that no MTU lets in come from offloads; the MTU that is named lets in what was told', () => {
    const report = reportOf('reflector', 'mixed.pcap', { mtu: 1000 });
    const notes = (longest: number, frags = false): string =>
      section({ ...report, frags, packets: { ...report.packets, longest_over_length: longest } }, 'Where').slice(4).join('\n');
    expect(notes(9023)).toContain('more than any MTU of this NIC allows (at most 9000)');
    expect(notes(9023)).toContain('ethtool -K IF tso off gso off gro off');
    expect(notes(9022)).toContain('--mtu 9000 lets it in, but above 3498 the program must be in SEC("xdp.frags")');
    expect(notes(9022, true)).toMatch(/--mtu 9000 lets it in$/);
    expect(notes(3520)).toMatch(/--mtu 3498 lets it in$/);
    expect(notes(3521)).toContain('--mtu 3507 lets it in, but above 3498');
    expect(reportOf('reflector', 'mixed.pcap', { mtu: 1500 }).outcomes.rx_over_length).toBe(0);
  });

  it('a program that runs for too long is not blamed for an access; --budget is named', () => {
    const lines = section(reportOf('reflector', 'dns.pcap', { instructionBudget: 5 }), 'FAULTS');
    expect(lines.at(-1)).toMatch(/^ {2}note: --budget /);
    expect(lines.join('\n')).not.toContain('The kernel would refuse');
    expect(section(reportOf('reflector', 'dns.pcap', { instructionBudget: 5 }), 'Where')[1]).toContain('or ran out of its instruction budget');
  });

  it('an XSKMAP that has too few slots for the sockets is told', () => {
    const report = reportOf('xsk_redirect', 'dns.pcap', { queues: 3 });
    const withSlots = (count: number): string[] => section({ ...report, maps: { xsks_map: { ...report.maps.xsks_map!, max_entries: count } } }, 'AF_XDP');
    expect(withSlots(3).at(-1)).not.toContain('note');
    expect(withSlots(2).at(-1)).toBe('  note: map xsks_map has 2 slots for 3 sockets; raise max_entries, or use fewer --queues');
  });

  it('cut packets are told', () => {
    const report = reportOf('reflector', 'dns.pcap');
    const cut = (count: number): string => plain({ ...report, packets: { ...report.packets, cut_by_snaplen: count } }).split('\n')[3]!;
    expect(cut(1)).toBe('  note: 1 packet is cut in the capture (tcpdump -s); the program saw only what is there');
    expect(cut(2000)).toBe('  note: 2,000 packets are cut in the capture (tcpdump -s); the program saw only what is there');
  });

  it('the log is cut, and says what the JSON has', () => {
    const report = reportOf('printk', 'mixed.pcap');
    const lines = section(report, 'Log');
    expect(lines[0]).toBe(`Log (${report.log_lines} lines: seconds since boot, CPU, text)`);
    expect(lines[2]).toBe('  1.000000000 [000] frame: 42 bytes, type 0806, 1472 to the full 1514');
    expect(lines).toHaveLength(22);
    expect(lines[21]).toBe(`  and ${report.log_lines - 20} more (--json shows them)`);
    expect(section({ ...report, log_lines: 123_456 }, 'Log')[21]).toBe(`  and 123,436 more (--json shows the first ${report.log.length})`);
    expect(section({ ...report, log_lines: 1, log: [{ t_ns: 1, cpu: 12, text: 'clear\u001b[2J' }] }, 'Log')).toEqual(['Log (1 line: seconds since boot, CPU, text)', '  0.000000001 [012] clear\\x1b[2J']);
    expect(section(report, 'Variables')).toEqual([]);
  });

  it('an audit that failed stands out', () => {
    const report = reportOf('xsk_redirect', 'dns.pcap', { queues: 3 });
    expect(section(report, 'Audit').at(-1)).toBe('  ok  chunks of 3 sockets   all accounted for: fillRing 12,288');
    const checks = report.audit.checks.map((check) => (check.name === 'chunks of socket 1' ? { ...check, ok: false, detail: 'fillRing owns 1, but 2 are there' } : check));
    const lines = section({ ...report, audit: { ...report.audit, ok: false, checks } }, 'Audit');
    expect(lines[0]).toBe('Audit: FAILED');
    expect(lines).toContain('  FAILED  chunks of socket 1    fillRing owns 1, but 2 are there');
    expect(lines.filter((line) => line.includes('chunks of socket'))).toHaveLength(3);
  });
});
