import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { runCapture, RUN_DEFAULTS, runText } from '../../src/report/index.js';
import type { RunOptions } from '../../src/report/index.js';

const fixture = (name: string): string => `fixtures/programs/${name}/${name}.o`;
const own = (name: string): string => `test/xdp/dispatcher/objects/${name}.o`;

const run = (object: RunOptions['object'], options: Partial<RunOptions> = {}) =>
  runCapture({ ...RUN_DEFAULTS, object, pcap: 'fixtures/pcaps/mixed.pcap', set: [], map: [], ...options });

describe('several objects', () => {
  it('are a chain, and the report tells what each program returned', () => {
    const report = unwrap(run([fixture('count_hash'), fixture('switch_drop'), fixture('vlan_push')], { chain: ['vlan_push:priority=10', 'switch_drop:actions=XDP_PASS+XDP_DROP,priority=40', 'count_hash'] }));
    expect(report.program).toBe('xdp_dispatcher');
    const received = report.packets.received;
    expect(report.chain!.map(({ program, priority, chain_call_actions }) => [program, priority, chain_call_actions])).toEqual([
      ['vlan_push', 10, ['XDP_PASS']], ['switch_drop', 40, ['XDP_PASS', 'XDP_DROP']], ['count_hash', 50, ['XDP_PASS']],
    ]);
    const reached = report.chain!.map(({ verdicts }) => Object.values(verdicts!).reduce((sum, count) => sum + count, 0));
    expect(reached).toEqual([received, report.chain![0]!.verdicts!['XDP_PASS'], report.chain![0]!.verdicts!['XDP_PASS']]);
    expect(report.audit.ok).toBe(true);
    expect(runText(report, (text) => text)).toContain('Chain, and what each program returned\n  program      object         priority  goes on after');
  });

  it('pass through libxdp\'s own dispatcher with the same outcomes', () => {
    const objects = [fixture('count_hash'), fixture('switch_drop')];
    const own = unwrap(run(objects));
    const theirs = unwrap(run(objects, { dispatcher: 'fixtures/programs/xdp-tools/xdp-dispatcher.o' }));
    expect(theirs.outcomes).toEqual(own.outcomes);
    expect(theirs.maps).toEqual(own.maps);
    expect(theirs.chain!.map(({ verdicts }) => verdicts)).toEqual([undefined, undefined]);
  });

  it('keep the priorities that they were compiled with', () => {
    const report = unwrap(run([fixture('switch_drop'), 'fixtures/programs/xdp-tools/xdpfilt_alw_all.o']));
    expect(report.chain!.map(({ program, priority }) => [program, priority])).toEqual([['xdpfilt_alw_all', 10], ['switch_drop', 50]]);
  });

  it('take variables and sizes of maps by their names in the chain', () => {
    const report = unwrap(run([own('by_byte'), own('by_byte')], { chain: ['by_byte:priority=1,actions=XDP_ABORTED+XDP_DROP+XDP_PASS+XDP_TX+XDP_REDIRECT'], set: ['by_byte/place=13', 'by_byte#2/place=12'], mapSize: ['by_byte#2/counts=300'] }));
    expect(report.variables['by_byte/place']).toBe(13);
    // The EtherType's second byte is 0 with IPv4: XDP_ABORTED, which goes on here.
    expect(report.variables['by_byte/runs']).toBe(report.packets.received);
    expect(report.variables['by_byte#2/runs']).toBeGreaterThan(0);
    expect(report.maps['by_byte#2/counts']).toMatchObject({ max_entries: 300 });
  });

  it('tell who keeps the chain from packets of several buffers', () => {
    const report = unwrap(run([fixture('frags_pass'), fixture('count_hash')]));
    expect(report.frags).toBe(false);
    expect(runText(report, (text) => text)).toContain('\n  note: packets of several buffers, which frags_pass could take, are nothing for the chain, as count_hash is not in SEC("xdp.frags")\n');
    const jumbo = unwrap(run([fixture('frags_pass'), fixture('frags_pass')], { pcap: 'fixtures/pcaps/jumbo.pcap', mtu: 9000 }));
    expect(jumbo.frags).toBe(true);
    expect(jumbo.chain!.map(({ verdicts }) => verdicts!['XDP_PASS'])).toEqual([jumbo.packets.received, jumbo.packets.received]);
  });

  it('extend the program before them when they hold extensions', () => {
    const report = unwrap(run([own('target'), own('drop_odd')]));
    expect(report).toMatchObject({ program: 'entry', verdicts: { XDP_ABORTED: report.packets.received } });
    expect(report.chain).toBeUndefined();
    const chained = unwrap(run([own('target'), own('drop_odd'), fixture('count_hash')]));
    expect(chained.chain!.map(({ program }) => program)).toEqual(['count_hash', 'entry']);
  });

  it.each<[string, string | readonly string[], Partial<RunOptions>]>([
    ['extension-without-target', [own('drop_odd'), own('target')], {}],
    ['no-xdp-program', own('drop_odd'), {}],
    ['extension-twice', [own('target'), own('drop_odd'), own('drop_odd')], {}],
    ['extension-signature', [own('target'), own('misfits')], {}],
    ['several-programs', [own('configured'), fixture('count_hash')], {}],
    ['chain-unknown-program', [fixture('count_hash'), fixture('vlan_push')], { chain: ['vlan_psh'] }],
    ['chain-syntax', [fixture('count_hash'), fixture('vlan_push')], { chain: ['vlan_push:priority=-1'] }],
    ['chain-syntax', [fixture('count_hash'), fixture('vlan_push')], { chain: ['vlan_push:actions=XDP_NOTHING'] }],
    ['chain-syntax', [fixture('count_hash'), fixture('vlan_push')], { chain: ['vlan_push', 'vlan_push'] }],
    ['chain-syntax', [fixture('count_hash'), fixture('vlan_push')], { chain: ['vlan_push:'] }],
    ['chain-syntax', [fixture('count_hash'), fixture('vlan_push')], { chain: ['vlan_push:priority=1,priority=2'] }],
    ['chain-syntax', [fixture('count_hash'), fixture('vlan_push')], { chain: ['vlan_push:actions=XDP_DROP,actions='] }],
    ['chain-option', [fixture('count_hash'), fixture('vlan_push')], { program: 'count_hash' }],
    ['chain-option', [fixture('count_hash'), fixture('vlan_push')], { recordCases: '/nowhere/cases.json' }],
    ['chain-offload', [fixture('count_hash'), fixture('vlan_push')], { nic: 'nfp', mode: 'offload' }],
    ['chain-too-long', Array.from({ length: 11 }, () => fixture('count_hash')), {}],
    ['dispatcher-unknown', fixture('count_hash'), { dispatcher: fixture('vlan_push') }],
    ['unknown-map', [fixture('count_hash'), fixture('vlan_push')], { mapSize: ['nothing=3'] }],
    ['file-missing', [fixture('count_hash'), 'nothing.o'], {}],
  ])('are refused: %s', (code, object, options) => {
    const result = run(object, options);
    expect(result).toMatchObject({ ok: false, problem: { code, hint: expect.any(String) } });
  });
});
