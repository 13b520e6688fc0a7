import {
  VM_FAULT_ADDR_HI, VM_FAULT_ADDR_LO, VM_FAULT_CODE, VM_FAULT_IS_WRITE, VM_FAULT_SIZE,
} from '../../layout';

/** Address of the machine's state (layout.ts, VM_*). */
export let state: u32 = 0;

export function setState(address: u32): void {
  state = address;
}

/** Writes the access part of the fault record. Gives 0, the address that no access can have. */
export function refuse(code: i32, address: u64, sizeBytes: u32, isWrite: bool): u32 {
  store<i32>(state, code, VM_FAULT_CODE);
  store<u32>(state, u32(address), VM_FAULT_ADDR_LO);
  store<u32>(state, u32(address >> 32), VM_FAULT_ADDR_HI);
  store<u32>(state, sizeBytes, VM_FAULT_SIZE);
  store<u32>(state, u32(isWrite), VM_FAULT_IS_WRITE);
  return 0;
}

/** True when these bytes exist in host memory at all. */
export function isInMemory(address: u64, sizeBytes: u64): bool {
  return address <= 0xffffffff && address + sizeBytes <= u64(memory.size()) << 16;
}
