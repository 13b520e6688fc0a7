import { EAGAIN } from '../../base/index.js';
import { Owner, pageOf } from '../../memory/index.js';
import type { HostMemory, PageAllocator } from '../../memory/index.js';
import { XskSocket } from '../../umem/index.js';
import type { XskTransmit } from '../../umem/index.js';
import { contextSharedInfo, fragmentAddress, fragmentCount, isDeviceBound, MAX_SKB_FRAGS, metadataBytes, packetBytes, SKB_SHARED_INFO_BYTES, XDP_MD_DATA, XDP_MD_RX_QUEUE_INDEX } from '../../vm/index.js';
import type { LoadedProgram, Vm } from '../../vm/index.js';
import {
  addFragment, gatherPacket, Outcome, prepareXdpBuff, redirectErrorOutcome, redirectProgramId,
  resolveRedirect, runEntryProgram, sharedInfoAddress, startFragments, VERDICT_COUNT, verdictIndex, XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX,
} from '../../xdp/index.js';
import type { RedirectTargets, XdpXmitDevice } from '../../xdp/index.js';
import { BATCH_FRAMES, DESC_EOP } from '../device/batch.js';
import { IOVA_HIGH } from '../device/iommu.js';
import type { Iommu } from '../device/iommu.js';
import type { NicDevice } from '../device/nicDevice.js';
import type { NicProfile } from '../profiles/profile.js';
import type { Scheduler } from '../scheduler.js';
import { PagePool } from './pagePool.js';
import { newCounters } from './queuePair.js';
import type { DriverCounters, QueuePair } from './queuePair.js';
import { RxQueue } from './rxQueue.js';
import { cleanTx } from './txCompletion.js';
import { TX_XDP_TX, TX_XDP_XMIT, TxQueue } from './txQueue.js';
import { convertToFrame, queueXdpFrame } from './xdpTransmit.js';
import { queueSocketPacket } from './xskTransmit.js';

/** Instead of a return value: no program saw the packet, or it did not come to its end. */
const NO_VERDICT = -1;

/** CPUs that a packet may be handed over to, one after the other: programs that redirect for ever must not hang the simulation. */
const MAX_CPU_HOPS = 64;

/** NAPI weight: packets that one poll may handle. */
const NAPI_BUDGET = BATCH_FRAMES;

/** What the driver tells whoever watches the simulation. */
export interface DriverObserver {
  /** A packet that the driver had received reached its end; its bytes lie at `address`, `metaBytes` of metadata before them. */
  onPacketEnd(packetId: number, outcome: Outcome, retval: number, queue: number, address: number, lenBytes: number, metaBytes: number): void;
  /** The program did what it must not: `vm.fault()` has the details. */
  onFault(packetId: number): void;
  /** A socket has new packets or completions. */
  onSocketReady(socket: XskSocket): void;
}

/** What a driver is made of. */
export interface DriverConfig {
  readonly memory: HostMemory;
  readonly allocator: PageAllocator;
  readonly iommu: Iommu;
  readonly scheduler: Scheduler;
  readonly profile: NicProfile;
  readonly queues: number;
  readonly rxRingSize: number;
  readonly txRingSize: number;
  readonly ifindex: number;
  readonly mtu: number;
  readonly vm: Vm;
  /** Program of the device; `undefined` passes everything. */
  readonly program: LoadedProgram | undefined;
  readonly targets: RedirectTargets;
  readonly observer: DriverObserver;
}

/**
 * A driver with native XDP on page_pool: NAPI poll, verdicts, XDP_TX, redirect and completion.
 *
 * It knows the device by its doorbells and by what stands in the descriptors, nothing else.
 */
export class NicDriver implements XskTransmit, XdpXmitDevice {
  readonly ifindex: number;
  readonly mtu: number;
  /** Counts by verdict (XDP_ABORTED to XDP_REDIRECT, then anything else). */
  readonly verdicts = new Float64Array(VERDICT_COUNT);
  readonly #config: DriverConfig;
  readonly #pairs: QueuePair[];
  readonly #pollHandler: number;
  readonly #readySockets = new Set<XskSocket>();
  readonly #gatherBuffer: number;
  readonly #wantsRxHints: boolean;
  #device: NicDevice | undefined;

