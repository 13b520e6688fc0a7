import { dstAt, immAt, offAt, srcAt } from './decode.js';
import { BPF_REG_FP } from './opcodes.js';
import { insnsBetween, targetOf } from './walkInsns.js';
import type { PlacedInsn } from './walkInsns.js';

/** MAX_CALL_FRAMES (include/linux/bpf_verifier.h, 6.18). */
export const MAX_CALL_FRAMES = 8;

/** The verifier counts whole slots, bytes (BPF_REG_SIZE). */
const SLOT_BYTES = 8;

/** What the kernel rounds a frame up to, bytes, when it compiles the program (round_up_stack_depth, kernel/bpf/verifier.c, 6.18). */
const FRAME_ALIGN_BYTES = 16;

/**
 * Bytes of its stack frame that a function uses, in whole slots as in the verifier's log, as far as the instructions show it: accesses at constant offsets from r10, and addresses
 * made by adding constants to a copy of r10. Offsets that are computed, and what a helper writes beyond an address, stay unseen; the
 * verifier, which follows values along every path, may count more.
 */
export function frameBytes(insns: Uint8Array, start: number, end: number): number {
  const joins = new Set<number>();
  for (const insn of insnsBetween(insns, start, end)) {
    const target = insn.row?.kind === 'call' ? undefined : targetOf(insns, insn);
    if (target !== undefined) joins.add(target);
  }
  const frame = new FrameOffsets(insns);
  for (const insn of insnsBetween(insns, start, end)) {
    // What another path left in the registers is not known here.
    if (joins.has(insn.index)) frame.forgetAll();
    frame.step(insn);
  }
  return Math.ceil(frame.depthBytes / SLOT_BYTES) * SLOT_BYTES;
}

/** A frame as the kernel rounds it up. */
export function roundedFrameBytes(bytes: number): number {
  return Math.ceil(bytes / FRAME_ALIGN_BYTES) * FRAME_ALIGN_BYTES;
}

/** A function on the deepest path of calls of one length that leads to it. */
export interface StackPath {
  /** Its place in `frames`. */
  readonly fn: number;
  /** Calls that lead to it: 0 for the main function. */
  readonly calls: number;
  /** Bytes of the frames before its own, each rounded up. */
  readonly bytesBefore: number;
  /** The same with its own. */
  readonly bytes: number;
}

/**
 * For every function and every number of calls up to `maxCalls` the path from the main function, the first one, that takes most stack
 * (check_max_stack_depth_subprog, kernel/bpf/verifier.c, 6.18, walks all paths; these are the ones that matter).
 *
 * @param frames bytes of each function's frame
 * @param callees functions that each function calls, by their place in `frames`
 */
export function stackPaths(frames: readonly number[], callees: readonly (readonly number[])[], maxCalls: number): StackPath[] {
  const paths: StackPath[] = [];
  let before = new Map([[0, 0]]);
  for (let calls = 0; calls <= maxCalls && before.size > 0; calls++) {
    const next = new Map<number, number>();
    for (const [fn, bytesBefore] of before) {
      const bytes = bytesBefore + roundedFrameBytes(frames[fn]!);
      paths.push({ fn, calls, bytesBefore, bytes });
      for (const callee of callees[fn]!) next.set(callee, Math.max(next.get(callee) ?? 0, bytes));
    }
    before = next;
  }
  return paths;
}

/** Bytes of stack on the deepest path of calls of up to 8 frames, more than 512 of which the kernel refuses. */
export function stackBytes(frames: readonly number[], callees: readonly (readonly number[])[]): number {
  return stackPaths(frames, callees, MAX_CALL_FRAMES - 1).reduce((most, { bytes }) => Math.max(most, bytes), 0);
}

/** Which registers hold the frame pointer plus a constant, along a straight stretch of instructions. */
class FrameOffsets {
  depthBytes = 0;
  readonly #insns: Uint8Array;
  readonly #offsets = new Map<number, number>();

  constructor(insns: Uint8Array) {
    this.#insns = insns;
    this.forgetAll();
  }

  forgetAll(): void {
    this.#offsets.clear();
    this.#offsets.set(BPF_REG_FP, 0);
  }

  step({ index, row }: PlacedInsn): void {
    if (row === undefined) return;
    const dst = dstAt(this.#insns, index);
    const src = srcAt(this.#insns, index);
    switch (row.kind) {
      case 'load':
        this.#access(src, index);
        break;
      case 'store':
        this.#access(dst, index);
        break;
      case 'atomic':
        this.#access(row.operation === 'load_acquire' ? src : dst, index);
        if (row.operation === 'cmpxchg') this.#set(0, undefined);
        break;
      case 'call':
        for (let register = 0; register <= 5; register++) this.#set(register, undefined);
        return;
    }
    if (row.src === 'modify') this.#set(src, undefined);
    if (row.dst === 'write' || row.dst === 'modify') this.#set(dst, this.#result(index, row, dst, src));
  }

  /** Offset that an arithmetic instruction leaves in its register. */
  #result(index: number, { operation, widthBits, src: use }: NonNullable<PlacedInsn['row']>, dst: number, src: number): number | undefined {
    const from = this.#offsets.get(operation === 'mov' ? src : dst);
    if (widthBits !== 64 || from === undefined) return undefined;
    if (operation === 'mov') return use === 'read' ? from : undefined;
    if (use === 'read' || (operation !== 'add' && operation !== 'sub')) return undefined;
    const offset = from + (operation === 'add' ? 1 : -1) * immAt(this.#insns, index);
    this.#note(offset);
    return offset;
  }

  #access(base: number, index: number): void {
    const offset = this.#offsets.get(base);
    if (offset !== undefined) this.#note(offset + offAt(this.#insns, index));
  }

  #set(register: number, offset: number | undefined): void {
    if (register === BPF_REG_FP) return;
    if (offset === undefined) this.#offsets.delete(register);
    else this.#offsets.set(register, offset);
  }

  #note(offset: number): void {
    this.depthBytes = Math.max(this.depthBytes, -offset);
  }
}
