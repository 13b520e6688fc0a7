import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PROFILES } from '../../src/nic/index.js';
import { nicTables } from '../support/nicTables.js';

const DOCUMENT = new URL('../../docs/nic.md', import.meta.url);
const BEGIN = '<!-- tables of the profiles: begin -->\n';
const END = '<!-- tables of the profiles: end -->';

describe('docs/nic.md', () => {
  it('has the tables that the profiles give (UPDATE_DOCS=1 writes them)', () => {
    const text = readFileSync(DOCUMENT, 'utf8');
    const start = text.indexOf(BEGIN) + BEGIN.length;
    const end = text.indexOf(END);
    expect(start).toBeGreaterThanOrEqual(BEGIN.length);
    expect(end).toBeGreaterThanOrEqual(start);
    const tables = `\n${nicTables(PROFILES)}\n`;
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(DOCUMENT, text.slice(0, start) + tables + text.slice(end));
    else expect(text.slice(start, end)).toBe(tables);
  });
});
