import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as matchers from '../../src/testing/matchers/index.js';
import * as arbitraries from '../../src/testing/arbitraries/index.js';
import { fencedBlocks, replaceBetween, sim } from '../support/documents.js';
import { compilerOptions, packageDoors } from '../support/publicNames.js';

const PATH = 'docs/testing.md';
const blocks = fencedBlocks(readFileSync(PATH, 'utf8'));
const readme = fencedBlocks(readFileSync('README.md', 'utf8'));
const doors = packageDoors();

// Inside the repository, where vitest and fast-check are found.
mkdirSync('out', { recursive: true });
const folder = mkdtempSync(resolve('out/guide-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Test files of the documents, with the sources in place of the package, and what they print. */
const files = [...readme.map((block, i) => ({ block, printed: undefined, name: `readme-${i}` })), ...blocks.map((block, i) => {
  const next = blocks[i + 1];
  return { block, printed: next?.language === 'text' ? next.text.trim() : undefined, name: `guide-${i}` };
})].filter(({ block }) => block.language === 'ts' && block.text.includes("from 'vitest'")).map(({ block, printed, name }) => {
  const path = join(folder, `${name}.ts`);
  writeFileSync(path, block.text.replaceAll(/'xdp-sim(\/\w+)?'/g, (_, door: string = '') => JSON.stringify(resolve(doors.get(`.${door}`)!).replace(/\.ts$/, '.js'))));
  return { path, printed, name };
});

describe.each(files)('$name', async ({ path, printed }) => {
  const lines: string[] = [];
  beforeEach(() => void vi.spyOn(console, 'log').mockImplementation((text: string) => void lines.push(text)));
  afterEach(() => {
    vi.restoreAllMocks();
  });
  await import(/* @vite-ignore */ path);
  if (printed !== undefined) it('prints what stands below it', () => expect(lines.join('\n')).toBe(printed));
});

describe('code of the guide', () => {
  it.each(blocks.flatMap(({ language, text }) => (language === 'sh' ? text.trim().split('\n').filter((line) => line.startsWith('npx sim ')) : [])))('%s', async (line) => {
    expect(await sim(line)).toMatchObject({ exitCode: 0 });
  });

  it('is there', () => {
    expect(files.length).toBeGreaterThanOrEqual(9);
    expect(files.some(({ name }) => name.startsWith('readme'))).toBe(true);
  });

  it('compiles', () => {
    const program = ts.createProgram(files.map(({ path }) => path), compilerOptions());
    const wrong = files.flatMap(({ path }) => program.getSemanticDiagnostics(program.getSourceFile(path)!).map(({ messageText }) => `${path}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`));
    expect(wrong).toEqual([]);
  });

  it('links to files that are there', () => {
    for (const [, target] of readFileSync(PATH, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)) expect(() => statSync(join('docs', target!)), target).not.toThrow();
  });
});

/** What the docstring of a function says first, and the last line of its example. */
function docOf(name: string, source: string): { readonly sentence: string; readonly example: string } {
  const [, comment = ''] = new RegExp(`/\\*\\*((?:(?!\\*/)[^])*)\\*/\\nexport (?:function|const) ${name}\\b`).exec(source) ?? [];
  const lines = comment.split('\n').map((line) => line.replace(/^\s*\*? ?/, '')).filter((line) => line.trim() !== '');
  const text = lines.join(' ').replace(/ ?@\w+.*/, '').trim();
  const [sentence] = /^.*?\.(?= |$)/.exec(text) ?? [text];
  return { sentence: sentence.replaceAll('|', '\\|'), example: /\.to[A-Z]\w*\(.*\)/.exec(lines.at(-1) ?? '')?.[0] ?? '' };
}

describe('tables', () => {
  const read = (path: string, names: readonly string[]): string => names.map((name) => readFileSync(`src/testing/${path}/${name}.ts`, 'utf8')).join('\n');

  it('have every matcher (UPDATE_DOCS=1 writes them)', () => {
    const source = read('matchers', ['verdictMatchers', 'packetMatchers', 'stateMatchers', 'metadataMatchers', 'xskMatchers']);
    replaceBetween(PATH, 'table of the matchers', `\n| matcher | passes when |\n| --- | --- |\n${Object.keys(matchers).sort().map((name) => docOf(name, source)).map(({ example, sentence }) => `| \`${example}\` | ${sentence} |`).join('\n')}\n\n`);
  });

  it('have every arbitrary (UPDATE_DOCS=1 writes them)', () => {
    const source = read('arbitraries', ['packets', 'mutations', 'flows', 'addresses', 'metadata', 'mapElements', 'values', 'ringOperations']);
    replaceBetween(PATH, 'table of the arbitraries', `\n| arbitrary | draws |\n| --- | --- |\n${Object.keys(arbitraries).sort().map((name) => `| \`${name}\` | ${docOf(name, source).sentence} |`).join('\n')}\n\n`);
  });
});
