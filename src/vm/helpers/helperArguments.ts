import type { HostMemory } from '../../memory/index.js';
import { ACCESS_IS_READ_ONLY, ACCESS_OK } from '../accessTable.js';
import type { AccessTable } from '../accessTable.js';
import {
  FAULT_CALL_UNDER_LOCK, FAULT_HELPER_ARGUMENT, MAP_ID, PROG_ID, PROG_INSNS, VM_FAULT_ADDR_HI, VM_FAULT_ADDR_LO, VM_FAULT_CODE, VM_FAULT_HELPER, VM_FAULT_IS_WRITE, VM_FAULT_REG,
  VM_FAULT_SIZE, VM_PROGRAM, VM_REGS, VM_STACK_BOTTOM, VM_STATE_BYTES, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_DATA_META,
} from '../layout.js';
import { INSN_BYTES } from '../isa/opcodes.js';
import type { BpfMap } from '../maps/map.js';
import type { LoadedProgram } from '../program.js';

/** Bound of a size argument (BPF_MAX_VAR_SIZ, include/linux/bpf_verifier.h). */
const MAX_SIZE_BYTES = 2 ** 29;

/** The parts of a machine that arguments are checked against. */
export interface HelperMachine {
  readonly memory: HostMemory;
  readonly stateAddress: number;
  readonly contextAddress: number;
  readonly accessTable: AccessTable;
  readonly maps: readonly (BpfMap | undefined)[];
  readonly programs: readonly (LoadedProgram | undefined)[];
}

/**
 * Checks what a program passes to a helper: the rules that the verifier proves at load (check_func_arg, kernel/bpf/verifier.c), here
 * at the call. Each check that fails fills in the fault record; the interpreter then stops.
 */
export class HelperArguments {
  /** Helper that is being called, for the fault record. */
  helperId = 0;
  readonly #memory: HostMemory;
  readonly #stateAddress: number;
  readonly #contextAddress: number;
  readonly #accessTable: AccessTable;
  /** All maps of the machine by id. */
  readonly #maps: readonly (BpfMap | undefined)[];
  /** All programs of the machine by id. */
  readonly #programs: readonly (LoadedProgram | undefined)[];

  constructor(machine: HelperMachine) {
    this.#memory = machine.memory;
    this.#stateAddress = machine.stateAddress;
    this.#contextAddress = machine.contextAddress;
    this.#accessTable = machine.accessTable;
    this.#maps = machine.maps;
    this.#programs = machine.programs;
  }

  /** Upper half of r1..r5. */
  upperHalf(register: number): number {
    return this.#memory.u32[(this.#stateAddress + VM_REGS + register * 8 + 4) >>> 2];
  }

