import { describe, expect, it } from 'vitest';
import { runCapture } from '../../src/report/index.js';
import { objectPath, reportOf, runOptions } from './support.js';

const refusal = (mapSize: string, more: object = {}): unknown => {
  const result = runCapture(runOptions(objectPath('count_hash'), 'fixtures/pcaps/dns.pcap', { mapSize: [mapSize], ...more }));
  return result.ok ? undefined : { code: result.problem.code, message: result.problem.message };
};

describe('--map-size', () => {
  it('takes the place of max_entries, and a full map stays full', () => {
    const { packets_by_source: sized } = reportOf('count_hash', 'mixed.pcap', { mapSize: ['packets_by_source=1'] }).maps;
    expect(sized).toMatchObject({ max_entries: 1, entries: [{ key: expect.stringMatching(/^192\.0\.2\./) }] });
    expect(reportOf('count_hash', 'mixed.pcap').maps.packets_by_source).toMatchObject({ max_entries: 1024 });
  });

  it.each([
    ['packets_by_source=0', { code: 'bad-number', message: "'0' is no size for map packets_by_source" }],
    ['packets_by_source=4294967296', { code: 'bad-number', message: "'4294967296' is no size for map packets_by_source" }],
    ['packets_by_source=many', { code: 'bad-number', message: "'many' is no size for map packets_by_source" }],
    ['packets_by_source', { code: 'bad-pair', message: "'packets_by_source' has no '='" }],
    ['nix=1', { code: 'unknown-map', message: 'there is no map nix' }],
  ])('%s is refused', (text, problem) => {
    expect(refusal(text)).toEqual(problem);
  });

  it('does not go with --record-cases, as a case file has no sizes', () => {
    expect(refusal('packets_by_source=1', { recordCases: 'cases.json' })).toMatchObject({ code: 'usage' });
  });
});
