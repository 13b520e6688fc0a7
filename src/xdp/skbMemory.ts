import { Owner, PAGE_BYTES } from '../memory/index.js';
import type { HostMemory, PageAllocator } from '../memory/index.js';
import { MAX_SKB_FRAGS, SHINFO_FRAGS_SIZE, SHINFO_NR_FRAGS, SKB_SHARED_INFO_BYTES } from '../vm/index.js';
import type { Outcome } from './outcome.js';
import { SkBuff, skbDataAlign, skbEndBytes, skbFragments, skbPartAddress, skbPartBytes } from './skBuff.js';
import type { SkbAllocation, SkbBuffers } from './skBuff.js';
import { addFragment, XDP_PACKET_HEADROOM } from './xdpBuff.js';

/** Bytes of packet in the first page that skb_pp_cow_data takes: SKB_WITH_OVERHEAD(PAGE_SIZE - XDP_PACKET_HEADROOM). */
const COW_HEAD_MAX = PAGE_BYTES - XDP_PACKET_HEADROOM - SKB_SHARED_INFO_BYTES;
/** What __pskb_pull_tail and netif_skb_check_for_xdp ask for beyond what they need. */
const SPARE_BYTES = 128;

/**
 * Where skbs come from and go back to (net/core/skbuff.c, 6.18). All memory of an skb that the stack has belongs to `Owner.stack`.
 *
 * Small heads, which share pages in the kernel, have a page of their own here; their room is that of the kernel.
 */
export class SkbMemory {
  readonly #memory: HostMemory;
  readonly #allocator: PageAllocator;
  readonly #freeSkbs: SkBuff[] = [];
  readonly #pages: SkbBuffers;
  /** Used bytes of the page that the system's page_pool cuts into pieces (pool->frag_offset); a full one stands for none. */
  #pieceOffBytes = PAGE_BYTES;
  /** Where packets with fragments are put together for those who watch. */
  readonly #gatherBuffer: number;
  /** skbs that a device sends, by the ledger's unit of their first byte. */
  readonly #sending: (SkBuff | undefined)[] = [];

  constructor(memory: HostMemory, allocator: PageAllocator) {
    this.#memory = memory;
    this.#allocator = allocator;
    this.#gatherBuffer = memory.reserve('gathered skb', (MAX_SKB_FRAGS + 2) * PAGE_BYTES);
    this.#pages = { recycle: (buffer, from) => allocator.free(buffer, from) };
  }

