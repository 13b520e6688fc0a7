import { E2BIG, EAGAIN, EINVAL, ENODATA, ENOSPC, ENOTSUPP } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import { DYNPTR_MAX_SIZE } from '../dynptrs.js';
import type { MapSpec } from '../spec.js';
import { MAP_OP_USER_RINGBUF } from './map.js';
import type { BpfMap, MapEntry, MapPlace } from './map.js';
import { writeMapBlock } from './mapSupport.js';
import { BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ, LEN_MASK, RingPages, checkRing, recordBytes } from './ringPages.js';

/** A sample that a program may look at. */
export interface UserSample {
  readonly address: number;
  readonly sizeBytes: number;
}

/**
 * BPF_MAP_TYPE_USER_RINGBUF: samples from user space to programs (kernel/bpf/ringbuf.c, 6.18). User space owns the producer's position and
 * the samples with their headers, so a program's side takes nothing for granted.
 */
export class UserRingBuf implements BpfMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = false;
  readonly programOps: number = MAP_OP_USER_RINGBUF;
  /** Somebody drains it: nobody else can. */
  isBusy = false;
  /** Bytes that user space has produced, headers included; it may set this to anything. */
  producerPos = 0;
  readonly #memory: HostMemory;
  readonly #pages: RingPages;
  #consumerPos = 0;

  constructor(spec: MapSpec, place: MapPlace) {
    checkRing(spec);
    this.spec = spec;
    this.id = place.id;
    this.#memory = place.memory;
    this.#pages = new RingPages(place.memory, spec);
    this.blockAddress = writeMapBlock(spec, place, this.#pages.address);
  }

  /** Address of the ring, max_entries bytes. */
  get dataAddress(): number {
    return this.#pages.address;
  }

  /** Bytes that programs have taken, headers included. */
  get consumerPos(): number {
    return this.#consumerPos;
  }

  // ── program side ──

  /**
   * The next sample (__bpf_user_ringbuf_peek), or a negated errno: -ENODATA for none, -EAGAIN for a discarded one that has been skipped,
   * -EINVAL and -E2BIG for what user space did wrong.
   */
  peek(): UserSample | number {
    const { producerPos } = this;
    if (producerPos % 8 !== 0) return -EINVAL;
    if (this.#consumerPos >= producerPos) return -ENODATA;
    const header = this.#pages.addressOf(this.#consumerPos);
    const len = this.#memory.view.getUint32(header, true);
    const sizeBytes = len & LEN_MASK;
    const lenBytes = recordBytes(sizeBytes);
    if (lenBytes > producerPos - this.#consumerPos) return -EINVAL;
    if (lenBytes > this.#pages.sizeBytes || sizeBytes > DYNPTR_MAX_SIZE) return -E2BIG;
    const flags = len - sizeBytes;
    if (flags === BPF_RINGBUF_DISCARD_BIT || flags === BPF_RINGBUF_DISCARD_BIT + BPF_RINGBUF_BUSY_BIT) {
      this.#consumerPos += lenBytes;
      return -EAGAIN;
    }
    if (flags === BPF_RINGBUF_BUSY_BIT) return -ENODATA;
    this.#pages.carryOver(header, lenBytes);
    return { address: header + BPF_RINGBUF_HDR_SZ, sizeBytes };
  }

  /** Done with the sample that `peek` gave. */
  release({ address, sizeBytes }: UserSample): void {
    this.#pages.carryBack(address - BPF_RINGBUF_HDR_SZ, recordBytes(sizeBytes));
    this.#consumerPos += recordBytes(sizeBytes);
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

  /** Puts a sample into the ring, as user_ring_buffer__reserve and __submit of libbpf do. 0, -ENOSPC for no room, -E2BIG for more than a ring. */
  produce(bytes: Uint8Array): number {
    const { sizeBytes: ringBytes } = this.#pages;
    const lenBytes = recordBytes(bytes.length);
    if (lenBytes > ringBytes) return -E2BIG;
    if (lenBytes > ringBytes - (this.producerPos - this.#consumerPos)) return -ENOSPC;
    const header = this.#pages.addressOf(this.producerPos);
    this.#pages.carryOver(header, lenBytes);
    this.#memory.view.setUint32(header, bytes.length, true);
    this.#memory.view.setUint32(header + 4, 0, true);
    this.#memory.u8.set(bytes, header + BPF_RINGBUF_HDR_SZ);
    this.#pages.carryBack(header, lenBytes);
    this.producerPos += lenBytes;
    return 0;
  }

  /** The kernel has no elements here (ENOTSUPP). */
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
}
