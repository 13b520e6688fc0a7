import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { errnoName } from '../../src/base/index.js';
import { runCommandLine } from '../../src/cli/commandLine.js';
import { OFFLOAD_RULES, PROFILES } from '../../src/nic/index.js';
import type { DriverRule } from '../../src/nic/index.js';
import { ATTACH_RULES, BIND_RULES, INSTALL_RULES } from '../../src/xdp/index.js';
import { fencedBlocks, replaceBetween } from '../support/documents.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const DOCUMENT = 'docs/xdp.md';
const folder = temporaryFolder();

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return `\n${line(head)}${line(head.map(() => '---'))}${rows.map(line).join('')}\n`;
}

const said = (text: string): string => (text === '' ? '' : `*${text}*`);

// UPDATE_DOCS=1 writes the tables.
describe(DOCUMENT, () => {
  it('has the rules of the core', () => {
    const rows = [...ATTACH_RULES, ...INSTALL_RULES].map(({ errno, message, kernelSays, hint, where, code }) => [errnoName(errno), message, said(kernelSays), hint, `\`${where}\``, `\`${code}\``]);
    replaceBetween(DOCUMENT, 'table of the attach rules', table(['errno', 'what is wrong', 'the kernel says', 'what to do', 'in', 'code'], rows));
  });

  it('has the rules of loading for a device', () => {
    const rows = BIND_RULES.map(({ errno, message, kernelSays, hint, code }) => [errnoName(errno), message, said(kernelSays), hint, `\`${code}\``]);
    replaceBetween(DOCUMENT, 'table of the bind rules', table(['errno', 'what is wrong', "the verifier's log says", 'what to do', 'code'], rows));
  });

  it('has what drivers refuse', () => {
    const rows = PROFILES.flatMap(({ name, xdp }) => (xdp.attachRules ?? []).map(({ feature, errno, message, kernelSays, hint }: DriverRule) => [
      name, feature === undefined ? '' : `\`${feature}\``, errnoName(errno), message, said(kernelSays), hint,
    ]));
    replaceBetween(DOCUMENT, 'table of the driver rules', table(['NIC', '`--feature`', 'errno', 'what is wrong', 'the kernel says', 'what to do'], rows));
  });

  it('has what does not run in the device', () => {
    const rows = Object.values(OFFLOAD_RULES).map(({ errno, message, hint, where, code }) => [errnoName(errno), message, hint, `\`${where}\``, `\`${code}\``]);
    replaceBetween(DOCUMENT, 'table of the offload rules', table(['errno', 'what is wrong', 'what to do', 'in', 'code'], rows));
  });

  // `$ npx sim …`, and what it prints: refusals.
  const calls = fencedBlocks(readFileSync(DOCUMENT, 'utf8')).filter(({ language }) => language === 'console').flatMap(({ text }) => text.trim().split('\n$ ').map((call) => call.replace(/^\$ /, '').split('\n')));

  it.each(calls)('%s', async (line, ...printed) => {
    let err = '';
    const terminal = { out: { write: () => true }, err: { write: (text: string) => (err += text) }, env: {}, nowMs: () => 0 };
    const exitCode = await runCommandLine(line.split(' ').slice(2), terminal);
    expect({ exitCode, err: err.trim() }).toEqual({ exitCode: 2, err: printed.join('\n') });
  });

  it('shows some', () => expect(calls.length).toBeGreaterThan(1));

  it('its example of the library prints what it says', async () => {
    const blocks = fencedBlocks(readFileSync(DOCUMENT, 'utf8'));
    const at = blocks.findIndex(({ text }) => text.includes('attachByNetlink'));
    const lines: string[] = [];
    const spy = vi.spyOn(console, 'log').mockImplementation((...parts: unknown[]) => void lines.push(parts.join(' ')));
    try {
      await import(/* @vite-ignore */ folder.write('attach.ts', blocks[at]!.text.replace("'xdp-sim'", JSON.stringify(resolve('src/index.ts')))));
    } finally {
      spy.mockRestore();
    }
    expect(lines.join('\n')).toBe(blocks[at + 1]!.text.trim());
  });
});