  /** The register holds the program's context. */
  isContext(register: number): boolean {
    if (this.#low(register) === this.#contextAddress && this.upperHalf(register) === 0) return true;
    return this.refuse(register, 0, false);
  }

  /** The map that the register points to, if a program may do all of `ops` (MAP_OP_*) to it; else `undefined`. */
  map(register: number, ops: number): BpfMap | undefined {
    const address = this.#low(register);
    // A stray pointer can show any number as the id, but then the map of that id has its block elsewhere.
    const map = this.#maps[this.#memory.u32[(address + MAP_ID) >>> 2] ?? 0];
    if (map !== undefined && map.blockAddress === address && this.upperHalf(register) === 0 && (map.programOps & ops) === ops) return map;
    this.refuse(register, 0, false);
    return undefined;
  }

  /** Index of the first instruction of the function whose address the register holds, if the running program has it; else -1. */
  functionIndex(register: number): number {
    const { view } = this.#memory;
    const block = view.getUint32(this.#stateAddress + VM_PROGRAM, true);
    const program = this.#programs[view.getUint32(block + PROG_ID, true)];
    const insnIndex = (this.#low(register) - view.getUint32(block + PROG_INSNS, true)) / INSN_BYTES;
    if (this.upperHalf(register) === 0 && program?.spec.functions.some((fn) => fn.insnIndex === insnIndex)) return insnIndex;
    this.refuse(register, 0, false);
    return -1;
  }

  /** The register points to the bpf_spin_lock of a map value. */
  isSpinLock(register: number): boolean {
    if (this.upperHalf(register) === 0 && this.#accessTable.isSpinLock(this.#low(register))) return true;
    return this.refuse(register, 0, false);
  }

  /** The register holds a size: 1 (`orZero`: 0) to 2^29 - 1. */
  isSize(register: number, orZero: boolean): boolean {
    const size = this.#low(register);
    if (this.upperHalf(register) === 0 && size < MAX_SIZE_BYTES && (orZero || size > 0)) return true;
    return this.refuse(register, size, false);
  }

  /** The register points to `sizeBytes` (1 or more) that the program may read or write: in its stack, its packet or one map value. */
  isMemory(register: number, sizeBytes: number, isWrite: boolean): boolean {
    const address = this.#low(register);
    if (this.upperHalf(register) === 0 && this.#mayTouch(address, sizeBytes, isWrite)) return true;
    return this.refuse(register, sizeBytes, isWrite);
  }

  /** The register points to `sizeBytes` of stack, at a multiple of 8: the place of an iterator, a dynptr, saved interrupt flags. */
  isStack(register: number, sizeBytes: number): boolean {
    const address = this.#low(register);
    const state = this.#stateAddress;
    const bottom = this.#memory.u32[(state + VM_STACK_BOTTOM) >>> 2];
    if (this.upperHalf(register) === 0 && address >= bottom && address + sizeBytes <= state + VM_STATE_BYTES && address % 8 === 0) return true;
    return this.refuse(register, sizeBytes, true);
  }

  /**
   * Length of the string that the register points to, which has to lie with its NUL in read-only global data (check_arg_const_str,
   * kernel/bpf/verifier.c, 6.18); else -1.
   */
  constStringBytes(register: number): number {
    const address = this.#low(register);
    if (this.upperHalf(register) === 0 && this.#accessTable.check(address, 1, true) === ACCESS_IS_READ_ONLY) {
      const { u8 } = this.#memory;
      const end = address + this.#accessTable.bytesLeft(address);
      for (let at = address; at < end; at++) if (u8[at] === 0) return at - address;
    }
    this.refuse(register, 0, false);
    return -1;
  }

  /** Bytes that the program may read from `address` on: to the end of its stack, packet or map value; 0 when it may read none. */
  readableBytes(address: number): number {
    const { u32 } = this.#memory;
    const stackEnd = this.#stateAddress + VM_STATE_BYTES;
    if (address >= u32[(this.#stateAddress + VM_STACK_BOTTOM) >>> 2] && address < stackEnd) return stackEnd - address;
    const context = this.#contextAddress >>> 2;
    const packetEnd = u32[context + (XDP_MD_DATA_END >> 2)];
    if (address >= this.#packetStart() && address < packetEnd) return packetEnd - address;
    return this.#accessTable.bytesLeft(address);
  }

  /** Reports a call between bpf_spin_lock and bpf_spin_unlock. */
  refuseUnderLock(lockAddress: number): void {
    this.refuse(0, 0, false);
    const { view } = this.#memory;
    view.setUint32(this.#stateAddress + VM_FAULT_CODE, FAULT_CALL_UNDER_LOCK, true);
    view.setUint32(this.#stateAddress + VM_FAULT_ADDR_LO, lockAddress, true);
    view.setUint32(this.#stateAddress + VM_FAULT_ADDR_HI, 0, true);
  }

  /** Reports an argument that the verifier would have refused. Always false. */
  refuse(register: number, sizeBytes: number, isWrite: boolean): false {
    const { view } = this.#memory;
    const state = this.#stateAddress;
    view.setUint32(state + VM_FAULT_CODE, FAULT_HELPER_ARGUMENT, true);
    view.setUint32(state + VM_FAULT_ADDR_LO, this.#low(register), true);
    view.setUint32(state + VM_FAULT_ADDR_HI, this.upperHalf(register), true);
    view.setUint32(state + VM_FAULT_SIZE, sizeBytes, true);
    view.setUint32(state + VM_FAULT_IS_WRITE, isWrite ? 1 : 0, true);
    view.setUint32(state + VM_FAULT_REG, register, true);
    view.setUint32(state + VM_FAULT_HELPER, this.helperId, true);
    return false;
  }

  #low(register: number): number {
    return this.#memory.u32[(this.#stateAddress + VM_REGS + register * 8) >>> 2];
  }

  /** First byte of packet or metadata. Without room for metadata data_meta is data + 1. */
  #packetStart(): number {
    const { u32 } = this.#memory;
    const context = this.#contextAddress >>> 2;
    return Math.min(u32[context + (XDP_MD_DATA >> 2)], u32[context + (XDP_MD_DATA_META >> 2)]);
  }

  #mayTouch(address: number, sizeBytes: number, isWrite: boolean): boolean {
    const { u32 } = this.#memory;
    const state = this.#stateAddress;
    const end = address + sizeBytes;
    if (address >= u32[(state + VM_STACK_BOTTOM) >>> 2] && end <= state + VM_STATE_BYTES) return true;
    if (address >= this.#packetStart() && end <= u32[(this.#contextAddress + XDP_MD_DATA_END) >>> 2]) return true;
    return this.#accessTable.check(address, sizeBytes, isWrite) === ACCESS_OK;
  }
}
