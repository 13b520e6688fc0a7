import { Owner } from '../../memory/index.js';
import { receiveZeroCopy, XDP_PACKET_HEADROOM } from '../../umem/index.js';
import type { Umem, XdpSock, XskBuffPool, ZeroCopyPacket } from '../../umem/index.js';
import { contextSharedInfo, fragmentAddress, fragmentCount, fragmentLen, MAX_SKB_FRAGS, XDP_MD_DATA, XDP_MD_DATA_END } from '../../vm/index.js';
import { MEM_TYPE_XSK_BUFF_POOL } from '../../xdp/index.js';
import type { ZeroCopyBuffers } from '../../xdp/index.js';
import { DMA_BIDIRECTIONAL } from '../dma/direction.js';
import type { DmaApi } from '../dma/dmaApi.js';
import type { NicProfile } from '../profiles/profile.js';
import type { RxBuffers } from './rxBuffers.js';
import type { RxLayout } from './rxLayout.js';
import type { BufferOwners } from './rxQueue.js';

//     chunk                                                                                                        chunk + chunk size
//     │◄─ headroom of the UMEM ─►│◄──────────── 256 ────────────►│◄─ prefix ─►│◄──── packet ────►│      tailroom      │
//                                ▲ data_hard_start               ▲ the device writes from here on (igc: time stamp)
//                                                    │◄─ prefix ─►│ (virtio: header, within the 256)

/** How a chunk is divided that a driver receives into. @param rxFrameBytes of the pool */
export function xskLayout({ format, prefixInHeadroom }: NicProfile, { headroomBytes, chunkSizeBytes }: Umem, rxFrameBytes: number): RxLayout {
  const prefix = format.rxPrefixBytes;
  const before = prefixInHeadroom === true ? prefix : 0;
  const deviceOffBytes = XDP_PACKET_HEADROOM + headroomBytes - before;
  const deviceBytes = rxFrameBytes + before;
  return {
    hardStartOffBytes: headroomBytes, frameSizeBytes: chunkSizeBytes - headroomBytes,
    deviceOffBytes, deviceBytes, packetOffBytes: deviceOffBytes + prefix, packetBytes: deviceBytes - prefix,
  };
}

/**
 * The chunks of a pool as the receive buffers of a queue (MEM_TYPE_XSK_BUFF_POOL; include/net/xdp_sock_drv.h, 6.18). A buffer is named by the host address
 * of its chunk.
 */
export class XskBuffers implements RxBuffers, ZeroCopyBuffers {
  readonly memType = MEM_TYPE_XSK_BUFF_POOL;
  readonly pool: XskBuffPool;
  readonly owners: BufferOwners;
  /** Chunks of the packet at hand: the first, and those of its fragments (pool->xskb_list). */
  readonly #packet: { partCount: number } & ZeroCopyPacket;
  readonly #dma: DmaApi;
  /** Low word of the I/O address of the UMEM. */
  readonly #umemIovaLow: number;
  /** Chunks that `prefetch` took, and `alloc` has not given yet. */
  readonly #ready: Uint32Array;
  #readyCount = 0;
  #next = 0;
  #out = 0;

  constructor(pool: XskBuffPool, dma: DmaApi, umemIovaLow: number, ringSize: number) {
    const parts = MAX_SKB_FRAGS + 1;
    this.pool = pool;
    const { umem } = pool;
    this.owners = {
      packetId: umem.chunks.packetId,
      indexOf: (buffer) => umem.chunks.indexOf(buffer),
      move: (buffer, from, to) => umem.move(buffer - umem.address, from, to),
    };
    this.#dma = dma;
    this.#umemIovaLow = umemIovaLow;
    this.#ready = new Uint32Array(ringSize);
    this.#packet = { partCount: 0, chunk: new Float64Array(parts), offBytes: new Uint32Array(parts), lenBytes: new Uint32Array(parts) };
  }

  // ── buffers for the ring ──

  /** Takes chunks from FILL for the next calls of `alloc` (xsk_buff_alloc_batch); gives their number. */
  prefetch(count: number): number {
    this.#next = 0;
    this.#readyCount = count === 0 ? 0 : this.pool.allocBatch(this.#ready, count);
    return this.#readyCount;
  }

