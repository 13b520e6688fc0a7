import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { formatProblem, unwrap } from '../../../src/base/index.js';
import type { Result } from '../../../src/base/index.js';
import { loadKernelTypes } from '../../../src/vm/btf/kernelTypesFile.js';
import { decode } from '../../../src/vm/isa/decode.js';
import { BPF_SIZE_MASK } from '../../../src/vm/isa/opcodes.js';
import { CORE_POISON_HELPER } from '../../../src/vm/loader/applyCore.js';
import { loadObjectBytes } from '../../../src/vm/loader/loadObject.js';
import type { LoadObjectOptions } from '../../../src/vm/loader/loadObject.js';
import type { ObjectSpec } from '../../../src/vm/spec.js';
import { kernelOracle } from '../../support/kernelOracle.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { TestMachine } from '../support/differential.js';
import { programNamed } from './support.js';

const folder = temporaryFolder();
const VMLINUX = '/sys/kernel/btf/vmlinux';
const OBJECTS = ['fixtures/programs/core_fields/core_fields.o', 'fixtures/programs/core_exists/core_exists.o', 'test/vm/loader/objects/core.o'];

function load(path: string, options: LoadObjectOptions = {}): Result<ObjectSpec> {
  return loadObjectBytes(readFileSync(path), path, options);
}

/** One thing that libbpf says it has done to an instruction. */
interface Patch {
  readonly fn: string;
  readonly insn: number;
  readonly what: string;
  readonly value: bigint;
}

/** What libbpf does to the instructions of an object for the running kernel: its debug output names every one. */
function patchesOfLibbpf(path: string): Patch[] {
  const pin = `/sys/fs/bpf/xdp-sim-core-test-${process.pid}`;
  try {
    const { status, stdout, stderr, error } = spawnSync('bpftool', ['-d', 'prog', 'loadall', path, pin], { encoding: 'utf8', maxBuffer: 64 << 20 });
    if (error !== undefined || status !== 0) throw new Error(`bpftool: ${error?.message ?? stderr.split('\n').slice(-20).join('\n')}`);
    const patched = /prog '(\w+)': relo #\d+: patched insn #(\d+) \(\S+\) (imm|imm64|off|mem_sz) -?\d+ -> (-?\d+)/g;
    const poisoned = /prog '(\w+)': relo #\d+: substituting insn #(\d+) w\/ invalid insn/g;
    const log = stdout + stderr;
    return [
      ...[...log.matchAll(patched)].map(([, fn, insn, what, value]) => ({ fn: fn!, insn: Number(insn), what: what!, value: BigInt(value!) })),
      ...[...log.matchAll(poisoned)].map(([, fn, insn]) => ({ fn: fn!, insn: Number(insn), what: 'poison', value: BigInt(CORE_POISON_HELPER) })),
    ];
  } finally {
    spawnSync('rm', ['-rf', pin]);
  }
}

const ACCESS_BYTES = new Map([[0x00, 4n], [0x08, 2n], [0x10, 1n], [0x18, 8n]]);

/** The same of an object that is loaded here. */
function valueAt(object: ObjectSpec, { fn, insn, what }: Patch): bigint | undefined {
  const program = object.programs.find(({ functions }) => functions.some(({ name }) => name === fn))!;
  const index = program.functions.find(({ name }) => name === fn)!.insnIndex + insn;
  const { opcode, off, imm } = decode(program.insns, index);
  switch (what) {
    case 'off': return BigInt(off);
    case 'mem_sz': return ACCESS_BYTES.get(opcode & BPF_SIZE_MASK);
    case 'imm64': return (BigInt(decode(program.insns, index + 1).imm) << 32n) | BigInt(imm >>> 0);
    case 'poison': return opcode === 0x85 && program.poisons!.some(({ insnIndex }) => insnIndex === index) ? BigInt(imm) : undefined;
    default: return BigInt(imm);
  }
}

const hasBpftool = kernelOracle !== undefined && existsSync(VMLINUX) && spawnSync('bpftool', ['version']).status === 0;
if (!hasBpftool) console.warn('SKIPPED, CO-RE not compared with libbpf: needs root, bpftool and /sys/kernel/btf/vmlinux');

