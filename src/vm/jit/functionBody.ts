import { BPF_REG_FP } from '../isa/opcodes.js';
import {
  FAULT_BUDGET, VM_CONTEXT, VM_FAULT_HELPER, VM_FAULT_REG, VM_FUEL, VM_PC, VM_REGS, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_DATA_META,
} from '../layout.js';
import type { ControlFlow } from './controlFlow.js';
import type { Facts } from './facts.js';
import { ROTATION_TEMPS } from './rotations.js';
import type { Rotations } from './rotations.js';
import * as op from './wasmOpcodes.js';
import { I32, I64, VOID, WasmWriter } from './wasmWriter.js';

/** Numbers of the imported functions, and of the types, in every module (translateProgram.ts). */
export const IMPORTS = { callHelper: 0, access: 1, tailCallTarget: 2, mayGoto: 3, refuse: 4, stop: 5, entryOf: 6 } as const;
export const IMPORTED_FUNCTIONS = 7;
export const TYPE_BPF_FUNCTION = 0;

// Locals. Parameters come first: the address above the function's stack frame, which is r10 (i32), and r1 to r5 (i64). The entry of a program has
// one parameter, the context, in the place of the first, and makes the others itself.
export const FP = 0;
export const R0 = 6;
export const R6 = 7;
export const ADDRESS64 = 11;
export const PACKET = 12;
export const PACKET_BYTES = 13;
export const TEMP64 = 14;
export const FUEL = 15;
export const ADDRESS = 16;
export const PC = 17;
export const REGISTER = 18;
export const HELPER = 19;
export const TEMP32 = 20;
/** Which block comes next, in functions whose loops have several entries. */
export const NEXT_BLOCK = 21;
/** Numbers that are rotated later (rotations.ts). */
export const ROTATED = 22;
/** Declared behind the parameters: 10 times i64, 6 times i32, and the numbers for rotations. */
export const LOCALS = [3, 10, I64, 6, I32, ROTATION_TEMPS, I64];
/** The same for the entry, which has r1 to r5 among them. */
export const ENTRY_LOCALS = [3, 15, I64, 6, I32, ROTATION_TEMPS, I64];

/** What one function is translated from. */
export interface FunctionSource {
  readonly insns: Uint8Array;
  readonly flow: ControlFlow;
  readonly facts: Facts;
  readonly rotations: Rotations;
  /** Address of the machine's state. */
  readonly stateAddress: number;
  /** Address of the program's block. */
  readonly programAddress: number;
  /** Number of the wasm function that begins at an instruction; `undefined` when none does. */
  functionAt(insnIndex: number): number | undefined;
  /** Instructions of the function that begins at an instruction, for the budget. */
  insnsOf(insnIndex: number): number;
  /** True when a helper may run a function of the program: then the budget has to be in memory while a helper runs. */
  readonly hasCallbacks: boolean;
  readonly hasTailCalls: boolean;
  /** Bytes of the context that the program may read. */
  readonly contextBytes: number;
  /** The budget is so large that short loops needn't be counted. */
  readonly isBudgetLarge: boolean;
  /** Makes it the program's entry, of type (context: i32): what it does first, with the context in its parameter. It leaves its result in the state. */
  readonly prologue: Uint8Array | undefined;
}

/** What a branch can lead to: the head of a loop, the code of a block that comes later, or neither. */
export type Label = { readonly kind: 'loop' | 'after'; readonly block: number } | { readonly kind: 'other' };

/** For `faultRecorded`: leave what a helper has written. */
export const KEEP = -1;

/** The code of one function while it is written: registers, budget, bounds of the packet, faults. */
export class FunctionBody {
  readonly source: FunctionSource;
  readonly out = new WasmWriter(4096);
  readonly labels: Label[] = [];
  hasFaults = false;
  hasCalls = false;
  /** Some loop of the function is counted, so the budget is in a local. */
  readonly usesFuel: boolean;
  /** Some access is compared with the packet's bounds. */
  readonly comparesPacket: boolean;

  constructor(source: FunctionSource, usesFuel: boolean) {
    this.source = source;
    this.usesFuel = usesFuel;
    this.comparesPacket = source.facts.comparesPacket;
  }

  readonly getRegister = (register: number): void => {
    if (register === BPF_REG_FP) {
      this.out.pair(op.LOCAL_GET, FP);
      this.out.byte(op.I64_EXTEND_I32_U);
    } else {
      this.out.pair(op.LOCAL_GET, localOf(register));
    }
  };

  readonly setRegister = (register: number): void => {
    this.out.pair(op.LOCAL_SET, localOf(register));
  };

  i32(value: number): void {
    this.out.byte(op.I32_CONST);
    this.out.s32(value);
  }

  i64(value: number): void {
    this.out.byte(op.I64_CONST);
    this.out.s32(value);
  }

  memory(opcode: number, offset: number): void {
    this.out.pair(opcode, 0);
    this.out.u32(offset);
  }

  storeState(field: number, value: number): void {
    this.i32(0);
    this.i32(value);
    this.memory(op.I32_STORE, this.source.stateAddress + field);
  }

  loadFuel(): void {
    this.i32(0);
    this.memory(op.I64_LOAD, this.source.stateAddress + VM_FUEL);
    this.out.pair(op.LOCAL_SET, FUEL);
  }

