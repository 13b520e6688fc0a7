import { EAGAIN, EBUSY, EINVAL } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import { Owner, PAGE_BYTES } from '../memory/index.js';
import { newXdpDesc, readXdpDesc } from './txDescriptor.js';
import { NO_TX_METADATA, readTxMetadata } from './txMetadata.js';
import type { TxMetadata } from './txMetadata.js';
import type { XdpSock } from './xdpSock.js';
import type { XskBuffPool } from './xskBuffPool.js';
import { MAX_SKB_DESCRIPTORS } from './xskDevice.js';
import type { XskPacket } from './xskDevice.js';
import { XDP_PKT_CONTD, XDP_TX_METADATA } from './xskQueue.js';
import type { ConsumerQueue } from './xskQueue.js';

const NO_PACKET = -1;

/** Room for every part of a packet. */
const COPIES_BYTES = MAX_SKB_DESCRIPTORS * PAGE_BYTES;

/** The send call of one socket in copy mode (__xsk_generic_xmit, xsk_build_skb, net/xdp/xsk.c, 6.18), and the packet that is not complete yet. */
export class GenericXmit {
  readonly #memory: HostMemory;
  readonly #socket: XdpSock;
  readonly #desc = newXdpDesc();
  readonly #metadata: TxMetadata = { ...NO_TX_METADATA };
  readonly #packet: XskPacket = {
    partAddress: new Uint32Array(MAX_SKB_DESCRIPTORS), partBytes: new Uint32Array(MAX_SKB_DESCRIPTORS), partCount: 0, lenBytes: 0, completion: NO_PACKET, packetId: 0,
    metadata: NO_TX_METADATA,
  };
  /** Copies of the parts of a packet in several descriptors, which may wait for its end over several calls. 0: not needed yet. */
  #copies = 0;
  /** What follows belongs to a packet that was refused, up to its last descriptor. */
  #isDraining = false;

  constructor(memory: HostMemory, socket: XdpSock) {
    this.#memory = memory;
    this.#socket = socket;
  }

  /**
   * Sends what is on the TX ring, at most `maxTxBudget` descriptors.
   *
   * @returns 0 when the ring was drained or an invalid descriptor ended the call; -EAGAIN (budget, COMPLETION or driver queue full), -EBUSY (the driver
   * dropped a packet) or -EINVAL (metadata that makes no sense: its descriptor stays on the ring)
   */
  send(): number {
    const { tx, pool, device, queueId } = this.#socket;
    if (tx === undefined || pool === undefined || device === undefined || queueId >= device.txQueues) return 0;
    const result = this.#sendAll(tx, pool);
    tx.publish();
    device.kick(queueId);
    return result;
  }

  #sendAll(tx: ConsumerQueue, pool: XskBuffPool): number {
    const { rules, maxTxBudget } = this.#socket;
    const desc = this.#desc;
    const { u32 } = this.#memory;
    for (let budget = maxTxBudget, skipped = 0; skipped <= tx.mostEntries && tx.peek(); ) {
      readXdpDesc(u32, tx.word, pool.umem, desc);
      const isValid = rules.descriptors.isValid(desc, pool.umem);
      // Older kernels pass over it while they read the ring: it costs nothing of the budget.
      if (!isValid && !rules.completesInvalid) {
        this.#dropInvalid(tx, pool);
        if (rules.stopsAtInvalid) return 0;
        skipped++;
        continue;
      }
      // An invalid descriptor is found before the budget is asked: the 33rd still ends the call with 0 (measured on 6.18).
      if (isValid && budget-- === 0) return -EAGAIN;
      // What there is of its packet is dropped, and what follows will be, even if the call ends here.
      if (!isValid) {
        if (this.#packet.partCount > 0 || (desc.options & XDP_PKT_CONTD) !== 0) this.#isDraining = rules.drainsInvalid;
        this.#dropPacket(tx, pool);
      }
      if (!pool.reserveCompletion()) return rules.completionFull;
      if (!isValid || this.#isDraining) {
        this.#dropAndComplete(tx, pool);
        if (isValid) continue;
        return 0;
      }
      const error = this.#take(tx, pool);
      if (error !== 0) return error;
    }
    tx.queueEmptyDescs++;
    return 0;
  }

  /** One valid descriptor, which has a slot on COMPLETION: it goes into the packet, and that is sent when it is complete. */
  #take(tx: ConsumerQueue, pool: XskBuffPool): number {
    const desc = this.#desc;
    const packet = this.#packet;
    const { umem } = pool;
    const isContinued = (desc.options & XDP_PKT_CONTD) !== 0;
    const isFirst = packet.partCount === 0;
    if (packet.partCount === MAX_SKB_DESCRIPTORS - 1 && isContinued) {
      this.#dropAndComplete(tx, pool);
      return 0;
    }
    if (isFirst) {
      const error = this.#readMetadata(pool);
      if (error !== 0) return error;
    }
    if (isContinued && this.#copies === 0 && !this.#memory.hasRoom(COPIES_BYTES)) {
      // No memory for an skb: the application may try again (sock_alloc_send_skb).
      pool.cancelCompletion(1);
      return -EAGAIN;
    }
    const address = umem.address + desc.offBytes;
    packet.partAddress[packet.partCount] = isFirst && !isContinued ? address : this.#copy(packet.partCount, address, desc.len);
    packet.partBytes[packet.partCount++] = desc.len;
    packet.lenBytes += desc.len;
    const chunk = umem.chunkOf(desc.addrLow, desc.addrHigh);
    if (isFirst) packet.packetId = umem.chunks.packetId[umem.chunks.indexOf(umem.address + chunk)];
    const timestampAt = isFirst && packet.metadata.wantsTimestamp ? desc.offBytes - umem.txMetadataBytes : -1;
    packet.completion = pool.addToPacket(packet.completion, isFirst ? this.#firstAddress() : desc.addrLow, desc.addrHigh, timestampAt);
    umem.move(chunk, Owner.txRing, Owner.kernel);
    tx.release();
    return isContinued ? 0 : this.#transmit(tx, pool);
  }

  #transmit(tx: ConsumerQueue, pool: XskBuffPool): number {
    const socket = this.#socket;
    const { completion, partCount } = this.#packet;
    const error = socket.device!.xskTransmit(socket, this.#packet);
    this.#forget();
    if (error === -EAGAIN) {
      const published = tx.ring.consumer;
      tx.cancel(pool.cancelPacket(completion, Owner.txRing, tx, tx.cachedCons - partCount));
      // Descriptors of an earlier call: the kernel goes back all the same.
      if (published !== tx.cachedCons) pool.umem.watch?.rewound(tx, published);
      return error;
    }
    if (error !== 0) {
      pool.completePacket(completion, pool.clock.nowNs);
      return -EBUSY;
    }
    socket.txPackets++;
    return 0;
  }

  #readMetadata(pool: XskBuffPool): number {
    const desc = this.#desc;
    const { umem } = pool;
    this.#packet.metadata = NO_TX_METADATA;
    if ((desc.options & XDP_TX_METADATA) === 0) return 0;
    const { txMetadataBytes } = umem;
    const error = txMetadataBytes === 0 ? -EINVAL : readTxMetadata(this.#memory.view, umem.address + desc.offBytes - txMetadataBytes, desc.len, this.#metadata);
    if (error !== 0) {
      if (this.#socket.rules.quirks.completesRefusedMetadata === true) pool.completeAddress(this.#firstAddress(), desc.addrHigh);
      pool.cancelCompletion(1);
      return error;
    }
    this.#packet.metadata = this.#metadata;
    return 0;
  }

  /** Low word of what COMPLETION gets for the first descriptor of a packet. */
  #firstAddress(): number {
    const { addrLow } = this.#desc;
    return this.#socket.rules.quirks.completesEvenAddress === true ? (addrLow & ~1) >>> 0 : addrLow;
  }

  #copy(part: number, address: number, lenBytes: number): number {
    if (this.#copies === 0) this.#copies = this.#memory.reserve(`packet of socket ${this.#socket.id}`, COPIES_BYTES);
    const to = this.#copies + part * PAGE_BYTES;
    this.#memory.u8.copyWithin(to, address, address + lenBytes);
    return to;
  }

  #forget(): void {
    this.#packet.partCount = 0;
    this.#packet.lenBytes = 0;
    this.#packet.completion = NO_PACKET;
  }

  /** The descriptors of a packet that cannot be sent come back. */
  #dropPacket(tx: ConsumerQueue, pool: XskBuffPool): void {
    const { completion, partCount } = this.#packet;
    if (completion === NO_PACKET) return;
    tx.invalidDescs += partCount;
    pool.completePacket(completion, pool.clock.nowNs);
    this.#forget();
  }

  /** Before 6.18: nobody tells the application of what was dropped. */
  #dropInvalid(tx: ConsumerQueue, pool: XskBuffPool): void {
    tx.invalidDescs++;
    if (this.#packet.completion !== NO_PACKET) tx.invalidDescs += pool.cancelPacket(this.#packet.completion, Owner.application);
    this.#forget();
    this.#moveInvalid(pool, Owner.application);
    tx.release();
  }

  /** Somebody gets the chunk of a descriptor that was refused; an address beyond the UMEM has none. */
  #moveInvalid({ umem, completion }: XskBuffPool, to: Owner): void {
    const chunk = umem.chunkOf(this.#desc.addrLow, this.#desc.addrHigh);
    if (umem.contains(chunk)) umem.move(chunk, Owner.txRing, to, to === Owner.completionRing ? completion : undefined, completion.ring.producer);
  }

  /**
   * Since 6.18 all addresses of a packet that is dropped come back, those of its other descriptors, too: the ones that it has already, and the ones that
   * follow.
   */
  #dropAndComplete(tx: ConsumerQueue, pool: XskBuffPool): void {
    const { rules } = this.#socket;
    const desc = this.#desc;
    const packet = this.#packet;
    const isContinued = (desc.options & XDP_PKT_CONTD) !== 0;
    tx.invalidDescs++;
    if (!rules.completesInvalid) {
      // Too many descriptors for one packet.
      pool.cancelCompletion(1);
      if (packet.completion !== NO_PACKET) tx.invalidDescs += pool.cancelPacket(packet.completion, Owner.application);
      this.#moveInvalid(pool, Owner.application);
    } else {
      this.#dropPacket(tx, pool);
      this.#moveInvalid(pool, Owner.completionRing);
      pool.completeAddress(desc.addrLow, desc.addrHigh);
    }
    this.#forget();
    tx.release();
    this.#isDraining = isContinued && rules.drainsInvalid;
  }
}
