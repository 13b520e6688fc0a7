import { Owner } from '../memory/index.js';
import type { HostMemory, OwnerLedger, PageAllocator } from '../memory/index.js';
import type { XdpSock } from '../umem/index.js';
import type { XdpRxqInfo } from './xdpBuff.js';
import { frameFragments, framePartAddress, MEM_TYPE_PAGE_ORDER0 } from './xdpFrame.js';

/** Where the buffers of a receive queue come from and go back to (struct xdp_mem_info): what a driver registers with `FrameMemory.register`. */
export interface XdpMemoryModel {
  /** MEM_TYPE_*. */
  readonly memType: number;
  /** The driver's own account: the buffer goes on with its frame. */
  giveUp(buffer: number): void;
  /** Takes a buffer back in the NAPI poll of its own queue (napi_direct). */
  recycleDirect(buffer: number, from: Owner): void;
  /** Takes a buffer back from anywhere. */
  recycle(buffer: number, from: Owner): void;
  /** MEM_TYPE_XSK_BUFF_POOL: the packet at hand, whose buffers are no pages; left out for all others. */
  readonly zeroCopy?: ZeroCopyBuffers;
}

/** The packet in the context block, where that lies in chunks of a UMEM that are `Owner.driver`'s (MEM_TYPE_XSK_BUFF_POOL). It can't become a frame. */
export interface ZeroCopyBuffers {
  /** Packet (1-based) that it is. */
  readonly packetId: number;
  /** xsk_rcv_zc: hands its chunks over to a socket that takes it. False: the RX ring was full, and all chunks are gone from the driver all the same. */
  deliver(socket: XdpSock, u32: Uint32Array, context: number, packetId: number): boolean;
  /** xsk_buff_free: its chunks go back to the pool. */
  freePacket(): void;
}

/** A receive queue whose packets may become frames (struct xdp_rxq_info with its mem). */
export interface XdpRxQueue extends XdpRxqInfo {
  /** What `FrameMemory.register` gave. */
  readonly memId: number;
}

/**
 * What the kernel keeps in struct xdp_frame and in struct page about who a buffer belongs to, wherever it is: a frame that one NIC received and another
 * sends goes back to the pool that it came from (__xdp_return, net/core/xdp.c, 6.18).
 *
 * All arrays go by the number of the buffer in the page allocator's ledger. They are no host memory, so that nothing that a program or a device writes
 * there leads astray.
 */
export class FrameMemory {
  readonly #u32: Uint32Array;
  readonly #allocator: PageAllocator;
  readonly #ledger: OwnerLedger;
  /** By id; ids begin at 1. */
  readonly #models: (XdpMemoryModel | undefined)[] = [undefined];
  readonly #cloneId: number;
  readonly #copyId: number;
  /** Ids that were given back. */
  readonly #freeIds: number[] = [];
  /** Of each buffer that is part of a frame: its memory model, 0 while it is part of none. */
  readonly #memId: Uint16Array;
  /** Of each frame: the interface and the queue that it came in on. */
  readonly #rxIfindex: Int32Array;
  readonly #rxQueue: Uint16Array;

  constructor({ u32 }: HostMemory, allocator: PageAllocator) {
    this.#u32 = u32;
    this.#allocator = allocator;
    this.#ledger = allocator.ledger;
    const { count } = allocator.ledger;
    this.#memId = new Uint16Array(count);
    this.#rxIfindex = new Int32Array(count);
    this.#rxQueue = new Uint16Array(count);
    const free = (page: number, from: Owner): void => allocator.free(page, from);
    const pages = { memType: MEM_TYPE_PAGE_ORDER0, giveUp() {}, recycleDirect: free, recycle: free };
    this.#cloneId = this.register(pages);
    this.#copyId = this.register(pages);
  }

  /** xdp_rxq_info_reg_mem_model: the id of the model. */
  register(model: XdpMemoryModel): number {
    const id = this.#freeIds.pop() ?? this.#models.length;
    this.#models[id] = model;
    return id;
  }

  /** xdp_rxq_info_unreg_mem_model, for a model none of whose buffers is in a frame. */
  unregister(memId: number): void {
    this.#models[memId] = undefined;
    this.#freeIds.push(memId);
  }

  /** The packet at hand of a queue whose buffers are chunks of a UMEM; `undefined` for all others. */
  zeroCopy(memId: number): ZeroCopyBuffers | undefined {
    return this.#models[memId]!.zeroCopy;
  }

  /** MEM_TYPE_* of a registered model. */
  memType(memId: number): number {
    return this.#models[memId]!.memType;
  }

  /**
   * A packet that has been converted goes on as a frame: its buffers leave the driver (`Owner.driver` to `Owner.redirect`). One that has been a frame
   * before, as behind a CPUMAP, only changes its owner.
   */
  accept(frame: number, rxq: XdpRxQueue): void {
    this.#setOrigin(frame, frame, rxq);
    const u32 = this.#u32;
    for (let part = frameFragments(u32, frame) - 1; part >= 0; part--) this.#acceptBuffer(this.#ledger.bufferOf(framePartAddress(u32, frame, part)), rxq.memId);
    this.#acceptBuffer(frame, rxq.memId);
  }

