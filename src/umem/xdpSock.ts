import { EINVAL, ENETDOWN, ENOBUFS, ENOMEM, ENOSPC, ENXIO, EOPNOTSUPP } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import { Owner } from '../memory/index.js';
import { GenericXmit } from './genericXmit.js';
import { MSG_DONTWAIT, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM, XDP_WAKEUP_RX, XDP_WAKEUP_TX, XSK_UNALIGNED_BUF_OFFSET_SHIFT } from './ifXdp.js';
import type { Umem } from './umem.js';
import type { XdpStatistics } from './xdpStatistics.js';
import type { XskBuffPool } from './xskBuffPool.js';
import type { XskDevice } from './xskDevice.js';
import { XDP_PKT_CONTD } from './xskQueue.js';
import type { ConsumerQueue, ProducerQueue } from './xskQueue.js';
import { TX_BATCH_SIZE } from './xskRules.js';
import type { XskRules } from './xskRules.js';

/** There is no way back from one to the one before it. */
export type XskState = 'ready' | 'bound' | 'unbound';

/**
 * An AF_XDP socket as the kernel has it (struct xdp_sock, net/xdp/xsk.c, 6.18). `AfXdp` makes it, sets its rings up and binds it; drivers and the
 * redirect path call `receive` and `flush`; the application's calls come in as `sendmsg`, `recvmsg` and `poll`.
 */
export class XdpSock {
  /** Number of the socket on its host, from 0 on: an XSKMAP slot holds it plus 1. */
  readonly id: number;
  readonly rules: XskRules;
  state: XskState = 'ready';
  umem: Umem | undefined;
  rx: ProducerQueue | undefined;
  tx: ConsumerQueue | undefined;
  /** FILL and COMPLETION from their making to bind, which gives them to the pool. */
  fillUntilBind: ConsumerQueue | undefined;
  completionUntilBind: ProducerQueue | undefined;
  pool: XskBuffPool | undefined;
  device: XskDevice | undefined;
  queueId = 0;
  isZeroCopy = false;
  /** XDP_USE_SG: takes packets of several descriptors. */
  hasSg = false;
  /** XDP_MAX_TX_SKB_BUDGET. */
  maxTxBudget = TX_BATCH_SIZE;
  /** Descriptors of this turn, of sockets that share a pool (tx_budget_spent). */
  txBudgetSpent = 0;
  rxDropped = 0;
  rxQueueFull = 0;
  /** Packets of another queue or device, and which queue the last one was of; packets that came while it was not bound. No statistics tell of them. */
  rxOtherQueue = 0;
  lastOtherQueue = 0;
  rxNotBound = 0;
  /** SO_ERROR: a positive errno that waits to be read. */
  error = 0;
  // SO_BUSY_POLL in microseconds, SO_PREFER_BUSY_POLL, SO_BUSY_POLL_BUDGET.
  busyPollUsecs = 0;
  prefersBusyPoll = false;
  busyPollBudget = 0;
  /** The NAPI of its queue is known, so that it can be polled: from the first packet on, or, in zero-copy mode, from the first call. */
  isNapiKnown = false;
  /** Packets and bytes that reached the RX ring, and packets that were sent. */
  rxPackets = 0;
  rxBytes = 0;
  txPackets = 0;
  readonly #memory: HostMemory;
  readonly #xmit: GenericXmit;

  constructor(memory: HostMemory, id: number, rules: XskRules) {
    this.#memory = memory;
    this.id = id;
    this.rules = rules;
    this.#xmit = new GenericXmit(memory, this);
  }

  get isBound(): boolean {
    return this.state === 'bound';
  }

  /** Interface that it is bound to, 0 for none. */
  get ifindex(): number {
    return this.device?.ifindex ?? 0;
  }

  get statistics(): XdpStatistics {
    return {
      rx_dropped: this.rxDropped,
      rx_invalid_descs: this.rx?.invalidDescs ?? 0,
      tx_invalid_descs: this.tx?.invalidDescs ?? 0,
      rx_ring_full: this.rxQueueFull,
      rx_fill_ring_empty_descs: this.pool?.fill.queueEmptyDescs ?? 0,
      tx_ring_empty_descs: this.tx?.queueEmptyDescs ?? 0,
    };
  }

  // ── receive ──

