import { EAGAIN } from '../../base/index.js';
import { Owner } from '../../memory/index.js';
import { NETDEV_XDP_ACT_NDO_XMIT, VERDICT_COUNT } from '../../xdp/index.js';
import type { Outcome } from '../../xdp/index.js';
import type { NicDevice } from '../device/nicDevice.js';
import type { DriverConfig } from '../driver/driverState.js';
import { Napi, NAPI_DISABLE, NAPI_SCHED } from '../driver/napi.js';
import type { NapiMistake } from '../driver/napi.js';
import type { NetDriver, BufferUse, RingUse } from '../driver/netDriver.js';
import type { BufferMistake } from '../driver/mistakeLog.js';
import { NO_POOL_STATS } from '../driver/pagePool.js';
import type { PagePool } from '../driver/pagePool.js';
import { newCounters } from '../driver/queuePair.js';
import type { DriverCounters } from '../driver/queuePair.js';
import type { CoherentBlock } from './coherentBlock.js';
import { DeviceRegisters } from './deviceRegisters.js';
import { DriverKernel } from './driverKernel.js';
import { foundByOthers } from './foundByOthers.js';
import { guardDriver } from './guardDriver.js';
import { IovaPages } from './iovaPages.js';
import type { KitParts } from './kitParts.js';
import { describeNumber, DriverMistakes } from './mistakes.js';
import type { DriverMistake } from './mistakes.js';
import { PacketBook, PageStage } from './packetBook.js';
import { RedirectPath } from './redirectPath.js';
import { TX_CONTRACT_BYTES } from '../driver/txContract.js';
import type { XdpDriver, XdpDriverFactory } from './xdpDriver.js';
import type { XdpFrame } from './xdpObjects.js';

const POLL = 'NAPI poll';
const STALL_SEC = 60;
/** Polls in a row that find nothing new although the driver wants them: after so many it is taken to go on for ever. */
const POLLS_WITHOUT_END = 1000;
/** Results of poll beyond this are no `int`. */
const INT_MAX = 0x7fffffff;
const NAPI_HINT = 'return how many packets were handled, never more than the budget; napi_complete_done() only with less than the budget';

/** Puts a user's driver where the model's own would be: for `NicParts.createDriver` and the `driver` of a simulation. */
export function kitDriver(factory: XdpDriverFactory): (config: DriverConfig) => NetDriver {
  return (config) => new KitDriver(config, guardDriver(factory, 'the driver'));
}

/** A user's driver as NIC, simulation and reports see it; the kernel around it; and what was noticed about it. */
export class KitDriver implements NetDriver {
  readonly ifindex: number;
  readonly mtu: number;
  /** Between ndo_open and ndo_stop. */
  isUp = false;
  readonly verdicts = new Float64Array(VERDICT_COUNT);
  readonly kernel: DriverKernel;
  readonly registers: DeviceRegisters;
  readonly #driver: XdpDriver;
  readonly #parts: KitParts;
  readonly #config: DriverConfig;
  readonly #napi: Napi;
  readonly #redirectPath: RedirectPath;
  readonly #counters = newCounters();
  readonly #frames: XdpFrame[] = [];
  readonly #blocks: CoherentBlock[] = [];
  readonly #pools: PagePool[] = [];
  /** Pages of packets that were passed up during the present poll; the stack is done with them at its end. */
  readonly #stackPages: number[] = [];
  #rxLowWater = Infinity;
  /** What napi_complete_done said during the present poll, undefined when it wasn't called. */
  #completion: boolean | undefined;
  #idlePolls = 0;
  /** Poll would not have ended: it isn't called any more. */
  #isAbandoned = false;
  #lastPollNs = -1;

