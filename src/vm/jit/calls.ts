import type { Instruction } from '../isa/decode.js';
import type { InstructionRow } from '../isa/instructionTable.js';
import {
  BPF_FUNC_TAIL_CALL, FAULT_CALL_DEPTH, FAULT_INSTRUCTION, FAULT_PC, PROG_ENTRY, RETURN_INT, RETURN_U32, RETURN_U64, VM_DEPTH, VM_FAULT_CODE, VM_PC, VM_PROGRAM, VM_REGS,
  VM_STACK, VM_STACK_BOTTOM, VM_STACK_FRAME_BYTES,
} from '../layout.js';
import { ADDRESS, FP, HELPER, IMPORTS, KEEP, TEMP32, TYPE_BPF_FUNCTION } from './functionBody.js';
import type { FunctionBody } from './functionBody.js';
import * as op from './wasmOpcodes.js';
import { I32, I64, VOID } from './wasmWriter.js';

/** Calls of one function: helpers, functions of the program, tail calls. */
export class Calls {
  readonly #body: FunctionBody;

  constructor(body: FunctionBody) {
    this.#body = body;
  }

  call(index: number, row: InstructionRow, insn: Instruction): void {
    this.#body.hasCalls = true;
    if (row.operation === 'subprogram') this.#callFunction(index, index + 1 + insn.imm);
    else if (row.operation === 'callx') this.#callHelper(index, undefined, insn.dst, RETURN_U64);
    else if (row.operation !== 'helper') this.#body.fault(FAULT_INSTRUCTION, index);
    else if (insn.imm === BPF_FUNC_TAIL_CALL) this.#tailCall(index);
    else if (!this.#inlined(index)) this.#callHelper(index, insn.imm, 0, insn.off);
  }

  /** A look-up in an array whose key lies on the stack, as the kernel inlines it (array_map_gen_lookup, kernel/bpf/arraymap.c, 6.18). */
  #inlined(index: number): boolean {
    const lookup = this.#body.source.facts.arrayLookup(index);
    if (lookup === undefined) return false;
    const out = this.#body.out;
    this.#body.getRegister(2);
    out.byte(op.I32_WRAP_I64);
    this.#body.memory(op.I32_LOAD, 0);
    out.pair(op.LOCAL_TEE, TEMP32);
    this.#body.i32(lookup.maxEntries | 0);
    out.byte(op.I32_LT_U);
    out.pair(op.IF, I64);
    out.pair(op.LOCAL_GET, TEMP32);
    this.#body.i32(lookup.strideBytes);
    out.byte(op.I32_MUL);
    this.#body.i32(lookup.valuesAddress | 0);
    out.byte(op.I32_ADD);
    out.byte(op.I64_EXTEND_I32_U);
    out.byte(op.ELSE);
    out.pair(op.I64_CONST, 0);
    out.byte(op.END);
    this.#body.setRegister(0);
    return true;
  }

