import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { runCommand } from '../../src/cli/commands/run.js';
import { DMA_ERRORS, FAULT_KINDS } from '../../src/nic/index.js';
import { XSK_APPLICATIONS } from '../../src/sim/index.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { fencedBlocks, replaceBetween, sim } from '../support/documents.js';

const folder = temporaryFolder();
const DOCUMENTS = ['docs/nic.md', 'docs/add-a-nic.md', 'docs/faults.md', 'docs/checksums.md', 'docs/metadata.md', 'docs/architecture.md', 'README.md', 'docs/scenario.md', 'docs/af-xdp.md', 'docs/dispatcher.md', 'docs/packets.md'];

describe.each(DOCUMENTS)('%s', (path) => {
  const blocks = fencedBlocks(readFileSync(path, 'utf8'));

  it.each(blocks.flatMap(({ language, text }) => (language === 'sh' ? text.trim().split('\n').filter((line) => line.startsWith('npx sim ')) : [])))('%s', async (line) => {
    // Captures that an example writes are none of the tree's.
    expect(await sim(line.replace(/(?<= --out )\S+/, folder.at('ends')))).toMatchObject({ exitCode: 0 });
  });

  // A block of what is printed belongs to the commands or the code before it.
  const printing = path === 'README.md' ? [] : blocks.flatMap((block, i) => (block.language === 'text' && i > 0 ? [{ what: blocks[i - 1], printed: block.text, name: `${basename(path, '.md')}-${i}.ts` }] : []));

  it.each(printing)('prints $printed', async ({ what, printed, name }) => {
    if (what.language === 'sh') {
      const [line] = what.text.trim().split('\n').slice(-1);
      expect((await sim(line)).out).toContain(printed.trim());
      return;
    }
    const lines: string[] = [];
    const spy = vi.spyOn(console, 'log').mockImplementation((text: string) => void lines.push(text));
    try {
      await import(/* @vite-ignore */ folder.write(name, what.text.replace("'xdp-sim'", JSON.stringify(resolve('src/index.ts'))).replace("'xdp-sim/packet'", JSON.stringify(resolve('src/packet/index.ts')))));
    } finally {
      spy.mockRestore();
    }
    expect(lines.join('\n')).toBe(printed.trim());
  });

  it('links to files that are there', () => {
    const links = [...readFileSync(path, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => target);
    for (const target of links) expect(() => statSync(resolve(dirname(path), target)), target).not.toThrow();
  });
});

describe('docs/nic.md', () => {
  it('has the DMA rules that the checker has (UPDATE_DOCS=1 writes them)', () => {
    const rows = Object.values(DMA_ERRORS).map(({ number, key, what, hint }) => `| ${number} | \`${key}\` | ${what} | ${hint} |`);
    replaceBetween('docs/nic.md', 'table of the DMA rules', `\n| | rule | broken by a driver that | to mend it |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n\n`);
  });
});

describe('docs/faults.md', () => {
  it('has the kinds of faults that there are (UPDATE_DOCS=1 writes them)', () => {
    const rows = FAULT_KINDS.map(({ kind, text, opportunity }) => `| \`${kind}\` | ${text} | ${opportunity} |`);
    replaceBetween('docs/faults.md', 'table of the faults', `\n| kind | what happens | dice are thrown for each |\n| --- | --- | --- |\n${rows.join('\n')}\n\n`);
  });
});

describe('docs/af-xdp.md', () => {
  it('has the applications that there are, with their options (UPDATE_DOCS=1 writes them)', () => {
    const rows = Object.entries(XSK_APPLICATIONS).flatMap(([name, { text, options }]) => [
      `| \`${name}\` | | ${text} |`,
      ...options.map((option) => `| | \`${option.name}=${option.default}\` | ${option.text}${'choices' in option ? `: ${option.choices.join(', ')}` : ''} |`),
    ]);
    replaceBetween('docs/af-xdp.md', 'table of the applications', `\n| application | option, by default | |\n| --- | --- | --- |\n${rows.join('\n')}\n\n`);
  });

  it('has every option of sim run', () => {
    const text = readFileSync('docs/af-xdp.md', 'utf8');
    const flags = Object.keys(runCommand.options).filter((name) => name === 'xsk' || name.startsWith('xsk-'));
    expect(flags.length).toBe(13);
    for (const flag of flags) expect(text).toContain(`| \`--${flag}\` |`);
  });
});
