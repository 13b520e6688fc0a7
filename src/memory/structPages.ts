/**
 * What the kernel keeps for each page of host memory (`struct page`, include/linux/mm_types.h): one array per field, by page number.
 *
 * A page_pool and a driver's own split pages share these fields, as a page belongs to one of them at a time.
 */
export class StructPages {
  /** References (page_ref_count), 0 while the page is free. */
  readonly refCount: Int32Array;
  /** Number of the page_pool that the page belongs to (page->pp), 0 when to none. */
  readonly pp: Uint16Array;
  /** Fragments of the page that somebody has (page->pp_ref_count). */
  readonly ppRefCount: Int32Array;
  /** Low word of the I/O address of the page's first byte (page->dma_addr), 0 while it is not mapped. */
  readonly dmaAddrLow: Uint32Array;
  /** NUMA node (page_to_nid). */
  readonly nid: Uint8Array;
  #poolCount = 0;

  constructor(count: number) {
    this.refCount = new Int32Array(count);
    this.pp = new Uint16Array(count);
    this.ppRefCount = new Int32Array(count);
    this.dmaAddrLow = new Uint32Array(count);
    this.nid = new Uint8Array(count);
  }

  /** A number for a new page_pool, from 1 on (pool->user.id). */
  registerPool(): number {
    return ++this.#poolCount;
  }
}
