import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as library from '../../src/index.js';

it('the example of docs/maps.md prints what is said there', () => {
  const text = readFileSync('docs/maps.md', 'utf8');
  const block = (language: string): string => text.split(`\`\`\`${language}\n`)[1]!.split('```')[0]!;
  const code = block('js').replace(/^import (\{.*\}) from 'xdp-sim';$/m, 'const $1 = library;');
  const lines: string[] = [];
  // The document is ours; running its text is what makes it true.
  new Function('library', 'console', code)(library, { log: (line: unknown) => lines.push(String(line)) });
  expect(`${lines.join('\n')}\n`).toBe(block('text'));
});
