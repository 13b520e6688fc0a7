import { PAGE_BYTES } from './hostMemory.js';
import type { HostMemory } from './hostMemory.js';
import { Owner, OwnerLedger } from './ownership.js';

/**
 * The buddy allocator's order-0 face: hands out single 4 KiB pages and takes them back, last freed first.
 *
 * Its ledger knows the owner of every page. Page contents are not cleared: as in the kernel, an RX page shows what was in it before.
 */
export class PageAllocator {
  readonly ledger: OwnerLedger;
  readonly #freeStack: Int32Array;
  #freeCount = 0;
  #freshIndex = 0;

  /** Reserves room for `count` pages; untouched ones cost nothing. */
  constructor(memory: HostMemory, count: number) {
    const base = memory.reserve('pages', count * PAGE_BYTES, PAGE_BYTES);
    this.ledger = new OwnerLedger('page', base, PAGE_BYTES, count, Owner.free);
    this.#freeStack = new Int32Array(count);
  }

  /** A page for `owner`, or 0 when none is left. */
  alloc(owner: Owner): number {
    const { ledger } = this;
    let index: number;
    if (this.#freeCount > 0) index = this.#freeStack[--this.#freeCount];
    else if (this.#freshIndex < ledger.count) index = this.#freshIndex++;
    else return 0;
    const address = ledger.baseAddress + index * PAGE_BYTES;
    ledger.move(address, Owner.free, owner);
    return address;
  }

  /** Takes a page back from its present owner. */
  free(address: number, from: Owner): void {
    const { ledger } = this;
    const index = ledger.indexOf(address);
    const wasFree = ledger.owner[index] === Owner.free;
    ledger.move(address, from, Owner.free);
    ledger.packetId[index] = 0;
    if (!wasFree) this.#freeStack[this.#freeCount++] = index;
  }

  /** Pages that somebody owns. */
  get usedCount(): number {
    return this.#freshIndex - this.#freeCount;
  }
}
