// Atomic operations (RFC 9669 section 5.3) and the kernel's load-acquire and store-release. One thread runs
// a program here, so plain loads and stores are atomic.

import { FAULT_INSTRUCTION, FAULT_NONE, VM_FAULT_CODE } from '../../layout';
import {
  BPF_ADD, BPF_AND, BPF_CMPXCHG, BPF_DW, BPF_FETCH, BPF_H, BPF_LOAD_ACQ, BPF_OR, BPF_SIZE_MASK, BPF_STORE_REL,
  BPF_W, BPF_XCHG, BPF_XOR,
} from '../../isa/opcodes';
import { ATOMIC, READ, WRITE, access } from './access';
import { state } from './state';

/**
 * One instruction of mode ATOMIC.
 *
 * @param dst address of the destination register
 * @param src address of the source register
 * @returns fault code
 */
export function runAtomic(opcode: u32, imm: i32, dst: u32, src: u32, off: i32): i32 {
  const size = opcode & BPF_SIZE_MASK;
  if (imm == BPF_LOAD_ACQ) return loadAcquire(size, load<u64>(src) + u64(off), dst);
  const address = load<u64>(dst) + u64(off);
  if (imm == BPF_STORE_REL) return storeRelease(size, address, load<u64>(src));
  if (size == BPF_DW) return modify64(address, imm, src);
  return size == BPF_W ? modify32(address, imm, src) : FAULT_INSTRUCTION;
}

function faultCode(): i32 {
  return load<i32>(state, VM_FAULT_CODE);
}

function loadAcquire(size: u32, from: u64, dst: u32): i32 {
  const address = access(from, sizeBytes(size), READ | ATOMIC);
  if (address == 0) return faultCode();
  let value: u64;
  if (size == BPF_DW) value = load<u64>(address);
  else if (size == BPF_W) value = load<u32>(address);
  else if (size == BPF_H) value = load<u16>(address);
  else value = load<u8>(address);
  store<u64>(dst, value);
  return FAULT_NONE;
}

function storeRelease(size: u32, to: u64, value: u64): i32 {
  const address = access(to, sizeBytes(size), WRITE | ATOMIC);
  if (address == 0) return faultCode();
  if (size == BPF_DW) store<u64>(address, value);
  else if (size == BPF_W) store<u32>(address, u32(value));
  else if (size == BPF_H) store<u16>(address, u16(value));
  else store<u8>(address, u8(value));
  return FAULT_NONE;
}

function sizeBytes(size: u32): u32 {
  if (size == BPF_DW) return 8;
  if (size == BPF_W) return 4;
  return size == BPF_H ? 2 : 1;
}

function isModify(imm: i32): bool {
  if (imm == BPF_XCHG || imm == BPF_CMPXCHG) return true;
  const operation = imm & ~BPF_FETCH;
  return operation == BPF_ADD || operation == BPF_OR || operation == BPF_AND || operation == BPF_XOR;
}

function modify64(to: u64, imm: i32, src: u32): i32 {
  if (!isModify(imm)) return FAULT_INSTRUCTION;
  const address = access(to, 8, WRITE | ATOMIC);
  if (address == 0) return faultCode();
  const old = load<u64>(address);
  const operand = load<u64>(src);
  if (imm == BPF_CMPXCHG) {
    // r0 is the first register of the state.
    if (old == load<u64>(state)) store<u64>(address, operand);
    store<u64>(state, old);
    return FAULT_NONE;
  }
  let value: u64;
  const operation = imm & ~BPF_FETCH;
  if (operation == BPF_ADD) value = old + operand;
  else if (operation == BPF_OR) value = old | operand;
  else if (operation == BPF_AND) value = old & operand;
  else if (operation == BPF_XOR) value = old ^ operand;
  else value = operand;
  store<u64>(address, value);
  if ((imm & BPF_FETCH) != 0) store<u64>(src, old);
  return FAULT_NONE;
}

/** As `modify64`; what comes back into a register is zero-extended, after a cmpxchg that missed as well as after one that hit. */
function modify32(to: u64, imm: i32, src: u32): i32 {
  if (!isModify(imm)) return FAULT_INSTRUCTION;
  const address = access(to, 4, WRITE | ATOMIC);
  if (address == 0) return faultCode();
  const old = load<u32>(address);
  const operand = load<u32>(src);
  if (imm == BPF_CMPXCHG) {
    if (old == load<u32>(state)) store<u32>(address, operand);
    store<u64>(state, u64(old));
    return FAULT_NONE;
  }
  let value: u32;
  const operation = imm & ~BPF_FETCH;
  if (operation == BPF_ADD) value = old + operand;
  else if (operation == BPF_OR) value = old | operand;
  else if (operation == BPF_AND) value = old & operand;
  else if (operation == BPF_XOR) value = old ^ operand;
  else value = operand;
  store<u32>(address, value);
  if ((imm & BPF_FETCH) != 0) store<u64>(src, u64(old));
  return FAULT_NONE;
}
