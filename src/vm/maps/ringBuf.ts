import { ENOTSUPP } from '../../base/index.js';
import { PAGE_BYTES } from '../../memory/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { AccessTable } from '../accessTable.js';
import { ACCESS_MAX_ROWS } from '../layout.js';
import type { MapSpec } from '../spec.js';
import { MAP_OP_RINGBUF } from './map.js';
import type { BpfMap, MapEntry, MapPlace } from './map.js';
import { writeMapBlock } from './mapSupport.js';
import {
  BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ, HDR_PG_OFF, LEN_MASK, RingPages, checkRing, recordBytes,
} from './ringPages.js';

// Flags of bpf_ringbuf_output, _submit and _discard (include/uapi/linux/bpf.h).
export const BPF_RB_NO_WAKEUP = 1;
export const BPF_RB_FORCE_WAKEUP = 2;

// What bpf_ringbuf_query can be asked.
export const BPF_RB_AVAIL_DATA = 0;
export const BPF_RB_RING_SIZE = 1;
export const BPF_RB_CONS_POS = 2;
export const BPF_RB_PROD_POS = 3;

/** Pages of struct bpf_ringbuf before its data: one of its own, one for each position (x86-64). */
const PAGES_BEFORE_DATA = 3;

/** Longest record (RINGBUF_MAX_RECORD_SZ). */
const RINGBUF_MAX_RECORD_SZ = 2 ** 30 - 1;

/**
 * BPF_MAP_TYPE_RINGBUF: records of any length from programs on all CPUs to one reader, in the order in which they were reserved
 * (kernel/bpf/ringbuf.c, 6.18).
 *
 *     consumer, pending <= producer      producer - consumer < size, producer - pending < size
 *
 * `pending` is the place of the oldest busy record, as the last reservation found it.
 */
