import { ProblemError, hex } from '../base/index.js';

/** x86-64 page size, bytes. Pages are the unit of DMA mapping, of page_pool and of UMEM registration. */
export const PAGE_BYTES = 4096;

/** Start of the page that holds an address. */
export function pageOf(address: number): number {
  return address - (address & (PAGE_BYTES - 1));
}

/** The first 64 KiB are never handed out, so a NULL pointer plus any small offset points at nothing. */
const FIRST_ADDRESS = 65536;

const WASM_PAGE_BYTES = 65536;

/** Memory is looked through for bytes that are set in pieces of this size and smaller ones; so many zeros stay in the CPU's cache. */
const ZEROS = new Uint8Array(16384);
const MIB = 2 ** 20;
const DEFAULT_SIZE_MIB = 1024;
/** What a 32-bit address can reach, less the last MiB, so that an address plus a length never wraps. */
const MAX_SIZE_MIB = 4095;

/** A named stretch of host memory; the name is for people who read a fault. */
export interface Region {
  readonly name: string;
  readonly start: number;
  readonly sizeBytes: number;
}

/**
 * Everything that a program, a device or an application can address, in one WebAssembly.Memory.
 *
 * An address is a byte offset into it. It is reserved at its full size when it is made and never grows, so the views stay
 * valid for ever; the operating system gives a page only when it is written to. So a large region costs nothing as long as nobody
 * fills it, zeros included, and `nextNonZero` finds what is in it at tens of GB/s. Regions are handed out upwards and go away all at
 * once (`release`), as everything that lives here lives as long as a simulation or a test case.
 */
export class HostMemory {
  readonly memory: WebAssembly.Memory;
  readonly sizeBytes: number;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly view: DataView;
  readonly #bytes: Buffer;
  readonly #regions: Region[] = [];
  #top = FIRST_ADDRESS;

  /** A memory with room for at least `bytes`, or the largest that there can be: what then doesn't fit is told by `reserve`. */
  static withRoomFor(bytes: number): HostMemory {
    return new HostMemory(Math.min(MAX_SIZE_MIB, Math.ceil((FIRST_ADDRESS + bytes) / MIB) + 1));
  }

  /** @param sizeMib size in MiB, 1 to 4095 */
  constructor(sizeMib: number = DEFAULT_SIZE_MIB) {
    if (!Number.isInteger(sizeMib) || sizeMib < 1 || sizeMib > MAX_SIZE_MIB) {
      throw new RangeError(`HostMemory: size ${sizeMib} MiB is not a whole number from 1 to 4095`);
    }
    const wasmPages = (sizeMib * MIB) / WASM_PAGE_BYTES;
    this.memory = new WebAssembly.Memory({ initial: wasmPages, maximum: wasmPages });
    const buffer = this.memory.buffer;
    this.sizeBytes = buffer.byteLength;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.view = new DataView(buffer);
    this.#bytes = Buffer.from(buffer);
  }

  /**
   * Hands out zeroed memory.
   *
   * @param name what it is, for fault messages
   * @param sizeBytes 1 or more
   * @param alignBytes a power of two
   * @returns its address
   * @throws ProblemError `host-memory-exhausted` when it doesn't fit
   */
  reserve(name: string, sizeBytes: number, alignBytes = 8): number {
    if (!Number.isInteger(sizeBytes) || sizeBytes < 1) throw new RangeError(`HostMemory.reserve: size ${sizeBytes} for ${name}`);
    const start = Math.ceil(this.#top / alignBytes) * alignBytes;
    if (start + sizeBytes > this.sizeBytes) {
      throw new ProblemError({
        code: 'host-memory-exhausted',
        message: `${name} needs ${sizeBytes} bytes, but only ${Math.max(0, this.sizeBytes - start)} of the ${this.sizeBytes} bytes of host memory are left`,
        hint: 'use fewer or smaller maps, rings or queues',
      });
    }
    this.#top = start + sizeBytes;
    this.#regions.push({ name, start, sizeBytes });
    return start;
  }

  /** A mark to `release` to later. */
  mark(): number {
    return this.#top;
  }

  /** Address of the first byte from `start` to before `end` that is not zero, `end` when there is none. Untouched pages stay untouched. */
  nextNonZero(start: number, end: number): number {
    for (let at = start, size = ZEROS.length; at < end; ) {
      const length = Math.min(size, end - at);
      if (this.#bytes.compare(ZEROS, 0, length, at, at + length) === 0) at += length;
      else if (length === 1) return at;
      else size = Math.ceil(length / 16);
    }
    return end;
  }

  /** Takes back (and zeroes) everything that was reserved since `mark()` gave this mark. */
  release(mark: number): void {
    if (mark < FIRST_ADDRESS || mark > this.#top) throw new RangeError(`HostMemory.release: ${mark} is no mark of this memory`);
    // A page that nobody has written to must not be written to now.
    for (let at = this.nextNonZero(mark, this.#top); at < this.#top; at = this.nextNonZero(at, this.#top)) {
      const end = Math.min(this.#top, pageOf(at) + PAGE_BYTES);
      this.u8.fill(0, at, end);
      at = end;
    }
    while (this.#regions.length > 0 && this.#regions[this.#regions.length - 1].start >= mark) this.#regions.pop();
    this.#top = mark;
  }

  /** Whether `reserve` would find room for so much, aligned to a page. */
  hasRoom(sizeBytes: number): boolean {
    return Math.ceil(this.#top / PAGE_BYTES) * PAGE_BYTES + sizeBytes <= this.sizeBytes;
  }

  /** Something lies at this address. */
  isReserved(address: number): boolean {
    const region = this.#nearestBelow(address);
    return region !== undefined && address < region.start + region.sizeBytes;
  }

  /** Where an address lies, in words: `8 bytes into map counters`, or `16 bytes beyond map counters`, or `NULL page`. */
  describe(address: number): string {
    if (address < FIRST_ADDRESS) return address === 0 ? 'NULL' : `NULL plus ${address}`;
    const region = this.#nearestBelow(address);
    if (region === undefined) return `unmapped address ${hex(address)}`;
    const offset = address - region.start;
    return offset < region.sizeBytes
      ? `${offset} bytes into ${region.name}`
      : `${offset - region.sizeBytes} bytes beyond the end of ${region.name}`;
  }

  #nearestBelow(address: number): Region | undefined {
    let low = 0;
    let high = this.#regions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#regions[middle].start <= address) low = middle + 1;
      else high = middle;
    }
    return this.#regions[low - 1];
  }
}
