import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { inspectFile, runCapture, runText } from '../../src/report/index.js';
import { objectPath, reportOf, runOptions } from './support.js';

const directory = mkdtempSync(join(tmpdir(), 'xdp-sim-'));
afterAll(() => rmSync(directory, { recursive: true }));

function mapFile(json: unknown): string {
  const path = join(directory, 'map.json');
  writeFileSync(path, JSON.stringify(json));
  return path;
}

describe('maps of maps', () => {
  it('show the names of their maps', () => {
    const report = reportOf('map_in_map_hash', 'mixed.pcap');
    expect(report.maps.sources_by_protocol).toMatchObject({
      type: 'HASH_OF_MAPS', entries: expect.arrayContaining([{ key: 6, value: 'tcp_sources' }, { key: 17, value: 'udp_sources' }]), entries_zero: 0, entries_omitted: 0,
    });
    expect(runText(reportOf('map_in_map_array', 'mixed.pcap'), (title) => title)).toContain('counters_by_protocol (ARRAY_OF_MAPS, 4 of 256 slots filled)');
  });

  it('can be filled from a file', () => {
    const map = [`counters_by_protocol=${mapFile([{ key: 0, value: 'tcp_counters' }])}`];
    const report = reportOf('map_in_map_array', 'arp-icmp.pcap', { map });
    expect(report.maps.counters_by_protocol!.entries).toHaveLength(5);
    expect(report.maps.tcp_counters!.entries).toMatchObject([{ key: 0 }]);
    expect(report.variables).toMatchObject({ missing: 0 });
  });

  it('are inspected with what is in them', () => {
    const { maps } = unwrap(inspectFile(objectPath('map_in_map_hash')));
    expect(maps.find(({ name }) => name === 'sources_by_protocol')).toMatchObject({
      supported: true,
      maps: [{ index: 6, map: 'tcp_sources' }, { index: 17, map: 'udp_sources' }],
      inner_map: { name: 'sources_by_protocol.inner', type: 'HASH', key_size: 4, value_size: 8, max_entries: 1, flags: [] },
    });
    expect(maps.find(({ name }) => name === 'tcp_sources')).toMatchObject({ maps: [], inner_map: null });
  });

  it('take only maps of the object that fit', () => {
    for (const value of ['nix', 'sources_by_protocol', 'results', 7]) {
      const result = runCapture(runOptions(objectPath('map_in_map_hash'), 'fixtures/pcaps/dns.pcap', { map: [`sources_by_protocol=${mapFile([{ key: 1, value }])}`] }));
      expect(result).toMatchObject({ problem: { code: 'map-file-map', hint: 'use one of: tcp_sources, udp_sources' } });
    }
  });
});
