import type { HostMemory } from '../memory/index.js';
import { FAULT_REFERENCE_LEAK, PROG_ID, VM_FAULT_ADDR_HI, VM_FAULT_ADDR_LO, VM_FAULT_CODE, VM_FAULT_HELPER, VM_FAULT_IS_WRITE, VM_FAULT_PC, VM_FAULT_PROGRAM, VM_FAULT_REG, VM_FAULT_SIZE, VM_PC, VM_PROGRAM } from './layout.js';

/** Kind of a held bpf_spin_lock. */
export const SPIN_LOCK = 'bpf_spin_lock';

/** Something that a running program holds and has to give back before it ends. */
export interface Reference {
  /** What it is, for messages and so that each kind goes back by its own helper: `socket`, `ring buffer record`, ... */
  readonly kind: string;
  /** What the program has in its register. */
  readonly address: number;
  /** Puts things right when the run ends without giving it back. */
  readonly drop: () => void;
}

/**
 * The references that a run has acquired (acquire_reference, check_reference_leak; kernel/bpf/verifier.c, 6.18). The verifier proves that a
 * program gives all of them back on every path; here a run that doesn't ends with FAULT_REFERENCE_LEAK.
 */
export class References {
  readonly #held: Reference[] = [];

  get count(): number {
    return this.#held.length;
  }

  /** What is held, oldest first. */
  get held(): readonly Reference[] {
    return this.#held;
  }

  /** The lock that is held; there is one at most. */
  get spinLock(): Reference | undefined {
    return this.#held.find(({ kind }) => kind === SPIN_LOCK);
  }

  acquire(reference: Reference): void {
    this.#held.push(reference);
  }

  /** The reference of this kind at this address, if the program holds it. */
  find(kind: string, address: number): Reference | undefined {
    return this.#held.find((reference) => reference.kind === kind && reference.address === address);
  }

  /** Takes a reference back; false when the program doesn't hold it. Doesn't call `drop`. */
  release(kind: string, address: number): boolean {
    const index = this.#held.findIndex((reference) => reference.kind === kind && reference.address === address);
    if (index < 0) return false;
    this.#held.splice(index, 1);
    return true;
  }

  /** Puts right what a run left behind. */
  dropAll(): void {
    for (let reference = this.#held.pop(); reference !== undefined; reference = this.#held.pop()) reference.drop();
  }

  /** Fills in the fault record for the newest reference that the program, which has just ended, still holds. */
  recordLeak(memory: HostMemory, stateAddress: number): number {
    const { view } = memory;
    const set = (field: number, value: number): void => view.setUint32(stateAddress + field, value, true);
    const get = (field: number): number => view.getUint32(stateAddress + field, true);
    set(VM_FAULT_CODE, FAULT_REFERENCE_LEAK);
    set(VM_FAULT_PC, get(VM_PC));
    set(VM_FAULT_PROGRAM, view.getUint32(get(VM_PROGRAM) + PROG_ID, true));
    set(VM_FAULT_ADDR_LO, this.#held[this.#held.length - 1]!.address);
    set(VM_FAULT_ADDR_HI, 0);
    for (const field of [VM_FAULT_SIZE, VM_FAULT_IS_WRITE, VM_FAULT_REG, VM_FAULT_HELPER]) set(field, 0);
    return FAULT_REFERENCE_LEAK;
  }
}