  /** An skb without memory. */
  #newSkb(): SkBuff {
    const skb = this.#freeSkbs.pop() ?? new SkBuff();
    skb.linearBytes = 0;
    skb.fragmentBytes = 0;
    skb.metaBytes = 0;
    skb.headBuffers = undefined;
    skb.fragmentBuffers = undefined;
    skb.rxQueue = -1;
    skb.vlanTci = -1;
    skb.packetId = 0;
    skb.retval = -1;
    skb.isCopy = false;
    skb.origin = undefined;
    return skb;
  }

  /**
   * build_skb around a receive buffer, skb_reserve and skb_put: no byte is copied. The buffer, which was `Owner.driver`'s, becomes the stack's.
   *
   * @param buffers who takes it back
   */
  build(buffer: number, bufferBytes: number, buffers: SkbBuffers, headroomBytes: number, lenBytes: number): SkBuff {
    const skb = this.#newSkb();
    skb.head = buffer;
    skb.endBytes = bufferBytes - SKB_SHARED_INFO_BYTES;
    skb.headBuffers = buffers;
    skb.data = buffer + headroomBytes;
    skb.linearBytes = lenBytes;
    this.#clearFragments(skb);
    this.#allocator.ledger.move(buffer, Owner.driver, Owner.stack);
    return skb;
  }

  /**
   * alloc_skb or napi_alloc_skb and skb_reserve: an empty skb.
   *
   * @param bytes of the allocation, headroom included
   * @returns `undefined` when there is no memory
   */
  alloc(bytes: number, headroomBytes: number, allocation: SkbAllocation): SkBuff | undefined {
    const skb = this.#newSkb();
    if (this.#allocHead(skb, skbEndBytes(bytes, allocation))) {
      skb.data = skb.head + headroomBytes;
      return skb;
    }
    this.#freeSkbs.push(skb);
    return undefined;
  }

  /** A head of pages in place of whatever the skb had; it has no fragments. False: nothing has changed. */
  #allocHead(skb: SkBuff, endBytes: number): boolean {
    const order = Math.max(0, Math.ceil(Math.log2((endBytes + SKB_SHARED_INFO_BYTES) / PAGE_BYTES)));
    const head = this.#allocator.allocBlock(Owner.stack, order);
    if (head === 0) return false;
    skb.head = head;
    skb.endBytes = endBytes;
    skb.headBuffers = undefined;
    skb.headOrder = order;
    this.#clearFragments(skb);
    return true;
  }

  #clearFragments(skb: SkBuff): void {
    const { u32 } = this.#memory;
    u32[(skb.sharedInfo + SHINFO_NR_FRAGS) >>> 2] = 0;
    u32[(skb.sharedInfo + SHINFO_FRAGS_SIZE) >>> 2] = 0;
  }

  /** Says which packet an skb carries. */
  setPacket(skb: SkBuff, packetId: number): void {
    const { ledger } = this.#allocator;
    skb.packetId = packetId;
    ledger.packetId[ledger.indexOf(skb.head)] = packetId;
  }

  /** skb_put and a copy: bytes behind those that are there; the caller knows that there is room. */
  append(skb: SkBuff, address: number, lenBytes: number): void {
    const tail = skb.data + skb.linearBytes;
    this.#memory.u8.copyWithin(tail, address, address + lenBytes);
    skb.linearBytes += lenBytes;
  }

  /**
   * skb_add_rx_frag: a piece of a buffer that belongs to the stack by now. All fragments of an skb have one origin.
   *
   * @param buffers who takes the buffer back; left out: the page allocator
   */
  addFragment(skb: SkBuff, address: number, lenBytes: number, buffers: SkbBuffers = this.#pages): void {
    if (!addFragment(this.#memory.u32, skb.sharedInfo, address, lenBytes)) throw new RangeError(`SkbMemory.addFragment: more than ${MAX_SKB_FRAGS}`);
    skb.fragmentBuffers = buffers;
    skb.fragmentBytes += lenBytes;
  }

  /**
   * pskb_expand_head: a larger head, with all of the old one in it; `data` moves with it.
   *
   * @returns false when there is no memory; then nothing has changed
   */
  expandHead(skb: SkBuff, frontBytes: number, behindBytes: number): boolean {
    const { u8, u32 } = this.#memory;
    const { head, endBytes, headroomBytes, linearBytes, headBuffers, headOrder, packetId } = skb;
    const fragments = skbFragments(u32, skb);
    const sharedInfo = skb.sharedInfo;
    if (!this.#allocHead(skb, skbEndBytes(endBytes + frontBytes + behindBytes, 'kmalloc'))) return false;
    u8.copyWithin(skb.head + frontBytes, head, head + headroomBytes + linearBytes);
    if (fragments > 0) u8.copyWithin(skb.sharedInfo, sharedInfo, sharedInfo + SKB_SHARED_INFO_BYTES);
    skb.data = skb.head + headroomBytes + frontBytes;
    this.setPacket(skb, packetId);
    this.#freeHead(head, headBuffers, headOrder, Owner.stack);
    return true;
  }

  /** skb_linearize: the fragments' bytes go behind the linear part, for which there is room. */
  linearize(skb: SkBuff): void {
    const { u32 } = this.#memory;
    const fragments = skbFragments(u32, skb);
    if (fragments === 0) return;
    if (skb.tailroomBytes < skb.fragmentBytes) throw new RangeError('SkbMemory.linearize: the head is too small');
    for (let i = 0; i < fragments; i++) {
      const address = skbPartAddress(u32, skb, i);
      this.append(skb, address, skbPartBytes(u32, skb, i));
      this.freeFragment(skb, address, Owner.stack);
    }
    skb.fragmentBytes = 0;
    this.#clearFragments(skb);
  }

  /**
   * The skb gets XDP_PACKET_HEADROOM, and a head that nobody else has: what a program without multi-buffer support needs
   * (netif_skb_check_for_xdp, net/core/dev.c, 6.18). False: no memory.
   */
  expandForXdp(skb: SkBuff): boolean {
    const missing = XDP_PACKET_HEADROOM - skb.headroomBytes;
    const behind = skb.headroomBytes + skb.lenBytes - skb.endBytes;
    if (!this.expandHead(skb, missing > 0 ? skbDataAlign(missing) : 0, behind > 0 ? behind + SPARE_BYTES : 0)) return false;
    this.linearize(skb);
    return true;
  }

  /**
   * skb_pp_cow_data: copies the packet into pages of the system's page_pool, the first with XDP_PACKET_HEADROOM and skb_shared_info, the others full.
   *
   * @returns false when it is too long or there is no memory; then nothing has changed
   */
  copyToPages(skb: SkBuff): boolean {
    const { u32 } = this.#memory;
    const { lenBytes } = skb;
    if (lenBytes > COW_HEAD_MAX + MAX_SKB_FRAGS * PAGE_BYTES) return false;
    const headBytes = Math.min(lenBytes, COW_HEAD_MAX);
    const copy = this.#newSkb();
    const hasHead = this.#allocHead(copy, this.#takePiece(XDP_PACKET_HEADROOM + skbDataAlign(headBytes) + SKB_SHARED_INFO_BYTES) - SKB_SHARED_INFO_BYTES);
    if (!hasHead) {
      this.#freeSkbs.push(copy);
      return false;
    }
    copy.data = copy.head + XDP_PACKET_HEADROOM;
    for (let left = lenBytes - headBytes; left > 0; left -= PAGE_BYTES) {
      const partBytes = Math.min(left, PAGE_BYTES);
      this.#takePiece(partBytes);
      const page = this.#allocator.alloc(Owner.stack);
      if (page === 0) {
        this.free(copy);
        return false;
      }
      this.addFragment(copy, page, partBytes);
    }
    copy.linearBytes = headBytes;
    this.#copyBytes(skb, copy);

    const fragments = skbFragments(u32, skb);
    for (let i = 0; i < fragments; i++) this.freeFragment(skb, skbPartAddress(u32, skb, i), Owner.stack);
    this.#freeHead(skb.head, skb.headBuffers, skb.headOrder, Owner.stack);
    this.#takeMemory(skb, copy);
    this.setPacket(skb, skb.packetId);
    return true;
  }

  /** The memory of `from`, which is over as an skb, becomes that of `skb`. */
  #takeMemory(skb: SkBuff, from: SkBuff): void {
    skb.head = from.head;
    skb.endBytes = from.endBytes;
    skb.data = from.data;
    skb.linearBytes = from.linearBytes;
    skb.fragmentBytes = from.fragmentBytes;
    skb.headBuffers = from.headBuffers;
    skb.headOrder = from.headOrder;
    skb.fragmentBuffers = from.fragmentBuffers;
    this.#freeSkbs.push(from);
  }

  /** skb_copy_bits: all bytes of one packet into the parts of another of that length, which are divided otherwise. */
  #copyBytes(from: SkBuff, to: SkBuff): void {
    const { u8, u32 } = this.#memory;
    let part = -1;
    let doneBytes = 0;
    for (let i = -1, count = skbFragments(u32, from); i < count; i++) {
      let address = skbPartAddress(u32, from, i);
      for (let left = skbPartBytes(u32, from, i); left > 0; ) {
        const room = skbPartBytes(u32, to, part) - doneBytes;
        const bytes = Math.min(left, room);
        u8.copyWithin(skbPartAddress(u32, to, part) + doneBytes, address, address + bytes);
        address += bytes;
        left -= bytes;
        doneBytes += bytes;
        if (bytes < room) continue;
        part++;
        doneBytes = 0;
      }
    }
  }

  /**
   * page_pool_alloc: what a request of so many bytes gets. More than half a page gets all of it; the last piece of a page gets the rest.
   *
   * @returns bytes
   */
  #takePiece(bytes: number): number {
    if (bytes * 2 > PAGE_BYTES) return PAGE_BYTES;
    const start = this.#pieceOffBytes + bytes > PAGE_BYTES ? 0 : this.#pieceOffBytes;
    this.#pieceOffBytes = start + bytes;
    if (this.#pieceOffBytes + bytes <= PAGE_BYTES) return bytes;
    this.#pieceOffBytes = PAGE_BYTES;
    return PAGE_BYTES - start;
  }

  /**
   * skb_copy of a packet without fragments: an skb of its own, in bytes of its own, so that what a program writes into one copy of a broadcast the others
   * don't see.
   *
   * @returns `undefined` when there is no memory
   */
  copy(skb: SkBuff): SkBuff | undefined {
    const copy = this.#newSkb();
    if (!this.#allocHead(copy, skb.endBytes)) {
      this.#freeSkbs.push(copy);
      return undefined;
    }
    copy.data = copy.head + skb.headroomBytes;
    copy.linearBytes = skb.linearBytes;
    this.#memory.u8.copyWithin(copy.head, skb.head, skb.data + skb.linearBytes);
    copy.metaBytes = skb.metaBytes;
    copy.origin = skb.origin;
    copy.ifindex = skb.ifindex;
    copy.rxQueue = skb.rxQueue;
    copy.arrivalQueue = skb.arrivalQueue;
    copy.protocol = skb.protocol;
    copy.packetType = skb.packetType;
    copy.vlanTci = skb.vlanTci;
    copy.retval = skb.retval;
    copy.isCopy = true;
    this.setPacket(copy, skb.packetId);
    return copy;
  }

  // ── where packets end ──

  /** Where all bytes of the packet lie side by side, metadata before them. */
  linearAddress(skb: SkBuff): number {
    const { u8, u32 } = this.#memory;
    const { data, metaBytes, linearBytes } = skb;
    const fragments = skbFragments(u32, skb);
    if (fragments === 0) return data;
    u8.copyWithin(this.#gatherBuffer, data - metaBytes, data + linearBytes);
    let end = this.#gatherBuffer + metaBytes + linearBytes;
    for (let i = 0; i < fragments; i++) {
      const address = skbPartAddress(u32, skb, i);
      const bytes = skbPartBytes(u32, skb, i);
      u8.copyWithin(end, address, address + bytes);
      end += bytes;
    }
    return this.#gatherBuffer + metaBytes;
  }

  /** Tells whoever watches the device that the packet came in on that it ended here. */
  reportEnd(skb: SkBuff, outcome: Outcome): void {
    this.reportEndAt(skb, outcome, skb.arrivalQueue, this.linearAddress(skb), skb.lenBytes, skb.metaBytes);
  }

  /** The same with bytes that lie elsewhere, on their way out of a device. */
  reportEndAt({ origin, packetId, retval, isCopy }: SkBuff, outcome: Outcome, queue: number, address: number, lenBytes: number, metaBytes: number): void {
    if (isCopy) origin?.observer.onCopyEnd?.(packetId, outcome, queue, address, lenBytes);
    else origin?.observer.onPacketEnd(packetId, outcome, retval, queue, address, lenBytes, metaBytes);
  }

  /** The packet ends here: it is reported, and its memory goes back. */
  drop(skb: SkBuff, outcome: Outcome): void {
    this.reportEnd(skb, outcome);
    this.free(skb);
  }

  /** The skb is on a device's ring. */
  startSending(skb: SkBuff): void {
    this.#sending[this.#allocator.ledger.indexOf(skb.data)] = skb;
  }

  /** The skb of the frame that a device has read at this address, which it has sent with that; `undefined` when it sends none that begins there. */
  takeSent(address: number): SkBuff | undefined {
    const unit = this.#allocator.ledger.indexOf(address);
    const skb = this.#sending[unit];
    this.#sending[unit] = undefined;
    return skb;
  }

  // ── back to where it came from ──

  /** kfree_skb: all memory goes back to where it came from, and nobody may look at the skb again. */
  free(skb: SkBuff, from: Owner = Owner.stack): void {
    const { u32 } = this.#memory;
    for (let i = 0, count = skbFragments(u32, skb); i < count; i++) this.freeFragment(skb, skbPartAddress(u32, skb, i), from);
    this.#freeHead(skb.head, skb.headBuffers, skb.headOrder, from);
    this.#freeSkbs.push(skb);
  }

  /** skb_frag_unref of the fragment at this address; it is no longer on the skb's list. */
  freeFragment({ fragmentBuffers }: SkBuff, address: number, from: Owner): void {
    fragmentBuffers!.recycle(this.#allocator.ledger.bufferOf(address), from);
  }

  #freeHead(head: number, buffers: SkbBuffers | undefined, order: number, from: Owner): void {
    if (buffers === undefined) this.#allocator.freeBlock(head, order, from);
    else buffers.recycle(head, from);
  }

  /** Hands all memory of an skb over. */
  move(skb: SkBuff, from: Owner, to: Owner): void {
    const { u32 } = this.#memory;
    const { ledger } = this.#allocator;
    for (let i = 0, count = skbFragments(u32, skb); i < count; i++) {
      const buffer = ledger.bufferOf(skbPartAddress(u32, skb, i));
      if (skb.fragmentBuffers === this.#pages) this.#allocator.movePage(buffer, from, to);
      else ledger.move(buffer, from, to);
    }
    this.moveHead(skb, from, to);
  }

  moveHead({ head, headBuffers, headOrder }: SkBuff, from: Owner, to: Owner): void {
    if (headBuffers === undefined) this.#allocator.moveBlock(head, headOrder, from, to);
    else this.#allocator.ledger.move(head, from, to);
  }

  /** Units of the ledger that an skb holds: receive buffers of some pool, or pages of its own. */
  countUnits(skb: SkBuff, ofPool: boolean): number {
    const unitsOfPage = PAGE_BYTES / this.#allocator.ledger.unitBytes;
    const fragments = skbFragments(this.#memory.u32, skb);
    const isPages = skb.fragmentBuffers === this.#pages;
    if (ofPool) return (skb.headBuffers === undefined ? 0 : 1) + (isPages ? 0 : fragments);
    return (skb.headBuffers === undefined ? unitsOfPage * 2 ** skb.headOrder : 0) + (isPages ? fragments * unitsOfPage : 0);
  }
}
