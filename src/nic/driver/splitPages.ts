import { Owner, PAGE_BYTES } from '../../memory/index.js';
import type { OwnerLedger, PageAllocator, StructPages } from '../../memory/index.js';
import { MEM_TYPE_PAGE_SHARED } from '../../xdp/index.js';
import { MistakeLog } from './mistakeLog.js';
import type { PoolDma } from './poolDma.js';
import type { RxBuffers } from './rxBuffers.js';

/** References that a page is charged with at once, so that giving a half away costs no atomic operation (USHRT_MAX). */
const FULL_BIAS = 65535;

/** Counters of a receive ring under the names of ixgbe and i40e (rx_stats). */
export interface SplitPageStats {
  /** Pages that came from the page allocator. */
  alloc_rx_page: number;
  /** Refills that got no page, or no I/O address for it. */
  alloc_rx_page_failed: number;
  /** Pages that went back onto the ring after their frame was taken from them. */
  page_reuse_count: number;
  /** Pages that could not, as somebody still had the other half. */
  page_busy_count: number;
  /** Pages that could not, as they are of another NUMA node than the CPU that polls. */
  page_waive_count: number;
}

/** What split pages are made of. */
export interface SplitPagesParts {
  readonly allocator: PageAllocator;
  readonly dma: PoolDma;
  readonly queue: number;
  /** Descriptors of the receive ring. */
  readonly ringSize: number;
  /** 2048: halves of a page. 4096: halves of an order-1 page, for 3 KiB buffers and for igc. */
  readonly bufferBytes: number;
  /** DMA_FROM_DEVICE in all these drivers: XDP_TX maps the frame again. */
  readonly dmaDir: number;
  /** Where the device begins to write in a buffer, and how many bytes it may write: what is synced at a refill. */
  readonly offsetBytes: number;
  readonly maxLenBytes: number;
  /** NUMA node of the CPU that polls, 0 when left out. */
  readonly nid?: number;
}

/** What happened to a buffer since it was given out. */
const IDLE = 0;
const POSTED = 1;
const GIVEN_UP = 2;

/**
 * The receive buffers of igb, igc, ixgbe, i40e and ice (6.1): no page_pool, but pages in two halves that the driver counts by itself.
 *
 *     page of 4096    │ half: in the device's hands │ half: XDP_TX, redirect, stack │     reference count - bias = halves that others have
 *
 * A page is charged with 65535 references when it comes from the page allocator, and the driver notes in `bias` how many of these are still
 * its own. XDP_DROP leaves the half where it is (`recycleDirect`). A half that goes on with its frame (`giveUp`) takes one reference along and
 * the page turns to its other half (ixgbe_rx_buffer_flip), if that one is back and the page of the local node (ixgbe_can_reuse_rx_page); else the driver unmaps the page and
 * gives up all its references (__page_frag_cache_drain), and whoever returns the last half frees it (page_frag_free). Pages for reuse go back
 * onto the ring before new ones, oldest first.
 *
 * For buffers of 4096 bytes the kernel takes two adjacent pages under one mapping. Here they are any two pages, each mapped by itself;
 * nothing else differs, as no buffer reaches from one into the other.
 */
export class SplitPages implements RxBuffers {
  readonly memType = MEM_TYPE_PAGE_SHARED;
  readonly stats: SplitPageStats = { alloc_rx_page: 0, alloc_rx_page_failed: 0, page_reuse_count: 0, page_busy_count: 0, page_waive_count: 0 };
  readonly queue: number;
  readonly mistakes: MistakeLog;
  readonly #allocator: PageAllocator;
  readonly #ledger: OwnerLedger;
  readonly #pages: StructPages;
  readonly #dma: PoolDma;
  readonly #dmaDir: number;
  #nid: number;
  readonly #bufferBytes: number;
  readonly #offsetBytes: number;
  readonly #maxLenBytes: number;
  /** References that are still the driver's (rx_buffer->pagecnt_bias), by number of the first page; 0 when it has given the page up. */
  readonly #bias: Int32Array;
  /** IDLE, POSTED or GIVEN_UP, by number of the buffer. */
  readonly #state: Uint8Array;
  /** The other half of each buffer, by number of the buffer. Only buffers of whole pages need it. */
  readonly #otherHalf: Uint32Array;
  /** Halves that are ready for the ring: the slots between next_to_use and next_to_alloc. */
  readonly #ready: Uint32Array;
  #readyHead = 0;
  #readyCount = 0;
  /** Pages (of two halves) that aren't free again, and halves of them that somebody else has. */
  #heldPages = 0;
  #outCount = 0;

