import { EINVAL, EOVERFLOW } from '../../base/index.js';
import { Owner } from '../../memory/index.js';
import { XskSocket } from '../../umem/index.js';
import { metadataBytes, packetBytes, XDP_BUFF_FLAGS, XDP_BUFF_FRAME_SZ, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_RX_QUEUE_INDEX } from '../../vm/index.js';
import { convertBuffToFrame, Outcome, redirectErrorOutcome, redirectProgramId, resolveRedirect, runEntryProgram, XDP_DROP, XDP_PASS, XDP_REDIRECT } from '../../xdp/index.js';
import type { XdpXmitDevice } from '../../xdp/index.js';
import { NO_VERDICT } from '../driver/driverState.js';
import type { KitParts } from './kitParts.js';
import { PageStage } from './packetBook.js';
import { XDP_XMIT_FLUSH } from './xdpDriver.js';
import type { XdpFrame } from './xdpObjects.js';

/** Frames that a bulk queue holds before it is emptied by itself (DEV_MAP_BULK_SIZE). */
export const DEV_MAP_BULK_SIZE = 16;

/** CPUs that a packet may be handed over to, one after the other: programs that redirect for ever must not hang the simulation. */
const MAX_CPU_HOPS = 64;

/** What the redirect path needs from the rest of the kernel. */
export interface RedirectHost {
  /** The driver's own ndo_xdp_xmit; undefined when it has none. */
  xdpXmit(frames: readonly XdpFrame[], count: number, flags: number): number | undefined;
  frameOf(index: number): XdpFrame;
  returnFrame(frame: XdpFrame, outcome: Outcome): void;
  passToStack(index: number, outcome: Outcome): void;
  recycle(index: number): void;
  wake(socket: XskSocket): void;
}

/** xdp_do_redirect and xdp_do_flush for the packet in the context block (net/core/filter.c, kernel/bpf/devmap.c, 6.18). */
export class RedirectPath {
  /** Redirects that worked, and that did not. */
  redirected = 0;
  failed = 0;
  readonly #parts: KitParts;
  readonly #host: RedirectHost;
  readonly #bulk: XdpFrame[] = [];
  #bulkCount = 0;
  #wokenSockets = false;

  constructor(parts: KitParts, host: RedirectHost) {
    this.#parts = parts;
    this.#host = host;
  }

  /** Frames that wait in the bulk queue for xdp_do_flush. */
  get waiting(): number {
    return this.#bulkCount;
  }

  /** Sockets wait for xdp_do_flush. */
  get hasWokenSockets(): boolean {
    return this.#wokenSockets;
  }

  /** Gives 0 when the page isn't the driver's any more, else a negative errno, and the page is the driver's to free. */
  redirect(index: number): number {
    const { book } = this.#parts;
    for (let hops = 0; hops < MAX_CPU_HOPS; hops++) {
      const result = this.#redirectOnce(index);
      if (result !== XDP_REDIRECT) return result;
    }
    book.blame(index, Outcome.redirectLoop);
    this.failed++;
    return -EINVAL;
  }

