import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fencedBlocks } from '../support/documents.js';

const PATH = 'docs/add-a-nic.md';
const ROW = /^(\| .* \| \[`([^`]+)`\]\([^)]+\) \| )(\d+)( \|)$/gm;

describe(PATH, () => {
  it('tells how many lines the files have (UPDATE_DOCS=1 writes them)', () => {
    const document = readFileSync(PATH, 'utf8');
    let rows = 0;
    const counted = document.replace(ROW, (_row, before: string, path: string, _lines: string, after: string) => {
      rows++;
      return `${before}${readFileSync(path, 'utf8').split('\n').length - 1}${after}`;
    });
    expect(rows).toBe(4);
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(PATH, counted);
    else expect(document).toBe(counted);
  });

  const excerpts = fencedBlocks(readFileSync(PATH, 'utf8')).filter(({ language }) => language === 'ts');

  it.each(excerpts.map(({ text }) => text.trimEnd().split('\n')))('%s: its lines stand in the file, in this order', (heading, ...lines) => {
    const file = readFileSync(heading.replace('// ', ''), 'utf8').split('\n');
    let at = -1;
    for (const line of lines) {
      const next = file.indexOf(line, at + 1);
      expect(next, line).toBeGreaterThan(at);
      at = next;
    }
  });
});
