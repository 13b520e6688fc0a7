import { Owner } from '../memory/index.js';

/** Hand-overs of one chunk that are kept, when memory allows. */
const DEPTH = 8;

/** Hand-overs that are kept of all chunks of a UMEM together: of many chunks fewer each. */
const KEPT = 2 ** 20;

/** A hand-over that has to do with no entry of a ring. */
export const NO_RING = -1;

/** One hand-over of a chunk. */
export interface HandOver {
  /** Who has it from then on, an `Owner`. */
  readonly owner: number;
  /** Virtual time, ns. */
  readonly tNs: number;
  /** Packet (1-based) that it carried, 0 for none. */
  readonly packetId: number;
  /** Ring of the watch on which it lies from then on, and the free-running index of its entry; `NO_RING` where it lies on none. */
  readonly ring: number;
  readonly index: number;
}

/** The last hand-overs of every chunk of a UMEM: who got it when, with which packet, and in which entry of which ring. */
export class ChunkHistory {
  /** Hand-overs that are kept of each chunk, a power of two. */
  readonly depth: number;
  /** Hand-overs of each chunk so far, also those that are forgotten. */
  readonly #count: Uint32Array;
  readonly #owner: Uint8Array;
  readonly #tNs: Float64Array;
  readonly #packetId: Int32Array;
  readonly #ring: Int32Array;
  readonly #index: Uint32Array;

  constructor(chunkCount: number) {
    let depth = DEPTH;
    while (depth > 1 && depth * chunkCount > KEPT) depth /= 2;
    this.depth = depth;
    const kept = chunkCount * depth;
    this.#count = new Uint32Array(chunkCount);
    this.#owner = new Uint8Array(kept);
    this.#tNs = new Float64Array(kept);
    this.#packetId = new Int32Array(kept);
    this.#ring = new Int32Array(kept).fill(NO_RING);
    this.#index = new Uint32Array(kept);
  }

  record(chunk: number, owner: Owner, tNs: number, packetId: number, ring: number, index: number): void {
    const at = chunk * this.depth + (this.#count[chunk]++ & (this.depth - 1));
    this.#owner[at] = owner;
    this.#tNs[at] = tNs;
    this.#packetId[at] = packetId;
    this.#ring[at] = ring;
    this.#index[at] = index;
  }

  /** It was handed over before. */
  isKnown(chunk: number): boolean {
    return this.#count[chunk] !== 0;
  }

  /** Its last hand-over put it into this entry of this ring. */
  liesAt(chunk: number, ring: number, index: number): boolean {
    const at = this.#last(chunk);
    return this.#ring[at] === ring && this.#index[at] === index;
  }

  /** Ring of its last hand-over, `NO_RING` for none. */
  ringOf(chunk: number): number {
    return this.#count[chunk] === 0 ? NO_RING : this.#ring[this.#last(chunk)];
  }

  /** Entry of `ringOf`. */
  indexOf(chunk: number): number {
    return this.#index[this.#last(chunk)];
  }

  /** Time of its last hand-over, ns; -Infinity for none. */
  lastNs(chunk: number): number {
    return this.#count[chunk] === 0 ? -Infinity : this.#tNs[this.#last(chunk)];
  }

  #last(chunk: number): number {
    return chunk * this.depth + ((this.#count[chunk] - 1) & (this.depth - 1));
  }

  /** Hand-overs that are forgotten. */
  forgotten(chunk: number): number {
    return Math.max(0, this.#count[chunk] - this.depth);
  }

  /** The hand-overs that are kept, the oldest first. */
  of(chunk: number): HandOver[] {
    const count = this.#count[chunk];
    const handOvers: HandOver[] = [];
    for (let n = this.forgotten(chunk); n < count; n++) {
      const at = chunk * this.depth + (n & (this.depth - 1));
      handOvers.push({ owner: this.#owner[at], tNs: this.#tNs[at], packetId: this.#packetId[at], ring: this.#ring[at], index: this.#index[at] });
    }
    return handOvers;
  }
}
