import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { openCaseFiles, runCaseFiles, SimulatorBackend } from '../../src/cases/index.js';
import type { CaseFile } from '../../src/cases/index.js';
import { KernelBackend } from '../../src/replay/index.js';
import { RUN_DEFAULTS, runCapture } from '../../src/report/index.js';
import { withKernel } from '../support/kernelOracle.js';
import { readPackets } from '../support/fixtures.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const folder = temporaryFolder();

interface Options {
  readonly pcap?: string;
  readonly prog?: string;
  readonly set?: readonly string[];
  readonly map?: readonly string[];
}

/** Records the cases of a run; gives the path of the file. */
function record(name: string, { pcap = 'mixed', prog, set = [], map = [] }: Options = {}): string {
  const path = folder.at(`${name}-${pcap}.json`);
  unwrap(
    runCapture({ ...RUN_DEFAULTS, object: `fixtures/programs/${name}/${name}.o`, pcap: `fixtures/pcaps/${pcap}.pcap`, program: prog, set, map, recordCases: path }),
  );
  return path;
}

const read = (path: string): CaseFile => JSON.parse(readFileSync(path, 'utf8')) as CaseFile;

describe('cases of a run', () => {
  it('are the packets of its capture, one each', () => {
    const { cases } = read(record('reflector', { pcap: 'dns' }));
    const packets = readPackets('dns.pcap');
    expect(cases.map(({ name, program, data_in }) => [name, program, data_in])).toEqual(
      packets.map(({ number, data }) => [`packet ${number}`, 'reflector', Buffer.from(data).toString('hex')]),
    );
  });

  it('begin with the maps and variables of the run, not with what earlier packets left', () => {
    const map = folder.write('sources.json', JSON.stringify([{ key: 'c0000201', value: { packets: 5, bytes: 500 } }]));
    const { cases } = read(record('count_hash', { pcap: 'dns', map: [`packets_by_source=${map}`] }));
    for (const { maps } of cases) expect(maps).toEqual({ packets_by_source: [{ key: 'c0000201', value: '0500000000000000f401000000000000' }] });
    expect(cases[2].expect!.maps!.packets_by_source[0].value).toMatch(/^06/);

    const { cases: switched } = read(record('switch_drop', { pcap: 'dns', set: ['drop_all=true', 'drop_udp_port=0'] }));
    expect(switched[3]).toMatchObject({ globals: { drop_all: true, drop_udp_port: 0 }, expect: { retval: 1, globals: { dropped: 1 } } });
  });

  it('have the programs and sockets that the run put into maps', () => {
    const map = folder.write('table.json', JSON.stringify([{ key: 0, value: 'stage_ipv4' }]));
    const { cases } = read(record('tail_calls', { pcap: 'dns', prog: 'xdp_entry', map: [`jmp_table=${map}`] }));
    expect(cases[0].maps).toEqual({ jmp_table: [{ key: '00000000', value: 'stage_ipv4' }] });
    const { cases: sockets } = read(record('xsk_redirect', { pcap: 'dns' }));
    expect(sockets[0].maps!.xsks_map[0]).toEqual({ key: '00000000', value: '01000000' });
    expect(sockets[0].expect!.retval).toBe(4);
  });

  const programs = [record('dnat'), record('meta_writer', { pcap: 'vlan' }), record('xsk_redirect'), record('frags_pass', { pcap: 'jumbo' })];

  it.each(programs)('pass in the simulator: %s', (path) => {
    const report = unwrap(runCaseFiles(unwrap(openCaseFiles([path])), new SimulatorBackend()));
    expect(report).toMatchObject({ failed: 0, skipped: 0 });
    expect(report.passed).toBeGreaterThan(30);
  });

  withKernel('on the kernel', (kernel) => {
    it.each(programs)('pass too: %s', (path) => {
      const report = unwrap(runCaseFiles(unwrap(openCaseFiles([path])), new KernelBackend(kernel)));
      expect(report.cases.filter(({ ok }) => !ok)).toEqual([]);
    });
  });

  it('go into a file that can be written', () => {
    const options = { ...RUN_DEFAULTS, object: 'fixtures/programs/dnat/dnat.o', pcap: 'fixtures/pcaps/dns.pcap', set: [], map: [], recordCases: folder.at('no/such/cases.json') };
    expect(runCapture(options)).toMatchObject({ problem: { code: 'case-file-unwritable' } });
  });
});
