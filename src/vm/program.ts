import { NEWEST_KERNEL } from '../base/index.js';
import type { KernelRelease } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import { decode, encode, opcodeAt, srcAt } from './isa/decode.js';
import { BPF_CALL, BPF_DW, BPF_IMM, BPF_JMP, BPF_LD, BPF_PSEUDO_HELPER, INSN_BYTES } from './isa/opcodes.js';
import { calleeSupport, kfuncId } from './kfuncs/kfuncTable.js';
import { PROG_BLOCK_BYTES, PROG_CONTEXT_BYTES, PROG_ID, PROG_INSNS, PROG_INSN_COUNT, XDP_MD_BYTES, XDP_MD_EGRESS_IFINDEX } from './layout.js';
import { ArrayMap } from './maps/arrayMap.js';
import type { BpfMap } from './maps/map.js';
import type { ProgramSpec } from './spec.js';

/** A program in a virtual machine. */
export interface LoadedProgram {
  readonly spec: ProgramSpec;
  /** 1 or more, unique in its machine. */
  readonly id: number;
  /** Address of its block (layout.ts, PROG_*): what `Vm.run` and tail calls take. */
  readonly address: number;
  /** The maps of its object, by name. */
  readonly maps: ReadonlyMap<string, BpfMap>;
}

const LDDW = BPF_LD | BPF_IMM | BPF_DW;
const CALL = BPF_JMP | BPF_CALL;

/** Indices of the instructions, without the second halves of lddw. */
export function* insnIndices(insns: Uint8Array): IterableIterator<number> {
  for (let index = 0; index < insns.length / INSN_BYTES; index++) {
    yield index;
    if (isLddw(insns, index)) index++;
  }
}

/** The instruction is the first half of a 16-byte load. */
export function isLddw(insns: Uint8Array, index: number): boolean {
  return opcodeAt(insns, index) === LDDW;
}

/** The instruction calls a helper, function or kfunc; `srcAt` says which of them. */
export function isCall(insns: Uint8Array, index: number): boolean {
  return opcodeAt(insns, index) === CALL;
}

/** What stands in place of a call that can't be made: no engine knows this opcode, so a run that gets here ends with FAULT_INSTRUCTION. */
const POISON = { opcode: 0xff, dst: 0, src: 0, off: 0, imm: 0 };

/** The address that kernel functions have for programs that ask whether they exist: the start of the kernel's text on x86-64, where there is nothing here. */
const KERNEL_TEXT_LOW = 0x81000000 | 0;
const KERNEL_TEXT_HIGH = 0xffffffff | 0;

/**
 * Puts a checked program into host memory: references to maps and functions become addresses, calls of kfuncs become calls by number, and
 * the offset field of each helper call says how the result gets into r0 (RETURN_*).
 *
 * @throws ProblemError `host-memory-exhausted`
 */
export function placeProgram(
  memory: HostMemory, spec: ProgramSpec, id: number, maps: ReadonlyMap<string, BpfMap>, kernel: KernelRelease = NEWEST_KERNEL,
): LoadedProgram {
  const insns = spec.insns.slice();
  for (const { insnIndex, name } of spec.kfuncs ?? []) {
    const number = kfuncId(name, kernel);
    encode(insns, insnIndex, number !== undefined ? { opcode: CALL, dst: 0, src: BPF_PSEUDO_HELPER, off: 0, imm: number } : POISON);
  }
  // Before the helpers: what is poisoned calls one that there isn't.
  for (const { insnIndex } of spec.poisons ?? []) encode(insns, insnIndex, POISON);
  for (const { insnIndex, name } of spec.kfuncAddresses ?? []) {
    if (kfuncId(name, kernel) === undefined) continue;
    encode(insns, insnIndex, { ...decode(insns, insnIndex), imm: KERNEL_TEXT_LOW });
    encode(insns, insnIndex + 1, { opcode: 0, dst: 0, src: 0, off: 0, imm: KERNEL_TEXT_HIGH });
  }
  for (const index of insnIndices(insns)) {
    if (!isCall(insns, index) || srcAt(insns, index) !== BPF_PSEUDO_HELPER) continue;
    const call = decode(insns, index);
    encode(insns, index, { ...call, off: calleeSupport(call.imm)!.returns });
  }
  for (const reference of spec.references) {
    const map = maps.get(reference.map)!;
    const address = map instanceof ArrayMap && reference.kind === 'value' ? map.valuesAddress + reference.offBytes : map.blockAddress;
    // An address is below 2^32: the second half of the lddw holds the upper 32 bits.
    encode(insns, reference.insnIndex, { ...decode(insns, reference.insnIndex), src: 0, imm: address | 0 });
    encode(insns, reference.insnIndex + 1, { opcode: 0, dst: 0, src: 0, off: 0, imm: 0 });
  }

  const { u8, view } = memory;
  const text = memory.reserve(`instructions of ${spec.name}`, insns.length);
  for (const { insnIndex, targetInsnIndex } of spec.functionReferences ?? []) {
    encode(insns, insnIndex, { ...decode(insns, insnIndex), src: 0, imm: (text + targetInsnIndex * INSN_BYTES) | 0 });
    encode(insns, insnIndex + 1, { opcode: 0, dst: 0, src: 0, off: 0, imm: 0 });
  }
  u8.set(insns, text);
  const address = memory.reserve(`struct bpf_prog of ${spec.name}`, PROG_BLOCK_BYTES);
  view.setUint32(address + PROG_ID, id, true);
  view.setUint32(address + PROG_INSN_COUNT, insns.length / INSN_BYTES, true);
  view.setUint32(address + PROG_INSNS, text, true);
  view.setUint32(address + PROG_CONTEXT_BYTES, spec.attachType === 'devmap' ? XDP_MD_BYTES : XDP_MD_EGRESS_IFINDEX, true);
  return { spec, id, address, maps };
}
