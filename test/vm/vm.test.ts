import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatProblem, unwrap } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { BPF_EXIST, ProgArray, Vm, isDeviceBound, loadObjectFile } from '../../src/vm/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { bytes, call, exit, map, mapReference, lddw, movImm, object, program } from '../replay/support/kernelPrograms.js';
import { withKernel } from '../support/kernelOracle.js';
import { KernelPair, TestMachine, testEnvironment, textObject } from './support/differential.js';

const [DROP, PASS] = [1, 2];

function fixture(name: string): ObjectSpec {
  return unwrap(loadObjectFile(`fixtures/programs/${name}.o`));
}

function hexBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

const MACS = '020000000002 020000000001';
const PACKETS: Readonly<Record<string, Uint8Array>> = {
  'a DNS query': hexBytes(`${MACS} 0800 45000030 00010000 4011b699 c0000201 c0000202 3039 0035 001c 0000 ${'6c'.repeat(20)}`),
  'a TCP SYN': hexBytes(`${MACS} 0800 45000028 00014000 4006b6ac c0000201 c0000202 3039 0050 00000001 00000000 5002ffff abcd0000 000000000000`),
  'an ARP request': hexBytes(`ffffffffffff 020000000001 0806 0001080006040001 020000000001c0000201 000000000000c0000202 ${'00'.repeat(18)}`),
  'UDP over IPv6': hexBytes(`${MACS} 86dd 60012345 000c 11 40 ${'20010db8'.repeat(4)} ${'20010db9'.repeat(4)} 3039 0035 000c 1234 01020304`),
  'a later IPv4 fragment': hexBytes(`${MACS} 0800 45000020 0001 00b9 4011b5f0 c0000201 c0000202 ${'61'.repeat(26)}`),
  'tagged UDP': hexBytes(`${MACS} 8100 0064 0800 45000020 00010000 4011b6a9 c0000201 c0000202 3039 0035 000c 0000 01020304 ${'00'.repeat(10)}`),
  'the shortest frame': bytes(14),
};

