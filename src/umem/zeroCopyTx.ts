import type { HostMemory } from '../memory/index.js';
import { Owner } from '../memory/index.js';
import { newXdpDesc, readXdpDesc } from './txDescriptor.js';
import type { XdpDesc } from './txDescriptor.js';
import type { XdpSock } from './xdpSock.js';
import type { XskBuffPool } from './xskBuffPool.js';
import { XDP_PKT_CONTD } from './xskQueue.js';
import type { ConsumerQueue } from './xskQueue.js';

/** MAX_PER_SOCKET_BUDGET: descriptors of one socket before the others of its pool have their turn. */
const MAX_PER_SOCKET_BUDGET = 32;

/** Descriptors that a driver has taken off TX rings (pool->tx_descs); the first `count` are meant. */
export interface TxDescriptors {
  count: number;
  /** UMEM offset of each one's first byte, and of the chunk that it lies in. */
  readonly offBytes: Float64Array;
  readonly chunk: Float64Array;
  readonly lenBytes: Uint32Array;
  readonly options: Uint32Array;
}

/**
 * What a driver in zero-copy mode calls to send from the sockets of a pool (xsk_tx_*, net/xdp/xsk.c, 6.18). Every descriptor that is taken has a slot on
 * COMPLETION, with its address in it; `completed` shows them to the application, in the order in which they were taken. Their chunks go from
 * `Owner.txRing` to `Owner.kernel`, and a refused one's back to the application, whom nobody tells. The driver gives them to `Owner.device`.
 */
export class ZeroCopyTx {
  readonly descriptors: TxDescriptors;
  readonly #memory: HostMemory;
  readonly #pool: XskBuffPool;
  readonly #maxSegments: number;
  readonly #desc: XdpDesc = newXdpDesc();

  /**
   * @param capacity descriptors that a driver takes at once, at most
   * @param maxSegments netdev->xdp_zc_max_segs: descriptors of a packet, at most
   */
  constructor(memory: HostMemory, pool: XskBuffPool, capacity: number, maxSegments: number) {
    this.#memory = memory;
    this.#pool = pool;
    this.#maxSegments = maxSegments;
    this.descriptors = { count: 0, offBytes: new Float64Array(capacity), chunk: new Float64Array(capacity), lenBytes: new Uint32Array(capacity), options: new Uint32Array(capacity) };
  }

