import { describe, expect, it } from 'vitest';
import { runText } from '../../src/report/index.js';
import type { RunReport } from '../../src/report/index.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { reportOf } from './support.js';

// Maps and variables as BTF describes them; objects/values.c has the types and says what is in them.

const folder = temporaryFolder();
const VALUES = 'test/report/objects/values.o';

function section(report: RunReport, title: string): string[] {
  return runText(report, (text) => text).split('\n\n').find((text) => text.startsWith(title))?.trimEnd().split('\n') ?? [];
}

/** A report of values.c with a map filled from these entries. */
function filled(map: string, entries: unknown, more: object = {}): RunReport {
  return reportOf(VALUES, 'dns.pcap', { ...more, map: [`${map}=${folder.write(`${map}.json`, JSON.stringify(entries))}`] });
}

describe('per-CPU values', () => {
  const report = reportOf(VALUES, 'dns.pcap', { set: ['gateway=192.0.2.254'] });
  const { traffic, huge } = report.maps as Required<RunReport['maps']>;

  it('are listed by CPU with every member, those of an anonymous struct beside the others', () => {
    expect(traffic).toMatchObject({ type: 'PERCPU_ARRAY', key_type: '__u32', value_type: 'struct traffic', max_entries: 4, entries_zero: 3, entries_omitted: 0 });
    const { values } = traffic!.entries[0]!;
    expect(values).toHaveLength(4);
    expect(values![3]).toEqual({ packets: 3, bytes: 351, balance: -3, by_half: [3, 0], last_class: 'SMALL', seen: true, label: '12', last_peer: '192.0.2.254' });
  });

  it('are added up where that makes sense: not booleans, enums, text that looks like a number, addresses', () => {
    expect(traffic!.entries[0]!.sum).toEqual({ packets: 24, bytes: report.packets.bytes, balance: -24, by_half: [24, 0] });
  });

  it('are added up beyond 2^53', () => {
    expect(huge!.entries[0]).toEqual({ key: 0, values: Array.from({ length: 4 }, () => '18446744073709551615'), sum: '73786976294838206460' });
  });

  it('are shown with the sum above the shares', () => {
    expect(section(report, 'Map huge')).toEqual([
      'Map huge (PERCPU_ARRAY, 1 of 1 not zero)',
      '  0        =  73786976294838206460',
      ...[0, 1, 2, 3].map((cpu) => `    CPU ${cpu}  :  18446744073709551615`),
    ]);
  });

  it('of CPUs that did nothing are not shown', () => {
    const lines = section(reportOf('count_percpu', 'mixed.pcap'), 'Map packets_by_protocol');
    expect(lines.slice(0, 3)).toEqual(['Map packets_by_protocol (PERCPU_ARRAY, 5 of 256 not zero)', '  1        =  {packets: 34, bytes: 24364}', '    CPU 0  :  {packets: 34, bytes: 24364}']);
    expect(lines[3]).toMatch(/^ {2}6 /);
  });

  it('of many CPUs are shown as sums only', () => {
    expect(section(reportOf('count_percpu', 'mixed.pcap', { queues: 16 }), 'Map packets_by_source')).toEqual([
      'Map packets_by_source (PERCPU_HASH, 2 of 1,024 entries; sums of 16 CPUs, --json has each)',
      '  192.0.2.1  =  {packets: 67, bytes: 29632}',
      '  192.0.2.2  =  {packets: 63, bytes: 42112}',
    ]);
  });
});

describe('addresses', () => {
  it('a __be32 is dotted wherever it stands', () => {
    const { entries } = reportOf('count_hash', 'mixed.pcap').maps.packets_by_source!;
    expect(entries.map(({ key }) => key)).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(reportOf(VALUES, 'dns.pcap').variables.gateway).toBe('0.0.0.0');
  });

  it('a struct in6_addr is text for people and bytes for scripts', () => {
    const bytes = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const report = filled('nat64', [{ key: { in6_u: { u6_addr8: bytes } }, value: '192.0.2.33' }]);
    expect(report.maps.nat64!.entries).toEqual([{ key: { in6_u: expect.objectContaining({ u6_addr8: bytes, u6_addr32: expect.any(Array) as unknown }) as unknown }, value: '192.0.2.33' }]);
    expect(section(report, 'Map nat64')).toEqual(['Map nat64 (HASH, 1 of 16 entries)', '  2001:db8::1  =  192.0.2.33']);
  });
});

