import type { HostMemory } from '../memory/index.js';
import type { XdpDesc } from './txDescriptor.js';
import type { Umem } from './umem.js';

/** Sums over the packets that lie on TX, by chunk: whether the application changes one that it has given away. */
export class PacketHashes {
  readonly #umem: Umem;
  readonly #memory: HostMemory;
  readonly #offBytes: Uint32Array;
  readonly #len: Uint32Array;
  readonly #hash: Uint32Array;

  constructor(umem: Umem, memory: HostMemory) {
    this.#umem = umem;
    this.#memory = memory;
    this.#offBytes = new Uint32Array(umem.chunks.count);
    this.#len = new Uint32Array(umem.chunks.count);
    this.#hash = new Uint32Array(umem.chunks.count);
  }

  /** Descriptors that go beyond the UMEM have no packet. */
  remember(chunk: number, { offBytes, len }: XdpDesc): void {
    const isInside = this.#umem.contains(offBytes) && offBytes + len <= this.#umem.sizeBytes;
    this.#offBytes[chunk] = isInside ? offBytes : 0;
    this.#len[chunk] = isInside ? Math.min(len, this.#umem.chunkSizeBytes) : 0;
    this.#hash[chunk] = this.#sum(chunk);
  }

  isSame(chunk: number): boolean {
    return this.#hash[chunk] === this.#sum(chunk);
  }

  /** FNV-1a. */
  #sum(chunk: number): number {
    const { u8 } = this.#memory;
    let hash = 0x811c9dc5;
    const start = this.#umem.address + this.#offBytes[chunk];
    for (let at = start; at < start + this.#len[chunk]; at++) hash = Math.imul(hash ^ u8[at], 0x01000193);
    return hash >>> 0;
  }
}
