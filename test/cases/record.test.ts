import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { formatCaseFile, openCaseFiles, parseCaseFile, recordCaseFiles, recordExpectations, runCaseFiles, runCases, SimulatorBackend } from '../../src/cases/index.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { ARP, caseFile, fixtureCases, fixtureCaseFiles } from './support.js';

const folder = temporaryFolder();
const backend = new SimulatorBackend();

it('what is recorded is what the next run observes', () => {
  const { file, object } = fixtureCases('dnat');
  const bare = { ...file, cases: file.cases.map(({ expect: _expect, ...rest }) => rest) };
  const results = unwrap(runCases(bare, object, backend));
  expect(results.every(({ skipped }) => skipped === true)).toBe(true);
  const recorded = recordExpectations(bare, results);
  expect(recorded).toEqual(file);
  expect(unwrap(runCases(recorded, object, backend)).every(({ ok, skipped }) => ok && skipped === undefined)).toBe(true);
});

it('the files of the fixtures have the text that recording gives', () => {
  for (const { path, file } of fixtureCaseFiles()) expect(readFileSync(path, 'utf8')).toBe(formatCaseFile(file));
});

it('leaves out what is excluded', () => {
  const { file, object } = fixtureCases('printk');
  const exclude = ['data_out', 'maps.last'];
  const excluding = { ...file, cases: file.cases.map((each) => ({ ...each, exclude })) };
  const recorded = recordExpectations(excluding, unwrap(runCases(excluding, object, backend)));
  for (const { expect: expected } of recorded.cases) {
    expect(Object.keys(expected!)).toEqual(['retval', 'ctx_out', 'maps']);
    expect(expected!.maps).not.toHaveProperty('last');
  }
});

it('keeps all else of the file, and the expectation of a case that could not run', () => {
  const cases = [
    { name: 'runs', data_in: ARP, globals: { drop_all: true } },
    { name: 'has no such map', data_in: ARP, maps: { nope: [{ key: '00', value: '00' }] }, expect: { retval: 2 } },
  ];
  const text = JSON.stringify({ $schema: 'x.json', ...caseFile(...cases), object: `${process.cwd()}/fixtures/programs/switch_drop/switch_drop.o` });
  const path = folder.write('cases.json', text);
  const files = unwrap(openCaseFiles([path]));
  const report = unwrap(recordCaseFiles(files, unwrap(runCaseFiles(files, backend))));
  expect(report).toMatchObject({ passed: 1, failed: 1, skipped: 0 });

  const written = unwrap(parseCaseFile(readFileSync(path, 'utf8'), path));
  expect(written.$schema).toBe('x.json');
  expect(written.cases[0]).toMatchObject({ ...cases[0], expect: { retval: 1, globals: { dropped: 1, passed: 0 } } });
  expect(written.cases[1]).toEqual(cases[1]);

  const again = unwrap(openCaseFiles([path]));
  const before = readFileSync(path, 'utf8');
  unwrap(recordCaseFiles(again, unwrap(runCaseFiles(again, backend))));
  expect(readFileSync(path, 'utf8')).toBe(before);
});

it('says when a file can not be written', () => {
  const [file] = fixtureCaseFiles();
  const files = [{ ...file, path: folder.at('no/such/folder/cases.json') }];
  expect(recordCaseFiles(files, unwrap(runCaseFiles(files, backend)))).toMatchObject({ problem: { code: 'case-file-unwritable', where: files[0].path } });
});
