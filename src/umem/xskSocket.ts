import { EAGAIN, EBUSY, EINVAL, ENOBUFS, ENOMEM, ENOSPC, hasChange, NEWEST_KERNEL } from '../base/index.js';
import type { KernelRelease } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import { Owner } from '../memory/index.js';
import { AddressRing } from './addressRing.js';
import { DescriptorRing, XDP_TX_METADATA } from './descriptorRing.js';
import type { XdpDesc } from './descriptorRing.js';
import { NO_TX_METADATA, readTxMetadata, writeTxTimestamp } from './txMetadata.js';
import type { TxMetadata } from './txMetadata.js';
import { XDP_RING_NEED_WAKEUP } from './ring.js';
import { XDP_PACKET_HEADROOM } from './umem.js';
import type { Umem } from './umem.js';

/** Entries of the four rings, each a power of two. */
export interface XskRingSizes {
  readonly rx: number;
  readonly tx: number;
  readonly fill: number;
  readonly completion: number;
}

/** struct xdp_statistics, version 2. */
export interface XdpStatistics {
  rx_dropped: number;
  rx_invalid_descs: number;
  tx_invalid_descs: number;
  rx_ring_full: number;
  rx_fill_ring_empty_descs: number;
  tx_ring_empty_descs: number;
}

/** What a socket in copy mode sends through: the driver's transmit function. */
export interface XskTransmit {
  /**
   * Copies a packet out of the UMEM and queues it.
   *
   * @param address host address of the packet
   * @param completionOffBytes what to put on the COMPLETION ring when the packet has left
   * @param metadata what is to be done to it; good during the call
   * @returns 0, or -EBUSY when the driver dropped it, or -EAGAIN when its queue is full
   */
  transmit(socket: XskSocket, address: number, lenBytes: number, completionOffBytes: number, metadata: Readonly<TxMetadata>): number;
}

/** Descriptors that one send call handles in copy mode (TX_BATCH_SIZE, net/xdp/xsk.c). */
const TX_BUDGET = 32;

/**
 * An AF_XDP socket in copy mode, bound to one queue of one device. Packets of one buffer: descriptors with XDP_PKT_CONTD
 * are refused as invalid.
 */
export class XskSocket {
  readonly id: number;
  readonly ifindex: number;
  readonly queueId: number;
  readonly umem: Umem;
  readonly rx: DescriptorRing;
  readonly tx: DescriptorRing;
  readonly fill: AddressRing;
  readonly completion: AddressRing;
  readonly statistics: XdpStatistics = {
    rx_dropped: 0,
    rx_invalid_descs: 0,
    tx_invalid_descs: 0,
    rx_ring_full: 0,
    rx_fill_ring_empty_descs: 0,
    tx_ring_empty_descs: 0,
  };
  /** Packets and bytes that reached the RX ring, and that were sent. */
  rxPackets = 0;
  rxBytes = 0;
  txPackets = 0;
  /** Chunks that were taken from FILL and not delivered; used before FILL, last in first out. */
  readonly #stash: Uint32Array;
  #stashCount = 0;
  /** Completions that are on their way: their slots on the COMPLETION ring are spoken for. */
  #completionsReserved = 0;
  readonly #u8: Uint8Array;
  readonly #stopsAtInvalid: boolean;
  readonly #completesInvalid: boolean;
  readonly #knownOptions: number;
  /** What `send` gives when the COMPLETION ring is full. */
  readonly #completionFull: number;
  readonly #view: DataView;
  readonly #desc: XdpDesc = { addr: 0, len: 0, options: 0 };
  readonly #metadata: TxMetadata = { ...NO_TX_METADATA };
  /** By chunk: the frame in it wants to know when it was sent. */
  readonly #wantsTimestamp: Uint8Array;

