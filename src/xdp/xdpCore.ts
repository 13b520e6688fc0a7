import { EBADRQC, EINVAL, ENOBUFS, ENODEV, ENOMEM, ENXIO, EOPNOTSUPP, EOVERFLOW, hasChange, NEWEST_KERNEL } from '../base/index.js';
import type { Scheduler } from '../base/index.js';
import { Owner, PAGE_BYTES } from '../memory/index.js';
import type { HostMemory, PageAllocator } from '../memory/index.js';
import type { XdpSock } from '../umem/index.js';
import {
  BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS, BPF_MAP_TYPE_CPUMAP, BPF_MAP_TYPE_XSKMAP, contextSharedInfo, entryTarget, fragmentAddress, fragmentCount, hasFragments, MAX_SKB_FRAGS,
  metadataBytes, packetBytes, programOfEntry, REDIRECT_IFINDEX, REDIRECT_MAP, XDP_BUFF_HARD_START, XDP_BUFF_RXQ_FRAG_SIZE, XDP_MD_DATA,
  XDP_MD_RX_QUEUE_INDEX,
} from '../vm/index.js';
import type { ProgramEntryMap, Vm } from '../vm/index.js';
import { checkTarget, OUTCOME_OF_CHECK } from './checkTarget.js';
import { CpumapQueue } from './cpumapQueue.js';
import { DEV_MAP_BULK_SIZE, DevmapBulk } from './devmapBulk.js';
import { FrameMemory } from './frameMemory.js';
import type { XdpRxQueue, ZeroCopyBuffers } from './frameMemory.js';
import { GenericXdp } from './genericXdp.js';
import { Outcome } from './outcome.js';
import { NO_TRACER, REDIRECT_WITHOUT_MAP } from './tracepoints.js';
import type { XdpTracer } from './tracepoints.js';
import { XDP_DROP, XDP_PASS, XDP_REDIRECT } from './verdict.js';
import { gatherPacket } from './xdpBuff.js';
import { XDP_XMIT_FLUSH } from './xdpDevice.js';
import type { PacketObserver, XdpXmitDevice } from './xdpDevice.js';
import {
  cloneFrame, convertContextToFrame, convertZeroCopyToFrame, convertFrameToBuff, frameBytes, frameFragments, frameMetaBytes, framePartAddress, frameRxIfindex, gatherFrame,
} from './xdpFrame.js';
import { xskErrorOutcome } from './xskOutcome.js';

/** What a core is made of. */
export interface XdpCoreParts {
  readonly vm: Vm;
  readonly allocator: PageAllocator;
  /** Runs the threads of CPUMAPs. */
  readonly scheduler: Scheduler;
  /** Sockets of the host by id; an XSKMAP slot holds id + 1. Left out: none. */
  readonly sockets?: readonly XdpSock[];
  readonly tracer?: XdpTracer;
}

/** A device of the host, who hears of its packets, and the frames that wait for it, by CPU. */
interface Netdev {
  readonly device: XdpXmitDevice;
  readonly observer: PacketObserver;
  readonly bulks: readonly DevmapBulk[];
}

/**
 * The XDP core of one host, which its devices share (net/core/filter.c, net/core/xdp.c, kernel/bpf/devmap.c, 6.18): where a redirect goes, the frames that
 * wait for a flush, and the way of every buffer back to where it came from.
 *
 * A driver calls `xdpDoRedirect` for each packet whose program returned XDP_REDIRECT, and `xdpDoFlush` at the end of its NAPI poll; a thread of a CPUMAP
 * does the same. Generic XDP has no frames and no bulks: it takes `device` from here. What runs is on the CPU
 * `vm.environment.cpu`.
 */