  #acceptBuffer(buffer: number, memId: number): void {
    const unit = this.#ledger.indexOf(buffer);
    if (this.#memId[unit] === 0) {
      this.#memId[unit] = memId;
      this.#models[memId]!.giveUp(buffer);
    }
    this.moveBuffer(buffer, Owner.driver, Owner.redirect);
  }

  /** Where `frame` came in: there where `original` did, which is on `rxq` when it has not been a frame before. */
  #setOrigin(frame: number, original: number, rxq: XdpRxQueue): void {
    const unit = this.#ledger.indexOf(frame);
    const from = this.#ledger.indexOf(original);
    const isFrame = this.#memId[from] !== 0;
    this.#rxIfindex[unit] = isFrame ? this.#rxIfindex[from] : rxq.ifindex;
    this.#rxQueue[unit] = isFrame ? this.#rxQueue[from] : rxq.queueIndex;
  }

  /**
   * A page for a copy of a frame (dev_alloc_page), which carries the same packet. It belongs to `Owner.redirect`.
   *
   * @param rxq queue that the original came in on
   * @returns 0 when there is none
   */
  allocClone(original: number, rxq: XdpRxQueue): number {
    const page = this.#allocator.alloc(Owner.redirect);
    if (page === 0) return 0;
    this.#setOrigin(page, original, rxq);
    const unit = this.#ledger.indexOf(page);
    this.#memId[unit] = this.#cloneId;
    this.#ledger.packetId[unit] = this.packetIdOf(original);
    return page;
  }

  /**
   * A page for a copy of the packet in the context block, which lies in a chunk of a UMEM (dev_alloc_page); it belongs to `Owner.driver`.
   *
   * @returns 0 when there is none
   */
  allocCopy(rxq: XdpRxQueue, packetId: number): number {
    const page = this.#allocator.alloc(Owner.driver);
    if (page === 0) return 0;
    const unit = this.#ledger.indexOf(page);
    this.#rxIfindex[unit] = rxq.ifindex;
    this.#rxQueue[unit] = rxq.queueIndex;
    this.#memId[unit] = this.#copyId;
    this.#ledger.packetId[unit] = packetId;
    return page;
  }

  /** The frame has a page of its own, which belongs to no receive queue: it is a copy. */
  hasOwnPage(frame: number): boolean {
    const memId = this.memIdOf(frame);
    return memId === this.#cloneId || memId === this.#copyId;
  }

  /** The frame is a copy that a broadcast made: a page of nobody's pool, and the packet has an end of its own. */
  isClone(frame: number): boolean {
    return this.#memId[this.#ledger.indexOf(frame)] === this.#cloneId;
  }

  /** Memory model of a buffer that is part of a frame, what `register` gave. */
  memIdOf(buffer: number): number {
    return this.#memId[this.#ledger.indexOf(buffer)];
  }

  /** Interface and queue that a frame came in on. */
  rxIfindexOf(frame: number): number {
    return this.#rxIfindex[this.#ledger.indexOf(frame)];
  }

  rxQueueOf(frame: number): number {
    return this.#rxQueue[this.#ledger.indexOf(frame)];
  }

  /** Packet (1-based) that a frame carries. */
  packetIdOf(frame: number): number {
    return this.#ledger.packetId[this.#ledger.indexOf(frame)];
  }

  /** Hands one buffer of a frame over. */
  moveBuffer(buffer: number, from: Owner, to: Owner): void {
    if (this.hasOwnPage(buffer)) this.#allocator.movePage(buffer, from, to);
    else this.#ledger.move(buffer, from, to);
  }

  /** Hands all buffers of a frame over. */
  move(frame: number, from: Owner, to: Owner): void {
    const u32 = this.#u32;
    for (let part = frameFragments(u32, frame) - 1; part >= 0; part--) this.moveBuffer(this.#ledger.bufferOf(framePartAddress(u32, frame, part)), from, to);
    this.moveBuffer(frame, from, to);
  }

  /**
   * __xdp_return for one buffer of a frame: back to where it came from.
   *
   * @param isDirect napi_direct: this is the NAPI poll of the queue that it came from
   */
  returnBuffer(buffer: number, from: Owner, isDirect: boolean): void {
    const unit = this.#ledger.indexOf(buffer);
    const model = this.#models[this.#memId[unit]];
    if (model === undefined) {
      // A driver has given it back already, and the ledger notes that it was not its owner any more.
      this.#ledger.move(buffer, from, this.#ledger.owner[unit] as Owner);
      return;
    }
    this.#memId[unit] = 0;
    if (isDirect) model.recycleDirect(buffer, from);
    else model.recycle(buffer, from);
  }

  /** Takes a buffer that has been in no frame, or has been in one before, from the driver and gives it back at once (xdp_return_buff). */
  freeBuffer(buffer: number, rxq: XdpRxQueue, isDirect: boolean): void {
    this.#acceptBuffer(buffer, rxq.memId);
    this.returnBuffer(buffer, Owner.redirect, isDirect);
  }

  /** xdp_return_frame_rx_napi, or xdp_return_frame when it isn't direct: fragments first. */
  returnFrame(frame: number, from: Owner, isDirect: boolean): void {
    const u32 = this.#u32;
    for (let part = 0, count = frameFragments(u32, frame); part < count; part++) {
      this.returnBuffer(this.#ledger.bufferOf(framePartAddress(u32, frame, part)), from, isDirect);
    }
    this.returnBuffer(frame, from, isDirect);
  }
}
