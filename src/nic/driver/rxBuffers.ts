import type { Owner } from '../../memory/index.js';
import type { XdpMemoryModel } from '../../xdp/index.js';

/**
 * Where a receive queue gets its buffers and gives them back to: a page_pool, or a driver's own split pages. Buffers are named by the host
 * address of their first byte, and are mapped for DMA as long as this has them.
 */
export interface RxBuffers extends XdpMemoryModel {
  /** A buffer owned by the pool and given to the device as far as DMA goes, 0 when there is no memory or no I/O address. */
  alloc(): number;
  /** Low word of the I/O address of a buffer. */
  iovaLow(buffer: number): number;
  /**
   * The driver lets a received buffer go on with its frame (XDP_TX, XDP_REDIRECT, XDP_PASS): split pages turn to their other half. Not called
   * for a buffer that is recycled at once. A page_pool does nothing here.
   */
  giveUp(buffer: number): void;
  /** Takes a buffer back in the NAPI context of the queue (page_pool_recycle_direct). Elsewhere that is a mistake, which is recorded. */
  recycleDirect(buffer: number, from: Owner): void;
  /** Takes a buffer back from any context (page_pool_put_page without direct recycling, or put_page). */
  recycle(buffer: number, from: Owner): void;
  /** Takes back a buffer that lay on a ring when the device was shut down; counted nowhere. */
  releaseAtShutdown(buffer: number, from: Owner): void;
  /** Buffers that are out or idle, in buffers (not pages), and of these the idle ones. */
  readonly inflight: number;
  readonly idle: number;
  /** Gives everything idle back; what is still in flight then is a leak. */
  destroy(): void;
}