export class XdpCore {
  readonly sockets: readonly XdpSock[];
  readonly tracer: XdpTracer;
  readonly memory: FrameMemory;
  readonly cpumap: CpumapQueue;
  readonly generic: GenericXdp;
  /** Sockets that got packets since the last flush, in the order of their first one. */
  readonly #receivingSockets = new Set<XdpSock>();
  /** Sockets whose applications are to be woken by the next flush: they got packets or completions, or there is room to send again. */
  readonly readySockets = new Set<XdpSock>();
  /** Where the packet of the last `xdpDoRedirect` that failed is to end. */
  redirectFailure: Outcome = Outcome.redirectNoTarget;
  /** xdp_set_return_frame_no_direct: who runs is no NAPI poll, so that buffers go back by the way that is open to everybody. */
  isReturnDirect = true;
  readonly #vm: Vm;
  readonly #redirectsFragments: boolean;
  readonly #socketsTakeFragments: boolean;
  readonly #host: HostMemory;
  readonly #allocator: PageAllocator;
  readonly #netdevs = new Map<number, Netdev>();
  /** Bulks that are not empty, by CPU, in the order in which they got their first frame. */
  readonly #flushLists: readonly DevmapBulk[][];
  /** Where packets of several buffers are put together for those who watch. */
  readonly #gatherBuffer: number;
  /** Fragments of the frame on which the program of an entry runs. */
  readonly #fragments = new Uint32Array(MAX_SKB_FRAGS);
  /** Buffers of packets that were passed up from a CPUMAP, until the stack is done with them. */
  readonly #stackBuffers: number[] = [];

  constructor({ vm, allocator, scheduler, sockets = [], tracer = NO_TRACER }: XdpCoreParts) {
    this.#vm = vm;
    this.#host = vm.memory;
    const { kernel = NEWEST_KERNEL } = vm.environment;
    this.#redirectsFragments = hasChange(kernel, 'redirectedFragments');
    this.#socketsTakeFragments = hasChange(kernel, 'fragmentsToSockets');
    this.#allocator = allocator;
    this.sockets = sockets;
    this.tracer = tracer;
    this.memory = new FrameMemory(vm.memory, allocator);
    this.#flushLists = Array.from({ length: vm.environment.possibleCpus }, () => []);
    this.#gatherBuffer = vm.memory.reserve('gathered frame', (MAX_SKB_FRAGS + 1) * PAGE_BYTES);
    this.cpumap = new CpumapQueue(vm, this, allocator.ledger, scheduler);
    this.generic = new GenericXdp(vm, this, allocator);
  }

  // ── devices ──

