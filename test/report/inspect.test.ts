import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { disasmText, inspectFile, inspectObject, inspectText } from '../../src/report/index.js';
import type { InspectReport } from '../../src/report/index.js';
import { loadObjectFile } from '../../src/vm/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { objectPath } from './support.js';

function inspect(program: string): InspectReport {
  return unwrap(inspectFile(objectPath(program)));
}

function objectOf(program: string): ObjectSpec {
  return unwrap(loadObjectFile(objectPath(program)));
}

describe('programs', () => {
  it('functions come with their size, their frame and what they call', () => {
    const [program] = inspect('subprogs').programs;
    expect(program.functions.map(({ name, calls }) => ({ name, calls }))).toEqual([
      { name: 'subprogs', calls: ['check_header'] },
      { name: 'check_header', calls: ['header_sum', 'note_error'] },
      { name: 'header_sum', calls: [] },
      { name: 'note_error', calls: [] },
    ]);
    expect(program.functions.reduce((sum, { instructions }) => sum + instructions, 0)).toBe(program.instructions);
    // A __u32 key on the stack of the main function, nothing on the others: one slot, and a frame of 16 bytes.
    expect(program.functions.map((fn) => fn.stack_bytes)).toEqual([8, 0, 0, 0]);
    expect(program.stack_bytes).toBe(16);
  });

  // What the verifier's log says behind `stack depth` when Linux 6.18.44 loads these objects.
  it.each([
    ['atomics', [88]], ['count_hash', [24]], ['csum_diff', [40]], ['frags_pass', [8]], ['printk', [16]], ['reflector', [16]], ['return_77', [0]],
    ['subprogs', [8, 0, 0, 0]], ['subprogs_v1', [8, 0, 0, 0]], ['vlan_push', [16]], ['fixtures/programs/xdp-tools/xdpfilt_dny_all.o', [24]],
    ['fixtures/programs/xdp-tools/xdpfilt_dny_eth.o', [16]],
  ] as const)('stack of %s is what the kernel counts', (name, bytes) => {
    expect(inspect(name).programs[0].functions.map((fn) => fn.stack_bytes)).toEqual(bytes);
  });

  it('the instruction set is what the object was compiled for', () => {
    expect(['subprogs_v1', 'subprogs', 'subprogs_v4'].map((name) => inspect(name).programs[0].isa_version)).toEqual([1, 3, 4]);
  });

  it('helpers are counted, and those for GPL-compatible programs are marked', () => {
    const { programs: [program], needs } = inspect('printk');
    expect(program.helpers).toContainEqual({ id: 6, name: 'bpf_trace_printk', calls: 3, supported: true, gpl_only: true });
    expect(needs.gpl_only_helpers).toEqual(['bpf_trace_printk']);
    expect(needs.helpers).toContainEqual({ id: 6, name: 'bpf_trace_printk', supported: true, gpl_only: true, used_by: ['printk'] });
  });

  it('a licence that forbids a helper is why the program does not run', () => {
    const { gpl_compatible: isGpl, programs: [program] } = inspectObject({ ...objectOf('printk'), license: 'MIT' });
    expect(isGpl).toBe(false);
    expect(program).toMatchObject({ runs: false, problem: { code: 'helper-gpl-only' } });
    expect(program.helpers.find(({ id }) => id === 6)?.supported).toBe(false);
  });

  it('kernel functions are counted, and it is told whether they run here', () => {
    const [hints] = inspect('rx_hints').programs;
    expect(hints).toMatchObject({ runs: true, kfunc_calls: 3 });
    expect(hints.kfuncs).toContainEqual({ name: 'bpf_xdp_metadata_rx_hash', calls: 1, supported: true, weak: true });
    const [iterators] = inspect('iter_num').programs;
    expect(iterators.kfuncs.reduce((sum, { calls }) => sum + calls, 0)).toBe(iterators.kfunc_calls);
    expect(iterators.kfuncs.every(({ supported, weak }) => supported && !weak)).toBe(true);
    expect(inspectObject({ ...objectOf('iter_num'), license: 'MIT' }).programs[0]).toMatchObject({ runs: false, problem: { code: 'kfunc-gpl-only' }, kfuncs: expect.arrayContaining([expect.objectContaining({ supported: false })]) });
    const renamed = objectOf('iter_num').programs.map((program) => ({ ...program, kfuncs: program.kfuncs!.map((kfunc) => ({ ...kfunc, name: 'bpf_key_put' })) }));
    const report = inspectObject({ ...objectOf('iter_num'), programs: renamed });
    expect(report.programs[0]).toMatchObject({ runs: false, problem: { code: 'unsupported-kfunc' } });
    expect(inspectText(report, (text) => text)).toContain(`kernel functions  bpf_key_put (${iterators.kfunc_calls} calls) (NOT SUPPORTED)`);
  });

  it('kernel functions have their names in the disassembly', () => {
    const text = unwrap(disasmText(objectOf('rx_hints'), undefined, (heading) => heading));
    expect(text).toMatch(/\d+: call bpf_xdp_metadata_rx_hash\n/);
    expect(text).toMatch(/\d+: r\d = kfunc\[name:bpf_xdp_metadata_rx_hash\]\n/);
    expect(text).not.toMatch(/kfunc#/);
  });

  it('frags and attach types', () => {
    expect(inspect('frags_pass').programs[0]).toMatchObject({ section: 'xdp.frags', frags: true, attach_type: 'BPF_XDP' });
    expect(inspect('fixtures/bad/no_xdp.o').programs[0]).toMatchObject({ type: 'other', attach_type: null });
  });

  it('each program has its own problem when only some can run', () => {
    const object = objectOf('multi');
    const problem = { code: 'unsupported-kfunc', message: 'calls something of the kernel' };
    const [broken, ...good] = object.programs;
    const { programs } = inspectObject({ ...object, programs: [{ ...broken, problem }, ...good] });
    expect(programs.map((program) => program.problem)).toEqual([problem, null]);
    const none = inspectObject({ ...object, programs: object.programs.map((program) => ({ ...program, problem: { ...problem, message: program.name } })) });
    expect(none.programs.map((program) => program.problem?.message)).toEqual(['drop_udp', 'drop_tcp']);
  });

  it('a map that cannot be made is the problem of every program', () => {
    const object = objectOf('tail_calls');
    const { programs } = inspectObject({ ...object, maps: object.maps.map((map) => (map.name === 'stage_hits' ? { ...map, maxEntries: 0 } : map)) });
    expect(programs.map((program) => program.problem?.code)).toEqual(['map-invalid', 'map-invalid', 'map-invalid']);
  });
});

describe('maps and global variables', () => {
  it('flags by name, unknown ones as a number', () => {
    const object = objectOf('count_hash');
    const { maps } = inspectObject({ ...object, maps: object.maps.map((map) => ({ ...map, flags: 0x8000_0041 })) });
    expect(maps[0].flags).toEqual(['BPF_F_NO_PREALLOC', 'BPF_F_ZERO_SEED', '0x80000000']);
  });

  it('variables with section, place, type and value', () => {
    const { globals, maps, programs: [program] } = inspect('switch_drop');
    expect(globals).toContainEqual({ name: 'drop_udp_port', section: '.rodata', offset: 0, size: 2, type: 'const volatile __u16', value: 53, value_omitted: false });
    expect(globals.find(({ name }) => name === 'drop_all')).toMatchObject({ type: 'volatile _Bool', value: false });
    expect(program.globals.toSorted()).toEqual(globals.map(({ name }) => name).toSorted());
    expect(maps.find(({ name }) => name === '.rodata')).toMatchObject({ data_section: '.rodata', flags: ['BPF_F_RDONLY_PROG', 'BPF_F_MMAPABLE'], used_by: ['switch_drop'] });
  });

  it('values that are huge as text do not make the report huge', () => {
    const { globals } = inspect('test/report/objects/bomb.o');
    expect(globals).toHaveLength(4);
    expect(JSON.stringify(globals).length).toBeLessThan(16 << 20);
  });

  it('the PROG_ARRAY\'s programs, and who uses a map', () => {
    const { maps } = inspect('tail_calls');
    expect(maps.find(({ name }) => name === 'stages')).toMatchObject({
      type: 'PROG_ARRAY', used_by: ['stage_ipv4', 'xdp_entry'], programs: [{ index: 0, program: 'stage_ipv4' }, { index: 1, program: 'stage_udp' }],
    });
  });
});

describe('types', () => {
  it('come as C, members before those that contain them, with holes', () => {
    const { types } = inspect('test/report/objects/values.o');
    expect(types.map(({ name, size }) => ({ name, size }))).toEqual([
      { name: 'enum size_class', size: 4 },
      { name: 'struct traffic', size: 48 },
      { name: 'struct in6_addr', size: 16 },
    ]);
    expect(types[1].c).toMatchInlineSnapshot(`
      "struct traffic {
      	__u64 packets;
      	struct {
      		__u64 bytes;
      	};
      	__s32 balance;
      	__u32 by_half[2];
      	enum size_class last_class;
      	_Bool seen;
      	char label[7];
      	__be32 last_peer;
      	/* hole of 4 bytes */
      };"
    `);
  });
});
