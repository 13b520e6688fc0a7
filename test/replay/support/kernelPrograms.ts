import { unwrap } from '../../../src/base/index.js';
import { loadIntoKernel } from '../../../src/replay/index.js';
import type { KernelBpf, KernelProgram } from '../../../src/replay/index.js';
import type { MapReference, MapSpec, ObjectSpec, ProgramSpec } from '../../../src/vm/spec.js';

/** One instruction as `struct bpf_insn` has it; two in a row for a lddw. */
export type Insn = readonly number[];

export function insn(opcode: number, dst: number, src: number, off: number, imm: number): Insn {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, opcode);
  view.setUint8(1, (src << 4) | dst);
  view.setInt16(2, off, true);
  view.setInt32(4, imm, true);
  return [...bytes];
}

export const mov = (dst: number, src: number): Insn => insn(0xbf, dst, src, 0, 0);
export const movImm = (dst: number, imm: number): Insn => insn(0xb7, dst, 0, 0, imm);
export const addImm = (dst: number, imm: number): Insn => insn(0x07, dst, 0, 0, imm);
export const load32 = (dst: number, src: number, off: number): Insn => insn(0x61, dst, src, off, 0);
export const load8 = (dst: number, src: number, off: number): Insn => insn(0x71, dst, src, off, 0);
export const store64 = (dst: number, off: number, src: number): Insn => insn(0x7b, dst, src, off, 0);
export const storeImm32 = (dst: number, off: number, imm: number): Insn => insn(0x62, dst, 0, off, imm);
/** `if dst > src goto +off`, 64 bits, unsigned. */
export const jumpGreater = (dst: number, src: number, off: number): Insn => insn(0x2d, dst, src, off, 0);
export const jumpZero = (dst: number, off: number): Insn => insn(0x15, dst, 0, off, 0);
export const call = (helper: number): Insn => insn(0x85, 0, 0, 0, helper);
export const exit: Insn = insn(0x95, 0, 0, 0, 0);
/** `lddw dst, 0`: to be relocated, or a plain zero. */
export const lddw = (dst: number): Insn => [...insn(0x18, dst, 0, 0, 0), ...insn(0, 0, 0, 0, 0)];

export function program(name: string, insns: readonly Insn[], more: Partial<ProgramSpec> = {}): ProgramSpec {
  return {
    name,
    section: 'xdp',
    type: 'xdp',
    attachType: 'xdp',
    frags: false,
    insns: Uint8Array.from(insns.flat()),
    references: [],
    functions: [{ name, insnIndex: 0, isHidden: false }],
    lines: [],
    funcInfo: new Uint8Array(0),
    lineInfo: new Uint8Array(0),
    problem: undefined,
    ...more,
  };
}

export function map(name: string, type: number, keySize: number, valueSize: number, maxEntries: number, more: Partial<MapSpec> = {}): MapSpec {
  return {
    name, type, keySize, valueSize, maxEntries, flags: 0, keyTypeId: 0, valueTypeId: 0,
    dataSection: undefined, initialValue: undefined, initialPrograms: [], ...more,
  };
}

export function object(programs: readonly ProgramSpec[], maps: readonly MapSpec[] = [], more: Partial<ObjectSpec> = {}): ObjectSpec {
  return { name: 'test.o', license: 'GPL', programs, maps, variables: [], btf: undefined, btfBytes: undefined, ...more };
}

export const mapReference = (insnIndex: number, name: string): MapReference => ({ insnIndex, map: name, kind: 'map', offBytes: 0 });

/** Loads a program without maps; the caller closes it. */
export function loadInsns(kernel: KernelBpf, insns: readonly Insn[], more: Partial<ProgramSpec> = {}): KernelProgram {
  return unwrap(loadIntoKernel(kernel, object([program('test', insns, more)]), 'test'));
}

/** `r0 = helper(ctx, delta); return r0` for the adjust helpers. */
export const adjust = (helper: number, delta: number): Insn[] => [movImm(2, delta), call(helper), exit];

/** `n` different bytes. */
export function bytes(n: number): Uint8Array {
  return Uint8Array.from({ length: n }, (_, i) => (i * 7 + 1) & 0xff);
}