  /** register_netdevice: packets can be redirected to the device, and its own packets' ends are told to `observer`. */
  addDevice(device: XdpXmitDevice, observer: PacketObserver): void {
    if (this.#netdevs.has(device.ifindex)) throw new Error(`XdpCore: there are two devices with ifindex ${device.ifindex}`);
    this.#netdevs.set(device.ifindex, { device, observer, bulks: this.#flushLists.map(() => new DevmapBulk(device)) });
  }

  /** dev_get_by_index. */
  device(ifindex: number): XdpXmitDevice | undefined {
    return this.#netdevs.get(ifindex)?.device;
  }

  // ── redirect ──

  /**
   * xdp_do_redirect: what the last run asked for, for the packet in the context block, whose buffers are `Owner.driver`.
   *
   * @param rxq queue that the packet came in on
   * @param progId program that asked, for the tracepoint
   * @returns 0: the buffers are not the caller's any more, and the end of the packet is told by the core. Negated errno: the packet is the caller's to drop,
   * with `redirectFailure`
   */
  xdpDoRedirect(rxq: XdpRxQueue, progId: number): number {
    // A flush on the way may run programs of entries, which forget what this one asked for.
    const { kind, mapType, mapId, targetIndex, target } = this.#vm.redirect;
    const error = kind === REDIRECT_MAP && mapType === BPF_MAP_TYPE_XSKMAP ? this.#toSocket(rxq, target) : this.#redirectFrame(rxq);
    this.#trace(rxq.ifindex, progId, error, kind, mapType, mapId, targetIndex, target);
    return error;
  }

  /** xdp_redirect, or with an error xdp_redirect_err, for what a run asked for (`vm.redirect`). @param error 0 or a negated errno */
  #trace(ifindex: number, progId: number, error: number, kind: number, mapType: number, mapId: number, targetIndex: number, target: number): void {
    const { tracer } = this;
    if (kind === REDIRECT_IFINDEX) tracer.xdpRedirect(ifindex, progId, error, targetIndex, REDIRECT_WITHOUT_MAP, 0);
    else if (kind !== REDIRECT_MAP) tracer.xdpRedirect(ifindex, progId, error, 0, 0, targetIndex);
    else if (mapType === BPF_MAP_TYPE_XSKMAP || mapType === BPF_MAP_TYPE_CPUMAP || target === 0) tracer.xdpRedirect(ifindex, progId, error, 0, mapId, targetIndex);
    else tracer.xdpRedirect(ifindex, progId, error, entryTarget(this.#host, target), mapId, targetIndex);
  }

  #fail(errno: number, outcome: Outcome): number {
    this.redirectFailure = outcome;
    return -errno;
  }

  /** __xdp_do_redirect_xsk: the socket gets a copy, and the packet's buffers are free; or it gets the chunks themselves that the packet lies in. */
  #toSocket(rxq: XdpRxQueue, target: number): number {
    const { u32 } = this.#host;
    const context = this.#vm.contextAddress;
    if (!this.#socketsTakeFragments && hasFragments(u32, context)) return this.#fail(EOPNOTSUPP, Outcome.redirectNotSupported);
    const socket = this.sockets[target - 1];
    if (socket === undefined) return this.#fail(ENXIO, Outcome.xskNotBound);
    const buffer = u32[(context + XDP_BUFF_HARD_START) >>> 2];
    const { ledger } = this.#allocator;
    const zeroCopy = this.memory.zeroCopy(rxq.memId);
    const packetId = zeroCopy?.packetId ?? ledger.packetId[ledger.indexOf(buffer)];
    const metaBytes = metadataBytes(u32, context);
    const lenBytes = packetBytes(u32, context);
    const refused = socket.checkReceive(rxq.ifindex, rxq.queueIndex, lenBytes);
    if (refused !== 0) return this.#fail(-refused, xskErrorOutcome(refused));
    const address = fragmentCount(u32, context) === 0 ? u32[(context + XDP_MD_DATA) >>> 2] : gatherPacket(this.#host, context, this.#gatherBuffer) + metaBytes;
    if (zeroCopy === undefined) {
      const error = socket.copyPacket(address, lenBytes, metaBytes, hasFragments(u32, context), packetId);
      if (error !== 0) return this.#fail(-error, xskErrorOutcome(error));
    } else if (!zeroCopy.deliver(socket, u32, context, packetId)) {
      return this.#fail(ENOBUFS, Outcome.xskRxFull);
    }
    this.#receivingSockets.add(socket);
    this.#netdev(rxq.ifindex).observer.onPacketEnd(packetId, Outcome.xsk, XDP_REDIRECT, rxq.queueIndex, address, lenBytes, metaBytes);
    if (zeroCopy === undefined) this.#freeBuff(rxq, buffer);
    return 0;
  }

  /** xdp_return_buff of the packet in the context block. */
  #freeBuff(rxq: XdpRxQueue, buffer: number): void {
    // Whether or not there is room for struct xdp_frame, the buffers go the way of a frame's.
    const { u32 } = this.#host;
    const context = this.#vm.contextAddress;
    const { ledger } = this.#allocator;
    const sharedInfo = contextSharedInfo(u32, context);
    for (let i = 0, count = fragmentCount(u32, context); i < count; i++) this.memory.freeBuffer(ledger.bufferOf(fragmentAddress(u32, sharedInfo, i)), rxq, this.isReturnDirect);
    this.memory.freeBuffer(buffer, rxq, this.isReturnDirect);
  }

  /** __xdp_do_redirect_frame: the packet becomes a frame before anybody looks at where it is to go. */
  #redirectFrame(rxq: XdpRxQueue): number {
    const { u32 } = this.#host;
    const context = this.#vm.contextAddress;
    const { mapType } = this.#vm.redirect;
    if (!this.#redirectsFragments && hasFragments(u32, context) && mapType !== BPF_MAP_TYPE_CPUMAP) return this.#fail(EOPNOTSUPP, Outcome.redirectNotSupported);
    const zeroCopy = this.memory.zeroCopy(rxq.memId);
    if (zeroCopy !== undefined) return this.#redirectCopy(rxq, zeroCopy);
    const frame = u32[(context + XDP_BUFF_HARD_START) >>> 2];
    if (!convertContextToFrame(u32, context, this.memory.memType(rxq.memId), rxq.ifindex)) return this.#fail(EOVERFLOW, Outcome.txNoHeadroom);
    return this.#sendFrame(rxq, frame);
  }

  /** A packet in chunks of a UMEM goes on as a copy (xdp_convert_zc_to_xdp_frame), and the chunks back to their pool. */
  #redirectCopy(rxq: XdpRxQueue, zeroCopy: ZeroCopyBuffers): number {
    const page = this.memory.allocCopy(rxq, zeroCopy.packetId);
    if (page === 0) return this.#fail(EOVERFLOW, Outcome.redirectCopyFailed);
    const isCopied = convertZeroCopyToFrame(this.#host, this.#vm.contextAddress, page, rxq.ifindex);
    const error = isCopied ? this.#sendFrame(rxq, page) : this.#fail(EOVERFLOW, Outcome.redirectCopyFailed);
    // In the kernel the copy of a packet that nobody takes is lost.
    if (error === 0) zeroCopy.freePacket();
    else this.memory.returnBuffer(page, Owner.driver, false);
    return error;
  }

  /** Where the frame of `__xdp_do_redirect_frame` is to go. */
  #sendFrame(rxq: XdpRxQueue, frame: number): number {
    const { kind, mapType, mapId, targetIndex, target, flags } = this.#vm.redirect;
    if (kind === REDIRECT_IFINDEX) {
      const netdev = this.#netdevs.get(targetIndex);
      return netdev === undefined ? this.#fail(EINVAL, Outcome.redirectNoTarget) : this.#enqueueChecked(netdev, frame, rxq, 0);
    }
    if (kind !== REDIRECT_MAP) return this.#fail(EBADRQC, Outcome.redirectNoHelper);
    if (mapType === BPF_MAP_TYPE_CPUMAP) {
      this.memory.accept(frame, rxq);
      this.cpumap.enqueue(target, mapId, targetIndex, frame);
      return 0;
    }
    if ((flags & BPF_F_BROADCAST) !== 0) return this.#broadcast(this.#vm.map(mapId) as ProgramEntryMap, frame, rxq, flags);
    const netdev = this.#netdevs.get(entryTarget(this.#host, target));
    return netdev === undefined ? this.#fail(ENODEV, Outcome.redirectNotSimulated) : this.#enqueueChecked(netdev, frame, rxq, programOfEntry(this.#host, target));
  }

