import { describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/commandLine.js';
import { PROFILES } from '../../src/nic/index.js';

async function sim(...argv: readonly string[]) {
  let out = '';
  let err = '';
  const terminal = { out: { write: (text: string) => (out += text) }, err: { write: (text: string) => (err += text) }, env: {}, nowMs: () => 0 };
  const exitCode = await runCommandLine(argv, terminal);
  return { exitCode, out, err };
}

describe('sim nic', () => {
  it('lists every profile, one a line', async () => {
    const { exitCode, out } = await sim('nic', 'list');
    expect(exitCode).toBe(0);
    expect(out.trimEnd().split('\n').map((line) => line.trim().split(' ')[0])).toEqual(PROFILES.map(({ name }) => name));
  });

  it('shows one in the shape of ethtool -g', async () => {
    const { out } = await sim('nic', 'show', 'igb');
    expect(out).toContain('Pre-set maximums:\nRX:\t\t4096\nTX:\t\t4096\nCurrent hardware settings:\nRX:\t\t256\nTX:\t\t256\n');
  });

  it('shows one as JSON', async () => {
    const { out } = await sim('nic', 'show', 'r8169', '--json');
    expect(JSON.parse(out)).toMatchObject({ schema: 1, name: 'r8169', rss: null, xdp: { features: [], since: null } });
  });

  it('knows what was meant', async () => {
    const { exitCode, err } = await sim('nic', 'show', 'mlx55');
    expect(exitCode).toBe(2);
    expect(err).toContain('did you mean mlx5?');
  });
});
