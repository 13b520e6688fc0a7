import { ProblemError } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import {
  ACCESS_END, ACCESS_FLAGS, ACCESS_MAX_ROWS, ACCESS_ROW_BYTES, ACCESS_START, ACCESS_STRIDE, ACCESS_VALUE_BYTES, ACCESS_WRITABLE,
  VM_ACCESS_COUNT, VM_ACCESS_TABLE,
} from './layout.js';

/** Values of one map: what one row of the access table allows. */
export interface AccessRow {
  /** Address of the first value. */
  readonly start: number;
  /** First byte behind the last value's stride. */
  readonly end: number;
  readonly strideBytes: number;
  readonly valueBytes: number;
  readonly writable: boolean;
  /** Offset of the bpf_spin_lock in each value; left out: there is none. */
  readonly spinLockOffBytes?: number | undefined;
}

/** What `check` found. */
export const ACCESS_OK = 0;
export const ACCESS_DENIED = 1;
export const ACCESS_IS_READ_ONLY = 2;

/**
 * What a program may touch besides context, stack and packet: the values of its maps (layout.ts, ACCESS_*).
 *
 * The interpreter reads the same rows from host memory; `check` is the same rule for helpers.
 */
export class AccessTable {
  readonly #memory: HostMemory;
  readonly #stateAddress: number;
  readonly #tableAddress: number;
  /** Offset of the bpf_spin_lock in the values of a row, by the row's start. */
  readonly #spinLocks = new Map<number, number>();
  #count = 0;
  /** Starts of the rows that go when the run ends. */
  readonly #lent: number[] = [];

  constructor(memory: HostMemory, stateAddress: number) {
    this.#memory = memory;
    this.#stateAddress = stateAddress;
    this.#tableAddress = memory.reserve('access table', ACCESS_MAX_ROWS * ACCESS_ROW_BYTES);
    memory.view.setUint32(stateAddress + VM_ACCESS_TABLE, this.#tableAddress, true);
    this.truncate(0);
  }

  get count(): number {
    return this.#count;
  }

  /**
   * Adds a row; rows stay sorted by start.
   *
   * @throws ProblemError `too-many-maps` when the table is full
   */
  add(row: AccessRow): void {
    if (this.#count === ACCESS_MAX_ROWS) {
      throw new ProblemError({ code: 'too-many-maps', message: `more than ${ACCESS_MAX_ROWS} maps in one virtual machine`, hint: 'load fewer objects' });
    }
    const { u8, view } = this.#memory;
    const index = this.#rowAbove(row.start);
    const at = this.#tableAddress + index * ACCESS_ROW_BYTES;
    u8.copyWithin(at + ACCESS_ROW_BYTES, at, this.#tableAddress + this.#count * ACCESS_ROW_BYTES);
    view.setUint32(at + ACCESS_START, row.start, true);
    view.setUint32(at + ACCESS_END, row.end, true);
    view.setUint32(at + ACCESS_STRIDE, row.strideBytes, true);
    view.setUint32(at + ACCESS_VALUE_BYTES, row.valueBytes, true);
    view.setUint32(at + ACCESS_FLAGS, row.writable ? ACCESS_WRITABLE : 0, true);
    if (row.spinLockOffBytes === undefined) this.#spinLocks.delete(row.start);
    else this.#spinLocks.set(row.start, row.spinLockOffBytes);
    this.#setCount(this.#count + 1);
  }

  /** Takes away the row that starts here: memory that a program may touch for a while only. */
  remove(start: number): void {
    const index = this.#rowAbove(start) - 1;
    const { u8, u32 } = this.#memory;
    const at = this.#tableAddress + index * ACCESS_ROW_BYTES;
    if (index < 0 || u32[(at + ACCESS_START) >>> 2] !== start) throw new RangeError(`AccessTable: no row starts at ${start}`);
    u8.copyWithin(at, at + ACCESS_ROW_BYTES, this.#tableAddress + this.#count * ACCESS_ROW_BYTES);
    this.#setCount(this.#count - 1);
  }

  /** Adds a row until the run ends. */
  lend(row: AccessRow): void {
    this.add(row);
    this.#lent.push(row.start);
  }

  /** The run is over: takes away what was lent. */
  endLoans(): void {
    while (this.#lent.length > 0) this.remove(this.#lent.pop()!);
  }

  /** Forgets all rows but the `count` lowest: undoes a load that failed, as memory is handed out upwards. */
  truncate(count: number): void {
    this.#setCount(count);
  }

  /** Whether a program may touch `sizeBytes` (1 or more) at `address`. */
  check(address: number, sizeBytes: number, isWrite: boolean): number {
    const index = this.#rowAbove(address) - 1;
    if (index < 0) return ACCESS_DENIED;
    const { u32 } = this.#memory;
    const row = (this.#tableAddress + index * ACCESS_ROW_BYTES) >>> 2;
    if (address >= u32[row + (ACCESS_END >> 2)]) return ACCESS_DENIED;
    const offBytes = (address - u32[row + (ACCESS_START >> 2)]) % u32[row + (ACCESS_STRIDE >> 2)];
    if (offBytes + sizeBytes > u32[row + (ACCESS_VALUE_BYTES >> 2)]) return ACCESS_DENIED;
    if (isWrite && (u32[row + (ACCESS_FLAGS >> 2)] & ACCESS_WRITABLE) === 0) return ACCESS_IS_READ_ONLY;
    return ACCESS_OK;
  }

  /** Bytes from `address` to the end of the value that it lies in, 0 when it lies in none. */
  bytesLeft(address: number): number {
    const index = this.#rowAbove(address) - 1;
    if (index < 0) return 0;
    const { u32 } = this.#memory;
    const row = (this.#tableAddress + index * ACCESS_ROW_BYTES) >>> 2;
    if (address >= u32[row + (ACCESS_END >> 2)]) return 0;
    const offBytes = (address - u32[row + (ACCESS_START >> 2)]) % u32[row + (ACCESS_STRIDE >> 2)];
    return Math.max(0, u32[row + (ACCESS_VALUE_BYTES >> 2)] - offBytes);
  }

  /** Whether a bpf_spin_lock lies at `address`. */
  isSpinLock(address: number): boolean {
    const index = this.#rowAbove(address) - 1;
    if (index < 0) return false;
    const { u32 } = this.#memory;
    const row = (this.#tableAddress + index * ACCESS_ROW_BYTES) >>> 2;
    const start = u32[row + (ACCESS_START >> 2)];
    return address < u32[row + (ACCESS_END >> 2)] && (address - start) % u32[row + (ACCESS_STRIDE >> 2)] === this.#spinLocks.get(start);
  }

  #setCount(count: number): void {
    this.#count = count;
    this.#memory.view.setUint32(this.#stateAddress + VM_ACCESS_COUNT, count, true);
  }

  /** Index of the first row that starts above `address`. */
  #rowAbove(address: number): number {
    const { u32 } = this.#memory;
    const table = this.#tableAddress >>> 2;
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (u32[table + middle * (ACCESS_ROW_BYTES >> 2)] <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