  /** __xdp_enqueue. */
  #enqueueChecked(netdev: Netdev, frame: number, rxq: XdpRxQueue, programId: number): number {
    const { u32 } = this.#host;
    const error = checkTarget(netdev.device, u32, frame);
    if (error !== 0) return this.#fail(-error, OUTCOME_OF_CHECK[-error]!);
    this.#enqueue(netdev, frame, rxq, programId);
    return 0;
  }

  /** bq_enqueue: the frame, which is the driver's until now, waits for the flush. */
  #enqueue(netdev: Netdev, frame: number, rxq: XdpRxQueue, programId: number): void {
    const bulk = this.#roomFor(netdev, rxq.ifindex, programId);
    this.memory.accept(frame, rxq);
    bulk.frames[bulk.count++] = frame;
  }

  #roomFor(netdev: Netdev, rxIfindex: number, programId: number): DevmapBulk {
    const { cpu } = this.#vm.environment;
    const bulk = netdev.bulks[cpu];
    if (bulk.count === DEV_MAP_BULK_SIZE) this.#xmitAll(bulk, 0);
    if (bulk.rxIfindex === 0) {
      bulk.rxIfindex = rxIfindex;
      bulk.programId = programId;
      this.#flushLists[cpu].push(bulk);
    }
    return bulk;
  }

  /**
   * dev_map_enqueue_multi: every device of the map that takes the frame gets one, the last of them the frame itself and the others copies. Who does not
   * take it is passed over without a word.
   */
  #broadcast(map: ProgramEntryMap, frame: number, rxq: XdpRxQueue, flags: number): number {
    const { u32 } = this.#host;
    const excluded = (flags & BPF_F_EXCLUDE_INGRESS) !== 0 ? rxq.ifindex : 0;
    let taker: Netdev | undefined;
    let takerProgram = 0;
    for (let slot = 0; slot < map.slotCount; slot++) {
      const entry = map.slotTarget(slot);
      if (entry === 0) continue;
      const netdev = this.#netdevs.get(entryTarget(this.#host, entry));
      if (netdev === undefined || checkTarget(netdev.device, u32, frame) !== 0 || netdev.device.ifindex === excluded) continue;
      if (taker !== undefined) {
        const error = this.#enqueueClone(taker, frame, rxq, takerProgram);
        if (error !== 0) {
          this.#restoreBuff(frame, rxq);
          return error;
        }
      }
      taker = netdev;
      takerProgram = programOfEntry(this.#host, entry);
    }
    if (taker !== undefined) {
      this.#enqueue(taker, frame, rxq, takerProgram);
      return 0;
    }
    this.memory.accept(frame, rxq);
    this.dropFrame(frame, Outcome.redirectNoReceiver);
    return 0;
  }

  /** The context block is the packet's again, which stays with the driver: a flush on the way may have run programs of entries there. */
  #restoreBuff(frame: number, rxq: XdpRxQueue): void {
    const { u32 } = this.#host;
    const word = this.#vm.contextAddress >>> 2;
    convertFrameToBuff(u32, this.#vm.contextAddress, frame, 0);
    u32[word + XDP_MD_RX_QUEUE_INDEX / 4] = rxq.queueIndex;
    u32[word + XDP_BUFF_RXQ_FRAG_SIZE / 4] = rxq.fragSizeBytes;
  }

  /** dev_map_enqueue_clone. */
  #enqueueClone(netdev: Netdev, frame: number, rxq: XdpRxQueue, programId: number): number {
    const { u8, u32 } = this.#host;
    if (frameFragments(u32, frame) > 0) return this.#fail(EOPNOTSUPP, Outcome.redirectNotSupported);
    const page = this.memory.allocClone(frame, rxq);
    if (page === 0) return this.#fail(ENOMEM, Outcome.redirectCopyFailed);
    if (!cloneFrame(u8, u32, frame, page, PAGE_BYTES)) {
      this.memory.returnBuffer(page, Owner.redirect, false);
      return this.#fail(ENOMEM, Outcome.redirectCopyFailed);
    }
    const bulk = this.#roomFor(netdev, rxq.ifindex, programId);
    bulk.frames[bulk.count++] = page;
    return 0;
  }

  // ── flush ──

  /** Frames that wait for `xdpDoFlush` on the CPU that runs: at the end of a poll there should be none (xdp_do_check_flushed). */
  get waitingFrames(): number {
    let count = this.cpumap.waitingFrames;
    for (const bulk of this.#flushLists[this.#vm.environment.cpu]) count += bulk.count;
    return count;
  }

  /** xdp_do_flush: at the end of every poll that called `xdpDoRedirect`. Devices first, then CPUs, then sockets. */
  xdpDoFlush(): void {
    this.#devFlush();
    this.cpumap.flush();
    this.flushSockets();
  }

  /** __dev_flush: the list is a stack, so that the device which came last is served first. */
  #devFlush(): void {
    const list = this.#flushLists[this.#vm.environment.cpu];
    while (list.length > 0) {
      const bulk = list.pop()!;
      this.#xmitAll(bulk, XDP_XMIT_FLUSH);
      bulk.rxIfindex = 0;
      bulk.programId = 0;
    }
  }

  /** __xsk_map_flush: sockets show what they received, and applications whose sockets got packets or completions are woken. */
  flushSockets(): void {
    for (const socket of this.#receivingSockets) {
      socket.flush();
      this.readySockets.add(socket);
    }
    this.#receivingSockets.clear();
    if (this.readySockets.size === 0) return;
    for (const socket of this.readySockets) this.#netdev(socket.ifindex).observer.onSocketReady(socket);
    this.readySockets.clear();
  }

  /** bq_xmit_all: what the program of the entry lets pass goes to the driver, and what the driver does not take is freed. */
  #xmitAll(bulk: DevmapBulk, flags: number): void {
    const { device, frames, count, programId, rxIfindex } = bulk;
    if (count === 0) return;
    bulk.count = 0;
    const toSend = programId === 0 ? count : this.#runEntryProgram(bulk, count);
    let sent = 0;
    let error = 0;
    if (toSend > 0) {
      const result = device.xdpXmit!(frames, toSend, flags);
      if (result < 0) error = result;
      else sent = result;
      if (sent < toSend) {
        const outcome = error < 0 ? Outcome.redirectXmitFailed : (device.xmitFailure ?? Outcome.txRingFull);
        for (let i = sent; i < toSend; i++) this.dropFrame(frames[i], outcome);
      }
    }
    this.tracer.xdpDevmapXmit(rxIfindex, device.ifindex, sent, count - sent, error);
  }

  /** dev_map_bpf_prog_run: runs the program of the entry on all frames of a bulk. Those that pass move up; gives their number. */
  #runEntryProgram({ device, frames, programId }: DevmapBulk, count: number): number {
    let passed = 0;
    for (let i = 0; i < count; i++) {
      const frame = frames[i];
      const verdict = this.runOnFrame(frame, programId, device.ifindex);
      if (verdict === XDP_PASS) {
        if (this.updateFrame(frame)) frames[passed++] = frame;
        else this.dropFrame(frame, Outcome.txNoHeadroom);
        continue;
      }
      if (verdict >= 0 && verdict !== XDP_DROP) this.tracer.xdpException(device.ifindex, programId, verdict);
      this.dropFrame(frame, verdict < 0 ? Outcome.entryProgramFault : Outcome.devmapDrop);
    }
    return passed;
  }

  /**
   * Runs the program of an entry on a frame, which becomes an xdp_buff in the context block for that. Fragments that the program cuts off go back.
   *
   * @param egressIfindex device that the frame is to leave by; 0 behind a CPUMAP
   * @returns the verdict, or -1 when the program was stopped, which has been reported
   */
  runOnFrame(frame: number, programId: number, egressIfindex: number): number {
    const vm = this.#vm;
    const { u32 } = this.#host;
    const { ledger } = this.#allocator;
    const fragments = frameFragments(u32, frame);
    for (let i = 0; i < fragments; i++) this.#fragments[i] = ledger.bufferOf(framePartAddress(u32, frame, i));
    convertFrameToBuff(u32, vm.contextAddress, frame, egressIfindex);
    this.memory.moveBuffer(frame, Owner.redirect, Owner.program);
    const fault = vm.run(vm.program(programId)!.address);
    this.memory.moveBuffer(frame, Owner.program, Owner.redirect);
    if (fragments > 0) this.#returnEmptiedFragments(fragments);
    if (fault === 0) return vm.retval;
    this.#netdev(this.memory.rxIfindexOf(frame)).observer.onFault(this.memory.packetIdOf(frame));
    return -1;
  }

  /** A program takes fragments from the end (bpf_xdp_adjust_tail) or from the start (bpf_xdp_pull_data), so those that are left stand side by side. */
  #returnEmptiedFragments(fragments: number): void {
    const { u32 } = this.#host;
    const context = this.#vm.contextAddress;
    const kept = fragmentCount(u32, context);
    const firstKept = kept === 0 ? 0 : this.#allocator.ledger.bufferOf(fragmentAddress(u32, contextSharedInfo(u32, context), 0));
    let left = kept;
    for (let i = 0; i < fragments; i++) {
      const buffer = this.#fragments[i];
      if (left > 0 && (left < kept || buffer === firstKept)) left--;
      else this.memory.returnBuffer(buffer, Owner.redirect, this.isReturnDirect);
    }
  }

  /** xdp_update_frame_from_buff: the frame is what the program of an entry made of it; false when it left no room for struct xdp_frame. */
  updateFrame(frame: number): boolean {
    const { u32 } = this.#host;
    return convertContextToFrame(u32, this.#vm.contextAddress, this.memory.memType(this.memory.memIdOf(frame)), frameRxIfindex(u32, frame));
  }

  // ── where frames end ──

  /** A frame that the core has ends here: it is reported, and its buffers go back to where they came from (xdp_return_frame_rx_napi). */
  dropFrame(frame: number, outcome: Outcome): void {
    this.#reportEnd(frame, outcome);
    this.memory.returnFrame(frame, Owner.redirect, this.isReturnDirect);
  }

  /**
   * The packet of a frame goes up to the stack (__xdp_build_skb_from_frame), which frees it with the next `releaseStack`.
   *
   * @param outcome for packets from a CPUMAP `Outcome.cpumap`
   */
  frameToStack(frame: number, outcome: Outcome): void {
    this.#reportEnd(frame, outcome);
    const { u32 } = this.#host;
    this.memory.move(frame, Owner.redirect, Owner.stack);
    for (let i = 0, count = frameFragments(u32, frame); i < count; i++) this.#stackBuffers.push(this.#allocator.ledger.bufferOf(framePartAddress(u32, frame, i)));
    this.#stackBuffers.push(frame);
  }

  /** The stack is done with the packets that it got since the last call: a process reads them, not softirq. */
  releaseStack(): void {
    for (const buffer of this.#stackBuffers) this.memory.returnBuffer(buffer, Owner.stack, false);
    this.#stackBuffers.length = 0;
  }

  /**
   * A frame that a device took ended there: it is on the wire, or was lost on the ring. Its buffers stay with the device until it gives them back.
   *
   * @param queue of the sending device
   * @param address where its bytes lie, as the device read them
   */
  endSentFrame(frame: number, outcome: Outcome, queue: number, address: number, lenBytes: number): void {
    const { observer } = this.#netdev(this.memory.rxIfindexOf(frame));
    const packetId = this.memory.packetIdOf(frame);
    if (this.memory.isClone(frame)) observer.onCopyEnd?.(packetId, outcome, queue, address, lenBytes);
    else observer.onPacketEnd(packetId, outcome, XDP_REDIRECT, queue, address, lenBytes, 0);
  }

  #reportEnd(frame: number, outcome: Outcome): void {
    const { memory } = this;
    const { u32 } = this.#host;
    const { observer } = this.#netdev(memory.rxIfindexOf(frame));
    const packetId = memory.packetIdOf(frame);
    const queue = memory.rxQueueOf(frame);
    const address = gatherFrame(this.#host, frame, this.#gatherBuffer);
    if (memory.isClone(frame)) observer.onCopyEnd?.(packetId, outcome, queue, address, frameBytes(u32, frame));
    else observer.onPacketEnd(packetId, outcome, XDP_REDIRECT, queue, address, frameBytes(u32, frame), frameMetaBytes(u32, frame));
  }

  #netdev(ifindex: number): Netdev {
    const netdev = this.#netdevs.get(ifindex);
    if (netdev === undefined) throw new Error(`XdpCore: no device has ifindex ${ifindex}`);
    return netdev;
  }
}