  /** @param kernel whose rules `send` follows */
  constructor(memory: HostMemory, id: number, ifindex: number, queueId: number, umem: Umem, sizes: XskRingSizes, kernel: KernelRelease = NEWEST_KERNEL) {
    this.id = id;
    this.ifindex = ifindex;
    this.queueId = queueId;
    this.umem = umem;
    this.rx = new DescriptorRing(memory, `xsk${id} RX ring`, sizes.rx);
    this.tx = new DescriptorRing(memory, `xsk${id} TX ring`, sizes.tx);
    this.fill = new AddressRing(memory, `xsk${id} FILL ring`, sizes.fill);
    this.completion = new AddressRing(memory, `xsk${id} COMPLETION ring`, sizes.completion);
    // Copy mode: set when the ring is made and never cleared.
    this.tx.ring.flags = XDP_RING_NEED_WAKEUP;
    this.#stash = new Uint32Array(umem.chunks.count);
    this.#u8 = memory.u8;
    this.#view = memory.view;
    this.#wantsTimestamp = new Uint8Array(umem.chunks.count);
    this.#stopsAtInvalid = hasChange(kernel, 'sendStopsAtInvalid');
    this.#completesInvalid = hasChange(kernel, 'completesInvalid');
    this.#knownOptions = hasChange(kernel, 'txMetadata') ? XDP_TX_METADATA : 0;
    this.#completionFull = hasChange(kernel, 'completionFullIsAgain') ? -EAGAIN : 0;
  }

  /**
   * Delivers one packet (xsk_rcv and __xsk_rcv, net/xdp/xsk.c, 6.18, copy mode).
   *
   * @param address host address of the packet's first byte; `metaBytes` of metadata lie directly before it
   * @returns 0, or -ENOSPC (longer than a chunk), -ENOMEM (no FILL buffer), -ENOBUFS (RX ring full)
   */
  receive(address: number, lenBytes: number, metaBytes: number, packetId: number): number {
    const { umem, statistics } = this;
    if (lenBytes > umem.frameSizeBytes) {
      statistics.rx_dropped++;
      return -ENOSPC;
    }
    const chunk = this.#takeChunk();
    if (chunk < 0) {
      statistics.rx_dropped++;
      return -ENOMEM;
    }
    const chunkAddress = umem.address + chunk;
    const offBytes = chunk + XDP_PACKET_HEADROOM + umem.headroomBytes;
    this.#u8.copyWithin(umem.address + offBytes - metaBytes, address - metaBytes, address + lenBytes);
    if (!this.rx.produce(offBytes, lenBytes, 0)) {
      statistics.rx_ring_full++;
      this.#stash[this.#stashCount++] = chunk;
      return -ENOBUFS;
    }
    umem.chunks.move(chunkAddress, Owner.kernel, Owner.rxRing);
    umem.chunks.packetId[umem.chunks.indexOf(chunkAddress)] = packetId;
    this.rxPackets++;
    this.rxBytes += lenBytes;
    return 0;
  }

  /** A chunk for a packet, now owned by the kernel; -1 when FILL has no usable one. Bad FILL entries are skipped silently. */
  #takeChunk(): number {
    if (this.#stashCount > 0) return this.#stash[--this.#stashCount];
    const { umem } = this;
    for (;;) {
      const offBytes = this.fill.consume();
      if (offBytes < 0) {
        this.statistics.rx_fill_ring_empty_descs++;
        return -1;
      }
      const chunk = umem.chunkStart(offBytes);
      if (chunk < 0) continue;
      umem.chunks.move(umem.address + chunk, Owner.fillRing, Owner.kernel);
      return chunk;
    }
  }