describe('load', () => {
  const load = (spec: ObjectSpec, programs?: readonly string[]) => {
    const memory = new HostMemory(4);
    const vm = new Vm({ memory, environment: testEnvironment() });
    const mark = memory.mark();
    const result = vm.load(spec, programs === undefined ? {} : { programs });
    return { vm, memory, result, mark, text: result.ok ? '' : formatProblem(result.problem), code: result.ok ? 'ok' : result.problem.code };
  };

  it('takes all XDP programs, or those asked for', () => {
    const all = unwrap(load(fixture('multi/multi')).result);
    expect(all.programs.map(({ spec }) => spec.name)).toEqual(['drop_udp', 'drop_tcp']);
    const one = unwrap(load(fixture('multi/multi'), ['drop_tcp']).result);
    expect(one.programs.map(({ spec }) => spec.name)).toEqual(['drop_tcp']);
    expect(one.program('drop_udp')).toBeUndefined();
    expect(unwrap(one.loadProgram('drop_udp')).spec.name).toBe('drop_udp');
    expect(unwrap(one.loadProgram('drop_udp'))).toBe(one.program('drop_udp'));
  });

  it('takes tail-call targets along', () => {
    const loaded = unwrap(load(fixture('tail_calls/tail_calls'), ['xdp_entry']).result);
    expect(loaded.programs.map(({ spec }) => spec.name).sort()).toEqual(['stage_ipv4', 'stage_udp', 'xdp_entry']);
    const ids = [0, 1, 2].map((slot) => loaded.maps.get('stages')!.lookupBytes(Uint8Array.of(slot, 0, 0, 0))?.[0]);
    expect(ids).toEqual([loaded.program('stage_ipv4')!.id, loaded.program('stage_udp')!.id, undefined]);
  });

  it('a program that is loaded later leaves the slots as they are that somebody has filled since', () => {
    const loaded = unwrap(load(fixture('tail_calls/tail_calls'), ['stage_ipv4']).result);
    const stages = loaded.maps.get('stages') as ProgArray;
    const stageIpv4 = loaded.program('stage_ipv4')!;
    expect(stages.setProgram(1, stageIpv4)).toBe(0);
    expect(stages.setProgram(0, undefined)).toBe(0);
    unwrap(loaded.loadProgram('xdp_entry'));
    expect([...stages.entries()].map(({ key, value }) => [key[0], value[0]])).toEqual([[1, stageIpv4.id]]);
  });

  it('names the programs there are', () => {
    expect(load(fixture('multi/multi'), ['drop']).text).toBe('fixtures/programs/multi/multi.o: there is no program drop; use one of drop_udp, drop_tcp');
    expect(unwrap(load(fixture('multi/multi')).result).loadProgram('x')).toMatchObject({ ok: false, problem: { code: 'unknown-program' } });
  });

  it.each([
    ['no_xdp', 'fixtures/bad/no_xdp.o: the object has no XDP program; put the program into SEC("xdp")'],
    ['unsupported_helper', 'unsupported_helper.c:10): bpf_skb_load_bytes is not for XDP programs: the kernel refuses to load this; use bpf_xdp_load_bytes'],
    ['unsupported_map', 'unsupported_map.c:17): map stacks has type STACK_TRACE, which is not supported; use one of'],
  ])('refuses %s', (name, message) => {
    expect(load(unwrap(loadObjectFile(`fixtures/bad/${name}.o`))).text).toContain(message);
  });

  const good = program('good', [movImm(0, PASS), exit]);
  const calling = (id: number) => program('bad', [call(id), movImm(0, 0), exit]);

  it.each([
    ['a helper that is not supported', calling(156), 'GPL', 'unsupported-helper', 'bpf_task_storage_get is not supported'],
    ['a helper for other programs', calling(26), 'GPL', 'helper-not-for-xdp', 'bpf_skb_load_bytes'],
    ['a helper that does not exist', calling(212), 'GPL', 'unknown-helper', 'there is no helper 212'],
    ['a helper that does not exist', calling(-1), 'GPL', 'unknown-helper', 'there is no helper -1'],
    ['a GPL-only helper under another licence', calling(6), 'MIT', 'helper-gpl-only', "the licence is 'MIT'"],
    ['a GPL-only helper without a licence', calling(6), '', 'helper-gpl-only', 'no licence'],
    ['bad structure', program('bad', [movImm(0, 0)]), 'GPL', 'program-end', 'last insn is not an exit or jmp'],
    ['another type', program('bad', [movImm(0, 0), exit], { type: 'other', section: 'tc' }), 'GPL', 'program-not-xdp', 'section tc'],
    ['a map that is not there', program('bad', [lddw(1), movImm(0, 0), exit], { references: [mapReference(0, 'ghost')] }), 'GPL', 'unknown-map', 'ghost'],
  ])('refuses a program with %s', (_, bad, license, code, message) => {
    const asked = load(object([good, bad], [], { license }), ['bad']);
    expect([asked.code, asked.text]).toEqual([code, expect.stringContaining(message)]);
    expect(asked.text).toContain('test.o, program bad');
    // The others run all the same.
    const all = unwrap(load(object([good, bad], [], { license })).result);
    expect(all.programs.map(({ spec }) => spec.name)).toEqual(['good']);
    expect([...all.problems.keys()]).toEqual(bad.type === 'xdp' ? ['bad'] : []);
  });

  it.each(['GPL', 'GPL v2', 'GPL and additional rights', 'Dual BSD/GPL', 'Dual MIT/GPL', 'Dual MPL/GPL'])('lets programs under %s print', (license) => {
    expect(load(object([calling(6)], [], { license })).code).toBe('ok');
  });

  it('fails when no program can run', () => {
    expect(load(object([calling(156), { ...calling(70), name: 'worse' }])).text).toContain('program bad, insn 0: bpf_task_storage_get');
  });

  it('ignores an unsupported map that no program uses', () => {
    const loaded = unwrap(load(object([good], [map('stacks', 7, 4, 8, 8), map('counts', 2, 4, 4, 1)])).result);
    expect([...loaded.maps.keys()]).toEqual(['counts']);
  });

  it('names a map that the kernel would refuse', () => {
    expect(load(object([good], [map('rx_cnt', 6, 4, 8, 0)])).text).toContain('test.o: the kernel refuses to create map rx_cnt (EINVAL): max_entries is 0');
  });

  it('leaves nothing behind when it fails', () => {
    const spec = object([good], [map('ok', 2, 4, 4, 16), map('huge', 1, 4, 4, 1 << 24)]);
    const { vm, memory, mark, code } = load(spec);
    expect(code).toBe('host-memory-exhausted');
    expect(memory.mark()).toBe(mark);
    const loaded = unwrap(vm.load(object([good], [map('ok', 2, 4, 4, 16)])));
    expect([loaded.maps.get('ok')!.id, loaded.programs[0].id]).toEqual([1, 1]);
  });

  it('refuses programs of two kinds that share a PROG_ARRAY', () => {
    const jumping = (name: string, frags: boolean) => program(name, [lddw(2), movImm(3, 0), call(12), movImm(0, 2), exit], { frags, references: [mapReference(0, 'jumps')] });
    const loaded = unwrap(load(object([jumping('plain', false), jumping('frags', true)], [map('jumps', 3, 4, 4, 2)])).result);
    expect(loaded.programs.map(({ spec }) => spec.name)).toEqual(['plain']);
    expect(loaded.problems.get('frags')).toMatchObject({ code: 'program-array-mismatch' });
  });

  it('takes a program for broken when one that it tail-calls is', () => {
    const entry = program('entry', [lddw(2), movImm(3, 0), call(12), movImm(0, 2), exit], { references: [mapReference(0, 'jumps')] });
    const jumps = map('jumps', 3, 4, 4, 2, { initialPrograms: [{ index: 1, program: 'bad' }] });
    const spec = object([good, entry, calling(156)], [jumps]);
    expect(load(spec, ['entry']).text).toContain('entry tail-calls bad: bpf_task_storage_get is not supported');
    expect(unwrap(load(spec).result).programs.map(({ spec: { name } }) => name)).toEqual(['good']);
  });
});