  #callHelper(index: number, id: number | undefined, register: number, returns: number): void {
    const out = this.#body.out;
    const { stateAddress, hasCallbacks } = this.#body.source;
    this.#saveArguments(5);
    this.#body.storeState(VM_PC, index);
    if (hasCallbacks && this.#body.usesFuel) this.#body.storeFuel();
    const pushId = (): void => {
      if (id !== undefined) {
        this.#body.i32(id);
        return;
      }
      this.#body.getRegister(register);
      out.byte(op.I32_WRAP_I64);
    };
    pushId();
    for (let argument = 1; argument <= 5; argument++) {
      this.#body.getRegister(argument);
      out.byte(op.I32_WRAP_I64);
    }
    out.pair(op.CALL, IMPORTS.callHelper);
    if (returns === RETURN_INT) out.byte(op.I64_EXTEND_I32_S);
    else if (returns === RETURN_U32) out.byte(op.I64_EXTEND_I32_U);
    else {
      out.byte(op.DROP);
      this.#body.i32(0);
      this.#body.memory(op.I64_LOAD, stateAddress + VM_REGS);
    }
    this.#body.setRegister(0);
    this.#body.i32(0);
    this.#body.memory(op.I32_LOAD, stateAddress + VM_FAULT_CODE);
    out.pair(op.IF, VOID);
    this.#body.labels.push({ kind: 'other' });
    pushId();
    out.pair(op.LOCAL_SET, HELPER);
    this.#body.faultRecorded(index, KEEP, KEEP);
    this.#body.labels.pop();
    out.byte(op.END);
    if (hasCallbacks && this.#body.usesFuel) this.#body.loadFuel();
    if (this.#body.comparesPacket) this.#body.loadPacketBounds();
  }

  /** Opens a frame below this one, checks depth and budget, and runs the function in it. */
  #callFunction(index: number, target: number): void {
    const out = this.#body.out;
    const { stateAddress, functionAt, insnsOf, hasTailCalls, programAddress } = this.#body.source;
    const fn = functionAt(target);
    if (fn === undefined) {
      this.#body.fault(FAULT_PC, index);
      return;
    }
    out.pair(op.LOCAL_GET, FP);
    this.#body.i32(stateAddress + VM_STACK + VM_STACK_FRAME_BYTES);
    out.byte(op.I32_EQ);
    out.pair(op.IF, VOID);
    this.#body.labels.push({ kind: 'other' });
    this.#body.fault(FAULT_CALL_DEPTH, index);
    this.#body.labels.pop();
    out.byte(op.END);
    if (this.#body.usesFuel) this.#body.storeFuel();
    this.#body.chargeMemory(insnsOf(target), index);
    this.#moveStackBottom(-1);
    out.pair(op.LOCAL_GET, FP);
    this.#body.i32(VM_STACK_FRAME_BYTES);
    out.byte(op.I32_SUB);
    for (let argument = 1; argument <= 5; argument++) this.#body.getRegister(argument);
    out.byte(op.CALL);
    out.u32(fn);
    this.#body.setRegister(0);
    this.#moveStackBottom(1);
    if (hasTailCalls) this.#body.storeState(VM_PROGRAM, programAddress);
    if (this.#body.usesFuel) this.#body.loadFuel();
    if (this.#body.comparesPacket) this.#body.loadPacketBounds();
  }

  /** VM_STACK_BOTTOM and VM_DEPTH of this function's frame, or of the one below it. */
  #moveStackBottom(by: 1 | -1): void {
    const out = this.#body.out;
    const { stateAddress } = this.#body.source;
    this.#body.i32(0);
    out.pair(op.LOCAL_GET, FP);
    this.#body.i32(by === 1 ? VM_STACK_FRAME_BYTES : 2 * VM_STACK_FRAME_BYTES);
    out.byte(op.I32_SUB);
    this.#body.memory(op.I32_STORE, stateAddress + VM_STACK_BOTTOM);
    this.#body.i32(0);
    this.#body.i32(0);
    this.#body.memory(op.I32_LOAD, stateAddress + VM_DEPTH);
    this.#body.i32(by);
    out.byte(op.I32_SUB);
    this.#body.memory(op.I32_STORE, stateAddress + VM_DEPTH);
  }

  /** bpf_tail_call: the interpreter's rules say where to; the code there takes this function's place. */
  #tailCall(index: number): void {
    const out = this.#body.out;
    const { stateAddress } = this.#body.source;
    this.#saveArguments(3);
    out.pair(op.CALL, IMPORTS.tailCallTarget);
    out.pair(op.LOCAL_TEE, TEMP32);
    out.pair(op.IF, VOID);
    this.#body.labels.push({ kind: 'other' });
    if (this.#body.usesFuel) this.#body.storeFuel();
    this.#body.i32(0);
    out.pair(op.LOCAL_GET, TEMP32);
    this.#body.memory(op.I32_STORE, stateAddress + VM_PROGRAM);
    out.pair(op.LOCAL_GET, FP);
    for (let argument = 1; argument <= 5; argument++) this.#body.getRegister(argument);
    // A program that hasn't run yet has to be translated first.
    out.pair(op.LOCAL_GET, TEMP32);
    this.#body.memory(op.I32_LOAD, PROG_ENTRY);
    out.pair(op.LOCAL_TEE, ADDRESS);
    out.pair(op.IF, I32);
    out.pair(op.LOCAL_GET, ADDRESS);
    out.byte(op.ELSE);
    out.pair(op.LOCAL_GET, TEMP32);
    out.pair(op.CALL, IMPORTS.entryOf);
    out.byte(op.END);
    out.byte(op.RETURN_CALL_INDIRECT);
    out.u32(TYPE_BPF_FUNCTION);
    out.u32(0);
    this.#body.labels.pop();
    out.byte(op.END);
    this.#body.i32(0);
    this.#body.memory(op.I32_LOAD, stateAddress + VM_FAULT_CODE);
    out.pair(op.IF, VOID);
    this.#body.labels.push({ kind: 'other' });
    this.#body.i32(BPF_FUNC_TAIL_CALL);
    out.pair(op.LOCAL_SET, HELPER);
    this.#body.faultRecorded(index, KEEP, KEEP);
    this.#body.labels.pop();
    out.byte(op.END);
  }

  #saveArguments(count: number): void {
    for (let register = 1; register <= count; register++) {
      this.#body.i32(0);
      this.#body.getRegister(register);
      this.#body.memory(op.I64_STORE, this.#body.source.stateAddress + VM_REGS + register * 8);
    }
  }
}
