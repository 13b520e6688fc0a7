import type { HostMemory } from '../memory/index.js';
import { Ring } from './ring.js';

/** `options` bit of a descriptor: the packet goes on in the next descriptor. */
export const XDP_PKT_CONTD = 1;
/** `options` bit of a TX descriptor: struct xsk_tx_metadata lies before the packet. */
export const XDP_TX_METADATA = 2;

/** struct xdp_desc, as read from a ring. */
export interface XdpDesc {
  /** Offset into the UMEM, bytes; -1 stands for one beyond 32 bits. */
  addr: number;
  /** Bytes. */
  len: number;
  options: number;
}

/**
 * A ring of struct xdp_desc: what RX and TX rings are made of.
 *
 *     0 addr u64   8 len u32   12 options u32
 */
export class DescriptorRing {
  readonly ring: Ring;
  readonly #u32: Uint32Array;

  constructor(memory: HostMemory, name: string, size: number) {
    this.ring = new Ring(memory, name, size, 16);
    this.#u32 = memory.u32;
  }

  /** Adds a descriptor; false when the ring is full. */
  produce(addr: number, len: number, options: number): boolean {
    const { ring } = this;
    if (ring.isFull) return false;
    const index = ring.producer;
    const word = ring.entryAddress(index) >>> 2;
    this.#u32[word] = addr;
    this.#u32[word + 1] = 0;
    this.#u32[word + 2] = len;
    this.#u32[word + 3] = options;
    ring.producer = index + 1;
    return true;
  }

  /** Reads the oldest descriptor into `desc` without taking it; false when the ring is empty. */
  peek(desc: XdpDesc): boolean {
    const { ring } = this;
    if (ring.isEmpty) return false;
    const word = ring.entryAddress(ring.consumer) >>> 2;
    desc.addr = this.#u32[word + 1] === 0 ? this.#u32[word] : -1;
    desc.len = this.#u32[word + 2];
    desc.options = this.#u32[word + 3];
    return true;
  }

  /** Takes the oldest descriptor. */
  release(): void {
    this.ring.consumer = this.ring.consumer + 1;
  }
}
