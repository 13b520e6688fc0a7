import { EAGAIN } from '../../base/index.js';
import { Owner, PAGE_BYTES } from '../../memory/index.js';
import type { XdpSock, XskPacket, XskZeroCopy } from '../../umem/index.js';
import { isDeviceBound, MAX_SKB_FRAGS } from '../../vm/index.js';
import { NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG, Outcome, VERDICT_COUNT, XDP_XMIT_FLUSH } from '../../xdp/index.js';
import type { SkBuff, XdpRxQueue } from '../../xdp/index.js';
import { TX_EMPTY, TX_XDP_CLONE, TX_XDP_TX, TX_XDP_TX_COPY, TX_XDP_XMIT, TX_XSK_SKB } from '../bufferTags.js';
import { NO_DOORBELL } from '../device/formats/descriptorFormat.js';
import { DMA_BIDIRECTIONAL } from '../dma/direction.js';
import { IOVA_HIGH } from '../device/iommu.js';
import type { NicDevice } from '../device/nicDevice.js';
import { ChecksumOffload } from './checksumOffload.js';
import { createAdaptiveModeration } from './adaptiveModeration.js';
import type { AdaptiveModeration } from './adaptiveModeration.js';
import { createRxBuffers, rxDirection } from './createRxBuffers.js';
import type { DriverConfig, DriverState } from './driverState.js';
import { BUSY_POLL_BUDGET, busyPoll } from './busyPoll.js';
import { LaunchTimes } from './launchTimes.js';
import type { BufferMistake } from './mistakeLog.js';
import type { BufferUse, NetDriver, RingUse } from './netDriver.js';
import { Napi, NAPI_POLL_WEIGHT } from './napi.js';
import type { NapiMistake } from './napi.js';
import { endForeignPacket, NO_PACKET, releaseStackBuffers } from './packetEnd.js';
import { NO_POOL_STATS, PagePool } from './pagePool.js';
import { newCounters } from './queuePair.js';
import type { DriverCounters, QueuePair } from './queuePair.js';
import { cleanRx } from './receive.js';
import { rxLayout } from './rxLayout.js';
import { RxQueue } from './rxQueue.js';
import { queueSkb } from './skbTransmit.js';
import type { SplitPages } from './splitPages.js';
import { cleanTx, reclaimTx } from './txCompletion.js';
import { TxQueue } from './txQueue.js';
import { Watchdog } from './watchdog.js';
import { XdpTxChecksum } from './xdpTxChecksum.js';
import { queueXdpFrames } from './xdpTransmit.js';
import { XdpTxBulk } from './xdpTxBulk.js';
import { xskLayout } from './xskBuffers.js';
import type { XskBuffers } from './xskBuffers.js';
import { newXskPair } from './xskPair.js';
import type { XskPair } from './xskPair.js';
import { XskPools } from './xskPools.js';
import { XskRepoll } from './xskRepoll.js';
import { queueSocketPacket } from './xskTransmit.js';
import { XskTxOffload } from './xskTxOffload.js';
import { releaseStackSkbs } from './xskVerdict.js';
import { sendFromSockets } from './xskXmit.js';

/** dev->watchdog_timeo: a transmit queue on which nothing has moved for so long hangs. */
const TX_TIMEOUT_NS = 5e9;

/**
 * A driver with native XDP, for every profile: NAPI poll, verdicts, XDP_TX, redirect and completion. The stages are in files of their own.
 *
 * It knows the device by its doorbells and by what stands in the descriptors, nothing else.
 */
export class NicDriver implements NetDriver {
  readonly ifindex: number;
  readonly mtu: number;
  readonly verdicts = new Float64Array(VERDICT_COUNT);
  readonly #config: DriverConfig;
  readonly #state: DriverState;
  readonly #pairs: readonly QueuePair[];
  /** Of the receive queues with their own buffers. */
  readonly #rxqs: readonly XdpRxQueue[];
  readonly #buffers: readonly (PagePool | SplitPages)[];
  /** Queue whose NAPI poll runs now, -1 for none. */
  #polling = -1;
  readonly #napis: readonly Napi[];
  readonly #adaptive: readonly (AdaptiveModeration | undefined)[];
  readonly #watchdog: Watchdog | undefined;
  readonly #xskPools: XskPools | undefined;
  readonly #repolls: readonly XskRepoll[];
  #device: NicDevice | undefined;

