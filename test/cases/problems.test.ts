import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { runCases, SimulatorBackend } from '../../src/cases/index.js';
import type { CaseBackend, TestCase } from '../../src/cases/index.js';
import { KernelBackend } from '../../src/replay/index.js';
import { exit, mov, movImm, object, program } from '../replay/support/kernelPrograms.js';
import { kernelOracle, withKernel } from '../support/kernelOracle.js';
import { ARP, caseFile, runOn } from './support.js';

type Case = Omit<TestCase, 'name' | 'data_in'> & { readonly data_in?: string };

/** Why a case on a fixture program can't run. */
function problemOn(backend: CaseBackend, name: string, testCase: Case): string | undefined {
  return runOn(name, [{ data_in: ARP, ...testCase }], backend)[0].problem;
}

const PROBLEMS: readonly (readonly [string, Case, string])[] = [
  ['dnat', { program: 'main' }, 'fixtures/programs/dnat/dnat.o: there is no XDP program main; use one of dnat'],
  ['multi', {}, 'fixtures/programs/multi/multi.o: the case names no program, and the object has several; use one of drop_udp, drop_tcp'],
  ['dnat', { globals: { nope: 1 } }, 'fixtures/programs/dnat/dnat.o: there is no global variable nope; use one of virtual_address, backend_address, rewritten, transmit'],
  ['switch_drop', { globals: { drop_udp_port: 65536 } }, 'variable drop_udp_port: 65536 doesn\'t fit in const volatile __u16, which goes from 0 to 65535'],
  ['count_hash', { maps: { nope: [] } }, 'fixtures/programs/count_hash/count_hash.o: there is no map nope; use one of packets_by_source'],
  ['count_hash', { maps: { packets_by_source: [{ key: '0a', value: '00' }] } }, 'map packets_by_source: key 0a is not of 4 bytes; compare with key_size and value_size of the map'],
  ['count_hash', { maps: { packets_by_source: [{ key: '0a000001', value: '00' }] } }, 'map packets_by_source: value 00 is not of 16 bytes; compare with key_size and value_size of the map'],
  ['multi', { program: 'drop_udp', maps: { dropped: [{ key: '00010000', value: '0000000000000000' }] } },
    'fixtures/programs/multi/multi.o: map dropped refuses key 00010000 with value 0000000000000000 (E2BIG); compare with max_entries and flags of the map, and the kind of program that the map holds'],
  ['switch_drop', { maps: { '.bss': [{ key: '00000000', value: '00' }] } }, 'map .bss: it holds global variables; set them in "globals"'],
  ['tail_calls', { program: 'xdp_entry', maps: { jmp_table: [{ key: '00000000', value: 'nope' }] } }, 'map jmp_table: value nope is no XDP program; use one of stage_ipv4, stage_udp, xdp_entry'],
  ['tail_calls', { program: 'xdp_entry', maps: { jmp_table: [{ key: '09000000', value: 'stage_udp' }] } },
    'fixtures/programs/tail_calls/tail_calls.o: map jmp_table refuses key 09000000 with value stage_udp (E2BIG); compare with max_entries and flags of the map, and the kind of program that the map holds'],
  ['xsk_redirect', { maps: { xsks_map: [{ key: '00000000', value: '00000000' }] } }, 'map xsks_map: value 00000000 is no number of a socket; write 01000000 for the first socket'],
  ['tail_calls', { program: 'xdp_entry', expect: { maps: { jmp_table: [] } } }, 'map jmp_table: a case can\'t read maps of type PROG_ARRAY with these flags; leave it out'],
  ['switch_drop', { expect: { maps: { '.data': [] } } }, 'map .data: it holds global variables; expect them in "globals"'],
  ['switch_drop', { expect: { globals: { drop_all: 'perhaps' } } }, 'variable drop_all is of type volatile _Bool and can\'t be "perhaps"'],
];

const backends: CaseBackend[] = [new SimulatorBackend(), ...(kernelOracle === undefined ? [] : [new KernelBackend(kernelOracle)])];

describe.each(backends)('on the $name', (backend) => {
  it.each(PROBLEMS)('%s with %j says what is wrong', (name, testCase, message) => {
    expect(problemOn(backend, name, testCase)).toContain(message);
  });

  it('calls that fail have an errno, and nothing else', () => {
    const [short, meta, room] = runOn('dnat', [{ data_in: ARP.slice(0, 26) }, { data_in: ARP, ctx_in: { data: 2 } }, { data_in: ARP, data_size_out: 20 }], backend);
    expect(short.observed).toEqual({ errno: 'EINVAL' });
    expect(meta.observed).toEqual({ errno: 'EINVAL' });
    expect(room.observed).toEqual({ errno: 'ENOSPC', retval: 2, data_out: ARP.slice(0, 40), maps: {}, globals: { rewritten: 0, transmit: false } });
  });

  it('one case that can not run does not stop the others', () => {
    const results = runOn('dnat', [{ data_in: ARP }, { data_in: ARP, globals: { nope: 1 } }, { data_in: ARP, expect: { retval: 2 } }], backend);
    expect(results.map(({ ok }) => ok)).toEqual([true, false, true]);
  });
});

it('a program that faults in the simulator says where', () => {
  const bad = object([program('bad', [mov(2, 1), movImm(1, 0), [0x61, 0x10, 0, 0, 0, 0, 0, 0], exit])]);
  const [{ problem }] = unwrap(runCases(caseFile({ name: 'a', data_in: ARP }), bad, new SimulatorBackend()));
  expect(problem).toMatch(/NULL.*; mend the program; the kernel refuses to load it$/);
});

withKernel('a program that the verifier refuses', (kernel) => {
  it('is a failed case with the verifier\'s words', () => {
    const bad = object([program('bad', [mov(0, 5), exit])]);
    const [result] = unwrap(runCases(caseFile({ name: 'a', data_in: ARP, expect: { retval: 2 } }), bad, new KernelBackend(kernel)));
    expect(result).toMatchObject({ ok: false, differences: [], log: expect.stringContaining('R5 !read_ok') as string });
    expect(result.observed).toBeUndefined();
    expect(result.problem).toBe(
      'test.o, section xdp, instruction 0: the kernel refused program bad: EACCES, R5 !read_ok; the whole log is in the field log (of a case: --json)',
    );
  });
});
