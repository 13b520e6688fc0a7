import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCapture } from '../../src/report/index.js';
import { reportOf, runOptions } from './support.js';

const OBJECT = 'test/report/objects/inner_by_user.o';
const directory = mkdtempSync(join(tmpdir(), 'xdp-sim-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = join(directory, 'tables.json');
writeFileSync(file, JSON.stringify([{ key: 0, value: 'table' }]));

const problemOf = (innerMap: readonly string[], more: object = {}): unknown => {
  const result = runCapture(runOptions(OBJECT, 'fixtures/pcaps/dns.pcap', { innerMap, ...more }));
  return result.ok ? undefined : result.problem;
};

describe('--inner-map', () => {
  it.each(['tables=table', 'tables=hash:4:4:9', 'tables=HASH:4:4:1:0x0'])('%s: says what inner maps are like, and they can be put in', (innerMap) => {
    const { maps } = reportOf(OBJECT, 'dns.pcap', { innerMap: [innerMap], map: [`tables=${file}`] });
    expect(maps.tables).toMatchObject({ type: 'ARRAY_OF_MAPS', entries: [{ key: 0, value: 'table' }] });
    expect(maps.table!.entries).toHaveLength(1);
  });

  it('without it such an object can\'t be loaded, and the hint says so', () => {
    expect(problemOf([])).toMatchObject({ code: 'map-invalid', message: expect.stringContaining('map tables (EBADF)'), hint: expect.stringContaining('--inner-map') });
  });

  it.each([
    ['tables', { code: 'bad-pair' }],
    ['=table', { code: 'bad-pair' }],
    ['tables=', { code: 'bad-pair' }],
    ['tables=nix', { code: 'unknown-map', message: 'there is no map nix' }],
    ['table=tables', { code: 'map-has-no-inner' }],
    ['tables=tree:4:4:1', { code: 'unknown-map-type', message: 'there is no map type tree' }],
    ['tables=hash:4:4:9999999999', { code: 'bad-number' }],
    ['tables=hash:0:4:1', { code: 'map-invalid', message: expect.stringContaining('key_size is 0') }],
    ['tables=array_of_maps:4:4:1', { code: 'map-invalid', message: expect.stringContaining('map of maps itself') }],
  ])('%s is refused', (text, problem) => {
    expect(problemOf([text])).toMatchObject(problem);
  });

  it('a map that is not like it does not go in', () => {
    expect(problemOf(['tables=hash:4:8:9'], { map: [`tables=${file}`] })).toMatchObject({ code: 'map-file-map' });
  });

  it('does not go with --record-cases', () => {
    expect(problemOf(['tables=table'], { recordCases: 'cases.json' })).toMatchObject({ code: 'usage' });
  });
});