  /**
   * xsk_rcv_check: whether the socket takes a packet of this queue at all.
   *
   * @param lenBytes of the whole packet, fragments and all, without metadata
   * @returns 0, -ENXIO (not bound), -EINVAL (another queue), or -ENOSPC (too long, no XDP_USE_SG)
   */
  checkReceive(ifindex: number, queueId: number, lenBytes: number): number {
    if (!this.isBound || this.pool === undefined) {
      this.rxNotBound++;
      return -ENXIO;
    }
    if (this.ifindex !== ifindex || this.queueId !== queueId) {
      this.rxOtherQueue++;
      this.lastOtherQueue = queueId;
      return -EINVAL;
    }
    if (lenBytes > this.pool.umem.frameSizeBytes && !this.hasSg) {
      this.rxDropped++;
      return -ENOSPC;
    }
    this.isNapiKnown = true;
    return 0;
  }

  /**
   * Copies a packet that `checkReceive` let in (__xsk_rcv): one descriptor, or, if it is longer than a chunk or has fragments, as many as it takes, all or
   * none. The application sees them after `flush`.
   *
   * @param address host address of the packet's first byte; all its bytes lie side by side, `metaBytes` of metadata directly before them
   * @returns 0, -ENOMEM (no chunk on FILL) or -ENOBUFS (RX ring full)
   */
  copyPacket(address: number, lenBytes: number, metaBytes: number, hasFragments: boolean, packetId: number): number {
    const { pool, rx } = this;
    if (pool === undefined) return -ENXIO;
    const frameBytes = pool.umem.frameSizeBytes;
    if (lenBytes <= frameBytes && !hasFragments) {
      const chunk = pool.alloc();
      if (chunk < 0) {
        this.rxDropped++;
        return -ENOMEM;
      }
      this.#copy(pool, chunk, address - metaBytes, lenBytes + metaBytes, metaBytes);
      if (!this.deliver(pool, chunk, pool.headroomBytes, lenBytes, 0, packetId)) {
        this.rxQueueFull++;
        pool.free(chunk);
        return -ENOBUFS;
      }
    } else {
      const descriptors = Math.ceil(lenBytes / frameBytes);
      if (!pool.canAlloc(descriptors)) {
        this.rxDropped++;
        return -ENOMEM;
      }
      if (rx === undefined || rx.free(descriptors) < descriptors) {
        this.rxQueueFull++;
        return -ENOBUFS;
      }
      const error = this.#copyInParts(pool, address, lenBytes, metaBytes, packetId);
      if (error !== 0) return error;
    }
    this.rxPackets++;
    this.rxBytes += lenBytes;
    return 0;
  }

