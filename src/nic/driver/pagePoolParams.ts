import { hasChange, NEWEST_KERNEL } from '../../base/index.js';
import type { KernelRelease, Problem } from '../../base/index.js';
import { PAGE_BYTES } from '../../memory/index.js';
import type { PageAllocator } from '../../memory/index.js';
import { DMA_BIDIRECTIONAL, DMA_FROM_DEVICE, directionName } from '../dma/direction.js';
import type { PoolDma } from './poolDma.js';

/** The pool maps its pages, and keeps them mapped as long as it has them. */
export const PP_FLAG_DMA_MAP = 1;
/** The pool syncs a page for the device when it is mapped and each time it comes back. */
export const PP_FLAG_DMA_SYNC_DEV = 2;
/** Pages may be split into fragments. Needed up to 6.6; the bit means another thing in later kernels, where every pool can do it. */
export const PP_FLAG_PAGE_FRAG = 4;

/** Pages in the ring when a driver doesn't say (page_pool_init). */
const DEFAULT_POOL_SIZE = 1024;
/** 6.18 makes larger rings this size; 6.1 refuses what is beyond `REFUSED_POOL_SIZE`. */
const CLAMPED_POOL_SIZE = 16384;
const REFUSED_POOL_SIZE = 32768;

/** Who runs at this moment, as far as a page_pool cares. */
export interface NapiContext {
  /** The NAPI poll of this receive queue runs now, on the CPU that runs this. */
  isPolling(queue: number): boolean;
  /** What runs now, as in `TX interrupt of queue 0`. Called only to describe a mistake. */
  describe(): string;
}

/** What a driver says about its pool (struct page_pool_params, include/net/page_pool/types.h). */
export interface PagePoolParams {
  /** PP_FLAG_*. */
  readonly flags: number;
  /** DMA_FROM_DEVICE, or DMA_BIDIRECTIONAL, which XDP_TX needs. Looked at with PP_FLAG_DMA_MAP only. */
  readonly dmaDir: number;
  /**
   * Where the device begins to write in a page, and how many bytes of a page it may write: what is synced. A pool syncs pages, not fragments, so
   * with fragments this is the whole page: 0 and 4096.
   */
  readonly offsetBytes: number;
  readonly maxLenBytes: number;
  /** Pages in the ring, 0 for 1024. */
  readonly poolSize: number;
  /** Size of a buffer: a page (4096, the default) or a fragment of half a page (2048, page_pool_alloc_frag). */
  readonly bufferBytes?: number;
  /** NUMA node, 0 when left out. */
  readonly nid?: number;
  /**
   * The driver named its NAPI (`params.napi`): in that poll, everything that comes back goes directly into the cache. 6.18 only. A driver of
   * one's own may; the built-in one does not, and gives back directly what it may.
   */
  readonly hasNapi?: boolean;
  /** Whose rules the pool follows; left out: the newest kernel's. */
  readonly release?: KernelRelease | undefined;
}

/** A pool's parameters and surroundings. */
export interface PagePoolParts extends PagePoolParams {
  readonly allocator: PageAllocator;
  readonly dma: PoolDma;
  /** Receive queue that the pool belongs to. */
  readonly queue: number;
  /** Without it, everything runs in the NAPI poll of the pool's queue. */
  readonly context?: NapiContext;
}

/** Pages in the ring of a pool (page_pool_init). */
export function ringSizeOf({ poolSize, release = NEWEST_KERNEL }: PagePoolParams): number {
  const size = poolSize === 0 ? DEFAULT_POOL_SIZE : poolSize;
  return hasChange(release, 'clampedPoolRing') ? Math.min(size, CLAMPED_POOL_SIZE) : size;
}

function refusal(code: string, message: string, hint: string): Problem {
  return { code, message: `page_pool_create: ${message}`, hint };
}

/** Why page_pool_create would refuse these parameters, with the errno it gives (page_pool_init); undefined when it would not. */
export function checkPagePoolParams(params: PagePoolParams): Problem | undefined {
  const { flags, dmaDir, maxLenBytes, offsetBytes, poolSize, bufferBytes = PAGE_BYTES, release = NEWEST_KERNEL } = params;
  const needsFragFlag = !hasChange(release, 'fragPools');
  const isMapped = (flags & PP_FLAG_DMA_MAP) !== 0;
  const isSynced = (flags & PP_FLAG_DMA_SYNC_DEV) !== 0;
  const known = PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV | (needsFragFlag ? PP_FLAG_PAGE_FRAG : 0);
  if (!Number.isInteger(flags) || (flags & ~known) !== 0) {
    const hint = 'use PP_FLAG_DMA_MAP and PP_FLAG_DMA_SYNC_DEV only';
    return refusal('page-pool-flags', `-EINVAL: flags ${flags} have bits beyond ${known}`, hint);
  }
  if (isMapped && dmaDir !== DMA_FROM_DEVICE && dmaDir !== DMA_BIDIRECTIONAL) {
    const hint = 'use DMA_FROM_DEVICE, or DMA_BIDIRECTIONAL for XDP_TX';
    return refusal('page-pool-dma-dir', `-EINVAL: ${directionName(dmaDir)} for receive buffers`, hint);
  }
  if (isSynced && !isMapped) {
    const hint = 'a pool can only sync pages that it maps itself';
    return refusal('page-pool-sync-unmapped', '-EINVAL: PP_FLAG_DMA_SYNC_DEV without PP_FLAG_DMA_MAP', hint);
  }
  if (isSynced && maxLenBytes === 0) {
    const hint = 'set max_len to the bytes that the device may write into a page';
    return refusal('page-pool-max-len', '-EINVAL: PP_FLAG_DMA_SYNC_DEV with max_len 0', hint);
  }
  if (!Number.isInteger(poolSize) || poolSize < 0 || (!hasChange(release, 'clampedPoolRing') && poolSize > REFUSED_POOL_SIZE)) {
    const hint = 'set pool_size to the size of the receive ring';
    return refusal('page-pool-size', `-E2BIG: a ring of ${poolSize} pages is beyond ${REFUSED_POOL_SIZE}`, hint);
  }
  if (bufferBytes !== PAGE_BYTES && needsFragFlag && (flags & PP_FLAG_PAGE_FRAG) === 0) {
    const message = `fragments of ${bufferBytes} bytes without PP_FLAG_PAGE_FRAG: page_pool_alloc_frag would give none`;
    return refusal('page-pool-frag', message, 'set PP_FLAG_PAGE_FRAG');
  }
  if (!Number.isInteger(offsetBytes) || !Number.isInteger(maxLenBytes) || offsetBytes < 0 || maxLenBytes < 0 || offsetBytes + maxLenBytes > PAGE_BYTES) {
    const message = `offset ${offsetBytes} and max_len ${maxLenBytes} leave the page: syncing would touch a neighbour's bytes`;
    return refusal('page-pool-range', message, `keep them within ${PAGE_BYTES} bytes`);
  }
  return undefined;
}
