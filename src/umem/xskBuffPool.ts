import type { Scheduler } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import { Owner } from '../memory/index.js';
import { XDP_WAKEUP_RX, XDP_WAKEUP_TX } from './ifXdp.js';
import { XDP_RING_NEED_WAKEUP } from './ring.js';
import { TX_METADATA_REQUESTS, writeTxTimestamp } from './txMetadata.js';
import { XDP_PACKET_HEADROOM } from './umem.js';
import type { Umem } from './umem.js';
import type { XdpSock } from './xdpSock.js';
import type { XskDevice } from './xskDevice.js';
import type { ConsumerQueue, ProducerQueue, XskQueue } from './xskQueue.js';

/** No descriptor of a packet follows. */
const NO_NEXT = -1;

/** sizeof(struct skb_shared_info). */
const SHARED_INFO_BYTES = 320;
const RX_FRAME_MULTIPLE_BYTES = 128;

/** What a pool is made of. */
export interface XskBuffPoolParts {
  readonly memory: HostMemory;
  readonly umem: Umem;
  readonly fill: ConsumerQueue;
  readonly completion: ProducerQueue;
  readonly device: XskDevice;
  readonly queueId: number;
  readonly clock: Pick<Scheduler, 'nowNs'>;
}

/**
 * Chunks of a UMEM on one queue of one device (struct xsk_buff_pool, net/xdp/xsk_buff_pool.c, 6.18): FILL and COMPLETION, and what the kernel
 * holds in between. All sockets on that queue share it.
 *
 * A buffer is named by the UMEM offset of its chunk, as FILL gave it: `chunk`. Its packet begins at `chunk + 256 + headroom`.
 */
export class XskBuffPool {
  readonly umem: Umem;
  readonly fill: ConsumerQueue;
  readonly completion: ProducerQueue;
  readonly device: XskDevice;
  readonly queueId: number;
  /** Sockets with a TX ring, in the order in which they were bound (xsk_tx_list). */
  readonly txSockets: XdpSock[] = [];
  /** Every socket that is bound to it. */
  readonly sockets = new Set<XdpSock>();
  isZeroCopy = false;
  usesNeedWakeup = false;
  hasSg = false;
  /** XDP_WAKEUP_*: who sleeps until it is woken. */
  cachedNeedWakeup = 0;
  /** Requests in the metadata of packets to be sent that the driver did nothing about, by TX_METADATA_REQUESTS. The kernel counts none. */
  readonly passedOver = new Float64Array(TX_METADATA_REQUESTS.length);
  /** Of the host, for packets that end without the device. */
  readonly clock: Pick<Scheduler, 'nowNs'>;
  readonly #memory: HostMemory;
  /** Chunks that were taken from FILL and not used (free_list): taken again before FILL, last in first out. */
  #free: number[] = [];
  /** Unaligned chunks: how many may be out at once (free_heads_cnt). */
  #freeHeads: number;

  // Packets on their way out in copy mode: lists of descriptors whose slots on COMPLETION are reserved.
  #addressLow: Uint32Array;
  #addressHigh: Uint32Array;
  #next: Int32Array;
  /** Of the first descriptor of a packet: UMEM offset of its metadata that waits for a time stamp, -1 for none. */
  #timestampAt: Float64Array;
  #freeSlot = 0;
  #inFlight = 0;

  constructor({ memory, umem, fill, completion, device, queueId, clock }: XskBuffPoolParts) {
    this.#memory = memory;
    this.clock = clock;
    this.umem = umem;
    this.fill = fill;
    this.completion = completion;
    this.device = device;
    this.queueId = queueId;
    this.#freeHeads = Math.floor(umem.sizeBytes / umem.chunkSizeBytes);
    // A COMPLETION ring of more slots than chunks can be filled all the same: nobody forbids to send a chunk twice.
    const slots = completion.ring.size;
    this.#addressLow = new Uint32Array(slots);
    this.#addressHigh = new Uint32Array(slots);
    this.#timestampAt = new Float64Array(slots);
    this.#next = Int32Array.from({ length: slots }, (_, slot) => (slot + 1 < slots ? slot + 1 : NO_NEXT));
  }

  /** @param requests XDP_TXMD_FLAGS_* that a packet asked for in vain */
  passOver(requests: number): void {
    if (requests === 0) return;
    for (let bit = 0; bit < this.passedOver.length; bit++) this.passedOver[bit] += (requests >>> bit) & 1;
  }

  // ── receive ──

  /** From the beginning of a chunk to its packet. */
  get headroomBytes(): number {
    return XDP_PACKET_HEADROOM + this.umem.headroomBytes;
  }

  /**
   * Bytes of packet that a driver lets its device write into a chunk (xsk_pool_get_rx_frame_size). Packets of several buffers have their skb_shared_info at
   * the end of the first chunk.
   */
  get rxFrameBytes(): number {
    const room = this.umem.frameSizeBytes - (this.hasSg ? SHARED_INFO_BYTES : 0);
    return room - (room % RX_FRAME_MULTIPLE_BYTES);
  }

