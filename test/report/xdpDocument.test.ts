import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { PROFILES } from '../../src/nic/index.js';
import type { XdpFailure } from '../../src/nic/profiles/profile.js';
import { TRACEPOINTS } from '../../src/xdp/index.js';
import { fencedBlocks, replaceBetween } from '../support/documents.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const FAILURES: readonly (readonly [XdpFailure, string])[] = [
  ['invalidVerdict', 'a number that is no verdict'],
  ['txConversion', '`XDP_TX` without room for `struct xdp_frame`'],
  ['txSend', '`XDP_TX` that found no place on the ring'],
  ['redirect', 'a redirect that was refused'],
];

const folder = temporaryFolder();

describe('docs/xdp.md', () => {
  it('has an example of a watcher that prints what it says', async () => {
    const blocks = fencedBlocks(readFileSync('docs/xdp.md', 'utf8'));
    const at = blocks.findIndex(({ language, text }) => language === 'ts' && text.includes('onTrace'));
    const lines: string[] = [];
    const spy = vi.spyOn(console, 'log').mockImplementation((text: string) => void lines.push(text));
    try {
      await import(/* @vite-ignore */ folder.write('watcher.ts', blocks[at]!.text.replace("'xdp-sim'", JSON.stringify(resolve('src/index.ts')))));
    } finally {
      spy.mockRestore();
    }
    expect(lines.join('\n')).toBe(blocks[at + 1]!.text.trim());
  });

  it('has the tracepoints that there are (UPDATE_DOCS=1 writes them)', () => {
    const rows = TRACEPOINTS.map(({ name, fields, when }) => `| \`${name}\` | ${when} | ${fields.map((field) => `\`${field}\``).join(', ')} |`);
    replaceBetween('docs/xdp.md', 'table of the tracepoints', `\n| tracepoint | is hit when | fields |\n| --- | --- | --- |\n${rows.join('\n')}\n\n`);
  });

  it('has the failures that drivers are silent about (UPDATE_DOCS=1 writes them)', () => {
    const rows = FAILURES.map(([failure, text]) => {
      const silent = PROFILES.filter(({ xdp }) => xdp.untraced?.includes(failure) === true).map(({ name }) => name);
      return `| ${text} | ${silent.join(', ')} |`;
    });
    replaceBetween('docs/xdp.md', 'table of silent failures', `\n| failure | silent drivers |\n| --- | --- |\n${rows.join('\n')}\n\n`);
  });
});