  storeFuel(): void {
    this.i32(0);
    this.out.pair(op.LOCAL_GET, FUEL);
    this.memory(op.I64_STORE, this.source.stateAddress + VM_FUEL);
  }

  /** Takes instructions off the budget in the local. */
  charge(insns: number, at: number): void {
    const out = this.out;
    out.pair(op.LOCAL_GET, FUEL);
    this.i64(insns);
    out.byte(op.I64_SUB);
    out.pair(op.LOCAL_TEE, FUEL);
    this.faultUnlessPositive(at);
  }

  /** Takes instructions off the budget in memory. */
  chargeMemory(insns: number, at: number): void {
    const out = this.out;
    const address = this.source.stateAddress + VM_FUEL;
    this.i32(0);
    this.i32(0);
    this.memory(op.I64_LOAD, address);
    this.i64(insns);
    out.byte(op.I64_SUB);
    out.pair(op.LOCAL_TEE, TEMP64);
    this.memory(op.I64_STORE, address);
    out.pair(op.LOCAL_GET, TEMP64);
    this.faultUnlessPositive(at);
  }

  faultUnlessPositive(at: number): void {
    const out = this.out;
    this.i64(0);
    out.byte(op.I64_LE_S);
    out.pair(op.IF, VOID);
    this.labels.push({ kind: 'other' });
    this.fault(FAULT_BUDGET, at);
    this.labels.pop();
    out.byte(op.END);
  }

  /** Where the packet, metadata included, begins and how long it is. Without room for metadata data_meta is data + 1. */
  loadPacketBounds(): void {
    const out = this.out;
    this.i32(0);
    this.memory(op.I32_LOAD, this.source.stateAddress + VM_CONTEXT);
    out.pair(op.LOCAL_TEE, ADDRESS);
    this.memory(op.I64_LOAD32_U, XDP_MD_DATA);
    out.pair(op.LOCAL_TEE, PACKET);
    out.pair(op.LOCAL_GET, ADDRESS);
    this.memory(op.I64_LOAD32_U, XDP_MD_DATA_META);
    out.pair(op.LOCAL_TEE, PACKET_BYTES);
    out.pair(op.LOCAL_GET, PACKET);
    out.pair(op.LOCAL_GET, PACKET_BYTES);
    out.byte(op.I64_LT_U);
    out.byte(op.SELECT);
    out.pair(op.LOCAL_SET, PACKET);
    out.pair(op.LOCAL_GET, ADDRESS);
    this.memory(op.I64_LOAD32_U, XDP_MD_DATA_END);
    out.pair(op.LOCAL_GET, PACKET);
    out.byte(op.I64_SUB);
    out.pair(op.LOCAL_SET, PACKET_BYTES);
    // A comparison with what is left needs 8 bytes at least. A shorter packet is nowhere, and the slow check finds it.
    out.pair(op.LOCAL_GET, PACKET_BYTES);
    out.pair(op.I64_CONST, 8);
    out.byte(op.I64_LT_S);
    out.pair(op.IF, VOID);
    out.byte(op.I64_CONST);
    out.s64(0, 0x40000000);
    out.pair(op.LOCAL_SET, PACKET);
    out.pair(op.I64_CONST, 8);
    out.pair(op.LOCAL_SET, PACKET_BYTES);
    out.byte(op.END);
  }

  /** A fault that has no address. */
  fault(code: number, at: number): void {
    const out = this.out;
    this.i32(code);
    out.pair(op.CALL, IMPORTS.refuse);
    this.faultRecorded(at, 0, 0);
  }

  /** The reason stands in the fault record: adds the place, and leaves. KEEP leaves what a helper has recorded. */
  faultRecorded(at: number, register: number, helper: number): void {
    const out = this.out;
    this.hasFaults = true;
    this.i32(at);
    out.pair(op.LOCAL_SET, PC);
    if (register !== KEEP) {
      this.i32(register);
      out.pair(op.LOCAL_SET, REGISTER);
    } else {
      this.i32(0);
      this.memory(op.I32_LOAD, this.source.stateAddress + VM_FAULT_REG);
      out.pair(op.LOCAL_SET, REGISTER);
    }
    if (helper !== KEEP) {
      this.i32(helper);
      out.pair(op.LOCAL_SET, HELPER);
    }
    out.byte(op.BR);
    out.u32(this.labels.length - 1);
  }

  /** Where all faults of the function end: leaves the registers in the state as the interpreter does, and stops the machine. */
  faultExit(): void {
    const out = this.out;
    const { stateAddress } = this.source;
    for (let register = 0; register <= BPF_REG_FP; register++) {
      this.i32(0);
      this.getRegister(register);
      this.memory(op.I64_STORE, stateAddress + VM_REGS + register * 8);
    }
    for (const [field, local] of [[VM_PC, PC], [VM_FAULT_REG, REGISTER], [VM_FAULT_HELPER, HELPER]] as const) {
      this.i32(0);
      out.pair(op.LOCAL_GET, local);
      this.memory(op.I32_STORE, stateAddress + field);
    }
    out.pair(op.CALL, IMPORTS.stop);
    out.byte(op.UNREACHABLE);
  }
}

/** The local of r0 to r9. */
export function localOf(register: number): number {
  if (register === 0) return R0;
  return register <= 5 ? register : R6 + register - 6;
}