  /** xp_alloc: a chunk for a packet, now `Owner.kernel`; -1 when there is none. Bad FILL entries are skipped silently, and counted where nobody looks. */
  alloc(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const { fill, umem } = this;
    if (umem.isUnaligned && this.#freeHeads === 0) return -1;
    for (let entries = 0; entries <= fill.mostEntries && fill.peek(); entries++) {
      const chunk = this.#takeEntry();
      if (chunk >= 0) return chunk;
    }
    fill.queueEmptyDescs++;
    umem.watch?.starved(this);
    return -1;
  }

  /** Uses up the next entry of FILL, which is there. @returns its chunk, now `Owner.kernel`, or -1 for a bad entry */
  #takeEntry(): number {
    const { fill, umem } = this;
    const { u32 } = this.#memory;
    const { word } = fill;
    const chunk = umem.fillChunk(u32[word], u32[word + 1]);
    fill.release();
    if (chunk < 0) {
      fill.invalidDescs++;
      return -1;
    }
    if (umem.isUnaligned) this.#freeHeads--;
    umem.move(chunk, Owner.fillRing, Owner.kernel);
    return chunk;
  }

  /**
   * xp_alloc_batch: chunks for packets to come, now `Owner.kernel`. FILL that has no good entry at all counts as empty, once; the application sees what was
   * taken with the next `XdpSock.flush`.
   *
   * @param into where the chunks are written to
   * @param most of them, 1 or more
   * @returns their number
   */
  allocBatch(into: Uint32Array, most: number): number {
    const { fill, umem } = this;
    let count = 0;
    while (count < most && this.#free.length > 0) into[count++] = this.#free.pop()!;
    if (count === most) return count;
    const reused = count;
    const room = umem.isUnaligned ? Math.min(most - count, this.#freeHeads) : most - count;
    for (let left = fill.entries(room); left > 0; left--) {
      const chunk = this.#takeEntry();
      if (chunk >= 0) into[count++] = chunk;
    }
    if (count === reused) {
      fill.queueEmptyDescs++;
      umem.watch?.starved(this);
    }
    return count;
  }

  /** xp_can_alloc: FILL has entries for so many chunks; whether they are good is not looked at. FILL counts as empty when there is none at all. */
  canAlloc(count: number): boolean {
    const missing = count - this.#free.length;
    if (missing <= 0) return true;
    const entries = this.fill.entries(missing);
    if (entries === 0) this.fill.queueEmptyDescs++;
    if (entries === missing) return true;
    this.umem.watch?.starved(this);
    return false;
  }

  /** xp_free: a chunk that is `Owner.kernel` was not used. */
  free(chunk: number): void {
    this.#free.push(chunk);
  }

  /** xp_release: the chunk of a packet has gone to the application. */
  release(): void {
    if (this.umem.isUnaligned) this.#freeHeads++;
  }

  /** Chunks that the kernel holds unused. */
  get freeCount(): number {
    return this.#free.length;
  }

  get freeChunks(): readonly number[] {
    return this.#free;
  }

  // ── send, copy mode ──

  /** Descriptors whose packets have neither been sent nor lost. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** A slot on COMPLETION for one more descriptor of a packet (xsk_cq_reserve_locked); false: COMPLETION is full. */
  reserveCompletion(): boolean {
    return this.completion.reserve();
  }

  /** xsk_cq_cancel_locked. */
  cancelCompletion(count: number): void {
    this.completion.cancel(count);
  }

  /**
   * Remembers the address of a descriptor that has a slot on COMPLETION.
   *
   * @param packet what this gave for the descriptor before it, -1 for the first one of a packet
   * @returns the name of the packet
   */
  addToPacket(packet: number, low: number, high: number, timestampAt: number): number {
    if (this.#freeSlot === NO_NEXT) this.#growInFlight();
    const slot = this.#freeSlot;
    this.#freeSlot = this.#next[slot];
    this.#addressLow[slot] = low;
    this.#addressHigh[slot] = high;
    this.#next[slot] = NO_NEXT;
    this.#timestampAt[slot] = timestampAt;
    this.#inFlight++;
    if (packet < 0) return slot;
    let last = packet;
    while (this.#next[last] !== NO_NEXT) last = this.#next[last];
    this.#next[last] = slot;
    return packet;
  }

  /** An application whose COMPLETION consumer makes no sense has more descriptors on their way than the ring has entries. */
  #growInFlight(): void {
    const first = this.#next.length;
    const longer = <T extends Uint32Array | Float64Array | Int32Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    this.#addressLow = longer(this.#addressLow, new Uint32Array(first * 2));
    this.#addressHigh = longer(this.#addressHigh, new Uint32Array(first * 2));
    this.#timestampAt = longer(this.#timestampAt, new Float64Array(first * 2));
    this.#next = longer(this.#next, new Int32Array(first * 2));
    for (let slot = first; slot < first * 2; slot++) this.#next[slot] = slot + 1 < first * 2 ? slot + 1 : NO_NEXT;
    this.#freeSlot = first;
  }

  /**
   * The skb of a packet was freed: all its addresses go on the COMPLETION ring together (xsk_destruct_skb, xsk_cq_submit_addr_locked).
   *
   * @param tNs virtual time, ns, for the packet that wants a time stamp; one that was dropped gets one, too
   */
  completePacket(packet: number, tNs: number): void {
    const { completion, umem } = this;
    const timestampAt = this.#timestampAt[packet];
    if (timestampAt >= 0) writeTxTimestamp(this.#memory.view, umem.address + timestampAt, tNs);
    const first = completion.ring.producer;
    let count = 0;
    for (let slot = packet; slot !== NO_NEXT; slot = this.#forget(slot)) {
      const index = (first + count++) >>> 0;
      completion.writeAddress(index, this.#addressLow[slot], this.#addressHigh[slot]);
      this.#moveSent(slot, Owner.completionRing, completion, index);
    }
    completion.submitMore(count);
  }

  /**
   * The packet is undone: nothing reaches COMPLETION (xsk_consume_skb).
   *
   * @param to who has its chunks from now on
   * @param tx ring to which they go back, and index of the packet's first descriptor there
   * @returns its descriptors
   */
  cancelPacket(packet: number, to: Owner, tx?: ConsumerQueue, firstIndex = 0): number {
    let count = 0;
    for (let slot = packet; slot !== NO_NEXT; slot = this.#forget(slot)) this.#moveSent(slot, to, tx, (firstIndex + count++) >>> 0);
    this.cancelCompletion(count);
    return count;
  }

  /** An address that belongs to no packet goes on COMPLETION, where it has a slot. */
  completeAddress(low: number, high: number): void {
    this.completion.writeAddress(this.completion.ring.producer, low, high);
    this.completion.submitMore(1);
  }

  /** Forgets one descriptor of a packet. @returns the one behind it, or NO_NEXT */
  #forget(slot: number): number {
    const next = this.#next[slot];
    this.#next[slot] = this.#freeSlot;
    this.#freeSlot = slot;
    this.#inFlight--;
    return next;
  }

  /** Hands over the chunk that the address of a descriptor points at; an address beyond the UMEM has none. */
  #moveSent(slot: number, to: Owner, queue?: XskQueue, index?: number): void {
    const offBytes = this.umem.chunkOf(this.#addressLow[slot], this.#addressHigh[slot]);
    if (this.umem.contains(offBytes)) this.umem.move(offBytes, Owner.kernel, to, queue, index);
  }

  /** Addresses of the descriptors that are in flight. */
  eachInFlight(visit: (low: number, high: number) => void): void {
    const isFree = new Uint8Array(this.#next.length);
    for (let slot = this.#freeSlot; slot !== NO_NEXT; slot = this.#next[slot]) isFree[slot] = 1;
    for (let slot = 0; slot < isFree.length; slot++) if (isFree[slot] === 0) visit(this.#addressLow[slot], this.#addressHigh[slot]);
  }

  // ── wake-up, for drivers in zero-copy mode ──

  /** xsk_set_rx_need_wakeup: FILL ran empty, so that the application has to wake the driver. */
  setRxNeedWakeup(): void {
    if ((this.cachedNeedWakeup & XDP_WAKEUP_RX) !== 0) return;
    this.fill.ring.flags |= XDP_RING_NEED_WAKEUP;
    this.cachedNeedWakeup |= XDP_WAKEUP_RX;
  }

  clearRxNeedWakeup(): void {
    if ((this.cachedNeedWakeup & XDP_WAKEUP_RX) === 0) return;
    this.fill.ring.flags &= ~XDP_RING_NEED_WAKEUP;
    this.cachedNeedWakeup &= ~XDP_WAKEUP_RX;
  }

  /** xsk_set_tx_need_wakeup: nothing is on its way any more, so that the application has to wake the driver. */
  setTxNeedWakeup(): void {
    if ((this.cachedNeedWakeup & XDP_WAKEUP_TX) !== 0) return;
    for (const { tx } of this.txSockets) if (tx !== undefined) tx.ring.flags |= XDP_RING_NEED_WAKEUP;
    this.cachedNeedWakeup |= XDP_WAKEUP_TX;
  }

  clearTxNeedWakeup(): void {
    if ((this.cachedNeedWakeup & XDP_WAKEUP_TX) === 0) return;
    for (const { tx } of this.txSockets) if (tx !== undefined) tx.ring.flags &= ~XDP_RING_NEED_WAKEUP;
    this.cachedNeedWakeup &= ~XDP_WAKEUP_TX;
  }
}
