import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { isClean, runCapture } from '../../src/report/index.js';
import type { RunOptions, RunReport } from '../../src/report/index.js';
import { OUTCOMES } from '../../src/xdp/index.js';
import { fc, prop } from '../support/property.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { objectPath, reportOf, runOptions } from './support.js';

const folder = temporaryFolder();

/** Packets in a capture of fixtures/pcaps, as its README says. */
const PACKETS: Readonly<Record<string, number>> = {
  'arp-icmp.pcap': 25, 'ipv6-nd.pcap': 28, 'http.pcap': 53, 'http.pcapng': 53, 'dns.pcap': 24, 'dns-nano.pcap': 12, 'dns-nano.pcapng': 12,
  'vlan.pcap': 39, 'fragments.pcap': 48, 'jumbo.pcap': 48, 'mixed.pcap': 280,
};

const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((total, count) => total + count, 0);

describe('JSON', () => {
  const report = reportOf('xsk_redirect', 'mixed.pcap');

  it('has the fields that scripts depend on, with these names and no others', () => {
    expect(Object.keys(report)).toEqual([
      'schema', 'object', 'program', 'frags', 'capture', 'seed', 'engine', 'kernel', 'mode', 'cpus', 'nic', 'packets', 'duration_ns', 'verdicts', 'outcomes', 'counters',
      'ethtool', 'rings', 'pool', 'xsk', 'xsk_findings', 'maps', 'variables', 'variables_omitted', 'network_missed', 'log', 'log_lines', 'events', 'event_counts', 'tracepoints', 'tracepoint_counts', 'faults', 'fault_count', 'audit',
    ]);
    expect(report).toMatchObject({
      schema: 1,
      object: 'fixtures/programs/xsk_redirect/xsk_redirect.o',
      program: 'xsk_redirect',
      capture: 'mixed.pcap',
      seed: 1,
      mode: 'native',
      cpus: 4,
      nic: { profile: 'plain', queues: 4, rx_ring: 512, tx_ring: 512, mtu: 1500, rx_usecs: 0 },
      frags: false,
      packets: { received: 280, cut_by_snaplen: 0, longest_over_length: 0 },
      fault_count: 0,
      audit: { ok: true },
    });
    expect(Object.keys(report.verdicts)).toEqual(['XDP_ABORTED', 'XDP_DROP', 'XDP_PASS', 'XDP_TX', 'XDP_REDIRECT', 'other']);
    expect(Object.keys(report.outcomes)).toEqual(OUTCOMES.map(({ name }) => name));
    expect(report.rings.map(({ queue }) => queue)).toEqual([0, 1, 2, 3]);
    expect(Object.keys(report.pool)).toEqual(expect.arrayContaining(['alloc_fast', 'alloc_slow', 'recycle_cached', 'recycle_ring', 'hold', 'release']));
  });

  it('survives being written and read', () => {
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it('tells of each AF_XDP socket what it got and how its rings stand', () => {
    expect(report.xsk).toHaveLength(4);
    expect(report.xsk.reduce((total, socket) => total + socket.rx_packets, 0)).toBe(report.outcomes.xsk);
    for (const { application, rings } of report.xsk) {
      expect(application).toBe('rxdrop');
      expect(rings).toEqual({ rx: { size: 2048, used: 0 }, tx: { size: 2048, used: 0 }, fill: { size: 4096, used: 4096 }, completion: { size: 2048, used: 0 } });
    }
  });

  it('is documented field by field', () => {
    const text = readFileSync('docs/report.md', 'utf8');
    const names = new Set<string>();
    const collect = (value: unknown): void => {
      if (Array.isArray(value)) value.forEach(collect);
      else if (typeof value === 'object' && value !== null) {
        for (const [name, each] of Object.entries(value)) {
          names.add(name);
          collect(each);
        }
      }
    };
    const { maps, variables: _variables, counters, ethtool: _ethtool, ...others } = reportOf('test/cli/objects/null_value.o', 'dns.pcap');
    for (const part of [others, Object.values(maps), report.xsk, Object.values(reportOf('count_percpu', 'dns.pcap').maps).map(({ entries, ...map }) => [map, Object.keys(entries[0]!)])]) collect(part);
    for (const name of Object.keys(counters)) names.add(name.replace(/_\d+_/, '_N_'));
    expect([...names].filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
});

describe('every packet ends once', () => {
  const programs = readdirSync('fixtures/programs', { withFileTypes: true }).filter((entry) => entry.isDirectory() && entry.name !== 'xdp-tools').map(({ name }) => name);
  const several: Readonly<Record<string, string>> = { multi: 'drop_tcp', tail_calls: 'xdp_entry', legacy_iproute2: 'iproute2_entry', redirect_cpumap: 'redirect_cpumap', redirect_devmap: 'redirect_devmap', callbacks: 'loops', dynptrs: 'dynptrs', buffer_ops: 'frags', buffer_room: 'frags', load_balancer: 'to_servers', xsk_steer: 'to_socket' };

  it.each(programs)('%s', (program) => {
    for (const capture of ['mixed.pcap', 'vlan.pcap', 'jumbo.pcap']) checkBalance(reportOf(program, capture, { program: several[program] }), PACKETS[capture]!);
  });

  prop(
    [
      fc.constantFrom('reflector', 'xsk_redirect', 'redirect_self', 'frags_pass', 'adjust_tail', 'aborter', 'return_77'),
      fc.constantFrom(...Object.keys(PACKETS)),
      fc.record({
        queues: fc.integer({ min: 1, max: 9 }), cpus: fc.integer({ min: 1, max: 9 }), rxRing: fc.constantFrom(64, 128, 512), txRing: fc.constantFrom(64, 128, 512),
        mtu: fc.integer({ min: 68, max: 3498 }), rxUsecs: fc.constantFrom(0, 10, 1_000_000), seed: fc.nat(), xsk: fc.constantFrom('auto', 'none', 'rxdrop', 'l2fwd'),
      }),
    ],
    { numRuns: 25 },
  )('whatever the NIC looks like', (program, capture, settings) => {
    checkBalance(reportOf(program, capture, settings), PACKETS[capture]!);
  });

  function checkBalance(report: RunReport, packets: number): void {
    const { verdicts, outcomes, counters, rings } = report;
    expect(report.packets.received).toBe(packets);
    expect(sum(outcomes)).toBe(packets);
    const lostBefore = outcomes.rx_runt! + outcomes.rx_over_length! + outcomes.rx_address_filter! + outcomes.rx_missed! + outcomes.rx_dma_error!;
    expect(sum(verdicts)).toBe(packets - lostBefore - outcomes.program_fault!);
    expect(counters.rx_packets).toBe(packets - lostBefore);
    expect(rings.reduce((total, { queue }) => total + counters[`rx_queue_${queue}_packets`]!, 0)).toBe(counters.rx_packets);
    expect(counters.rx_missed_errors).toBe(outcomes.rx_missed);
    expect([verdicts.XDP_DROP, verdicts.XDP_PASS, verdicts.other, verdicts.XDP_ABORTED]).toEqual([outcomes.xdp_drop, outcomes.stack, outcomes.xdp_invalid_verdict, outcomes.xdp_aborted]);
    expect(report.pool.hold).toBe(report.pool.release);
    expect(report.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(isClean(report)).toBe(report.fault_count === 0);
  }
});

describe('determinism', () => {
  /** All that a run writes: the JSON and the captures. */
  function outputOf(options: RunOptions, out: string): Readonly<Record<string, string>> {
    const report = unwrap(runCapture({ ...options, out }));
    const files = readdirSync(out).sort().map((name) => [name, readFileSync(join(out, name)).toString('hex')]);
    return { 'report.json': JSON.stringify(report, undefined, 2), ...Object.fromEntries(files) };
  }

  const CASES: readonly (readonly [name: string, more: Partial<RunOptions>])[] = [
    ['reflector', {}], ['printk', {}], ['count_percpu', { queues: 3, cpus: 2 }], ['meta_writer', {}], ['vlan_push', {}], ['dnat', { set: ['transmit=1'] }],
    ['xsk_redirect', { xsk: 'l2fwd' }], ['tail_calls', { program: 'xdp_entry' }], ['aborter', { rxUsecs: 50 }],
  ];

  it.each(CASES)('%s %o: equal input and seed give equal bytes', (name, more) => {
    const options = runOptions(objectPath(name), 'fixtures/pcaps/mixed.pcap', more);
    const first = outputOf(options, folder.at(`${name}-first`));
    expect(Object.keys(first)).toEqual(['report.json', 'dropped.pcapng', 'stack.pcapng', 'tx.pcapng', 'xsk-tx.pcapng', 'xsk.pcapng']);
    expect(outputOf(options, folder.at(`${name}-second`))).toEqual(first);
  });

  it('another seed changes what bpf_get_prandom_u32 gives, and nothing else', () => {
    const run = (seed: number): RunReport => reportOf('printk', 'mixed.pcap', { seed });
    const masked = (report: RunReport): string => JSON.stringify({ ...report, seed: 0, log: report.log.map((line) => ({ ...line, text: line.text.replace(/random [0-9a-f]+/, 'random') })) }).replace(/"random":\d+/g, '"random":0');
    const [one, two] = [run(1), run(2)];
    expect(one.log.map(({ text }) => text)).not.toEqual(two.log.map(({ text }) => text));
    expect(one.maps).not.toEqual(two.maps);
    expect(masked(one)).toBe(masked(two));
  });

  it('a program without randomness does the same with every seed', () => {
    expect({ ...reportOf('count_hash', 'mixed.pcap', { seed: 7 }), seed: 1 }).toEqual(reportOf('count_hash', 'mixed.pcap'));
  });

  it('pcap and pcapng with the same packets give the same report', () => {
    expect({ ...reportOf('count_hash', 'http.pcapng'), capture: '' }).toEqual({ ...reportOf('count_hash', 'http.pcap'), capture: '' });
  });
});

describe('--set and --map', () => {
  it('a global variable switches the program', () => {
    expect(reportOf('switch_drop', 'mixed.pcap', { set: ['drop_all=1'] })).toMatchObject({ verdicts: { XDP_DROP: 280 }, variables: { drop_all: true, dropped: 280, passed: 0 } });
    expect(reportOf('switch_drop', 'mixed.pcap', { set: ['drop_all=true', 'drop_verdict=3'] })).toMatchObject({ verdicts: { XDP_TX: 280 } });
    expect(reportOf('switch_drop', 'dns.pcap', { set: ['drop_udp_port=0x1bb'] })).toMatchObject({ verdicts: { XDP_DROP: 0 }, variables: { drop_udp_port: 443 } });
  });

  it('an address is written with dots, and shown so', () => {
    const { variables } = reportOf('dnat', 'mixed.pcap', { set: ['backend_address=203.0.113.9'] });
    expect(variables).toMatchObject({ virtual_address: '192.0.2.2', backend_address: '203.0.113.9' });
  });

  it('the entries of a report fill the same map again', () => {
    for (const [program, maps] of [['count_hash', ['packets_by_source']], ['count_percpu', ['packets_by_source', 'packets_by_protocol']]] as const) {
      const before = reportOf(program, 'mixed.pcap').maps;
      const map = maps.map((name) => `${name}=${folder.write(`${program}-${name}.json`, JSON.stringify(before[name]!.entries))}`);
      const after = reportOf(program, 'mixed.pcap', { map }).maps;
      for (const name of maps) {
        const packets = (report: typeof before): unknown[] => report[name]!.entries.map(({ key, value, sum: total }) => [key, (value ?? total) as { packets: number }]).map(([key, each]) => [key, (each as { packets: number }).packets]);
        expect(packets(after).sort()).toEqual(packets(before).map((row) => { const [key, count] = row as [unknown, number]; return [key, count * 2]; }).sort());
      }
    }
  });

  it('hex, typed values and one value for all CPUs', () => {
    const entries = [{ key: 'c0000263', value: '01000000000000000200000000000000' }, { key: '192.0.2.100', value: { packets: '0x10', bytes: 3 } }];
    const map = [`packets_by_source=${folder.write('typed.json', JSON.stringify(entries))}`];
    expect(reportOf('count_hash', 'ipv6-nd.pcap', { map }).maps.packets_by_source!.entries).toEqual([
      { key: '192.0.2.99', value: { packets: 1, bytes: 2 } }, { key: '192.0.2.100', value: { packets: 16, bytes: 3 } },
    ]);
    expect(reportOf('count_percpu', 'ipv6-nd.pcap', { map, cpus: 2 }).maps.packets_by_source!.entries[1]).toEqual(
      { key: '192.0.2.100', values: [{ packets: 16, bytes: 3 }, { packets: 16, bytes: 3 }], sum: { packets: 32, bytes: 6 } },
    );
  });

  it('an XSKMAP takes sockets', () => {
    const map = [`xsks_map=${folder.write('sockets.json', '[{"key": 0, "value": "socket 1"}, {"key": 5, "value": "socket 0"}]')}`];
    const report = reportOf('xsk_redirect', 'dns.pcap', { map, queues: 2 });
    expect(report.maps.xsks_map!.entries).toEqual([{ key: 0, value: 'socket 1' }, { key: 1, value: 'socket 1' }, { key: 5, value: 'socket 0' }]);
    expect(report.outcomes.xsk_wrong_queue).toBeGreaterThan(0);
  });

  it('a PROG_ARRAY takes names of programs', () => {
    const map = [`jmp_table=${folder.write('programs.json', '[{"key": 2, "value": "stage_udp"}]')}`];
    expect(reportOf('tail_calls', 'dns.pcap', { program: 'xdp_entry', map }).maps.jmp_table).toMatchObject({ type: 'PROG_ARRAY', entries: [{ key: 2, value: 'stage_udp' }] });
  });
});