export class RingBuf implements BpfMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = false;
  readonly programOps: number = MAP_OP_RINGBUF;
  readonly #pages: RingPages;
  readonly #memory: HostMemory;
  readonly #accessTable: AccessTable;
  #consumerPos = 0;
  #producerPos = 0;
  #pendingPos = 0;
  #wakeups = 0;

  constructor(spec: MapSpec, place: MapPlace) {
    checkRing(spec);
    this.spec = spec;
    this.id = place.id;
    this.#memory = place.memory;
    this.#accessTable = place.accessTable;
    this.#pages = new RingPages(place.memory, spec);
    this.blockAddress = writeMapBlock(spec, place, this.#pages.address);
  }

  /** Address of the ring, max_entries bytes. */
  get dataAddress(): number {
    return this.#pages.address;
  }

  /** Bytes that the reader has taken, headers included. */
  get consumerPos(): number {
    return this.#consumerPos;
  }

  /** Bytes that programs have reserved, headers included. */
  get producerPos(): number {
    return this.#producerPos;
  }

  /** Times that a reader would have been woken. */
  get wakeups(): number {
    return this.#wakeups;
  }

  // ── program side ──

  /** Whether one more record can be given to a program: each takes a row of the access table. */
  get canLend(): boolean {
    return this.#accessTable.count < ACCESS_MAX_ROWS;
  }

  /** Address of a new busy record, 0 when there is no room (__bpf_ringbuf_reserve). */
  reserve(sizeBytes: number): number {
    if (sizeBytes > RINGBUF_MAX_RECORD_SZ) return 0;
    const lenBytes = recordBytes(sizeBytes);
    const ringBytes = this.#pages.sizeBytes;
    if (lenBytes > ringBytes) return 0;
    this.#advancePending();
    const producerPos = this.#producerPos;
    const newProducerPos = producerPos + lenBytes;
    if (newProducerPos - this.#consumerPos >= ringBytes || newProducerPos - this.#pendingPos >= ringBytes) return 0;

    const header = this.#pages.addressOf(producerPos);
    const { view } = this.#memory;
    this.#pages.carryOver(header, lenBytes);
    view.setUint32(header, sizeBytes + BPF_RINGBUF_BUSY_BIT, true);
    view.setUint32(header + HDR_PG_OFF, PAGES_BEFORE_DATA + Math.floor((header - this.dataAddress) / PAGE_BYTES), true);
    this.#producerPos = newProducerPos;
    return header + BPF_RINGBUF_HDR_SZ;
  }

  /** Ends the time of a record that `reserve` gave (bpf_ringbuf_commit). `flags`: BPF_RB_*, others are not looked at. */
  commit(address: number, flags: number, isDiscarded: boolean): void {
    const header = address - BPF_RINGBUF_HDR_SZ;
    const { view } = this.#memory;
    const sizeBytes = view.getUint32(header, true) - BPF_RINGBUF_BUSY_BIT;
    view.setUint32(header, sizeBytes + (isDiscarded ? BPF_RINGBUF_DISCARD_BIT : 0), true);
    this.#pages.carryBack(header, recordBytes(sizeBytes));
    const isNext = this.#pages.addressOf(this.#consumerPos) === header;
    if ((flags & BPF_RB_FORCE_WAKEUP) !== 0 || (isNext && (flags & BPF_RB_NO_WAKEUP) === 0)) this.#wakeups++;
  }

  /** Lets the program read and write a record that it has reserved. */
  lend(address: number): void {
    const sizeBytes = this.#lentBytes(address);
    if (sizeBytes > 0) this.#accessTable.add({ start: address, end: address + sizeBytes, strideBytes: sizeBytes, valueBytes: sizeBytes, writable: true });
  }

  /** Takes a record away from the program, before it is committed. */
  takeBack(address: number): void {
    if (this.#lentBytes(address) > 0) this.#accessTable.remove(address);
  }

  /** bpf_ringbuf_query; 0 for a question that there isn't. */
  query(what: number): number {
    switch (what) {
      case BPF_RB_AVAIL_DATA: return this.#producerPos - this.#consumerPos;
      case BPF_RB_RING_SIZE: return this.#pages.sizeBytes;
      case BPF_RB_CONS_POS: return this.#consumerPos;
      case BPF_RB_PROD_POS: return this.#producerPos;
      default: return 0;
    }
  }

  lookup(): number {
    return 0;
  }

  update(): number {
    return -ENOTSUPP;
  }

  delete(): number {
    return -ENOTSUPP;
  }

  // ── user side ──

  /**
   * Takes out all records that are ready, oldest first, as `ring_buffer__consume` of libbpf does: discarded ones are skipped, and at one that
   * a program still holds it ends.
   *
   * @param onRecord gets each record; the bytes are host memory and only good during the call
   * @returns how many records there were
   */
  consume(onRecord: (bytes: Uint8Array) => void): number {
    const { u8, view } = this.#memory;
    let count = 0;
    while (this.#consumerPos < this.#producerPos) {
      const header = this.#pages.addressOf(this.#consumerPos);
      const len = view.getUint32(header, true);
      if (len >= BPF_RINGBUF_BUSY_BIT) break;
      const sizeBytes = len & LEN_MASK;
      const address = header + BPF_RINGBUF_HDR_SZ;
      if (len < BPF_RINGBUF_DISCARD_BIT) {
        onRecord(u8.subarray(address, address + sizeBytes));
        count++;
      }
      this.#consumerPos += recordBytes(sizeBytes);
    }
    return count;
  }

  /** The kernel has no elements here (ENOTSUPP): records are consumed. */
  lookupBytes(): Uint8Array | undefined {
    return undefined;
  }

  updateBytes(): number {
    return -ENOTSUPP;
  }

  deleteBytes(): number {
    return -ENOTSUPP;
  }

  *entries(): IterableIterator<MapEntry> {}

  #lentBytes(address: number): number {
    return this.#memory.view.getUint32(address - BPF_RINGBUF_HDR_SZ, true) & LEN_MASK;
  }

  /** Leaves behind the records that are no longer busy. */
  #advancePending(): void {
    const { view } = this.#memory;
    while (this.#pendingPos < this.#producerPos) {
      const len = view.getUint32(this.#pages.addressOf(this.#pendingPos), true);
      if (len >= BPF_RINGBUF_BUSY_BIT) break;
      this.#pendingPos += recordBytes(len & LEN_MASK);
    }
  }
}