  constructor(config: DriverConfig) {
    const { memory, allocator, dma, profile, scheduler } = config;
    this.#config = config;
    this.ifindex = config.ifindex;
    this.mtu = config.mtu;
    const layout = rxLayout(profile, config.headroomBytes);
    const direction = rxDirection(config);
    const context = { isPolling: (queue: number) => this.#polling === queue, describe: () => (this.#polling < 0 ? 'a system call' : `the NAPI poll of queue ${this.#polling}`) };
    this.#buffers = Array.from({ length: config.queues }, (_, queue) => createRxBuffers(config, queue, layout, context));
    this.#pairs = this.#buffers.map((buffers, queue) => ({
      queue,
      rx: new RxQueue({
        memory, ledger: allocator.ledger, idleOwner: Owner.pool, dma, direction, format: profile.format, buffers, queue, size: config.rxRingSize, layout, refillThreshold: profile.refillThreshold,
      }),
      tx: new TxQueue(memory, dma, profile.format, queue, config.txRingSize, config.launchTimeQueues?.includes(queue) === true ? new LaunchTimes() : undefined),
      rxq: { ifindex: config.ifindex, queueIndex: queue, fragSizeBytes: profile.xdp.growsFragments === false ? 0 : layout.frameSizeBytes, memId: config.core.memory.register(buffers) },
      xdpTxBulk: profile.xdp.sendsTxInBulks === true ? new XdpTxBulk(config.tracer, config.ifindex) : undefined,
      counters: newCounters(),
      xsk: undefined,
      stackBuffers: new Uint32Array(NAPI_POLL_WEIGHT),
      stackCount: 0,
      waitingSocket: undefined,
    }));
    this.#rxqs = this.#pairs.map(({ rxq }) => rxq);
    this.#state = {
      config,
      isOpen: false,
      xmitFailure: Outcome.txRingFull,
      netdev: { ifindex: config.ifindex, address: config.address, genericProgram: config.genericProgram, verdicts: this.verdicts, observer: config.observer },
      layout,
      pairs: this.#pairs,
      verdicts: this.verdicts,
      gatherBuffer: memory.reserve('gathered packet', (MAX_SKB_FRAGS + 1) * 4096),
      rxDirection: direction,
      checksumOffload: new ChecksumOffload(memory, profile.offloads.txChecksum),
      txChecksum: config.hasTxContract === true ? new XdpTxChecksum(config) : undefined,
      xskTxOffload: new XskTxOffload(memory),
      txTimestamp: (queue, slot) => this.#dev.txTimestamp(queue, slot),
      wantsRxHints: config.program !== undefined && isDeviceBound(config.program.spec),
    };
    this.#xskPools = XskPools.of(this.#state, { restart: (queue, buffers) => this.#restart(queue, buffers), trigger: (queue) => this.onInterrupt(queue) });
    this.#adaptive = this.#pairs.map(() => (config.isModerationAdaptive ? createAdaptiveModeration(profile.moderation, profile.linkMbps) : undefined));
    const { softirqs, napi, watchdogNs } = config;
    if (watchdogNs !== undefined) this.#watchdog = new Watchdog(scheduler, watchdogNs, { tick: () => this.#onWatchdog(), progress: () => this.#progress() });
    this.#napis = this.#pairs.map(({ queue }) => new Napi(scheduler, softirqs[queue % softirqs.length], queue, (budget) => this.#poll(queue, budget), napi));
    this.#repolls = this.#pairs.map(({ queue }) => new XskRepoll(scheduler, () => this.#repoll(queue)));
  }

  open(device: NicDevice): void {
    this.#device = device;
    const { layout } = this.#state;
    for (const { queue, rx, tx } of this.#pairs) {
      device.configureRx(queue, IOVA_HIGH, rx.ring.iovaLow, rx.ring.size, layout.deviceBytes);
      device.configureTx(queue, IOVA_HIGH, tx.ring.iovaLow, tx.ring.size);
    }
    for (const pair of this.#pairs) this.#refill(pair);
    this.#state.isOpen = true;
  }

  stopTransmit(): void {
    this.#state.isOpen = false;
    for (const pair of this.#pairs) {
      this.#device?.disableTx(pair.queue);
      reclaimTx(this.#state, pair);
    }
  }

  close(): void {
    const { dma } = this.#config;
    this.stopTransmit();
    for (const pair of this.#pairs) {
      this.#drainRx(pair);
      pair.tx.free(dma);
    }
    for (const buffers of this.#buffers) buffers.destroy();
    this.#xskPools?.close();
    dma.debug.checkPending('remove');
  }

  counters(queue: number): DriverCounters {
    return this.#pairs[queue].counters;
  }

  ringUse(queue: number): RingUse {
    const { rx, tx, xsk } = this.#pairs[queue];
    const { unitBytes } = this.#config.allocator.ledger;
    const { skbs } = this.#config.core.generic;
    let skbRxBuffers = 0;
    let skbPages = 0;
    tx.visitSkbs((skb) => {
      skbRxBuffers += skbs.countUnits(skb, true);
      skbPages += skbs.countUnits(skb, false);
    });
    return {
      rxSize: rx.ring.size, rxPosted: rx.posted, rxLowWater: rx.lowWater, rxAllocFailed: rx.allocFailed, rxChunks: xsk === undefined ? 0 : rx.posted,
      txSize: tx.ring.size, txFrames: tx.frames, txFull: tx.fullCount, txHighWater: tx.highWater,
      txRxBuffers: tx.countHeld(TX_XDP_TX) + tx.countHeld(TX_XDP_XMIT) + skbRxBuffers,
      txOwnPages: (tx.countHeld(TX_XSK_SKB) + tx.countHeld(TX_XDP_CLONE) + tx.countHeld(TX_XDP_TX_COPY) + tx.countHeld(TX_EMPTY)) * (PAGE_BYTES / unitBytes) + skbPages,
    };
  }

  bufferUse(queue: number): BufferUse {
    const buffers = this.#buffers[queue];
    const { inflight, idle } = buffers;
    if (buffers instanceof PagePool) return { inflight, idle, holdCount: buffers.holdCount, releaseCount: buffers.releaseCount, stats: buffers.stats };
    return { inflight, idle, holdCount: buffers.stats.alloc_rx_page, releaseCount: buffers.stats.alloc_rx_page - inflight / 2, stats: NO_POOL_STATS };
  }

  mistakes(): readonly (BufferMistake | NapiMistake)[] {
    return [...this.#buffers.flatMap((buffers) => buffers.mistakes.list), ...this.#napis.flatMap((napi) => napi.mistakes)];
  }

  #progress(): number {
    return this.#pairs.reduce((sum, { tx, rx }) => sum + tx.cleanRecord + rx.nextToClean, 0);
  }

  get #dev(): NicDevice {
    if (this.#device === undefined) throw new Error('NicDriver: the device is not open');
    return this.#device;
  }

  // ── NAPI ──

  /** The interrupt handler: masks the line and lets NAPI poll. */
  onInterrupt(queue: number): void {
    this.#dev.interrupt(queue).mask();
    this.#napis[queue].schedule();
  }

  /** The NAPI instance of a queue, for busy polling. */
  napi(queue: number): Napi {
    return this.#napis[queue];
  }

  /** @returns descriptors handled; with less than the budget, all is done */
  #poll(queue: number, budget: number): number {
    const pair = this.#pairs[queue];
    const line = this.#dev.interrupt(queue);
    this.#polling = queue;
    line.acknowledge();
    pair.counters.polls++;
    cleanTx(this.#state, pair);
    const isAllSent = pair.xsk === undefined || sendFromSockets(this.#state, pair);
    let done = cleanRx(this.#state, pair, budget);
    this.#config.core.xdpDoFlush();
    pair.xdpTxBulk?.flush();
    this.kick(queue);
    releaseStackBuffers(pair);
    this.#config.core.generic.releaseStack();
    if (pair.xsk === undefined) this.#refill(pair);
    else this.#endZeroCopyPoll(pair, pair.xsk, done);
    this.#polling = -1;
    if (!isAllSent) done = budget;
    if (done < budget && this.#napis[queue].completeDone(done)) {
      const moderation = this.#adaptive[queue]?.onPollDone(pair.counters, this.#config.scheduler.nowNs);
      if (moderation !== undefined) line.moderate(moderation);
      line.unmask();
    }
    return done;
  }

  #refill({ queue, rx, counters }: QueuePair): void {
    const doorbell = rx.refill();
    counters.rxAllocFailed = rx.allocFailed;
    if (doorbell !== NO_DOORBELL) {
      counters.rxKicks++;
      this.#dev.rxDoorbell(queue, doorbell);
    }
    if (rx.posted === 0) this.#watchdog?.wake();
  }

  // ── zero copy ──

  get zeroCopy(): XskZeroCopy | undefined {
    return this.#xskPools;
  }

  /** ice_qp_dis, ice_qp_ena: a queue pair is taken down, with all that lies on its rings, and comes up with other receive buffers. */
  #restart(queue: number, buffers: XskBuffers | undefined): void {
    const { memory, allocator, dma, profile, core, rxRingSize, txRingSize, ifindex } = this.#config;
    const { rxDirection: direction } = this.#state;
    const pair = this.#pairs[queue];
    const { tx } = pair;
    const napi = this.#napis[queue];
    napi.disable();
    reclaimTx(this.#state, pair);
    tx.reset();
    this.#dev.configureTx(queue, IOVA_HIGH, tx.ring.iovaLow, tx.ring.size);
    this.#drainRx(pair);
    if (pair.xsk !== undefined) core.memory.unregister(pair.rxq.memId);
    const common = { memory, dma, format: profile.format, queue, size: rxRingSize };
    if (buffers === undefined) {
      const { layout } = this.#state;
      pair.rx = new RxQueue({ ...common, ledger: allocator.ledger, idleOwner: Owner.pool, direction, buffers: this.#buffers[queue], layout, refillThreshold: profile.refillThreshold });
      pair.rxq = this.#rxqs[queue];
      pair.xsk = undefined;
    } else {
      const { pool } = buffers;
      const support = profile.xdp.zeroCopy!;
      const layout = xskLayout(profile, pool.umem, pool.rxFrameBytes);
      pair.rx = new RxQueue({ ...common, ledger: buffers.owners, idleOwner: Owner.kernel, direction: DMA_BIDIRECTIONAL, buffers, layout, refillThreshold: support.refillThreshold });
      pair.rxq = { ifindex, queueIndex: queue, fragSizeBytes: pool.umem.isUnaligned ? 0 : pool.umem.chunkSizeBytes, memId: core.memory.register(buffers) };
      pair.xsk = newXskPair(memory, pool, buffers, support, txRingSize);
    }
    this.#dev.configureRx(queue, IOVA_HIGH, pair.rx.ring.iovaLow, pair.rx.ring.size, pair.rx.layout.deviceBytes);
    if (buffers === undefined) this.#refill(pair);
    else this.#refillFromPool(pair, buffers);
    napi.enable();
    this.#dev.interrupt(queue).unmask();
  }

  #repoll(queue: number): void {
    if (this.#state.isOpen) this.onInterrupt(queue);
  }

  #drainRx({ queue, rx }: QueuePair): void {
    let packetId = NO_PACKET;
    rx.drain((buffer) => {
      packetId = endForeignPacket(this.#state, queue, buffer, packetId, Outcome.rxStranded);
    });
  }

  /** Gives chunks of FILL to the device; false when there were fewer than the ring wants. */
  #refillFromPool({ queue, rx, counters }: QueuePair, buffers: XskBuffers): boolean {
    const { wanted } = rx;
    const got = buffers.prefetch(wanted);
    const doorbell = rx.refill(got);
    if (doorbell !== NO_DOORBELL && got > 0) {
      counters.rxKicks++;
      this.#dev.rxDoorbell(queue, doorbell);
    }
    return got === wanted;
  }

  /**
   * Refills, and says whether the application has to wake the driver. A driver that can't say so goes on polling until there are chunks.
   *
   * @param done packets of this poll
   */
  #endZeroCopyPoll(pair: QueuePair, xsk: XskPair, done: number): void {
    releaseStackSkbs(this.#state, xsk);
    const isStarved = !this.#refillFromPool(pair, xsk.buffers) || xsk.isStopped;
    xsk.isStopped = false;
    if (!xsk.pool.usesNeedWakeup) this.#repolls[pair.queue].onPoll(isStarved, done);
    else if (isStarved || pair.rx.posted === 0) xsk.pool.setRxNeedWakeup();
    else xsk.pool.clearRxNeedWakeup();
  }

  // ── watchdog ──

  /** Something may be stuck: the watchdog, if there is one, looks after it at its next tick. */
  wakeWatchdog(): void {
    this.#watchdog?.wake();
  }

  /** Polls every queue (igb triggers their interrupts by software), and resets transmit queues that hang or have lost their link. */
  #onWatchdog(): boolean {
    const { nowNs } = this.#config.scheduler;
    let isWaiting = false;
    for (const pair of this.#pairs) {
      const { queue, tx, rx } = pair;
      if (tx.isStuck(nowNs, TX_TIMEOUT_NS) || (tx.isBusy && !this.#dev.isLinkUp)) this.#resetTx(pair);
      this.onInterrupt(queue);
      isWaiting ||= tx.isBusy || rx.posted === 0;
    }
    this.#config.core.flushSockets();
    return isWaiting;
  }

  /** ndo_tx_timeout, for one queue: what is on the ring is lost. */
  #resetTx(pair: QueuePair): void {
    const { queue, tx, counters } = pair;
    counters.txTimeouts++;
    reclaimTx(this.#state, pair);
    tx.reset();
    this.#dev.configureTx(queue, IOVA_HIGH, tx.ring.iovaLow, tx.ring.size);
  }

  // ── XdpXmitDevice ──

  get isUp(): boolean {
    return this.#state.isOpen;
  }

  /** What of the profile's features is there now: ndo_xdp_xmit comes and goes with a program in the driver, but with three. */
  get xdpFeatures(): number {
    const { profile, program, xdpMode, peer } = this.#config;
    const { features, alwaysTransmits } = profile.xdp;
    const hasNativeXdp = peer === undefined ? program !== undefined && xdpMode === 'native' : peer.hasNativeXdp;
    if (hasNativeXdp || alwaysTransmits === true) return features;
    return features & ~(NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_NDO_XMIT_SG);
  }

  get xmitFailure(): Outcome {
    return this.#state.xmitFailure;
  }

  xdpXmit(frames: Uint32Array, count: number, flags: number): number {
    const queue = this.#config.vm.environment.cpu % this.#pairs.length;
    const sent = queueXdpFrames(this.#state, this.#pairs[queue], frames, count, flags);
    if (sent >= 0 && (flags & XDP_XMIT_FLUSH) !== 0) this.kick(queue);
    return sent;
  }

  /**
   * The queue is the one that the packet came in on, if the driver has recorded it, else that of the CPU that runs (skb_tx_hash, and XPS as drivers set
   * it up). The doorbell rings at once: the stack tells of no more to come.
   */
  startXmit(skb: SkBuff): boolean {
    const queue = (skb.rxQueue < 0 ? this.#config.vm.environment.cpu : skb.rxQueue) % this.#pairs.length;
    if (!this.#state.isOpen || !queueSkb(this.#config, this.#pairs[queue].tx, skb)) return false;
    this.kick(queue);
    return true;
  }

  // ── transmit from outside a poll ──

  kick(queue: number): void {
    const { tx, counters } = this.#pairs[queue];
    if (!tx.flush()) return;
    const doorbell = tx.publish();
    if (doorbell !== NO_DOORBELL) counters.txKicks++;
    this.#dev.txDoorbell(queue, doorbell);
  }

  // ── XskDevice ──

  get rxQueues(): number {
    return this.#pairs.length;
  }

  get txQueues(): number {
    return this.#pairs.length;
  }

  xskTransmit(socket: XdpSock, packet: XskPacket): number {
    const pair = this.#pairs[socket.queueId];
    const error = queueSocketPacket(this.#state, pair.tx, socket, packet);
    if (error === -EAGAIN) pair.waitingSocket = socket;
    return error;
  }

  busyPoll(queue: number, budget: number, prefers: boolean): void {
    busyPoll(this.#napis[queue], budget === 0 ? BUSY_POLL_BUDGET : budget, prefers);
  }
}