  constructor(config: DriverConfig) {
    const { memory, allocator, iommu, profile, scheduler } = config;
    this.#config = config;
    this.#wantsRxHints = config.program !== undefined && isDeviceBound(config.program.spec);
    this.ifindex = config.ifindex;
    this.mtu = config.mtu;
    const iovaLowOfPage = new Int32Array(allocator.ledger.count);
    this.#pairs = Array.from({ length: config.queues }, (_, queue) => {
      const pool = new PagePool(allocator, iommu, iovaLowOfPage, profile.poolRingSize);
      return {
        rx: new RxQueue({
          memory,
          pages: allocator.ledger,
          iommu,
          format: profile.format,
          pool,
          queue,
          size: config.rxRingSize,
          headroomBytes: profile.headroomBytes,
          bufferBytes: rxBufferBytes(profile),
        }),
        tx: new TxQueue(memory, iommu, profile.format, queue, config.txRingSize),
        rxq: { ifindex: config.ifindex, queueIndex: queue, fragSizeBytes: profile.frameSizeBytes },
        counters: newCounters(),
        stackPages: new Uint32Array(NAPI_BUDGET),
        stackCount: 0,
        waitingSocket: undefined,
      };
    });
    this.#gatherBuffer = memory.reserve('gathered packet', (MAX_SKB_FRAGS + 1) * 4096);
    this.#pollHandler = scheduler.register((queue) => this.#poll(queue));
  }

  /** Opens the device (ndo_open): programs the rings and posts the first buffers. */
  open(device: NicDevice): void {
    this.#device = device;
    this.#pairs.forEach(({ rx, tx }, queue) => {
      device.configureRx(queue, IOVA_HIGH, rx.ringIovaLow, rx.ring.size, rxBufferBytes(this.#config.profile));
      device.configureTx(queue, IOVA_HIGH, tx.ringIovaLow, tx.ring.size);
      device.rxDoorbell(queue, rx.refill());
    });
  }

  /** Shuts down (ndo_stop): takes back what the device holds and empties the pools. */
  close(): void {
    for (const { rx } of this.#pairs) {
      rx.drain();
      rx.pool.destroy();
    }
  }

  /** The interrupt handler: masks the line and lets NAPI poll. */
  onInterrupt(queue: number): void {
    this.#dev.interrupt(queue).mask();
    this.#schedulePoll(queue);
  }

  counters(queue: number): DriverCounters {
    return this.#pairs[queue].counters;
  }

  pool(queue: number): PagePool {
    return this.#pairs[queue].rx.pool;
  }

  rxQueue(queue: number): RxQueue {
    return this.#pairs[queue].rx;
  }

  txQueue(queue: number): TxQueue {
    return this.#pairs[queue].tx;
  }

  get #dev(): NicDevice {
    if (this.#device === undefined) throw new Error('NicDriver: the device is not open');
    return this.#device;
  }

  #schedulePoll(queue: number): void {
    const { scheduler } = this.#config;
    scheduler.schedule(scheduler.nowNs, this.#pollHandler, queue);
  }

  // ── NAPI ──

  #poll(queue: number): void {
    const pair = this.#pairs[queue];
    const line = this.#dev.interrupt(queue);
    line.acknowledge();
    pair.counters.polls++;
    this.#cleanTx(pair);
    const done = this.#cleanRx(queue, pair);
    if (pair.tx.flush()) this.#dev.txDoorbell(queue, pair.tx.nextToUse);
    this.#flushSockets();
    this.#releaseStackPages(pair);
    this.#dev.rxDoorbell(queue, pair.rx.refill());
    if (done >= NAPI_BUDGET) this.#schedulePoll(queue);
    else line.unmask();
  }

  #cleanTx(pair: QueuePair): void {
    const completed = cleanTx(this.#config, pair, this.#config.targets.sockets, this.#markReady);
    if (completed === 0 || pair.waitingSocket === undefined) return;
    this.#markReady(pair.waitingSocket);
    pair.waitingSocket = undefined;
  }

  /** Handles finished RX descriptors up to the budget; a frame whose last descriptor lies beyond it waits. Gives descriptors seen. */
  #cleanRx(queue: number, pair: QueuePair): number {
    const { rx, counters } = pair;
    const { flags, lenBytes } = rx.batch;
    const { environment } = this.#config.vm;
    environment.tNs = this.#config.scheduler.nowNs;
    environment.cpu = queue % environment.possibleCpus;
    const seen = rx.poll(NAPI_BUDGET);
    let first = 0;
    for (let i = 0; i < seen; i++) {
      if ((flags[i] & DESC_EOP) === 0) continue;
      let frameBytes = 0;
      let isBroken = false;
      for (let segment = first; segment <= i; segment++) {
        frameBytes += lenBytes[segment];
        if (lenBytes[segment] === 0) isBroken = true;
      }
      if (isBroken) this.#dropBroken(pair, first, i);
      else {
        counters.rxPackets++;
        counters.rxBytes += frameBytes;
        this.#runProgram(queue, pair, first, i);
      }
      first = i + 1;
    }
    rx.nextToClean = (rx.nextToClean + first) | 0;
    return seen;
  }

  #dropBroken(pair: QueuePair, first: number, last: number): void {
    const { rx, counters } = pair;
    for (let segment = first; segment <= last; segment++) {
      rx.pool.recycleDirect(rx.page[(rx.nextToClean + segment) & (rx.ring.size - 1)], Owner.device);
    }
    counters.rxErrors++;
  }

  /** One frame, descriptors `first` to `last` of the batch: xdp_buff, program, verdict. */
  #runProgram(queue: number, pair: QueuePair, first: number, last: number): void {
    const { memory, allocator, profile, vm, program, observer } = this.#config;
    const { u32 } = memory;
    const { rx } = pair;
    const { ledger } = allocator;
    const mask = rx.ring.size - 1;
    const context = vm.contextAddress;
    const page = rx.page[(rx.nextToClean + first) & mask];
    ledger.move(page, Owner.device, Owner.driver);
    prepareXdpBuff(u32, context, pair.rxq, page, profile.frameSizeBytes, profile.headroomBytes, rx.batch.lenBytes[first]);
    if (last > first) {
      const sharedInfo = sharedInfoAddress(page, profile.frameSizeBytes);
      startFragments(u32, context, sharedInfo);
      for (let segment = first + 1; segment <= last; segment++) {
        const fragPage = rx.page[(rx.nextToClean + segment) & mask];
        ledger.move(fragPage, Owner.device, Owner.driver);
        addFragment(u32, sharedInfo, fragPage + profile.headroomBytes, rx.batch.lenBytes[segment]);
      }
    }
    const packetId = ledger.packetId[ledger.indexOf(page)];
    if (program === undefined) {
      this.#pass(queue, pair, page, packetId, NO_VERDICT);
      return;
    }
    if (this.#wantsRxHints) profile.readRxHints(vm.rxHints, rx.batch, first, memory.u8, page + profile.headroomBytes);
    ledger.move(page, Owner.driver, Owner.program);
    const fault = vm.run(program.address);
    ledger.move(page, Owner.program, Owner.driver);
    if (last > first) this.#recycleEmptiedFragments(pair, first, last);
    if (fault !== 0) {
      observer.onFault(packetId);
      pair.counters.xdpExceptions++;
      this.#end(queue, pair, page, packetId, Outcome.programFault, NO_VERDICT);
      return;
    }
    const retval = vm.retval;
    this.verdicts[verdictIndex(retval)]++;
    this.#verdict(queue, pair, page, packetId, retval);
  }

  /**
   * Fragments that the program emptied go back to the pool at once: bpf_xdp_adjust_tail takes them from the end, bpf_xdp_pull_data from the
   * start, so those that are left stand side by side.
   */
  #recycleEmptiedFragments(pair: QueuePair, first: number, last: number): void {
    const { u32 } = this.#config.memory;
    const context = this.#config.vm.contextAddress;
    const { rx } = pair;
    const mask = rx.ring.size - 1;
    const kept = fragmentCount(u32, context);
    const firstKept = kept === 0 ? 0 : pageOf(fragmentAddress(u32, contextSharedInfo(u32, context), 0));
    let left = kept;
    for (let segment = first + 1; segment <= last; segment++) {
      const page = rx.page[(rx.nextToClean + segment) & mask];
      const isKept = left > 0 && (left < kept || page === firstKept);
      if (isKept) left--;
      else rx.pool.recycleDirect(page, Owner.driver);
    }
  }

  #verdict(queue: number, pair: QueuePair, page: number, packetId: number, retval: number): void {
    const { counters } = pair;
    switch (retval) {
      case XDP_PASS:
        counters.xdpPass++;
        this.#pass(queue, pair, page, packetId, retval);
        return;
      case XDP_DROP:
        counters.xdpDrop++;
        this.#end(queue, pair, page, packetId, Outcome.xdpDrop, retval);
        return;
      case XDP_TX:
        this.#xdpTx(queue, pair, page, packetId);
        return;
      case XDP_REDIRECT:
        this.#redirect(queue, pair, page, packetId);
        return;
      default:
        counters.xdpExceptions++;
        this.#end(queue, pair, page, packetId, retval === XDP_ABORTED ? Outcome.xdpAborted : Outcome.invalidVerdict, retval);
    }
  }

  /** The packet ends here: it is reported, and its buffers go straight back into the pool. */
  #end(queue: number, pair: QueuePair, page: number, packetId: number, outcome: Outcome, retval: number): void {
    this.#report(queue, packetId, outcome, retval);
    this.#recycleFragments(pair);
    pair.rx.pool.recycleDirect(page, Owner.driver);
  }

  #report(queue: number, packetId: number, outcome: Outcome, retval: number): void {
    const { memory, vm, observer } = this.#config;
    const lenBytes = packetBytes(memory.u32, vm.contextAddress);
    observer.onPacketEnd(packetId, outcome, retval, queue, this.#linearAddress(), lenBytes, metadataBytes(memory.u32, vm.contextAddress));
  }

  /** Where all bytes of the packet lie side by side, metadata before them: in its page, or copied together when it has fragments. */
  #linearAddress(): number {
    const { memory, vm } = this.#config;
    const context = vm.contextAddress;
    if (fragmentCount(memory.u32, context) === 0) return memory.u32[(context + XDP_MD_DATA) >>> 2];
    return gatherPacket(memory, context, this.#gatherBuffer) + metadataBytes(memory.u32, context);
  }

  #recycleFragments(pair: QueuePair): void {
    const { u32 } = this.#config.memory;
    const context = this.#config.vm.contextAddress;
    const count = fragmentCount(u32, context);
    if (count === 0) return;
    const sharedInfo = contextSharedInfo(u32, context);
    for (let i = 0; i < count; i++) pair.rx.pool.recycleDirect(pageOf(fragmentAddress(u32, sharedInfo, i)), Owner.driver);
  }

  // ── XDP_PASS ──

  /**
   * build_skb: the stack owns the pages until the end of the poll. Then the packet's reader frees the skb: a process, not softirq, so
   * that the pages come back through the pool's ring.
   */
  #pass(queue: number, pair: QueuePair, page: number, packetId: number, retval: number, outcome: Outcome = Outcome.stack): void {
    const { memory, allocator, vm } = this.#config;
    const { u32 } = memory;
    this.#report(queue, packetId, outcome, retval);
    allocator.ledger.move(page, Owner.driver, Owner.stack);
    pair.stackPages[pair.stackCount++] = page;
    const count = fragmentCount(u32, vm.contextAddress);
    if (count === 0) return;
    const sharedInfo = contextSharedInfo(u32, vm.contextAddress);
    for (let i = 0; i < count; i++) {
      const fragPage = pageOf(fragmentAddress(u32, sharedInfo, i));
      allocator.ledger.move(fragPage, Owner.driver, Owner.stack);
      pair.stackPages[pair.stackCount++] = fragPage;
    }
  }

  #releaseStackPages(pair: QueuePair): void {
    for (let i = 0; i < pair.stackCount; i++) pair.rx.pool.recycleToRing(pair.stackPages[i], Owner.stack);
    pair.stackCount = 0;
  }

  // ── XDP_TX and redirect ──

  #xdpTx(queue: number, pair: QueuePair, page: number, packetId: number): void {
    const { counters } = pair;
    const outcome = this.#queueFrame(pair, page, TX_XDP_TX, XDP_TX);
    if (outcome === Outcome.tx) {
      counters.xdpTx++;
      return;
    }
    counters.xdpTxErrors++;
    this.#end(queue, pair, page, packetId, outcome, XDP_TX);
  }

  #queueFrame(pair: QueuePair, page: number, kind: number, retval: number): Outcome {
    const { vm, profile } = this.#config;
    return queueXdpFrame(this.#config, pair, vm.contextAddress, page, profile.frameSizeBytes, kind, retval);
  }

  /** Carries out a redirect; behind a CPUMAP a program may ask for the next one. */
  #redirect(queue: number, pair: QueuePair, page: number, packetId: number): void {
    const { memory, vm, targets } = this.#config;
    const { counters } = pair;
    for (let hops = 0; hops < MAX_CPU_HOPS; hops++) {
      const target = resolveRedirect(vm, targets, packetBytes(memory.u32, vm.contextAddress), this.ifindex);
      if (typeof target !== 'number') {
        if (target instanceof XskSocket) this.#redirectToSocket(queue, pair, page, packetId, target);
        else this.#redirectToDevice(queue, pair, page, packetId, target);
        return;
      }
      if (target < 0) {
        counters.xdpRedirectErrors++;
        this.#end(queue, pair, page, packetId, redirectErrorOutcome(target), XDP_REDIRECT);
        return;
      }
      if (!this.#redirectToCpu(queue, pair, page, packetId, target)) return;
    }
    counters.xdpRedirectErrors++;
    this.#end(queue, pair, page, packetId, Outcome.redirectLoop, XDP_REDIRECT);
  }

  #redirectToSocket(queue: number, pair: QueuePair, page: number, packetId: number, socket: XskSocket): void {
    const { memory, allocator, vm } = this.#config;
    const { counters } = pair;
    // Not `queue`: behind a CPUMAP nobody knows it any more.
    const rxQueue = memory.u32[(vm.contextAddress + XDP_MD_RX_QUEUE_INDEX) >>> 2];
    if (socket.queueId !== rxQueue || socket.ifindex !== this.ifindex) {
      counters.xdpRedirectErrors++;
      this.#end(queue, pair, page, packetId, Outcome.xskWrongQueue, XDP_REDIRECT);
      return;
    }
    allocator.ledger.move(page, Owner.driver, Owner.redirect);
    const lenBytes = packetBytes(memory.u32, vm.contextAddress);
    const error = socket.receive(this.#linearAddress(), lenBytes, metadataBytes(memory.u32, vm.contextAddress), packetId);
    allocator.ledger.move(page, Owner.redirect, Owner.driver);
    if (error === 0) {
      counters.xdpRedirect++;
      this.#readySockets.add(socket);
    } else counters.xdpRedirectErrors++;
    this.#end(queue, pair, page, packetId, error === 0 ? Outcome.xsk : redirectErrorOutcome(error), XDP_REDIRECT);
  }

  /**
   * The frame goes onto the bulk queue of the device, which is this one, and with the flush into ndo_xdp_xmit: out of the queue of this
   * CPU, which is the one that is polled. A frame that can't be made is an error of the redirect; one that can't be sent is the target's.
   * The program of a DEVMAP's entry runs before that; the kernel runs it on up to 16 frames at once, here it sees each by itself.
   */
  #redirectToDevice(queue: number, pair: QueuePair, page: number, packetId: number, device: XdpXmitDevice): void {
    if (device !== this) throw new Error(`NicDriver: no way to transmit on interface ${device.ifindex}`);
    const { counters } = pair;
    const programId = redirectProgramId(this.#config.vm);
    if (programId !== 0 && this.#isFrame(page)) {
      const verdict = this.#runEntryProgram(pair, page, packetId, programId, device.ifindex);
      if (verdict !== XDP_PASS) {
        counters.xdpRedirect++;
        this.#end(queue, pair, page, packetId, verdict === NO_VERDICT ? Outcome.entryProgramFault : Outcome.devmapDrop, XDP_REDIRECT);
        return;
      }
    }
    const outcome = this.#queueFrame(pair, page, TX_XDP_XMIT, XDP_REDIRECT);
    if (outcome === Outcome.txNoHeadroom) counters.xdpRedirectErrors++;
    else counters.xdpRedirect++;
    if (outcome === Outcome.tx) {
      counters.txXdpXmit++;
      return;
    }
    if (outcome !== Outcome.txNoHeadroom) counters.txXdpXmitErrors++;
    this.#end(queue, pair, page, packetId, outcome, XDP_REDIRECT);
  }

  /**
   * The frame goes onto the queue of another CPU, whose thread runs the entry's program and makes an skb (cpu_map_kthread_run). CPUs cost
   * no time here, so the queue is never full.
   *
   * @returns true when the program redirects the packet on
   */
  #redirectToCpu(queue: number, pair: QueuePair, page: number, packetId: number, cpu: number): boolean {
    const { vm } = this.#config;
    const { counters } = pair;
    if (!this.#isFrame(page)) {
      counters.xdpRedirectErrors++;
      this.#end(queue, pair, page, packetId, Outcome.txNoHeadroom, XDP_REDIRECT);
      return false;
    }
    const programId = redirectProgramId(vm);
    const { environment } = vm;
    const pollingCpu = environment.cpu;
    environment.cpu = cpu;
    const verdict = programId === 0 ? XDP_PASS : this.#runEntryProgram(pair, page, packetId, programId, 0);
    environment.cpu = pollingCpu;
    if (verdict === XDP_REDIRECT) return true;
    counters.xdpRedirect++;
    // The program may have left no room for struct xdp_frame (xdp_update_frame_from_buff).
    if (verdict === XDP_PASS && this.#isFrame(page)) this.#pass(queue, pair, page, packetId, XDP_REDIRECT, Outcome.cpumap);
    else if (verdict === XDP_PASS) this.#end(queue, pair, page, packetId, Outcome.txNoHeadroom, XDP_REDIRECT);
    else this.#end(queue, pair, page, packetId, verdict === NO_VERDICT ? Outcome.entryProgramFault : Outcome.cpumapDrop, XDP_REDIRECT);
    return false;
  }

  /** The packet in the context block can be, and now is, an xdp_frame. */
  #isFrame(page: number): boolean {
    const { memory, vm, profile } = this.#config;
    return convertToFrame(memory.u32, vm.contextAddress, page, profile.frameSizeBytes);
  }

  /** Runs the program of a map's entry: what it returns, or NO_VERDICT when it was stopped. */
  #runEntryProgram(pair: QueuePair, page: number, packetId: number, programId: number, egressIfindex: number): number {
    const { memory, allocator, vm, observer } = this.#config;
    const { u32 } = memory;
    const { contextAddress: context } = vm;
    const fragments = fragmentCount(u32, context);
    const { ledger } = allocator;
    ledger.move(page, Owner.driver, Owner.program);
    const fault = runEntryProgram(vm, vm.program(programId)!, egressIfindex);
    ledger.move(page, Owner.program, Owner.driver);
    const sharedInfo = contextSharedInfo(u32, context);
    for (let i = fragmentCount(u32, context); i < fragments; i++) {
      pair.rx.pool.recycleDirect(pageOf(fragmentAddress(u32, sharedInfo, i)), Owner.driver);
    }
    if (fault === 0) return vm.retval;
    observer.onFault(packetId);
    return NO_VERDICT;
  }

  readonly #markReady = (socket: XskSocket): void => {
    this.#readySockets.add(socket);
  };

  /** xdp_do_flush for AF_XDP: wakes the applications whose sockets got packets or completions. */
  #flushSockets(): void {
    if (this.#readySockets.size === 0) return;
    for (const socket of this.#readySockets) this.#config.observer.onSocketReady(socket);
    this.#readySockets.clear();
  }

  // ── AF_XDP TX in copy mode ──

  /** XskTransmit: queues a copy of the packet on the socket's queue; the send call ends with `kick`. */
  transmit(socket: XskSocket, address: number, lenBytes: number, completionOffBytes: number): number {
    const pair = this.#pairs[socket.queueId];
    const error = queueSocketPacket(this.#config, pair.tx, socket, address, lenBytes, completionOffBytes);
    if (error === -EAGAIN) pair.waitingSocket = socket;
    return error;
  }

  /** Rings the TX doorbell after frames were queued from outside a poll. */
  kick(queue: number): void {
    const { tx } = this.#pairs[queue];
    if (tx.flush()) this.#dev.txDoorbell(queue, tx.nextToUse);
  }
}

/** Bytes of packet that one RX buffer can take: what headroom and skb_shared_info leave. */
export function rxBufferBytes(profile: NicProfile): number {
  return profile.frameSizeBytes - profile.headroomBytes - SKB_SHARED_INFO_BYTES;
}
