import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { runCommandLine } from '../../src/cli/commandLine.js';

/** A fenced block of a Markdown document. */
export interface FencedBlock {
  readonly language: string;
  readonly text: string;
}

export function fencedBlocks(markdown: string): FencedBlock[] {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({ language, text }));
}

/** Runs a `npx sim …` line in this process. */
export async function sim(line: string): Promise<{ exitCode: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const terminal = { out: { write: (text: string) => (out += text) }, err: { write: (text: string) => (err += text) }, env: {}, nowMs: () => 0 };
  const exitCode = await runCommandLine(line.split(' ').slice(2), terminal);
  return { exitCode, out, err };
}

/**
 * Expects the part of a document between `<!-- NAME: begin -->` and `<!-- NAME: end -->` to be `text`. With UPDATE_DOCS=1 it is written instead.
 */
export function replaceBetween(path: string, name: string, text: string): void {
  const document = readFileSync(path, 'utf8');
  const begin = `<!-- ${name}: begin -->\n`;
  const start = document.indexOf(begin) + begin.length;
  const end = document.indexOf(`<!-- ${name}: end -->`);
  expect(start).toBeGreaterThanOrEqual(begin.length);
  expect(end).toBeGreaterThanOrEqual(start);
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(path, document.slice(0, start) + text + document.slice(end));
  else expect(document.slice(start, end)).toBe(text);
}
