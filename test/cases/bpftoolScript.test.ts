import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { bpftoolScript } from '../../src/replay/index.js';
import { withKernel } from '../support/kernelOracle.js';
import { fixtureCases } from './support.js';

const SCRIPTABLE = ['switch_drop', 'tail_calls', 'count_percpu', 'meta_writer'].map(fixtureCases);

it('puts nothing from a file where the shell would run it', () => {
  const [open] = SCRIPTABLE;
  const nasty = "'; touch /tmp/owned; echo '\n$(touch /tmp/owned)`touch /tmp/owned`";
  const cases = [
    { ...open.file.cases[0], name: nasty },
    { ...open.file.cases[0], name: 'a', program: nasty },
    { ...open.file.cases[0], name: 'b', globals: { [nasty]: 1 }, maps: { [nasty]: [{ key: '00', value: nasty }] } },
  ];
  const script = bpftoolScript([{ ...open, path: nasty, file: { ...open.file, cases } }]);
  const tools = 'bpftool() { :; }; mktemp() { echo /nonexistent; }; mkdir() { :; }; rm() { :; }; touch() { echo OWNED; }; printf() { :; }\n';
  const run = spawnSync('sh', ['-c', tools + script.replaceAll(/> "\$work[^"]*"/g, '')], { encoding: 'utf8' });
  expect(run.stderr).toBe('');
  expect(run.stdout).not.toMatch(/^OWNED/m);
});

it('says what bpftool can not do', () => {
  expect(bpftoolScript([fixtureCases('xsk_redirect')])).toContain("\n# bpftool can't put a socket into slot 00000000 of xsks_map: this case will differ\n");
  expect(bpftoolScript([fixtureCases('vlan_push')])).toContain("\n# bpftool can't set the read-only variable vlan_id: this case will differ\n");
});

const hasBpftool = ['/usr/sbin/bpftool', '/sbin/bpftool', '/usr/bin/bpftool'].some((path) => existsSync(path)) && existsSync('/sys/fs/bpf');
if (!hasBpftool) console.warn('SKIPPED: bpftool or bpffs is missing, so nothing runs the scripts of --print-bpftool');

withKernel('a script', () => {
  it.skipIf(!hasBpftool).each(SCRIPTABLE)('gives verdict, packet and context of every case: $path', (open) => {
    const cases = open.file.cases.filter(({ globals = {} }) => !('drop_udp_port' in globals));
    const run = spawnSync('sh', ['-c', bpftoolScript([{ ...open, file: { ...open.file, cases } }])], { encoding: 'utf8' });
    expect(run.stderr.replaceAll('Error: failed to run program: Invalid argument\n', '')).toBe('');
    const blocks = run.stdout.split(/^== .*\n/m).slice(1);
    expect(blocks).toHaveLength(cases.length);
    cases.forEach(({ name, expect: expected }, index) => {
      if (expected?.errno !== undefined) return;
      expect([name, /^Return value: (\d+)/m.exec(blocks[index])?.[1]]).toEqual([name, String(expected!.retval)]);
      const [packet, context] = hexDumps(blocks[index]);
      expect([name, packet]).toEqual([name, expected!.data_out]);
      expect([name, Buffer.from(context, 'hex').readUInt32LE(4)]).toEqual([name, expected!.ctx_out!.data_end]);
    });
    expect(readdirSync('/sys/fs/bpf').filter((entry) => entry.startsWith('xdp-sim-'))).toEqual([]);
  });
});

/** The two dumps of `data_out -` and `ctx_out -`, each of which begins at offset 0. */
function hexDumps(text: string): string[] {
  const rows = text.split('\n').filter((line) => /^[0-9a-f]{7}\t/.test(line));
  const dumps: string[] = [];
  for (const row of rows) {
    if (row.startsWith('0000000')) dumps.push('');
    dumps[dumps.length - 1] += row.slice(8).split('|')[0].replaceAll(/\s/g, '');
  }
  return dumps;
}
