import type { ProgramSpec } from '../vm/index.js';
import { BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE, OPCODE_LDDW } from './uapi.js';

/**
 * The program's instructions with file descriptors in place of map names, ready for BPF_PROG_LOAD.
 *
 *     lddw    0 opcode 0x18   1 src_reg (high nibble) | dst_reg   2 off   4 imm: map fd
 *             8 0             9 0                                10 0    12 imm: byte offset in the value (src_reg 2 only)
 *
 * @param fdOf file descriptor of the map with that name
 */
export function relocate(program: ProgramSpec, fdOf: (map: string) => number): Uint8Array {
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
  return insns;
}