  alloc(): number {
    if (this.#next === this.#readyCount) return 0;
    const { pool } = this;
    const { umem } = pool;
    const buffer = umem.address + this.#ready[this.#next++];
    this.#out++;
    this.#dma.syncForDevice(this.iovaLow(buffer) + pool.headroomBytes, umem.frameSizeBytes, DMA_BIDIRECTIONAL, 'XSK buffer');
    return buffer;
  }

  iovaLow(buffer: number): number {
    return this.#umemIovaLow + (buffer - this.pool.umem.address);
  }

  giveUp(): void {}

  /** xsk_buff_free of a single chunk. */
  recycle(buffer: number, from: Owner): void {
    const { umem } = this.pool;
    const chunk = buffer - umem.address;
    umem.move(chunk, from, Owner.kernel);
    this.pool.free(chunk);
    this.#out--;
  }

  recycleDirect(buffer: number, from: Owner): void {
    this.recycle(buffer, from);
  }

  releaseAtShutdown(buffer: number, from: Owner): void {
    this.recycle(buffer, from);
  }

  get inflight(): number {
    return this.#out;
  }

  get idle(): number {
    return 0;
  }

  destroy(): void {}

  // ── the packet at hand ──

  get zeroCopy(): this {
    return this;
  }

  /** A frame begins, in this buffer. */
  startPacket(buffer: number): void {
    this.#packet.partCount = 0;
    this.addPart(buffer);
  }

  /** xsk_buff_add_frag. */
  addPart(buffer: number): void {
    this.#packet.chunk[this.#packet.partCount++] = buffer - this.pool.umem.address;
  }

  /** Buffer of a part of the packet at hand, 0 for the first. */
  part(index: number): number {
    return this.pool.umem.address + this.#packet.chunk[index];
  }

  /** Packet (1-based) that the device wrote into it. */
  get packetId(): number {
    return this.owners.packetId[this.owners.indexOf(this.part(0))];
  }

  get partCount(): number {
    return this.#packet.partCount;
  }

  /**
   * The program has run: fragments that it emptied go back to the pool, those at the end (xsk_buff_get_tail) or, by bpf_xdp_pull_data, those at the start.
   */
  dropEmptied(u32: Uint32Array, context: number): void {
    const packet = this.#packet;
    const kept = fragmentCount(u32, context);
    const emptied = packet.partCount - 1 - kept;
    if (emptied === 0) return;
    const isTail = kept === 0 || this.#holds(1, fragmentAddress(u32, contextSharedInfo(u32, context), 0));
    const first = isTail ? 1 + kept : 1;
    for (let part = first; part < first + emptied; part++) this.recycle(this.part(part), Owner.driver);
    packet.chunk.copyWithin(first, first + emptied, packet.partCount);
    packet.partCount -= emptied;
  }

  #holds(part: number, address: number): boolean {
    const offBytes = address - this.part(part);
    return offBytes >= 0 && offBytes < this.pool.umem.chunkSizeBytes;
  }

  /** xsk_buff_free: all chunks of the packet, which the driver has, go back to the pool. */
  freePacket(): void {
    const packet = this.#packet;
    for (let part = 0; part < packet.partCount; part++) this.recycle(this.part(part), Owner.driver);
    packet.partCount = 0;
  }

  /** The chunks of the packet are on a TX ring, and come back one by one. */
  sendPacket(): void {
    this.#packet.partCount = 0;
  }

  /**
   * xsk_rcv_zc for the packet in the context block; what the RX ring had no place for goes back to the pool.
   *
   * @returns false when the ring was full
   */
  deliver(socket: XdpSock, u32: Uint32Array, context: number, packetId: number): boolean {
    const { umem } = this.pool;
    const packet = this.#packet;
    const { partCount, chunk, offBytes, lenBytes } = packet;
    const word = context >>> 2;
    const sharedInfo = contextSharedInfo(u32, context);
    for (let part = 0; part < partCount; part++) {
      const isFirst = part === 0;
      const address = isFirst ? u32[word + XDP_MD_DATA / 4] : fragmentAddress(u32, sharedInfo, part - 1);
      offBytes[part] = address - this.part(part);
      lenBytes[part] = isFirst ? u32[word + XDP_MD_DATA_END / 4] - address : fragmentLen(u32, sharedInfo, part - 1);
      umem.move(chunk[part], Owner.driver, Owner.kernel);
    }
    const delivered = receiveZeroCopy(socket, this.pool, packet, packetId);
    this.#out -= partCount;
    for (let part = delivered; part < partCount; part++) this.pool.free(chunk[part]);
    packet.partCount = 0;
    return delivered === partCount;
  }
}