describe.skipIf(!hasBpftool)('as libbpf does it for the running kernel', () => {
  const vmlinux = unwrap(loadKernelTypes(VMLINUX));

  test.each(OBJECTS)('%s', (path) => {
    const patches = patchesOfLibbpf(path);
    expect(patches.length).toBeGreaterThan(10);
    const object = unwrap(load(path, { targetBtf: vmlinux }));
    expect(patches.map((patch) => ({ ...patch, value: valueAt(object, patch) }))).toEqual(patches);
    const poisoned = object.programs.flatMap(({ poisons = [] }) => poisons);
    expect(poisoned).toHaveLength(patches.filter(({ what }) => what === 'poison').length);
  });

  test('the built-in types give the same for objects that keep to common XDP types', () => {
    for (const path of OBJECTS.slice(0, 2)) {
      expect(unwrap(load(path)).programs.map(({ insns }) => insns)).toEqual(unwrap(load(path, { targetBtf: vmlinux })).programs.map(({ insns }) => insns));
    }
  });

  test.each(OBJECTS.slice(0, 2))('%s: BTF of only the types that it uses, as bpftool cuts it out, gives the same', (path) => {
    const cut = folder.at('min.btf');
    expect(spawnSync('bpftool', ['gen', 'min_core_btf', VMLINUX, cut, path]).status).toBe(0);
    const insnsFor = (target: string): unknown => unwrap(load(path, { targetBtf: unwrap(loadKernelTypes(target)) })).programs.map(({ insns }) => insns);
    expect(insnsFor(cut)).toEqual(insnsFor(VMLINUX));
  });

  test('an object against 5.5 MB of kernel types is loaded within 300 ms', () => {
    // Time of this process: others may keep the machine busy.
    const start = process.cpuUsage();
    unwrap(load('test/vm/loader/objects/core.o', { targetBtf: unwrap(loadKernelTypes(VMLINUX)) }));
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1000).toBeLessThan(300);
  });
});

describe('with the built-in types', () => {
  const object = unwrap(load('test/vm/loader/objects/core.o'));

  test.each([
    ['fields', /^unsupported-core-type: .*core\.c:\d+, instruction \d+: 'fields' asks the kernel about field struct sk_buff___gone\.no_such_field, which the built-in kernel types do not know; give the types of a kernel: --btf/],
    ['types', /^unsupported-core-type: .*'types' asks the kernel about struct sk_buff___mine,/],
    ['enums', /^unsupported-core-type: .*'enums' asks the kernel about value BPF_XDP___mine of enum bpf_attach_type___mine,/],
  ])('whether something unknown exists is not guessed: %s', (name, expected) => {
    const { problem } = programNamed(object, name);
    expect(`${problem!.code}: ${formatProblem(problem!)}`).toMatch(expected);
  });

  test('where an unknown type lies is left as the compiler has it', () => {
    const { problem, insns } = programNamed(object, 'bitfields');
    expect(problem).toBeUndefined();
    expect(decode(insns, 0)).toMatchObject({ imm: 4 });
  });

  test('a field that a known type has not poisons the instruction', () => {
    const { problem, poisons, insns } = programNamed(unwrap(load('fixtures/programs/core_exists/core_exists.o')), 'core_exists');
    expect(problem).toBeUndefined();
    expect(poisons).toEqual([{ insnIndex: 28, message: 'CO-RE: field struct iphdr___never.no_such_field does not exist in the built-in kernel types' }]);
    expect(decode(insns, 28)).toEqual({ opcode: 0x85, dst: 0, src: 0, off: 0, imm: CORE_POISON_HELPER });
  });
});

test('a run that gets to a poisoned instruction is told what is missing', () => {
  const object = unwrap(load('fixtures/programs/core_exists/core_exists.o'));
  const program = programNamed(object, 'core_exists');
  const insns = program.insns.slice();
  insns[26 * 8 + 4] = 1; // as if the field had been found when the program asked
  const machine = new TestMachine({ ...object, programs: [{ ...program, insns }] });
  const { fault } = machine.run({ data: new Uint8Array(64) }, 'core_exists');
  expect(fault).toMatchObject({ name: 'bad-instruction', insnIndex: 28 });
  expect(fault!.message).toMatch(/core_exists\.c:\d+: CO-RE: field struct iphdr___never\.no_such_field does not exist in the built-in kernel types/);
});
