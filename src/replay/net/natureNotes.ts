import { BPF_CALL, BPF_JMP, BPF_PSEUDO_HELPER, decode, INSN_BYTES } from '../../vm/index.js';
import type { ProgramSpec } from '../../vm/index.js';

const TIME = 'it reads a clock, and the two sides have different ones';
const TAILROOM = 'it calls bpf_xdp_adjust_tail: behind a packet a veth has only what rounding up to its buffer leaves, the simulator up to the end of the page';

/** What the two sides can't agree on by nature, by the id of the helper that lets a program see it (include/uapi/linux/bpf.h). */
const NOTES: ReadonlyMap<number, string> = new Map([
  [5, TIME],
  [125, TIME],
  [160, TIME],
  [208, TIME],
  [118, TIME],
  [7, 'it draws random numbers, and the kernel draws others'],
  [65, TAILROOM],
]);

/** Says which differences can come from no fault of either side, as far as the programs' calls tell. */
export function natureNotes(programs: readonly ProgramSpec[]): string[] {
  const notes = new Set<string>();
  for (const { insns } of programs) {
    for (let index = 0; index < insns.length / INSN_BYTES; index++) {
      const { opcode, src, imm } = decode(insns, index);
      if (opcode !== (BPF_JMP | BPF_CALL) || src !== BPF_PSEUDO_HELPER) continue;
      const note = NOTES.get(imm);
      if (note !== undefined) notes.add(note);
    }
  }
  return [...notes];
}
