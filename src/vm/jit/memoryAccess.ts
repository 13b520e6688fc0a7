import type { Instruction } from '../isa/decode.js';
import type { InstructionRow } from '../isa/instructionTable.js';
import { BPF_REG_FP } from '../isa/opcodes.js';
import { VM_CONTEXT, VM_STACK_FRAME_BYTES } from '../layout.js';
import { REGION_CONTEXT, REGION_STACK, REGION_TABLE } from './facts.js';
import { ADDRESS, ADDRESS64, FP, IMPORTS, PACKET, PACKET_BYTES, TEMP64, localOf } from './functionBody.js';
import type { FunctionBody } from './functionBody.js';
import * as op from './wasmOpcodes.js';
import { VOID } from './wasmWriter.js';

// Kinds of access, bits of one number, as interpreter/assembly/access.ts has them.
const READ = 0;
const WRITE = 1;
const ATOMIC = 2;
const SIGNED = 4;

const LOADS: Readonly<Record<number, number>> = { 8: op.I64_LOAD8_U, 16: op.I64_LOAD16_U, 32: op.I64_LOAD32_U, 64: op.I64_LOAD };
const SIGNED_LOADS: Readonly<Record<number, number>> = { 8: op.I64_LOAD8_S, 16: op.I64_LOAD16_S, 32: op.I64_LOAD32_S };
const STORES: Readonly<Record<number, number>> = { 8: op.I64_STORE8, 16: op.I64_STORE16, 32: op.I64_STORE32, 64: op.I64_STORE };
const ATOMIC_OPERATIONS: Readonly<Record<string, number>> = { add: op.I64_ADD, or: op.I64_OR, and: op.I64_AND, xor: op.I64_XOR };

/** Loads, stores and atomics of one function, each after the check that it needs. */
export class MemoryAccess {
  readonly #body: FunctionBody;

  constructor(body: FunctionBody) {
    this.#body = body;
  }