  /** The same, or XDP_REDIRECT when the program of a CPUMAP's entry asks for the next one. */
  #redirectOnce(index: number): number {
    const { memory, vm, core, ifindex, program } = this.#parts.config;
    // The program of an entry overwrites what stands here.
    const { kind, mapType, mapId, targetIndex, target: entry } = vm.redirect;
    const target = resolveRedirect(vm, core, packetBytes(memory.u32, vm.contextAddress), ifindex);
    let result: number;
    if (target instanceof XskSocket) result = this.#toSocket(index, target);
    else if (typeof target !== 'number') result = this.#toDevice(index, target);
    else if (target < 0) result = this.#fail(index, redirectErrorOutcome(target), target);
    else result = this.#toCpu(index, target);
    core.traceRedirect(ifindex, program!.id, result < 0 ? result : 0, kind, mapType, mapId, targetIndex, entry);
    return result;
  }

  /** xdp_do_flush. */
  flush(): void {
    this.#wokenSockets = false;
    this.#emptyBulk();
  }

  #fail(index: number, outcome: Outcome, errno: number): number {
    this.#parts.book.blame(index, outcome);
    this.failed++;
    return errno;
  }

  #toSocket(index: number, socket: XskSocket): number {
    const { config, book } = this.#parts;
    const { memory, allocator, vm, ifindex } = config;
    const { u32 } = memory;
    const context = vm.contextAddress;
    if (socket.queueId !== u32[(context + XDP_MD_RX_QUEUE_INDEX) >>> 2] || socket.ifindex !== ifindex) return this.#fail(index, Outcome.xskWrongQueue, -EINVAL);
    const page = this.#host.frameOf(index).page;
    allocator.ledger.move(page, Owner.driver, Owner.redirect);
    const error = socket.receive(u32[(context + XDP_MD_DATA) >>> 2], packetBytes(u32, context), metadataBytes(u32, context), book.packetId(index));
    allocator.ledger.move(page, Owner.redirect, Owner.driver);
    if (error !== 0) return this.#fail(index, redirectErrorOutcome(error), error);
    this.redirected++;
    this.#wokenSockets = true;
    this.#host.wake(socket);
    book.end(index, Outcome.xsk, XDP_REDIRECT);
    this.#host.recycle(index);
    return 0;
  }

  #toDevice(index: number, device: XdpXmitDevice): number {
    const { config } = this.#parts;
    if (device.ifindex !== config.ifindex) throw new Error(`redirect: no way to transmit on interface ${device.ifindex}`);
    if (!this.#convert(index)) return this.#fail(index, Outcome.txNoHeadroom, -EOVERFLOW);
    const programId = redirectProgramId(config.vm);
    if (programId !== 0) {
      const verdict = this.#runEntry(index, programId, device.ifindex);
      if (verdict !== XDP_PASS && verdict !== XDP_DROP && verdict !== NO_VERDICT) config.tracer.xdpException(device.ifindex, programId, verdict);
      if (verdict !== XDP_PASS) return this.#dropped(index, verdict === NO_VERDICT ? Outcome.entryProgramFault : Outcome.devmapDrop);
      if (!this.#convert(index)) return this.#dropped(index, Outcome.txNoHeadroom);
    }
    const frame = this.#host.frameOf(index);
    config.allocator.ledger.move(frame.page, Owner.driver, Owner.redirect);
    this.redirected++;
    if (this.#bulkCount === DEV_MAP_BULK_SIZE) this.#emptyBulk();
    this.#bulk[this.#bulkCount++] = frame;
    return 0;
  }

  /** bq_xmit_all: what the driver doesn't take, the kernel frees. */
  #emptyBulk(): void {
    const count = this.#bulkCount;
    if (count === 0) return;
    this.#bulkCount = 0;
    const { config, book } = this.#parts;
    const { ledger } = config.allocator;
    for (let i = 0; i < count; i++) {
      ledger.move(this.#bulk[i].page, Owner.redirect, Owner.driver);
      book.isForeign[book.indexOf(this.#bulk[i].page)] = 1;
    }
    const errorsBefore = config.dma.mappingErrorCount;
    const sent = this.#host.xdpXmit(this.#bulk, count, XDP_XMIT_FLUSH);
    const sentCount = Math.max(0, sent ?? 0);
    config.tracer.xdpDevmapXmit(config.ifindex, config.ifindex, sentCount, count - sentCount, Math.min(0, sent ?? 0));
    const outcome = sent === undefined ? Outcome.redirectNotSimulated : config.dma.mappingErrorCount > errorsBefore ? Outcome.txDmaError : Outcome.txRingFull;
    for (let i = sentCount; i < count; i++) this.#host.returnFrame(this.#bulk[i], outcome);
  }

  /** 0: the packet is gone. XDP_REDIRECT: the program on the other CPU redirects it on. Negative: it is the driver's. */
  #toCpu(index: number, cpu: number): number {
    const { config } = this.#parts;
    const { environment } = config.vm;
    if (!this.#convert(index)) return this.#fail(index, Outcome.txNoHeadroom, -EOVERFLOW);
    const programId = redirectProgramId(config.vm);
    const pollingCpu = environment.cpu;
    environment.cpu = cpu;
    const verdict = programId === 0 ? XDP_PASS : this.#runEntry(index, programId, 0);
    environment.cpu = pollingCpu;
    if (verdict === XDP_REDIRECT) return XDP_REDIRECT;
    if (verdict !== XDP_PASS) return this.#dropped(index, verdict === NO_VERDICT ? Outcome.entryProgramFault : Outcome.cpumapDrop);
    if (!this.#convert(index)) return this.#dropped(index, Outcome.txNoHeadroom);
    this.redirected++;
    this.#host.passToStack(index, Outcome.cpumap);
    return 0;
  }

  /** The kernel drops the packet at the target; for the driver the redirect has worked. */
  #dropped(index: number, outcome: Outcome): number {
    this.redirected++;
    this.#parts.book.end(index, outcome, XDP_REDIRECT);
    this.#host.recycle(index);
    return 0;
  }

  #runEntry(index: number, programId: number, egressIfindex: number): number {
    const { config, book } = this.#parts;
    const { memory, vm, allocator, observer } = config;
    const { page } = this.#host.frameOf(index);
    allocator.ledger.move(page, Owner.driver, Owner.program);
    const fault = runEntryProgram(vm, vm.program(programId)!, egressIfindex);
    allocator.ledger.move(page, Owner.program, Owner.driver);
    const { u32 } = memory;
    const context = vm.contextAddress;
    book.place(index, u32[(context + XDP_MD_DATA) >>> 2], packetBytes(u32, context), metadataBytes(u32, context));
    if (fault === 0) return vm.retval;
    observer.onFault(book.packetId(index));
    return NO_VERDICT;
  }

  /** xdp_convert_buff_to_frame of what stands in the context block. */
  #convert(index: number): boolean {
    const { config, book } = this.#parts;
    const { u32 } = config.memory;
    const word = config.vm.contextAddress >>> 2;
    const frame = this.#host.frameOf(index);
    const data = u32[word + XDP_MD_DATA / 4];
    const dataEnd = u32[word + XDP_MD_DATA_END / 4];
    const metaBytes = metadataBytes(u32, config.vm.contextAddress);
    const isDone = convertBuffToFrame(u32, frame.page, u32[word + XDP_BUFF_FRAME_SZ / 4], data - metaBytes, data, dataEnd, u32[word + XDP_BUFF_FLAGS / 4]);
    if (!isDone) return false;
    frame.data = data;
    frame.len = dataEnd - data;
    frame.metasize = metaBytes;
    if (book.stage[index] === PageStage.judged) book.place(index, data, frame.len, metaBytes);
    return true;
  }
}
