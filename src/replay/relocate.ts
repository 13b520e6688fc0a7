import type { ProgramSpec } from '../vm/index.js';
import { BPF_PSEUDO_BTF_ID, BPF_PSEUDO_HELPER, decode, encode } from '../vm/index.js';
import { BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE, OPCODE_LDDW } from './uapi.js';

/** Number of the helper, which there isn't, that a call of a kernel function becomes where there is no such function (poison_kfunc_call, tools/lib/bpf/libbpf.c). */
const POISON_KFUNC_HELPER = 2002000000;

/**
 * The program's instructions with file descriptors in place of map names and ids in place of the names of kernel functions, ready for BPF_PROG_LOAD.
 *
 *     lddw    0 opcode 0x18   1 src_reg (high nibble) | dst_reg   2 off   4 imm: map fd
 *             8 0             9 0                                10 0    12 imm: byte offset in the value (src_reg 2 only)
 *
 *     call    1 src_reg 2                                         4 imm: BTF id of the kernel function
 *     lddw    1 src_reg 3 (BPF_PSEUDO_BTF_ID): its address        4 imm: BTF id; 0 and src_reg 0 where there is none
 *
 * @param fdOf file descriptor of the map with that name
 * @param kfuncIdOf BTF id of the kernel function with that name; `undefined` for a weak one that the kernel hasn't
 */
export function relocate(program: ProgramSpec, fdOf: (map: string) => number, kfuncIdOf: (name: string) => number | undefined): Uint8Array {
  const insns = program.insns.slice();
  const view = new DataView(insns.buffer);
  for (const { insnIndex, map, kind, offBytes } of program.references) {
    const at = insnIndex * 8;
    if (insns[at] !== OPCODE_LDDW || at + 16 > insns.length) {
      throw new RangeError(`relocate: program ${program.name}: instruction ${insnIndex} refers to map ${map} and is no lddw`);
    }
    const source = kind === 'map' ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
    insns[at + 1] = (source << 4) | (insns[at + 1] & 0x0f);
    view.setInt32(at + 4, fdOf(map), true);
    view.setUint32(at + 12, offBytes, true);
  }
  for (const { insnIndex, name } of program.kfuncs ?? []) {
    const id = kfuncIdOf(name);
    const call = decode(insns, insnIndex);
    encode(insns, insnIndex, id === undefined ? { ...call, src: BPF_PSEUDO_HELPER, imm: POISON_KFUNC_HELPER } : { ...call, imm: id });
  }
  for (const { insnIndex, name } of program.kfuncAddresses ?? []) {
    const id = kfuncIdOf(name);
    if (id !== undefined) encode(insns, insnIndex, { ...decode(insns, insnIndex), src: BPF_PSEUDO_BTF_ID, imm: id });
  }
  return insns;
}