  constructor({ allocator, dma, queue, ringSize, bufferBytes, dmaDir, offsetBytes, maxLenBytes, nid = 0 }: SplitPagesParts) {
    if (bufferBytes < allocator.ledger.unitBytes) {
      throw new RangeError(`SplitPages: buffers of ${bufferBytes} bytes, but each ${allocator.ledger.unitBytes} bytes have their owner`);
    }
    if (offsetBytes < 0 || maxLenBytes < 0 || offsetBytes + maxLenBytes > bufferBytes) {
      throw new RangeError(`SplitPages: bytes ${offsetBytes} to ${offsetBytes + maxLenBytes} leave a buffer of ${bufferBytes} bytes`);
    }
    this.#allocator = allocator;
    this.#ledger = allocator.ledger;
    this.mistakes = new MistakeLog(allocator.ledger);
    this.#pages = allocator.pages;
    this.#dma = dma;
    this.#dmaDir = dmaDir;
    this.#nid = nid;
    this.#bufferBytes = bufferBytes;
    this.#offsetBytes = offsetBytes;
    this.#maxLenBytes = maxLenBytes;
    this.queue = queue;
    const { count } = allocator.ledger;
    this.#bias = new Int32Array(allocator.pages.refCount.length);
    this.#state = new Uint8Array(count);
    this.#otherHalf = new Uint32Array(bufferBytes === PAGE_BYTES ? count : 0);
    this.#ready = new Uint32Array(ringSize);
  }

  /** A half for the ring: one for reuse, else the first half of a new page; 0 without memory or I/O address (ixgbe_alloc_rx_buffers). */
  alloc(): number {
    let buffer: number;
    if (this.#readyCount > 0) {
      buffer = this.#ready[this.#readyHead];
      if (++this.#readyHead === this.#ready.length) this.#readyHead = 0;
      this.#readyCount--;
    } else {
      buffer = this.#allocMappedPage();
      if (buffer === 0) {
        this.stats.alloc_rx_page_failed++;
        return 0;
      }
    }
    this.#state[this.#ledger.indexOf(buffer)] = POSTED;
    this.#outCount++;
    const pageIova = this.#pages.dmaAddrLow[this.#allocator.pageIndexOf(buffer)];
    this.#dma.syncForDevice(pageIova, (buffer & (PAGE_BYTES - 1)) + this.#offsetBytes, this.#maxLenBytes, this.#dmaDir);
    return buffer;
  }

  /** ixgbe_alloc_mapped_page: a page with all its references, 0 when there is none. */
  #allocMappedPage(): number {
    const first = this.#allocPage();
    if (first === 0) return 0;
    if (this.#bufferBytes === PAGE_BYTES) {
      const second = this.#allocPage();
      if (second === 0) {
        this.#unmapPage(first);
        this.#allocator.free(first, Owner.pool);
        return 0;
      }
      this.#otherHalf[this.#ledger.indexOf(first)] = second;
      this.#otherHalf[this.#ledger.indexOf(second)] = first;
    }
    const index = this.#headIndexOf(first);
    this.#pages.refCount[index] = FULL_BIAS;
    this.#bias[index] = FULL_BIAS;
    this.#heldPages++;
    this.stats.alloc_rx_page++;
    return first;
  }