  /**
   * The send call in copy mode (__xsk_generic_xmit, net/xdp/xsk.c, 6.18): at most 32 descriptors.
   *
   * @returns 0 when the ring was drained or an invalid descriptor ended the call; -EAGAIN (budget, COMPLETION or driver queue
   *   full), -EBUSY (driver dropped a packet) or -EINVAL (metadata that makes no sense: its descriptor stays on the ring). Older kernels: KERNEL_CHANGES, `AF_XDP`
   */
  send(driver: XskTransmit): number {
    const { tx, umem } = this;
    const desc = this.#desc;
    for (let budget = TX_BUDGET; ; budget--) {
      if (!tx.peek(desc)) {
        this.statistics.tx_ring_empty_descs++;
        return 0;
      }
      const isFull = this.completion.ring.used + this.#completionsReserved >= this.completion.ring.size;
      if (isFull && (this.#completesInvalid || this.#isValid(desc))) return this.#completionFull;
      // An invalid descriptor is found before the budget is asked: the 33rd still ends the call with 0 (measured on 6.18).
      if (!this.#isValid(desc)) {
        this.statistics.tx_invalid_descs++;
        this.#endInvalid(desc.addr);
        tx.release();
        if (this.#stopsAtInvalid) return 0;
        // Passed over while the ring is read: it costs nothing of the budget.
        budget++;
        continue;
      }
      if (budget === 0) return -EAGAIN;
      const address = umem.address + desc.addr;
      const metadata = (desc.options & XDP_TX_METADATA) === 0 ? NO_TX_METADATA : this.#metadata;
      if (metadata !== NO_TX_METADATA) {
        const wrong = umem.txMetadataBytes === 0 ? -EINVAL : readTxMetadata(this.#view, address - umem.txMetadataBytes, desc.len, this.#metadata);
        if (wrong !== 0) return wrong;
      }
      this.#wantsTimestamp[umem.chunks.indexOf(address)] = metadata.wantsTimestamp ? 1 : 0;
      const error = driver.transmit(this, address, desc.len, desc.addr, metadata);
      if (error === -EAGAIN) return error;
      umem.chunks.move(address, Owner.txRing, Owner.kernel);
      tx.release();
      this.#completionsReserved++;
      if (error !== 0) {
        this.complete(desc.addr, 0);
        return -EBUSY;
      }
      this.txPackets++;
    }
  }

  /**
   * The skb of a sent packet was freed: its address goes on the COMPLETION ring (xsk_destruct_skb).
   *
   * @param tNs virtual time
   */
  complete(offBytes: number, tNs: number): void {
    const { umem } = this;
    this.#completionsReserved--;
    if (this.#wantsTimestamp[umem.chunks.indexOf(umem.address + offBytes)] !== 0) {
      writeTxTimestamp(this.#view, umem.address + offBytes - umem.txMetadataBytes, tNs);
    }
    this.umem.chunks.move(this.umem.address + offBytes, Owner.kernel, Owner.completionRing);
    this.completion.produce(offBytes);
  }

  /** 6.18 completes an invalid descriptor too, so that the application gets its address back, whatever it was; before, nobody told it. */
  #endInvalid(offBytes: number): void {
    const { umem } = this;
    const isChunk = umem.chunkStart(offBytes) >= 0;
    if (isChunk) umem.chunks.move(umem.address + offBytes, Owner.txRing, this.#completesInvalid ? Owner.completionRing : Owner.application);
    if (this.#completesInvalid) this.completion.produceAddressOf(this.tx);
  }

  /** xp_aligned_validate_desc: non-empty, inside the UMEM, with its metadata inside one chunk, whether it uses it or not, no unknown option. */
  #isValid(desc: XdpDesc): boolean {
    const { umem } = this;
    const start = desc.addr - umem.txMetadataBytes;
    return (
      desc.len > 0 &&
      (desc.options & ~this.#knownOptions) === 0 &&
      umem.chunkStart(start) >= 0 &&
      (start % umem.chunkSizeBytes) + umem.txMetadataBytes + desc.len <= umem.chunkSizeBytes
    );
  }

  /** Chunks that the kernel holds: in the stash, or in packets that are being sent. */
  get kernelChunkCount(): number {
    return this.#stashCount + this.#completionsReserved;
  }
}
