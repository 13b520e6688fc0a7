import { expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/commandLine.js';
import type { RunReport } from '../../src/report/index.js';
import { pipeLine } from '../../src/report/traceText.js';
import { replaceBetween } from '../support/documents.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const folder = temporaryFolder();

async function output(line: string): Promise<string> {
  let out = '';
  const terminal = { out: { write: (text: string) => (out += text) }, err: { write: () => true }, env: {}, nowMs: () => 0 };
  expect(await runCommandLine(line.split(' '), terminal)).toBe(0);
  return out;
}

it('docs/xdp.md shows how a ring of 8 overflows (UPDATE_DOCS=1 writes it)', async () => {
  const cpus = folder.write('cpus.json', '[{"key": 0, "value": {"qsize": 8, "program": "on_cpu"}}]');
  const line = `run fixtures/programs/redirect_cpumap/redirect_cpumap.o --prog redirect_cpumap --pcap fixtures/pcaps/http.pcap --queues 2 --rx-usecs 3000 --map cpus=${cpus}`;
  const lines = (await output(line)).split('\n');
  const ends = lines.slice(lines.indexOf('Where the packets ended'));
  const { tracepoints } = JSON.parse(await output(`${line} --json`)) as RunReport;
  const traces = tracepoints.filter(({ name }) => name.startsWith('xdp_cpumap')).map((trace) => `  ${pipeLine(trace)}`);
  const full = traces.findIndex((each) => /drops=[1-9]/.test(each));
  expect(full).toBeGreaterThan(0);
  const shown = [...ends.slice(0, ends.indexOf('')), '  …', ...traces.slice(full - 1, full + 2)];
  replaceBetween('docs/xdp.md', 'rounds of a CPUMAP', `\n${shown.map((each) => `    ${each}\n`).join('')}\n`);
});
