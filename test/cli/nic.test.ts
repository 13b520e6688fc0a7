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
    const shape = 'Pre-set maximums:\nRX:\t\t4096\nRX Mini:\tn/a\nRX Jumbo:\tn/a\nTX:\t\t4096\nCurrent hardware settings:\nRX:\t\t256\n';
    expect((await sim('nic', 'show', 'igb')).out).toContain(shape);
    expect((await sim('nic', 'show', 'igb', '--view', 'g')).out.startsWith(`Ring parameters for igb:\n${shape}`)).toBe(true);
  });

  it.each([
    ['igb', 'link', ['mtu 1500 xdp qdisc', 'prog/xdp id 1']],
    ['r8169', 'link', ['mtu 1500 xdpgeneric qdisc', 'prog/xdpgeneric id 1']],
    ['igb', 'bpftool', ['xdp:\nigb(1) driver id 1\n']],
    ['r8169', 'bpftool', ['xdp:\nr8169(1) generic id 1\n']],
    ['mlx5', 'S', ['NIC statistics:\n     rx_packets: 0\n', '     rx_xdp_tx_cqe: 0\n', '     rx3_xdp_drop: 0\n']],
    ['octeontx2', 'i', ['driver: octeontx2\n']],
    ['igc', 'l', ['Combined:\t4\nCurrent hardware settings:\n']],
    ['mlx5', 'c', ['Adaptive RX: on  TX: on\n', '\nrx-usecs: 16\nrx-frames: 32\n']],
    ['r8169', 'k', ['rx-vlan-offload: on\n', 'receive-hashing: off [fixed]\n']],
  ])('sim nic show %s --view %s', async (name, view, texts) => {
    const { exitCode, out } = await sim('nic', 'show', name, '--view', view);
    expect(exitCode).toBe(0);
    for (const text of texts) expect(out).toContain(text);
    expect(JSON.parse((await sim('nic', 'show', name, '--view', view, '--json')).out)).toMatchObject({ name, view, lines: out.split('\n').slice(0, -1) });
  });

  it('knows its views', async () => {
    const { exitCode, err } = await sim('nic', 'show', 'igb', '--view', 'toString');
    expect(exitCode).toBe(2);
    expect(err).toContain('use one of: i, g, l, c, k, S, link, bpftool');
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
