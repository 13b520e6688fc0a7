import type { HostMemory } from '../memory/index.js';
import type { Reference } from './references.js';

/** struct bpf_dynptr (include/uapi/linux/bpf.h): what stands on the program's stack. */
export const DYNPTR_BYTES = 16;

/** Most bytes that a dynptr can stand for (DYNPTR_MAX_SIZE, include/linux/bpf.h). */
export const DYNPTR_MAX_SIZE = 2 ** 24 - 1;

// enum bpf_dynptr_type (include/linux/bpf.h).
export const DYNPTR_INVALID = 0;
export const DYNPTR_LOCAL = 1;
export const DYNPTR_RINGBUF = 2;
export const DYNPTR_XDP = 4;

const TYPE_SHIFT = 28;

/** What a dynptr stands for. */
export interface Dynptr {
  /** DYNPTR_*. */
  readonly type: number;
  /** Address of the memory, or of the context; 0 for a null dynptr, which is what an error leaves. */
  readonly dataAddress: number;
  readonly sizeBytes: number;
  /** Where it begins in that memory or packet. */
  readonly offBytes: number;
  /** What has to be given back with it; its clones have the same. */
  readonly reference: Reference | undefined;
}

/** A null dynptr (bpf_dynptr_set_null). */
export const NULL_DYNPTR: Dynptr = { type: DYNPTR_INVALID, dataAddress: 0, sizeBytes: 0, offBytes: 0, reference: undefined };

/**
 * The dynptrs of a run (struct bpf_dynptr_kern, include/linux/bpf.h, 6.18), by their addresses:
 *
 *     0 data (u64)   8 size (24 bits) | type << 28 | read-only << 31   12 offset
 *
 * The bytes on the stack are a copy that says what a kernel's says. A program that writes over them has no dynptr any more, as by the
 * verifier, and bytes that it makes up itself are none.
 */
export class Dynptrs {
  readonly #u32: Uint32Array;
  readonly #live = new Map<number, Dynptr>();
  /** Asked after every run, and a flag is faster to read than the size of a Map. */
  #isUsed = false;

  constructor(memory: HostMemory) {
    this.#u32 = memory.u32;
  }

  /** Makes (or replaces) a dynptr at this address, a multiple of 8. */
  set(address: number, dynptr: Dynptr): void {
    this.#isUsed = true;
    this.#live.set(address, dynptr);
    const at = address >>> 2;
    this.#u32[at] = dynptr.dataAddress;
    this.#u32[at + 1] = 0;
    this.#u32[at + 2] = sizeWord(dynptr);
    this.#u32[at + 3] = dynptr.offBytes;
  }

  /** The dynptr at this address, if one was made there and nobody has written over it. */
  at(address: number): Dynptr | undefined {
    const dynptr = this.#live.get(address);
    if (dynptr === undefined) return undefined;
    const at = address >>> 2;
    const isIntact =
      this.#u32[at] === dynptr.dataAddress && this.#u32[at + 1] === 0 && this.#u32[at + 2] === sizeWord(dynptr) && this.#u32[at + 3] === dynptr.offBytes;
    return isIntact ? dynptr : undefined;
  }

  /** A dynptr that has to be given back touches these 16 bytes, so nothing else can be put there. */
  isHeldAt(address: number): boolean {
    for (let at = address - DYNPTR_BYTES + 8; at < address + DYNPTR_BYTES; at += 8) if (this.at(at)?.reference !== undefined) return true;
    return false;
  }

  /** Ends all dynptrs of what has been given back. */
  end(reference: Reference): void {
    for (const [address, dynptr] of this.#live) if (dynptr.reference === reference) this.#live.delete(address);
  }

  /** Forgets all: the run is over. */
  clear(): void {
    if (!this.#isUsed) return;
    this.#live.clear();
    this.#isUsed = false;
  }
}

function sizeWord({ type, sizeBytes }: Dynptr): number {
  return ((type << TYPE_SHIFT) | sizeBytes) >>> 0;
}
