import { Owner } from '../../memory/index.js';
import { frameData, frameLinearBytes, frameMetaBytes, MEM_TYPE_PAGE_POOL, Outcome, XDP_REDIRECT } from '../../xdp/index.js';
import type { XdpMemoryModel, XdpRxQueue } from '../../xdp/index.js';
import { XDP_FRAME_BYTES } from '../../vm/index.js';
import { TX_NONE } from '../bufferTags.js';
import type { PagePool } from '../driver/pagePool.js';
import type { KitParts } from './kitParts.js';
import { PageStage } from './packetBook.js';
import type { XdpFrame } from './xdpObjects.js';

/** What the redirect path needs from the rest of the kit. */
export interface RedirectHost {
  frameOf(index: number): XdpFrame;
  /** The pool that a page came from. */
  poolOf(page: number): PagePool | undefined;
  /** The driver's own ndo_xdp_xmit: how many frames it took. */
  xdpXmit(frames: readonly XdpFrame[], count: number, flags: number): number;
  /** A page is about to go back. */
  checkReturn(index: number): void;
}

/**
 * Between a user's driver and the redirect core of its host: packets of its pages become frames of the core, whose pages find back to the driver's pool, and
 * frames of any pool go out by its ndo_xdp_xmit.
 */
export class RedirectPath implements XdpMemoryModel {
  readonly memType: number = MEM_TYPE_PAGE_POOL;
  /** Why ndo_xdp_xmit last took less than it was offered. */
  xmitFailure: Outcome = Outcome.txRingFull;
  readonly #parts: KitParts;
  readonly #host: RedirectHost;
  readonly #rxq: XdpRxQueue;
  readonly #bulk: XdpFrame[] = [];

  constructor(parts: KitParts, host: RedirectHost) {
    const { core, ifindex } = parts.config;
    this.#parts = parts;
    this.#host = host;
    this.#rxq = { ifindex, queueIndex: 0, fragSizeBytes: 0, memId: core.memory.register(this) };
  }

  /** Redirects the packet in the context block. Gives 0 when the page isn't the driver's any more, else a negative errno, and the page is the driver's to free. */
  redirect(index: number): number {
    const { config, book } = this.#parts;
    const error = config.core.xdpDoRedirect(this.#rxq, config.program?.id ?? 0);
    if (error !== 0) book.blame(index, config.core.redirectFailure);
    return error;
  }

  // ── pages that the core has ──

  giveUp(page: number): void {
    const { book } = this.#parts;
    book.stage[book.indexOf(page)] = PageStage.idle;
  }

  recycleDirect(page: number, from: Owner): void {
    this.#host.poolOf(page)?.recycleDirect(page, from);
  }

  recycle(page: number, from: Owner): void {
    this.#host.poolOf(page)?.recycle(page, from);
  }

  // ── ndo_xdp_xmit ──

  /** Offers frames of the core to the driver; those that it doesn't take are the core's again. */
  xmit(frames: Uint32Array, count: number, flags: number): number {
    const { config, book } = this.#parts;
    const { core, dma, memory: { u32 } } = config;
    for (let i = 0; i < count; i++) {
      const page = frames[i];
      const index = book.indexOf(page);
      const frame = this.#host.frameOf(index);
      frame.data = frameData(u32, page);
      frame.len = frameLinearBytes(u32, page);
      frame.metasize = frameMetaBytes(u32, page);
      frame.headroom = frame.data - page - XDP_FRAME_BYTES;
      core.memory.moveBuffer(page, Owner.redirect, Owner.driver);
      book.stage[index] = PageStage.idle;
      book.retval[index] = XDP_REDIRECT;
      book.isForeign[index] = 1;
      book.place(index, frame.data, frame.len, frame.metasize);
      this.#bulk[i] = frame;
    }
    const errorsBefore = dma.mappingErrorCount;
    const sent = this.#host.xdpXmit(this.#bulk, count, flags);
    this.xmitFailure = dma.mappingErrorCount > errorsBefore ? Outcome.txDmaError : Outcome.txRingFull;
    for (let i = Math.max(0, sent); i < count; i++) this.#takeBack(frames[i]);
    return sent;
  }

  /** A frame behind those that the driver says it took: its own no more, whatever it has done with it. */
  #takeBack(page: number): void {
    const { config, book } = this.#parts;
    const index = book.indexOf(page);
    this.#host.checkReturn(index);
    config.core.memory.moveBuffer(page, this.#ownerOf(index), Owner.redirect);
  }

  /** A page is part of a frame of the core, so that it doesn't go back the driver's own way. */
  isFrame(page: number): boolean {
    return this.#parts.config.core.memory.memIdOf(page) !== 0;
  }

  /** xdp_return_frame of a frame that the driver got by ndo_xdp_xmit. */
  returnFrame(index: number, page: number, isDirect: boolean): void {
    const { config, book } = this.#parts;
    const { core, tags } = config;
    this.#host.checkReturn(index);
    // One that comes back without having been on the wire was lost in the device, or never came that far.
    if (book.stage[index] !== PageStage.queued || tags.kind[index] !== TX_NONE) core.endSentFrame(page, Outcome.txDmaError, 0, book.data[index], book.lenBytes[index]);
    tags.kind[index] = TX_NONE;
    book.stage[index] = PageStage.idle;
    core.memory.returnBuffer(page, this.#ownerOf(index), isDirect);
  }

  #ownerOf(index: number): Owner {
    return this.#parts.config.allocator.ledger.owner[index] === Owner.txRing ? Owner.txRing : Owner.driver;
  }
}