describe('run', () => {
  it('gives the low half of r0', () => {
    expect(new TestMachine(fixture('return_77/return_77')).run({ data: bytes(64) }, 'return_77').retval).toBe(77);
    expect(new TestMachine(textObject('r0 = 0x100000002 ll\nexit')).run({ data: bytes(64) }).retval).toBe(2);
    expect(new TestMachine(textObject('r0 = -1\nexit')).run({ data: bytes(64) }).retval).toBe(0xffffffff);
  });

  it('stops at the instruction budget', () => {
    const memory = new HostMemory(4);
    const vm = new Vm({ memory, environment: testEnvironment(), instructionBudget: 1000 });
    const loaded = unwrap(vm.load(textObject('again: goto again\nexit')));
    expect(vm.run(loaded.programs[0].address)).not.toBe(0);
    expect(vm.fault()).toMatchObject({ name: 'instruction-budget', program: 'main', message: expect.stringContaining('1000 instructions') });
    expect(() => new Vm({ memory, environment: testEnvironment(), instructionBudget: 0 })).toThrow(RangeError);
  });

  it('names program, instruction and place of a fault', () => {
    const bad = new TestMachine(textObject('r1 = *(u32 *)(r1 + 4)\nr0 = *(u8 *)(r1 + 0)\nexit'));
    expect(bad.run({ data: bytes(64) }).fault).toMatchObject({ name: 'bad-access', program: 'main', insnIndex: 1, message: expect.stringContaining("right behind the packet's end") });
  });

  it('keeps the stack apart from what lies above it', () => {
    expect(new TestMachine(textObject('r0 = *(u32 *)(r10 + 0)\nexit')).run({ data: bytes(64) }).fault?.name).toBe('bad-access');
    expect(new TestMachine(textObject('*(u64 *)(r10 - 4) = 1\nexit')).run({ data: bytes(64) }).fault?.message).toContain("4 bytes above the stack's top");
  });

  it('follows tail calls, also into a slot that is filled between runs', () => {
    const machine = new TestMachine(fixture('tail_calls/tail_calls'));
    const run = () => machine.run({ data: PACKETS['a DNS query'] }, 'xdp_entry').retval;
    const hits = () => [...machine.loaded.maps.get('stage_hits')!.entries()].map(({ value }) => value[0]);
    expect([run(), hits()]).toEqual([DROP, [1, 1, 1]]);
    const jumps = machine.loaded.maps.get('jmp_table') as ProgArray;
    expect(jumps.setProgram(0, machine.loaded.program('xdp_entry'))).toBe(0);
    // Now the stages call each other in a ring until the limit of 33; the 34th program, xdp_entry, falls through.
    expect(run()).toBe(PASS);
    expect(hits()[0] + hits()[1] + hits()[2]).toBe(3 + 34);
    expect(jumps.setProgram(0, undefined)).toBe(0);
    expect([run(), hits().reduce((sum, count) => sum + count)]).toEqual([DROP, 3 + 34 + 3]);
  });

  it('is the same every time', () => {
    const runs = Array.from({ length: 2 }, () => {
      const lines: string[] = [];
      const machine = new TestMachine(fixture('printk/printk'), testEnvironment({ tNs: 123_456_789, onPrintk: (line) => lines.push(line) }));
      for (const data of Object.values(PACKETS)) machine.run({ data }, 'printk');
      return lines;
    });
    expect(runs[0]).toEqual(runs[1]);
    expect(runs[0]).toContain('ipv4: 192.0.2.1 > 192.0.2.2');
    expect(runs[0]).toContain('ipv6: 2001:0db8:2001:0db8:2001:0db8:2001:0db8 flow 0x12345');
    expect(runs[0]).toContain('frame: 62 bytes, type 0800, 1452 to the full 1514');
  });
});

