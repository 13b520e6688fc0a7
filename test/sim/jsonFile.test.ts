import { mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkNesting, parseJson, readJsonFile } from '../../src/sim/index.js';
import type { JsonFileKind } from '../../src/sim/index.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const folder = temporaryFolder();
const KIND: JsonFileKind = { code: 'thing-file', noun: 'a thing file', maxBytes: 40, shorten: 'write fewer things' };

const problemOf = (path: string, kind: JsonFileKind = KIND): unknown => {
  const read = readJsonFile(path, kind);
  return read.ok ? undefined : read.problem;
};

describe('files of JSON', () => {
  it('give what they hold', () => {
    expect(readJsonFile(folder.write('good.json', '{"a": [1]}'), KIND)).toEqual({ ok: true, value: { a: [1] } });
  });

  it('that are not there, are no files, or are too long are refused in the words of their kind', () => {
    const [missing, directory] = [folder.at('missing.json'), folder.at('directory')];
    mkdirSync(directory);
    const long = folder.write('long.json', JSON.stringify('x'.repeat(60)));
    expect(problemOf(missing)).toEqual({ code: 'thing-file-unreadable', where: missing, message: "can't be read: there is no such file or directory", hint: 'check the path and its permissions' });
    expect(problemOf(directory)).toEqual({ code: 'thing-file-unreadable', where: directory, message: 'is no plain file', hint: 'give the path of a thing file' });
    expect(problemOf(long)).toEqual({ code: 'thing-file-unreadable', where: long, message: 'has 62 bytes, more than 40', hint: 'write fewer things' });
  });

  it('that hold no JSON are refused, by a code and a hint of their own if there are', () => {
    const path = folder.write('bad.json', '{');
    expect(problemOf(path)).toMatchObject({ code: 'thing-file-json', where: path, hint: 'check commas and quotes' });
    expect(problemOf(path, { ...KIND, jsonCode: 'thing-shape', jsonHint: 'write [1]' })).toMatchObject({ code: 'thing-shape', hint: 'write [1]' });
  });

  it('are not nested deeper than those who walk them can go', () => {
    expect(parseJson('['.repeat(64) + ']'.repeat(64), 'text', KIND).ok).toBe(true);
    expect(parseJson('['.repeat(65) + ']'.repeat(65), 'text', KIND)).toMatchObject({ problem: { code: 'nested-too-deep', where: 'text' } });
    expect(checkNesting('{"a": 1}', 'text')).toBeUndefined();
  });
});
