import { PAGE_BYTES } from './hostMemory.js';
import type { HostMemory } from './hostMemory.js';
import { Owner, OwnerLedger } from './ownership.js';
import { StructPages } from './structPages.js';

/** How a `PageAllocator` is set up. */
export interface PageAllocatorOptions {
  /** What has an owner of its own: whole pages (4096, the default), or half pages (2048) for drivers that put two buffers into a page. */
  readonly unitBytes?: number;
  /** Asked at each allocation; true makes it fail (the kernel's fault injection, failslab and fail_page_alloc). */
  readonly shouldFail?: () => boolean;
}

/**
 * The buddy allocator, mostly its order-0 face: hands out single 4 KiB pages, and blocks of them, and takes them back, last freed first.
 *
 * Its ledger knows the owner of every page, or of every half page. Page contents are not cleared: as in the kernel, an RX page shows
 * what was in it before.
 */
export class PageAllocator {
  readonly ledger: OwnerLedger;
  readonly pages: StructPages;
  /** Asked at each allocation when it is there; true makes it fail. */
  shouldFail: (() => boolean) | undefined;
  readonly #freeStack: Int32Array;
  #freeCount = 0;
  #freshIndex = 0;
  /** Free blocks of 2^order pages, by order; order 0 is the stack above. */
  readonly #freeBlocks: number[][] = [];
  #blockPages = 0;

  /** Reserves room for `count` pages; untouched ones cost nothing. */
  constructor(memory: HostMemory, count: number, { unitBytes = PAGE_BYTES, shouldFail }: PageAllocatorOptions = {}) {
    if (unitBytes !== PAGE_BYTES && unitBytes !== PAGE_BYTES / 2) {
      throw new RangeError(`PageAllocator: units of ${unitBytes} bytes are neither pages nor half pages`);
    }
    const base = memory.reserve('pages', count * PAGE_BYTES, PAGE_BYTES);
    const unitName = unitBytes === PAGE_BYTES ? 'page' : 'half page';
    this.ledger = new OwnerLedger(unitName, base, unitBytes, count * (PAGE_BYTES / unitBytes), Owner.free);
    this.pages = new StructPages(count);
    this.shouldFail = shouldFail;
    this.#freeStack = new Int32Array(count);
  }

  /** Number of the page that holds an address: the index into `pages`. */
  pageIndexOf(address: number): number {
    return (address - this.ledger.baseAddress) >>> 12;
  }

  /**
   * A page for `owner` with one reference, 0 when none is left. Memory of every NUMA node is the same; the page only remembers `nid`.
   *
   * @param isBuffer the page is one buffer, and has one owner also where others have halves of pages
   */
  alloc(owner: Owner, nid = 0, isBuffer = false): number {
    const { ledger, pages, shouldFail } = this;
    if (shouldFail !== undefined && shouldFail()) return 0;
    let index: number;
    if (this.#freeCount > 0) index = this.#freeStack[--this.#freeCount];
    else if (this.#freshIndex < this.#freeStack.length) index = this.#freshIndex++;
    else return 0;
    const address = ledger.baseAddress + index * PAGE_BYTES;
    if (isBuffer && ledger.unitBytes < PAGE_BYTES) ledger.setWhole(address, true);
    this.movePage(address, Owner.free, owner);
    pages.refCount[index] = 1;
    pages.nid[index] = nid;
    return address;
  }

  /**
   * 2^order pages that lie side by side (alloc_pages), for `owner`; 0 when there are none. Blocks are neither split nor merged, so one that was freed
   * serves only requests of its own order.
   */
  allocBlock(owner: Owner, order: number): number {
    if (order === 0) return this.alloc(owner);
    if (this.shouldFail !== undefined && this.shouldFail()) return 0;
    const pages = 2 ** order;
    let block = this.#freeBlocks[order]?.pop();
    if (block === undefined) {
      if (this.#freshIndex + pages > this.#freeStack.length) return 0;
      block = this.ledger.baseAddress + this.#freshIndex * PAGE_BYTES;
      this.#freshIndex += pages;
    } else this.#blockPages -= pages;
    this.moveBlock(block, order, Owner.free, owner);
    this.pages.refCount[this.pageIndexOf(block)] = 1;
    return block;
  }

  /** Takes a block back that `allocBlock` gave. */
  freeBlock(block: number, order: number, from: Owner): void {
    if (order === 0) {
      this.free(block, from);
      return;
    }
    const { ledger } = this;
    this.moveBlock(block, order, from, Owner.free);
    const first = ledger.indexOf(block);
    ledger.packetId.fill(0, first, first + (PAGE_BYTES * 2 ** order) / ledger.unitBytes);
    this.pages.refCount[this.pageIndexOf(block)] = 0;
    (this.#freeBlocks[order] ??= []).push(block);
    this.#blockPages += 2 ** order;
  }

  /** Hands all pages of a block over. */
  moveBlock(block: number, order: number, from: Owner, to: Owner): void {
    for (let page = 0; page < 2 ** order; page++) this.movePage(block + page * PAGE_BYTES, from, to);
  }

  /** Hands a whole page over, however many units it has in the ledger. */
  movePage(page: number, from: Owner, to: Owner): void {
    const { ledger } = this;
    if (ledger.isWhole(page)) ledger.move(page, from, to);
    else for (let at = page; at < page + PAGE_BYTES; at += ledger.unitBytes) ledger.move(at, from, to);
  }

  /** Takes one more reference to a page (get_page). */
  get(page: number): void {
    this.pages.refCount[this.pageIndexOf(page)] += 1;
  }

  /** Takes a page back from its present owner (put_page): it becomes free when nobody else has a reference to it. */
  free(address: number, from: Owner): void {
    const { ledger, pages } = this;
    const index = this.pageIndexOf(address);
    const references = pages.refCount[index] ?? 0;
    if (references > 1) {
      pages.refCount[index] = references - 1;
      return;
    }
    const page = ledger.baseAddress + index * PAGE_BYTES;
    this.movePage(page, from, Owner.free);
    if (references < 1) return;
    if (ledger.isWhole(page)) ledger.setWhole(page, false);
    const first = ledger.indexOf(page);
    ledger.packetId.fill(0, first, first + PAGE_BYTES / ledger.unitBytes);
    pages.refCount[index] = 0;
    this.#freeStack[this.#freeCount++] = index;
  }

  /** Pages that somebody owns. */
  get usedCount(): number {
    return this.#freshIndex - this.#freeCount - this.#blockPages;
  }
}
