import { EINVAL } from '../../base/index.js';
import { PAGE_BYTES } from '../../memory/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { MapSpec } from '../spec.js';
import { BPF_F_NUMA_NODE } from './map.js';
import { checkFlags, refuseMap, roundUp8 } from './mapSupport.js';

// ── header of a record, at a multiple of 8 (include/uapi/linux/bpf.h, kernel/bpf/ringbuf.c; 6.18) ──
//
//     0  31 BUSY | 30 DISCARD | 29..0 length of the record without this header
//     4  of a RINGBUF: pages from the start of struct bpf_ringbuf to this header, by which the kernel finds the ring of a record
//     8  the record, filled up to a multiple of 8
export const BPF_RINGBUF_HDR_SZ = 8;
export const HDR_PG_OFF = 4;
export const BPF_RINGBUF_BUSY_BIT = 2 ** 31;
export const BPF_RINGBUF_DISCARD_BIT = 2 ** 30;
export const LEN_MASK = BPF_RINGBUF_DISCARD_BIT - 1;

/** Bytes that a record takes in its ring. */
export function recordBytes(sizeBytes: number): number {
  return roundUp8(sizeBytes + BPF_RINGBUF_HDR_SZ);
}

/**
 * The data pages of a RINGBUF or USER_RINGBUF. Positions only grow; modulo the size they are places in the ring.
 *
 * The kernel maps the pages twice in a row, so that a record which passes the end goes on at the beginning and is one piece of memory all
 * the same. Here the second half is real memory too: what of a record lies there is carried over from the beginning before somebody uses
 * the record, and back afterwards.
 */
export class RingPages {
  /** Address of the ring, `sizeBytes` and as many again. */
  readonly address: number;
  readonly sizeBytes: number;
  readonly #memory: HostMemory;

  constructor(memory: HostMemory, spec: MapSpec) {
    this.#memory = memory;
    this.sizeBytes = spec.maxEntries;
    this.address = memory.reserve(`map ${spec.name}`, 2 * spec.maxEntries);
  }

  addressOf(pos: number): number {
    return this.address + (pos % this.sizeBytes);
  }

  /** Brings what of this record, header included, lies beyond the end. */
  carryOver(header: number, lenBytes: number): void {
    this.#carry(header, lenBytes, this.address, this.address + this.sizeBytes);
  }

  /** Puts it back. */
  carryBack(header: number, lenBytes: number): void {
    this.#carry(header, lenBytes, this.address + this.sizeBytes, this.address);
  }

  #carry(header: number, lenBytes: number, from: number, to: number): void {
    const beyondBytes = header + lenBytes - (this.address + this.sizeBytes);
    if (beyondBytes > 0) this.#memory.u8.copyWithin(to, from, from + beyondBytes);
  }
}

/** ringbuf_map_alloc. */
export function checkRing(spec: MapSpec): void {
  checkFlags(spec, EINVAL, BPF_F_NUMA_NODE);
  if (spec.keySize !== 0 || spec.valueSize !== 0) {
    refuseMap(spec, EINVAL, `key_size is ${spec.keySize} and value_size ${spec.valueSize}, and a ring has neither`, 'leave out key and value');
  }
  const { maxEntries } = spec;
  if (maxEntries === 0 || (maxEntries & (maxEntries - 1)) !== 0 || maxEntries % PAGE_BYTES !== 0) {
    refuseMap(spec, EINVAL, `max_entries is ${maxEntries}, and a ring has a power of two of bytes, in whole pages`, `give max_entries in bytes: ${PAGE_BYTES}, ${2 * PAGE_BYTES}, ${4 * PAGE_BYTES}, ...`);
  }
}