describe('global variables', () => {
  it('switch a program between runs', () => {
    const machine = new TestMachine(fixture('switch_drop/switch_drop'));
    const { loaded } = machine;
    const run = () => machine.run({ data: PACKETS['a TCP SYN'] }, 'switch_drop').retval;
    expect([run(), unwrap(loaded.readVariable('passed')), unwrap(loaded.readVariable('dropped'))]).toEqual([PASS, 1, 0]);
    unwrap(loaded.setVariable('drop_all', 'true'));
    expect([run(), unwrap(loaded.readVariable('passed')), unwrap(loaded.readVariable('dropped'))]).toEqual([DROP, 1, 1]);
  });

  it('in .rodata can be set too, but not by the program', () => {
    const machine = new TestMachine(fixture('switch_drop/switch_drop'));
    unwrap(machine.loaded.setVariable('drop_udp_port', '53'));
    expect(machine.run({ data: PACKETS['a DNS query'] }, 'switch_drop').retval).toBe(DROP);
    const rodata = [...machine.loaded.maps.values()].find(({ spec }) => spec.dataSection === '.rodata')!;
    expect(rodata.updateBytes(new Uint8Array(4), new Uint8Array(rodata.spec.valueSize), BPF_EXIST)).toBe(0);
  });

  it('of another name are a Problem that lists the names', () => {
    const { loaded } = new TestMachine(fixture('switch_drop/switch_drop'));
    expect(loaded.setVariable('drop', '1')).toMatchObject({ ok: false, problem: { code: 'unknown-variable', hint: expect.stringContaining('drop_all') } });
    expect(loaded.setVariable('drop_all', '300')).toMatchObject({ ok: false });
    expect(new TestMachine(textObject('r0 = 0\nexit')).loaded.readVariable('x')).toMatchObject({ ok: false, problem: { hint: 'this object has none' } });
  });
});

withKernel('fixture programs against the kernel', (kernel) => {
  const objects = (readdirSync('fixtures/programs', { recursive: true }) as string[]).filter((file) => file.endsWith('.o')).sort();
  // A program that is bound to a device has no test run.
  const programs = objects.flatMap((file) => unwrap(loadObjectFile(`fixtures/programs/${file}`)).programs.filter((program) => !isDeviceBound(program)).map(({ name }) => [file, name] as const));

  it.each(programs)('%s, %s', (file, name) => {
    const spec = unwrap(loadObjectFile(`fixtures/programs/${file}`));
    // The map `last` of printk holds time and CPU, which in the kernel are anything.
    using pair = new KernelPair(kernel, spec);
    for (const data of [...Object.values(PACKETS), bytes(1514), bytes(9000)]) pair.run({ data }, name);
    pair.expectSameMaps(name === 'printk' ? ['last'] : []);
  });
});