  /**
   * xsk_tx_peek_desc until there is none, as drivers do that take one descriptor at a time; of a pool with several sockets also the others
   * (xsk_tx_peek_release_fallback). The application sees room on TX rings after it.
   *
   * @returns their number, which is in `descriptors`, too
   */
  takeEach(most: number): number {
    const { descriptors } = this;
    descriptors.count = 0;
    while (descriptors.count < most && this.#peek());
    this.#release();
    return descriptors.count;
  }

  /**
   * xsk_tx_peek_release_desc_batch: as many descriptors as COMPLETION has room for. Of the only socket of a pool these are whole packets.
   *
   * @returns their number, which is in `descriptors`, too
   */
  takeBatch(most: number): number {
    const { txSockets, completion } = this.#pool;
    const { descriptors } = this;
    descriptors.count = 0;
    if (txSockets.length !== 1) return txSockets.length === 0 ? 0 : this.takeEach(most);
    const tx = txSockets[0].tx!;
    const room = completion.free(tx.entries(most));
    if (room <= 0) return 0;
    this.#readBatch(txSockets[0], tx, room);
    if (descriptors.count === 0) tx.queueEmptyDescs++;
    else tx.publish();
    return descriptors.count;
  }

  /** xsk_tx_completed: the application sees so many more addresses on COMPLETION. Their chunks were `Owner.device`'s. */
  completed(count: number): void {
    const { completion, umem } = this.#pool;
    const { ring } = completion;
    for (let i = 0; i < count; i++) {
      const index = (ring.producer + i) >>> 0;
      const word = ring.entryWord(index);
      umem.move(umem.chunkOf(ring.u32[word], ring.u32[word + 1]), Owner.device, Owner.completionRing, completion, index);
    }
    completion.submitMore(count);
  }

  /**
   * One descriptor of whoever's turn it is. The socket that was bound last comes first; each may send MAX_PER_SOCKET_BUDGET descriptors, then all others
   * are asked. False: no socket has a valid one, or COMPLETION is full. An invalid one is used up, and ends the turn of its socket.
   */
  #peek(): boolean {
    const { txSockets } = this.#pool;
    for (;;) {
      let isBudgetSpent = false;
      for (let i = txSockets.length - 1; i >= 0; i--) {
        const socket = txSockets[i];
        const tx = socket.tx!;
        if (socket.rules.sharesTxFairly && socket.txBudgetSpent >= MAX_PER_SOCKET_BUDGET) {
          isBudgetSpent = true;
          continue;
        }
        if (!this.#readValid(socket, tx)) continue;
        socket.txBudgetSpent++;
        return this.#take(socket, tx);
      }
      if (!isBudgetSpent) return false;
      for (const socket of txSockets) socket.txBudgetSpent = 0;
    }
  }

  /** xskq_cons_peek_desc: the next descriptor is valid, and is in `#desc`. */
  #readValid(socket: XdpSock, tx: ConsumerQueue): boolean {
    const { umem } = this.#pool;
    for (let skipped = 0; skipped <= tx.mostEntries && tx.peek(); skipped++) {
      readXdpDesc(this.#memory.u32, tx.word, umem, this.#desc);
      if (socket.rules.descriptors.isValid(this.#desc, umem)) return true;
      tx.invalidDescs++;
      this.#discard(tx.cachedCons, tx);
      tx.release();
      if (socket.rules.stopsAtInvalid) return false;
    }
    tx.queueEmptyDescs++;
    return false;
  }

  /** The descriptor in `#desc` is the driver's, if COMPLETION has a slot for it. */
  #take(socket: XdpSock, tx: ConsumerQueue): boolean {
    const { addrLow, addrHigh } = this.#desc;
    if (!this.#pool.completion.reserveAddress(addrLow, addrHigh)) return false;
    this.#keep(socket);
    tx.release();
    return true;
  }

  #keep(socket: XdpSock): void {
    const { descriptors } = this;
    const { umem } = this.#pool;
    const { addrLow, addrHigh, offBytes, len, options } = this.#desc;
    const chunk = umem.chunkOf(addrLow, addrHigh);
    const at = descriptors.count++;
    descriptors.offBytes[at] = offBytes;
    descriptors.chunk[at] = chunk;
    descriptors.lenBytes[at] = len;
    descriptors.options[at] = options;
    if ((options & XDP_PKT_CONTD) === 0) socket.txPackets++;
    umem.move(chunk, Owner.txRing, Owner.kernel);
  }

  /**
   * xskq_cons_read_desc_batch: whole packets. What is invalid, or a packet of more than `maxSegments` descriptors, ends the batch and is used up; of a
   * packet that ends with an invalid descriptor only the first one, so that it is found again, and once more shortened, by the next call. Before 6.6 there
   * are no such packets, and invalid descriptors are passed over.
   */
  #readBatch(socket: XdpSock, tx: ConsumerQueue, most: number): void {
    const { umem } = this.#pool;
    const desc = this.#desc;
    const { u32 } = this.#memory;
    let cursor = tx.cachedCons;
    let whole = tx.cachedCons;
    let pending = 0;
    let isCut = false;
    const { descriptors, stopsAtInvalid } = socket.rules;
    for (let valid = 0, left = tx.mostEntries; cursor !== tx.cachedProd && valid < most && !isCut && left > 0; left--) {
      readXdpDesc(u32, tx.ring.entryWord(cursor), umem, desc);
      cursor = (cursor + 1) >>> 0;
      if (!descriptors.isValid(desc, umem)) {
        tx.invalidDescs++;
        isCut = stopsAtInvalid;
        continue;
      }
      valid++;
      if ((desc.options & XDP_PKT_CONTD) === 0) {
        pending = 0;
        whole = cursor;
      } else if (++pending === this.#maxSegments) {
        pending = 0;
        isCut = true;
      }
    }
    this.#takeUntil(socket, tx, whole);
    const end = (cursor - pending) >>> 0;
    for (let at = whole; at !== end; at = (at + 1) >>> 0) this.#discard(at, tx);
    tx.cachedCons = end;
  }

  /** Takes the descriptors before the index `end`, and writes their addresses into the slots of COMPLETION (xskq_prod_write_addr_batch). */
  #takeUntil(socket: XdpSock, tx: ConsumerQueue, end: number): void {
    const { rules } = socket;
    const { umem, completion } = this.#pool;
    for (let at = tx.cachedCons; at !== end; at = (at + 1) >>> 0) {
      readXdpDesc(this.#memory.u32, tx.ring.entryWord(at), umem, this.#desc);
      if (!rules.stopsAtInvalid && !rules.descriptors.isValid(this.#desc, umem)) {
        this.#discard(at, tx);
        continue;
      }
      completion.reserveAddress(this.#desc.addrLow, this.#desc.addrHigh);
      this.#keep(socket);
    }
  }

  /** The descriptor at this index is used up, and nobody sends it. */
  #discard(at: number, tx: ConsumerQueue): void {
    const { umem } = this.#pool;
    readXdpDesc(this.#memory.u32, tx.ring.entryWord(at), umem, this.#desc);
    const chunk = umem.chunkOf(this.#desc.addrLow, this.#desc.addrHigh);
    if (umem.contains(chunk)) umem.move(chunk, Owner.txRing, Owner.application);
  }

  /** xsk_tx_release. */
  #release(): void {
    for (const { tx } of this.#pool.txSockets) tx!.publish();
  }
}
