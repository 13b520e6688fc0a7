import type { Owner } from '../memory/index.js';

/** Hand-overs of one chunk that are kept, when memory allows. */
const DEPTH = 8;

/** Hand-overs that are kept of all chunks of a UMEM together: of many chunks fewer each. */
const KEPT = 2 ** 20;

/** A hand-over that has to do with no entry of a ring. */
export const NO_RING = -1;

// A record, besides its time.
const OWNER = 0;
const PACKET = 1;
const RING = 2;
const INDEX = 3;
const WORDS = 4;

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
  readonly #tNs: Float64Array;
  /** Owner, packet, ring and index, side by side: each hand-over costs two lines of the cache. */
  readonly #words: Int32Array;

  constructor(chunkCount: number) {
    let depth = DEPTH;
    while (depth > 1 && depth * chunkCount > KEPT) depth /= 2;
    this.depth = depth;
    this.#count = new Uint32Array(chunkCount);
    this.#tNs = new Float64Array(chunkCount * depth);
    this.#words = new Int32Array(chunkCount * depth * WORDS).fill(NO_RING);
  }

  record(chunk: number, owner: Owner, tNs: number, packetId: number, ring: number, index: number): void {
    const at = chunk * this.depth + (this.#count[chunk]++ & (this.depth - 1));
    this.#tNs[at] = tNs;
    const word = at * WORDS;
    this.#words[word + OWNER] = owner;
    this.#words[word + PACKET] = packetId;
    this.#words[word + RING] = ring;
    this.#words[word + INDEX] = index;
  }

  /** It was handed over before. */
  isKnown(chunk: number): boolean {
    return this.#count[chunk] !== 0;
  }

  /** Its last hand-over put it into this entry of this ring. */
  liesAt(chunk: number, ring: number, index: number): boolean {
    const word = this.#last(chunk) * WORDS;
    return this.#words[word + RING] === ring && this.#words[word + INDEX] >>> 0 === index;
  }

  /** Ring of its last hand-over, `NO_RING` for none. */
  ringOf(chunk: number): number {
    return this.#count[chunk] === 0 ? NO_RING : this.#words[this.#last(chunk) * WORDS + RING];
  }

  /** Entry of `ringOf`. */
  indexOf(chunk: number): number {
    return this.#words[this.#last(chunk) * WORDS + INDEX] >>> 0;
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
      const [owner, packetId, ring, index] = this.#words.subarray(at * WORDS, (at + 1) * WORDS);
      handOvers.push({ owner, tNs: this.#tNs[at], packetId, ring, index: index >>> 0 });
    }
    return handOvers;
  }
}
