import { expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/commandLine.js';
import { replaceBetween } from '../support/documents.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const folder = temporaryFolder();

it('docs/xdp.md shows how a ring of 8 overflows (UPDATE_DOCS=1 writes it)', async () => {
  const cpus = folder.write('cpus.json', '[{"key": 0, "value": {"qsize": 8, "program": "on_cpu"}}]');
  const line = `run fixtures/programs/redirect_cpumap/redirect_cpumap.o --prog redirect_cpumap --pcap fixtures/pcaps/http.pcap --queues 2 --rx-usecs 3000 --map cpus=${cpus}`;
  let out = '';
  const terminal = { out: { write: (text: string) => (out += text) }, err: { write: () => true }, env: {}, nowMs: () => 0 };
  expect(await runCommandLine(line.split(' '), terminal)).toBe(0);
  const lines = out.split('\n');
  const ends = lines.slice(lines.indexOf('Where the packets ended'));
  const traces = lines.filter((each) => each.includes('xdp_cpumap'));
  const full = traces.findIndex((each) => /drops=[1-9]/.test(each));
  expect(full).toBeGreaterThan(0);
  const shown = [...ends.slice(0, ends.indexOf('')), '  …', ...traces.slice(full - 1, full + 2)];
  replaceBetween('docs/xdp.md', 'rounds of a CPUMAP', `\n${shown.map((each) => `    ${each}\n`).join('')}\n`);
});