  #allocPage(): number {
    const page = this.#allocator.alloc(Owner.pool, this.#nid, this.#bufferBytes === PAGE_BYTES);
    if (page === 0) return 0;
    const iovaLow = this.#dma.mapPage(page, this.#dmaDir);
    if (iovaLow === 0) {
      this.#allocator.free(page, Owner.pool);
      return 0;
    }
    this.#pages.dmaAddrLow[this.#allocator.pageIndexOf(page)] = iovaLow;
    return page;
  }

  /** Low word of the I/O address of a buffer, 0 when its page is no longer mapped. */
  iovaLow(buffer: number): number {
    const iovaLow = this.#pages.dmaAddrLow[this.#allocator.pageIndexOf(buffer)];
    return iovaLow === 0 ? 0 : iovaLow + (buffer & (PAGE_BYTES - 1));
  }

  /** The half goes on with its frame; its page turns to the other half, or leaves the driver. */
  giveUp(buffer: number): void {
    const unit = this.#ledger.indexOf(buffer);
    if (this.#state[unit] !== POSTED) {
      this.mistakes.add('given-up-twice', buffer, 'was given up, but is not on the ring any more: let a buffer go once for each frame');
      return;
    }
    this.#state[unit] = GIVEN_UP;
    const index = this.#headIndexOf(buffer);
    const bias = --this.#bias[index];
    if (this.#isRemote(buffer, index)) return;
    if (this.#pages.refCount[index] - bias > 1) {
      this.stats.page_busy_count++;
      this.#abandon(buffer, index);
      return;
    }
    if (bias === 1) {
      this.#pages.refCount[index] += FULL_BIAS - 1;
      this.#bias[index] = FULL_BIAS;
    }
    this.#reuse(this.#otherHalfOf(buffer), index);
  }

  /** In the NAPI poll: the half of a dropped frame stays where it was; one that was given up is freed as everywhere else. */
  recycleDirect(buffer: number, from: Owner): void {
    this.#ledger.move(buffer, from, Owner.pool);
    if (this.#state[this.#ledger.indexOf(buffer)] !== POSTED) {
      this.#fragFree(buffer);
      return;
    }
    this.#outCount--;
    this.#state[this.#ledger.indexOf(buffer)] = IDLE;
    const index = this.#headIndexOf(buffer);
    if (!this.#isRemote(buffer, index)) this.#reuse(buffer, index);
  }

  /** page_frag_free, from any context: a half that went on with its frame is back. */
  recycle(buffer: number, from: Owner): void {
    if (this.#state[this.#ledger.indexOf(buffer)] === POSTED) {
      this.mistakes.add(
        'freed-but-not-given-up',
        buffer,
        'was freed with its frame while the driver still counts it as its own: decrement pagecnt_bias and flip the page when a frame leaves',
      );
      this.giveUp(buffer);
    }
    this.#ledger.move(buffer, from, Owner.pool);
    this.#fragFree(buffer);
  }

  /** The queue's interrupt went to a CPU of another node: pages of the old one leave as their frames come by. */
  updateNid(nid: number): void {
    this.#nid = nid;
  }

  /** A page of another node is given up, whoever else has it (dev_page_is_reusable). */
  #isRemote(buffer: number, index: number): boolean {
    if (this.#pages.nid[index] === this.#nid) return false;
    this.stats.page_waive_count++;
    this.#abandon(buffer, index);
    return true;
  }

  #fragFree(buffer: number): void {
    const unit = this.#ledger.indexOf(buffer);
    if (this.#state[unit] !== GIVEN_UP) {
      this.mistakes.add(
        'foreign-page',
        buffer,
        `was freed, but receive queue ${this.queue} did not give it out: free each buffer once, and where it came from`,
      );
      return;
    }
    this.#state[unit] = IDLE;
    this.#outCount--;
    this.#dropReferences(buffer, 1);
  }

  /** A half that lay on the ring at shutdown: its page is unmapped and given up, as ixgbe_clean_rx_ring does. */
  releaseAtShutdown(buffer: number, from: Owner): void {
    this.#ledger.move(buffer, from, Owner.pool);
    const unit = this.#ledger.indexOf(buffer);
    if (this.#state[unit] !== POSTED) {
      this.#fragFree(buffer);
      return;
    }
    this.#state[unit] = IDLE;
    this.#outCount--;
    this.#abandon(buffer, this.#headIndexOf(buffer));
  }

  /** The page goes back onto the ring (ixgbe_reuse_rx_page). The ring has room for it: it is the slot that the frame came from. */
  #reuse(half: number, index: number): void {
    const { length } = this.#ready;
    if (this.#readyCount === length) {
      this.#abandon(half, index);
      return;
    }
    this.stats.page_reuse_count++;
    const at = this.#readyHead + this.#readyCount++;
    this.#ready[at < length ? at : at - length] = half;
  }

  /** The driver has done with a page: unmaps it and gives up all its references. */
  #abandon(buffer: number, index: number): void {
    const bias = this.#bias[index];
    this.#bias[index] = 0;
    this.#unmapPage(buffer);
    if (this.#bufferBytes === PAGE_BYTES) this.#unmapPage(this.#otherHalfOf(buffer));
    this.#dropReferences(buffer, bias);
  }

  #unmapPage(buffer: number): void {
    const index = this.#allocator.pageIndexOf(buffer);
    this.#dma.unmapPage(this.#pages.dmaAddrLow[index], this.#dmaDir);
    this.#pages.dmaAddrLow[index] = 0;
  }

  /** The page becomes free with its last reference. */
  #dropReferences(buffer: number, count: number): void {
    const { refCount } = this.#pages;
    const index = this.#headIndexOf(buffer);
    refCount[index] -= count;
    if (refCount[index] > 0) return;
    const second = this.#bufferBytes === PAGE_BYTES ? this.#otherHalfOf(buffer) : 0;
    this.#freePage(buffer);
    if (second !== 0) this.#freePage(second);
    this.#heldPages--;
  }

  #freePage(buffer: number): void {
    this.#pages.refCount[this.#allocator.pageIndexOf(buffer)] = 1;
    this.#allocator.free(buffer, Owner.pool);
  }

  #otherHalfOf(buffer: number): number {
    if (this.#bufferBytes === PAGE_BYTES) return this.#otherHalf[this.#ledger.indexOf(buffer)];
    return (buffer & this.#bufferBytes) === 0 ? buffer + this.#bufferBytes : buffer - this.#bufferBytes;
  }

  /** Number of the page that counts the references of both halves: the lower one of two. */
  #headIndexOf(buffer: number): number {
    const index = this.#allocator.pageIndexOf(buffer);
    if (this.#bufferBytes !== PAGE_BYTES) return index;
    const other = this.#allocator.pageIndexOf(this.#otherHalf[this.#ledger.indexOf(buffer)]);
    return index < other ? index : other;
  }

  get inflight(): number {
    return this.#heldPages * 2;
  }

  get idle(): number {
    return this.#heldPages * 2 - this.#outCount;
  }

  /** Gives up the pages that wait for the ring; halves that others have free their page when they come back. */
  destroy(): void {
    for (; this.#readyCount > 0; this.#readyCount--) {
      const half = this.#ready[this.#readyHead];
      if (++this.#readyHead === this.#ready.length) this.#readyHead = 0;
      this.#abandon(half, this.#headIndexOf(half));
    }
  }
}
