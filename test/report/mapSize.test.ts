import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { openCaseFiles, runCaseFiles, SimulatorBackend } from '../../src/cases/index.js';
import { runCapture } from '../../src/report/index.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { objectPath, reportOf, runOptions } from './support.js';

const folder = temporaryFolder();

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

  it('of a map __proto__, which is not there, was no mistake', () => {
    expect(refusal('__proto__=4')).toMatchObject({ message: 'there is no map __proto__' });
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

  it('goes into the case file of --record-cases, whose cases pass with it', () => {
    const recordCases = folder.at('cases.json');
    expect(refusal('packets_by_source=1', { recordCases })).toBeUndefined();
    const files = unwrap(openCaseFiles([recordCases]));
    expect(files[0].file.map_sizes).toEqual({ packets_by_source: 1 });
    expect(files[0].object.maps.find(({ name }) => name === 'packets_by_source')).toMatchObject({ maxEntries: 1 });
    expect(unwrap(runCaseFiles(files, new SimulatorBackend()))).toMatchObject({ failed: 0, skipped: 0 });
  });
});