  constructor(config: DriverConfig, factory: XdpDriverFactory) {
    const { allocator, scheduler } = config;
    this.#config = config;
    this.ifindex = config.ifindex;
    this.mtu = config.mtu;
    const mistakes = new DriverMistakes();
    const parts: KitParts = { config, mistakes, book: new PacketBook(config), iovas: new IovaPages(), barriers: { writes: 0, isReadPending: false } };
    this.#parts = parts;
    this.#napi = new Napi(scheduler, config.softirqs[0], 0, (budget) => this.#poll(budget), config.napi);
    this.#napi.disable();
    const context = { isPolling: () => mistakes.where === POLL, describe: () => `the ${mistakes.where}` };
    const frameOf = (index: number): XdpFrame => {
      this.#frames[index] ??= { page: allocator.ledger.baseAddress + index * allocator.ledger.unitBytes, data: 0, len: 0, headroom: 0, metasize: 0 };
      return this.#frames[index];
    };
    const passToStack = (index: number, outcome: Outcome, isRecycled: boolean): void => this.#passToStack(index, outcome, isRecycled);
    const checkReturn = (index: number): void => this.#checkReturn(index);
    this.#redirectPath = new RedirectPath(parts, {
      frameOf, checkReturn,
      poolOf: (page) => this.#poolOf(page),
      xdpXmit: (frames, count, flags) => this.#ndoXdpXmit(frames, count, flags),
    });
    this.kernel = new DriverKernel({
      ...parts, napi: this.#napi, context, redirectPath: this.#redirectPath, counters: this.#counters, verdicts: this.verdicts, frameOf, passToStack,
      blocks: this.#blocks, pools: this.#pools, checkReturn,
      afterVerdict: (index) => {
        if (parts.book.metaBytes[index] >= TX_CONTRACT_BYTES) this.registers.txJudge?.notePartialChecksum(index);
      },
      completeDone: (work) => (this.#completion = this.#napi.completeDone(work)),
    });
    this.registers = new DeviceRegisters(parts, this.#blocks);
    this.#driver = factory(this.kernel, this.registers);
  }

  // ── what the NIC calls ──

  open(device: NicDevice): void {
    this.registers.connect(device);
    this.#run('ndo_open', () => {
      this.#driver.open();
      this.#judgeOpen();
    });
    this.isUp = true;
  }

  close(): void {
    const { dma } = this.#config;
    this.isUp = false;
    this.#run('ndo_stop', () => this.#driver.stop());
    this.#parts.book.endRun();
    this.#parts.mistakes.where = 'ndo_stop';
    for (const pool of this.#pools) {
      this.#checkDestroyed(pool);
      this.#checkLeaks(pool);
    }
    dma.debug.checkPending('ndo_stop');
  }

  onInterrupt(_queue: number): void {
    this.registers.raise();
    this.#run('interrupt handler', () => {
      this.#driver.interrupt();
      this.#judgeInterrupt();
    });
  }

  get rxQueues(): number {
    return 1;
  }

  get txQueues(): number {
    return 1;
  }

  kick(_queue: number): void {}

  /** AF_XDP sockets can receive from such a driver, but not send: it has no ndo_start_xmit. The send call finds the queue stopped. */
  xskTransmit(): number {
    return -EAGAIN;
  }

  // ── what is known about it ──

  counters(_queue: number): DriverCounters {
    return this.#counters;
  }

  ringUse(_queue: number): RingUse {
    const { rx, tx } = this.registers;
    return {
      rxSize: rx?.slots ?? 0, rxPosted: rx?.posted ?? 0, rxLowWater: this.#rxLowWater, rxAllocFailed: this.#counters.rxAllocFailed,
      txSize: tx?.slots ?? 0, txFrames: this.#counters.txPackets, txFull: this.#counters.xdpTxFull, txHighWater: tx?.highWater ?? 0,
      txRxBuffers: tx?.sending ?? 0,
    };
  }

  bufferUse(_queue: number): BufferUse {
    const use = { inflight: 0, idle: 0, holdCount: 0, releaseCount: 0, stats: { ...NO_POOL_STATS } };
    for (const pool of this.#pools) {
      use.inflight += pool.inflight;
      use.idle += pool.idle;
      use.holdCount += pool.holdCount;
      use.releaseCount += pool.releaseCount;
      for (const key of Object.keys(use.stats) as (keyof typeof use.stats)[]) use.stats[key] += pool.stats[key];
    }
    return use;
  }

  mistakes(): readonly (BufferMistake | NapiMistake)[] {
    return [...this.#pools.flatMap((pool) => pool.mistakes.list), ...this.#napi.mistakes];
  }

  driverMistakes(): readonly DriverMistake[] {
    return this.#parts.mistakes.list;
  }

  /** What the kit noticed, and with it what every other checker found: NAPI, DMA, page_pool, owners of pages. */
  judgement(): readonly DriverMistake[] {
    const napi = this.#napi.mistakes.map(({ code, message }) => ({ code, where: POLL, message, hint: NAPI_HINT, packetId: 0 }));
    return [...this.driverMistakes(), ...napi, ...foundByOthers(this.#config, this.#pools)];
  }

  /** `ethtool -S`, as the driver counts. */
  statistics(): Readonly<Record<string, number>> {
    return this.#driver.statistics?.() ?? {};
  }

  // ── NAPI ──

  #poll(budget: number): number {
    if (this.#isAbandoned) {
      this.#napi.abandon();
      return 0;
    }
    const { mistakes, book } = this.#parts;
    const counters = this.#counters;
    counters.polls++;
    const seenBefore = book.seen;
    const { vm } = this.#config;
    vm.environment.tNs = this.#config.scheduler.nowNs;
    vm.environment.cpu = 0;
    const received = this.registers.rx?.unhandled ?? 0;
    const allocFailed = counters.rxAllocFailed;
    let work = 0;
    this.#completion = undefined;
    this.#run(POLL, () => {
      work = this.#resultOfPoll(this.#driver.poll(budget), budget);
      this.#judgePoll(work, budget, received);
      if (work < budget && counters.rxAllocFailed === allocFailed) this.#judgeRefill();
      this.#checkFlushed();
      book.endPoll();
    });
    mistakes.where = 'softirq';
    for (const page of this.#stackPages) this.#releaseFromStack(page);
    this.#stackPages.length = 0;
    const posted = this.registers.rx?.posted ?? 0;
    if (posted < this.#rxLowWater) this.#rxLowWater = posted;
    return this.#isEndless(work, book.seen > seenBefore) ? 0 : work;
  }

  /** What poll returned, 0 for what is no number of packets. More than the budget is for NAPI to judge. */
  #resultOfPoll(work: unknown, budget: number): number {
    if (Number.isInteger(work) && (work as number) >= 0 && (work as number) <= INT_MAX) return work as number;
    this.#parts.mistakes.add('poll-result-wrong', 0, () => `poll returned ${describeNumber(work)} of a budget of ${budget}: NAPI counts packets, and takes this for 0 here`);
    return 0;
  }

  /** A driver that schedules itself, or claims work that isn't there, would be polled for ever: the softirq keeps the CPU on a real machine, too. */
  #isEndless(work: number, isProgress: boolean): boolean {
    const { nowNs } = this.#config.scheduler;
    const isAgain = !isProgress && (nowNs === this.#lastPollNs || work > 0);
    this.#lastPollNs = nowNs;
    this.#idlePolls = isAgain ? this.#idlePolls + 1 : 0;
    if (this.#idlePolls < POLLS_WITHOUT_END) return false;
    this.#idlePolls = 0;
    this.#run(POLL, () => this.#parts.mistakes.add('poll-without-end', 0, () =>
      `poll ran ${POLLS_WITHOUT_END} times without taking a packet from the ring, and was to run again: it would go on for ever, so NAPI is disabled here, and packets stay on the ring`));
    this.#napi.abandon();
    this.#isAbandoned = true;
    return true;
  }

  /** The interface is up: a packet must be able to get in, and its interrupt through. */
  #judgeOpen(): void {
    const { mistakes } = this.#parts;
    if (this.registers.rx?.isEnabled !== true) {
      if (mistakes.countOf('ring-not-mapped') > 0) return;
      mistakes.add('receiver-off', 0, () => 'ndo_open returned, and the receiver is off, as nobody wrote CmdRxEnb to ChipCmd: the device drops every packet');
    } else if (!this.registers.isInterruptEnabled && !this.#napi.has(NAPI_SCHED)) {
      mistakes.add('interrupt-left-off', 0, () => 'ndo_open returned with IntrMask 0: packets come in, no interrupt tells, and nobody will poll');
    }
  }

  #judgeRefill(): void {
    const { rx } = this.registers;
    if (rx?.isEnabled !== true || rx.posted > 0) return;
    this.#parts.mistakes.add('ring-left-empty', 0, () => 'poll ended with not one page on the RX ring, without having asked the page_pool in vain: the device drops every packet, raises no interrupt, and so nobody polls again');
  }

  /** Packets are on the ring, and nobody is going to poll them. */
  #judgeInterrupt(): void {
    const unhandled = this.registers.rx?.unhandled ?? 0;
    if (unhandled === 0 || this.#napi.has(NAPI_SCHED) || this.#isAbandoned) return;
    const why = this.#napi.has(NAPI_DISABLE) ? 'while NAPI is disabled, which napi_schedule() respects' : 'without napi_schedule()';
    this.#parts.mistakes.add('interrupt-ignored', 0, () => `the interrupt handler returned ${why}, with ${unhandled} packets on the ring: nobody polls them, and they end as rx_stranded`);
  }

  #judgePoll(work: number, budget: number, received: number): void {
    const { mistakes } = this.#parts;
    const { rx, tx } = this.registers;
    const left = rx?.unhandled ?? 0;
    if (work < budget && left > 0 && rx?.isBlocked !== true) {
      mistakes.add('poll-ended-early', 0, () =>
        `poll returned ${work} of a budget of ${budget} and left ${left} of the ${received} packets on the ring that were there when it began: they wait until another packet raises an interrupt`);
    }
    if (received - left > work) {
      mistakes.add('work-not-counted', 0, () => `poll handled ${received - left} packets, but returned ${work}: with a budget of ${budget} used up and less returned, the kernel takes the ring for empty`);
    }
    if (work < budget && this.#completion === undefined) {
      mistakes.add('poll-not-completed', 0, () => `poll returned ${work} of a budget of ${budget} without napi_complete_done(): NAPI stays scheduled, and nobody polls any more`);
    } else if (this.#completion === true && !this.registers.isInterruptEnabled) {
      mistakes.add('interrupt-left-off', 0, () => 'poll completed NAPI, but left the interrupt off: nobody will poll again');
    }
    if ((tx?.unrung ?? 0) > 0) {
      const count = tx?.unrung;
      mistakes.add('doorbell-missing', 0, () => `poll gave ${count} TX descriptors to the device without writing NPQ to TxPoll: the frames stay on the ring until some later doorbell`);
      tx?.ring();
    }
  }

  /** What xdp_do_check_flushed does: warns, and flushes. */
  #checkFlushed(): void {
    const { core } = this.#config;
    const waiting = core.waitingFrames;
    const hasReadySockets = core.readySockets.size > 0;
    if (waiting === 0 && !hasReadySockets) return;
    this.#parts.mistakes.add('redirect-not-flushed', 0, () =>
      `missing xdp_do_flush() after NAPI poll: ${waiting} redirected frames still wait in the bulk queue${hasReadySockets ? ', and AF_XDP sockets for their wake-up' : ''}; on a kernel without the check they would stay there until a later poll`);
    core.xdpDoFlush();
  }

  // ── XdpXmitDevice ──

  get xdpFeatures(): number {
    return this.#driver.xdpXmit === undefined ? 0 : NETDEV_XDP_ACT_NDO_XMIT;
  }

  get xmitFailure(): Outcome {
    return this.#redirectPath.xmitFailure;
  }

  xdpXmit(frames: Uint32Array, count: number, flags: number): number {
    return this.#redirectPath.xmit(frames, count, flags);
  }

  #ndoXdpXmit(frames: readonly XdpFrame[], count: number, flags: number): number {
    const { where } = this.#parts.mistakes;
    let sent = 0;
    // At the end of the own poll it may do what may be done there.
    this.#run(where === POLL ? POLL : 'ndo_xdp_xmit', () => (sent = this.#resultOfXmit(this.#driver.xdpXmit!(frames, count, flags), count)));
    if (sent > 0) this.#counters.txXdpXmit += sent;
    this.#counters.txXdpXmitErrors += count - Math.max(0, sent);
    return sent;
  }

  #resultOfXmit(sent: unknown, count: number): number {
    if (Number.isInteger(sent) && (sent as number) <= count) return sent as number;
    this.#parts.mistakes.add('xmit-result-wrong', 0, () => `ndo_xdp_xmit returned ${describeNumber(sent)} for ${count} frames: the kernel frees the frames behind that number, and loses or frees others than were left`);
    return typeof sent === 'number' && sent > count ? count : 0;
  }

  // ── pages ──

  #passToStack(index: number, outcome: Outcome, isRecycled: boolean): void {
    const { allocator } = this.#config;
    const page = allocator.ledger.baseAddress + index * allocator.ledger.unitBytes;
    this.#parts.book.end(index, outcome);
    allocator.ledger.move(page, Owner.driver, Owner.stack);
    if (isRecycled) this.#stackPages.push(page);
  }

  /** The reader of a packet frees it, in a process: its page comes back by the way that is open to everybody. */
  #releaseFromStack(page: number): void {
    this.#poolOf(page)?.recycle(page, Owner.stack);
  }

  #poolOf(page: number): PagePool | undefined {
    const { allocator } = this.#config;
    const id = allocator.pages.pp[allocator.pageIndexOf(page)];
    return this.#pools.find((pool) => pool.id === id);
  }

  #checkReturn(index: number): void {
    const { book, mistakes } = this.#parts;
    if (book.stage[index] !== PageStage.queued) return;
    this.#counters.txPackets++;
    this.#counters.txBytes += book.lenBytes[index];
    if (this.registers.tx?.isSending(index) !== true) return;
    mistakes.add('returned-while-sending', book.packetId(index), () => `${book.describe(index)}, is given back while the device still owns its TX descriptor: what is sent is whatever comes into the page next`);
  }

  #checkDestroyed(pool: PagePool): void {
    if (pool.isDestroyed) return;
    this.#parts.mistakes.add('pool-not-destroyed', 0, () => `ndo_stop returned without page_pool_destroy() of page_pool ${pool.id}: the pool and its pages, mapped as they are, are lost each time the interface goes down`);
    pool.destroy(this.#config.scheduler.nowNs / 1e9);
  }

  #checkLeaks(pool: PagePool): void {
    const { mistakes, book } = this.#parts;
    const leaked = pool.inflightPages;
    if (leaked <= 0) return;
    const { allocator } = this.#config;
    const { pp } = allocator.pages;
    const pages: number[] = [];
    for (let index = pp.indexOf(pool.id); index !== -1; index = pp.indexOf(pool.id, index + 1)) if (allocator.ledger.owner[index] !== Owner.pool) pages.push(index);
    const named = pages.slice(0, 4).map((index) => book.describe(index));
    mistakes.add('page-leaked', pages.length === 0 ? 0 : book.packetId(pages[0]), () => `${leaked} pages never came back to page_pool ${pool.id}: ${named.join('; ')}${leaked > named.length ? '; …' : ''}`);
    const seconds = this.#config.scheduler.nowNs / 1e9;
    pool.releaseRetry(seconds + STALL_SEC);
  }

  /** Runs a part of the driver; mistakes meanwhile are its. */
  #run(where: string, part: () => void): void {
    const { mistakes } = this.#parts;
    const before = mistakes.where;
    mistakes.where = where;
    try {
      part();
    } finally {
      mistakes.where = before;
    }
  }
}