describe('large maps', () => {
  const entries = Array.from({ length: 10_000 }, (_, key) => ({ key: key * 2, value: key + 1 }));
  const report = filled('large_array', entries);

  it('do not flood the JSON', () => {
    const { entries: kept, entries_zero: zero, entries_omitted: omitted } = report.maps.large_array!;
    expect(kept).toHaveLength(4096);
    expect(kept[4095]).toEqual({ key: 8190, value: 4096 });
    expect({ zero, omitted }).toEqual({ zero: 65_536 - 10_000, omitted: 10_000 - 4096 });
  });

  it('do not flood the text', () => {
    const lines = section(report, 'Map large_array');
    expect(lines[0]).toBe('Map large_array (ARRAY, 10,000 of 65,536 not zero)');
    expect(lines).toHaveLength(22);
    expect(lines[21]).toBe('  and 9,980 more entries (--json shows the first 4,096)');
  });

  it('have a bound in bytes too, whatever their values are', () => {
    const table = `[${Array.from({ length: 1000 }, (_, i) => i).join(',')}]`;
    const { variables } = reportOf(VALUES, 'dns.pcap', { set: [`table=${table}`] });
    expect(variables.table).toHaveLength(1000);
    const line = section(reportOf(VALUES, 'dns.pcap', { set: [`table=${table}`] }), 'Variables')[2]!;
    expect(line).toMatch(/^ {2}table {4}= {2}\[0, 1, 2, .*\.\.\.$/);
    expect(line.length).toBeLessThan(350);
    expect(section(reportOf(VALUES, 'dns.pcap'), 'Variables')[2]).toBe('  table    =  [1,000 zeros]');
  });
});

it('values that are small in memory and huge in JSON do not exhaust it', () => {
  const report = reportOf('test/report/objects/bomb.o', 'dns.pcap', { cpus: 256 });
  expect(report.maps).toMatchObject({
    per_cpu: { entries: [], entries_zero: 924, entries_omitted: 100 },
    hash: { entries: [{ key: 0 }], entries_zero: 0, entries_omitted: 99 },
  });
  expect(Object.keys(report.variables)).toEqual(['one', 'four', 'two']);
  expect(report.variables_omitted).toBe(1);
  expect(JSON.stringify(report, undefined, 2).length).toBeLessThan(32 << 20);
  expect(section(report, 'Map hash')[0]).toBe('Map hash (HASH, 100 of 1,024 entries)');
  expect(section(report, 'Map hash').at(-1)).toBe('  and 99 more entries (--json shows the first 1)');
  expect(section(report, 'Maps without')[1]).toBe('  per_cpu  PERCPU_ARRAY  1,024 entries, 100 too large to show');
  expect(section(report, 'Variables').at(-1)).toBe('  and 1 more that are too large to show');
});

describe('other maps', () => {
  it('empty ones are named together', () => {
    expect(section(reportOf('fixtures/programs/xdp-tools/xdpfilt_alw_all.o', 'mixed.pcap'), 'Maps without contents')).toEqual([
      'Maps without contents',
      '  filter_ports     PERCPU_ARRAY  65,536 entries, all zero',
      '  filter_ipv4      PERCPU_HASH   10,000 entries, none in use',
      '  filter_ipv6      PERCPU_HASH   10,000 entries, none in use',
      '  filter_ethernet  PERCPU_HASH   10,000 entries, none in use',
    ]);
  });

  it('a PROG_ARRAY shows its programs', () => {
    const report = reportOf('tail_calls', 'mixed.pcap', { program: 'xdp_entry' });
    expect(section(report, 'Map stages')).toEqual(['Map stages (PROG_ARRAY, 2 of 4 slots filled)', '  0  =  stage_ipv4', '  1  =  stage_udp']);
    expect(section(report, 'Maps without contents')).toEqual(['Maps without contents', '  jmp_table  PROG_ARRAY  4 entries, none in use']);
  });

  it('an XSKMAP shows its sockets', () => {
    expect(section(reportOf('xsk_redirect', 'dns.pcap', { queues: 2 }), 'Map xsks_map')).toEqual(['Map xsks_map (XSKMAP, 2 of 64 slots filled)', '  0  =  socket 0', '  1  =  socket 1']);
  });

  it('without types, keys and values are numbers or hex by their size', () => {
    expect(filled('untyped', [{ key: '0a0b0c', value: 513 }]).maps.untyped).toMatchObject({ key_type: '', value_type: '', key_size: 3, value_size: 2, entries: [{ key: '0a0b0c', value: 513 }] });
  });
});