  /**
   * Leaves the host address of an access on the stack, after the checks that it needs, and gives the offset that its memory
   * instruction has to add.
   */
  #address(index: number, register: number, off: number, sizeBytes: number, kind: number): number {
    const out = this.#body.out;
    const { facts } = this.#body.source;
    if (facts.isSafe(index)) {
      if (register === BPF_REG_FP) {
        out.pair(op.LOCAL_GET, FP);
      } else {
        out.pair(op.LOCAL_GET, localOf(register));
        out.byte(op.I32_WRAP_I64);
      }
      if (off >= 0) return off;
      this.#body.i32(off);
      out.byte(op.I32_ADD);
      return 0;
    }
    this.#body.getRegister(register);
    if (off !== 0) {
      out.byte(op.I64_CONST);
      out.s32(off);
      out.byte(op.I64_ADD);
    }
    out.pair(op.LOCAL_SET, ADDRESS64);
    const region = facts.region(index);
    if ((kind & ATOMIC) === 0 && region !== REGION_TABLE) {
      this.#isOutside(region, sizeBytes);
      out.pair(op.IF, VOID);
      this.#body.labels.push({ kind: 'other' });
      this.#slowCheck(index, register, sizeBytes, kind);
      this.#body.labels.pop();
      out.byte(op.END);
    } else {
      this.#slowCheck(index, register, sizeBytes, kind);
    }
    out.pair(op.LOCAL_GET, ADDRESS64);
    out.byte(op.I32_WRAP_I64);
    return 0;
  }

  /** Leaves 1 on the stack when an access at ADDRESS64 isn't in a region. */
  #isOutside(region: number, sizeBytes: number): void {
    const out = this.#body.out;
    // The access lies in the region when what is left of it at the address has room, in one unsigned comparison.
    out.pair(op.LOCAL_GET, ADDRESS64);
    if (region === REGION_STACK) {
      out.pair(op.LOCAL_GET, FP);
      this.#body.i32(VM_STACK_FRAME_BYTES);
      out.byte(op.I32_SUB);
      out.byte(op.I64_EXTEND_I32_U);
      out.byte(op.I64_SUB);
      out.byte(op.I64_CONST);
      out.s32(VM_STACK_FRAME_BYTES - sizeBytes);
    } else if (region === REGION_CONTEXT) {
      this.#body.i32(0);
      this.#body.memory(op.I64_LOAD32_U, this.#body.source.stateAddress + VM_CONTEXT);
      out.byte(op.I64_SUB);
      // To the right by 2 bits, which come in at the top: only multiples of 4 stay small.
      this.#body.i64(62);
      out.byte(op.I64_ROTL);
      this.#body.i64(this.#body.source.contextBytes / 4 - 1);
    } else {
      out.pair(op.LOCAL_GET, PACKET);
      out.byte(op.I64_SUB);
      out.pair(op.LOCAL_GET, PACKET_BYTES);
      out.byte(op.I64_CONST);
      out.s32(sizeBytes);
      out.byte(op.I64_SUB);
    }
    out.byte(op.I64_GT_U);
  }

  /** The interpreter's own check of ADDRESS64, which is the host's address too when it passes. */
  #slowCheck(index: number, register: number, sizeBytes: number, kind: number): void {
    const out = this.#body.out;
    out.pair(op.LOCAL_GET, ADDRESS64);
    this.#body.i32(sizeBytes);
    this.#body.i32(kind);
    out.pair(op.CALL, IMPORTS.access);
    out.byte(op.I32_EQZ);
    out.pair(op.IF, VOID);
    this.#body.labels.push({ kind: 'other' });
    this.#body.faultRecorded(index, register, 0);
    this.#body.labels.pop();
    out.byte(op.END);
  }

  load(index: number, row: InstructionRow, { dst, src, off }: Instruction): void {
    const isSigned = row.operation === 'ldsx';
    const offset = this.#address(index, src, off, row.widthBits / 8, isSigned ? READ | SIGNED : READ);
    this.#body.memory(isSigned ? SIGNED_LOADS[row.widthBits]! : LOADS[row.widthBits]!, offset);
    this.#body.setRegister(dst);
  }

  store(index: number, row: InstructionRow, { dst, src, off, imm }: Instruction): void {
    const offset = this.#address(index, dst, off, row.widthBits / 8, WRITE);
    if (row.operation === 'st') {
      this.#body.out.byte(op.I64_CONST);
      this.#body.out.s32(imm);
    } else {
      this.#body.getRegister(src);
    }
    this.#body.memory(STORES[row.widthBits]!, offset);
  }

  /** One thread runs a program, so plain loads and stores are atomic. */
  atomic(index: number, row: InstructionRow, { dst, src, off }: Instruction): void {
    const out = this.#body.out;
    const bytes = row.widthBits / 8;
    const [load, store] = [LOADS[row.widthBits]!, STORES[row.widthBits]!];
    if (row.operation === 'load_acquire') {
      this.#body.memory(load, this.#address(index, src, off, bytes, READ | ATOMIC));
      this.#body.setRegister(dst);
      return;
    }
    const offset = this.#address(index, dst, off, bytes, WRITE | ATOMIC);
    if (row.operation === 'store_release') {
      this.#body.getRegister(src);
      this.#body.memory(store, offset);
      return;
    }
    out.pair(op.LOCAL_TEE, ADDRESS);
    this.#body.memory(load, offset);
    out.pair(op.LOCAL_SET, TEMP64);
    const operation = row.operation.replace('fetch_', '');
    if (operation === 'cmpxchg') {
      out.pair(op.LOCAL_GET, TEMP64);
      this.#body.getRegister(0);
      if (bytes === 4) {
        out.byte(op.I32_WRAP_I64);
        out.byte(op.I64_EXTEND_I32_U);
      }
      out.byte(op.I64_EQ);
      out.pair(op.IF, VOID);
      out.pair(op.LOCAL_GET, ADDRESS);
      this.#body.getRegister(src);
      this.#body.memory(store, offset);
      out.byte(op.END);
      out.pair(op.LOCAL_GET, TEMP64);
      this.#body.setRegister(0);
      return;
    }
    out.pair(op.LOCAL_GET, ADDRESS);
    if (operation === 'xchg') {
      this.#body.getRegister(src);
    } else {
      out.pair(op.LOCAL_GET, TEMP64);
      this.#body.getRegister(src);
      out.byte(ATOMIC_OPERATIONS[operation]!);
    }
    this.#body.memory(store, offset);
    if (row.src !== 'modify') return;
    out.pair(op.LOCAL_GET, TEMP64);
    this.#body.setRegister(src);
  }
}