  #copyInParts(pool: XskBuffPool, address: number, lenBytes: number, metaBytes: number, packetId: number): number {
    const frameBytes = pool.umem.frameSizeBytes;
    for (let at = 0, meta = metaBytes; at < lenBytes; at += frameBytes, meta = 0) {
      const chunk = pool.alloc();
      // `canAlloc` counts bad entries of FILL, too. The kernel has no check here.
      if (chunk < 0) {
        this.rxDropped++;
        return -ENOMEM;
      }
      const bytes = Math.min(frameBytes, lenBytes - at);
      this.#copy(pool, chunk, address + at - meta, bytes + meta, meta);
      this.deliver(pool, chunk, pool.headroomBytes, bytes, at + bytes < lenBytes ? XDP_PKT_CONTD : 0, packetId);
    }
    return 0;
  }

  #copy(pool: XskBuffPool, chunk: number, from: number, bytes: number, metaBytes: number): void {
    this.#memory.u8.copyWithin(pool.umem.address + chunk + pool.headroomBytes - metaBytes, from, from + bytes);
  }

  /**
   * __xsk_rcv_zc: a chunk that is `Owner.kernel` goes on the RX ring.
   *
   * @param packetOffBytes from the beginning of the chunk to the packet
   * @returns false when the ring is full: nothing has changed
   */
  deliver(pool: XskBuffPool, chunk: number, packetOffBytes: number, lenBytes: number, options: number, packetId: number): boolean {
    const { rx } = this;
    const { umem } = pool;
    if (rx === undefined) return false;
    const low = umem.isUnaligned ? chunk >>> 0 : chunk + packetOffBytes;
    const high = umem.isUnaligned ? (Math.floor(chunk / 2 ** 32) & 0xffff) | (packetOffBytes << (XSK_UNALIGNED_BUF_OFFSET_SHIFT - 32)) : 0;
    if (!rx.reserveDesc(low, high, lenBytes, options)) return false;
    pool.release();
    umem.chunks.packetId[umem.chunks.indexOf(umem.address + chunk)] = packetId;
    umem.move(chunk, Owner.kernel, Owner.rxRing, rx, (rx.cachedProd - 1) >>> 0);
    return true;
  }

  /** xsk_flush: the application sees what was received, and which FILL entries were taken. */
  flush(): void {
    this.rx?.submit();
    this.pool?.fill.publish();
  }

  // ── calls of the application ──

  /** xsk_check_common. */
  #check(): number {
    if (!this.isBound) return -ENXIO;
    return this.device?.isUp === false ? -ENETDOWN : 0;
  }

  /**
   * sendto: in copy mode it sends by itself, in zero-copy mode it wakes the driver, if that sleeps.
   *
   * @returns 0, -ENXIO (not bound), -ENETDOWN, -EOPNOTSUPP (blocking call), -ENOBUFS (no TX ring), what `GenericXmit.send` gives or what the driver says
   */
  sendmsg(flags: number): number {
    const watch = this.umem?.watch;
    watch?.called(this);
    const result = this.#sendmsg(flags);
    watch?.sent(this, result, result === -EINVAL && !this.isZeroCopy);
    return result;
  }

  #sendmsg(flags: number): number {
    const isBlocking = (flags & MSG_DONTWAIT) === 0;
    if (!this.isBound) return -ENXIO;
    if (isBlocking && !this.rules.checksDeviceFirst) return -EOPNOTSUPP;
    const error = this.#check();
    if (error !== 0) return error;
    if (isBlocking) return -EOPNOTSUPP;
    if (this.tx === undefined || this.pool === undefined) return -ENOBUFS;
    if (this.#busyPoll()) return 0;
    if ((this.pool.cachedNeedWakeup & XDP_WAKEUP_TX) === 0) return 0;
    return this.isZeroCopy ? this.#wakeup(XDP_WAKEUP_TX) : this.#xmit.send();
  }

  /** recvfrom: never gives data; in zero-copy mode it wakes the driver for FILL. Errors as of `sendmsg`, -ENOBUFS for no RX ring. */
  recvmsg(flags: number): number {
    this.umem?.watch?.called(this);
    const error = this.#check();
    if (error !== 0) return error;
    if (this.rx === undefined || this.pool === undefined) return -ENOBUFS;
    if ((flags & MSG_DONTWAIT) === 0) return -EOPNOTSUPP;
    if (this.#busyPoll()) return 0;
    return this.isZeroCopy && (this.pool.cachedNeedWakeup & XDP_WAKEUP_RX) !== 0 ? this.#wakeup(XDP_WAKEUP_RX) : 0;
  }

  /** xsk_poll: wakes whom it has to, and in copy mode sends; then POLLIN when RX is not empty, POLLOUT when TX is at most half full. */
  poll(): number {
    this.umem?.watch?.called(this);
    if (this.#check() !== 0 || this.pool === undefined) return 0;
    const { cachedNeedWakeup } = this.pool;
    if (cachedNeedWakeup !== 0) {
      if (this.isZeroCopy) this.#wakeup(cachedNeedWakeup);
      else if (this.tx !== undefined) this.#xmit.send();
    }
    let events = 0;
    if (this.rx !== undefined && !this.rx.isEmpty) events |= POLLIN | POLLRDNORM;
    if (this.isTxWriteable) events |= POLLOUT | POLLWRNORM;
    return events;
  }

  /** xsk_tx_writeable. */
  get isTxWriteable(): boolean {
    return this.tx !== undefined && this.tx.present <= this.tx.ring.size / 2;
  }

  /** sk_busy_loop, once; true when the call is to do no more (xsk_no_wakeup). */
  #busyPoll(): boolean {
    if (this.busyPollUsecs === 0) return false;
    if (this.isZeroCopy) this.isNapiKnown = true;
    if (this.isNapiKnown) this.device?.busyPoll?.(this.queueId, this.busyPollBudget, this.prefersBusyPoll);
    return this.isZeroCopy && this.isNapiKnown && this.prefersBusyPoll;
  }

  #wakeup(flags: number): number {
    return this.device?.zeroCopy?.wakeup(this.queueId, flags) ?? -EOPNOTSUPP;
  }
}
