import { EINVAL, ProblemError } from '../../base/index.js';
import { Owner, PAGE_BYTES } from '../../memory/index.js';
import { metadataBytes, XDP_BUFF_FLAGS, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_DATA_META } from '../../vm/index.js';
import type { LoadedProgram } from '../../vm/index.js';
import { convertBuffToFrame, Outcome, prepareXdpBuff, verdictIndex, XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../xdp/index.js';
import type { XdpRxqInfo } from '../../xdp/index.js';
import { IOVA_HIGH } from '../device/iommu.js';
import { bufferDma } from '../driver/bufferDma.js';
import { NO_VERDICT } from '../driver/driverState.js';
import { NAPI_DISABLE } from '../driver/napi.js';
import type { Napi } from '../driver/napi.js';
import { PagePool } from '../driver/pagePool.js';
import type { NapiContext, PagePoolParams } from '../driver/pagePoolParams.js';
import type { DriverCounters } from '../driver/queuePair.js';
import { CallChecks } from './callChecks.js';
import { CoherentBlock } from './coherentBlock.js';
import type { KitParts } from './kitParts.js';
import { PacketMemory } from './packetMemory.js';
import { PageStage } from './packetBook.js';
import type { RedirectPath } from './redirectPath.js';
import type { SkBuff, XdpBuff, XdpFrame } from './xdpObjects.js';

/** What the kernel's side of a driver is made of; the adapter puts it together. */
export interface DriverKernelParts extends KitParts {
  readonly napi: Napi;
  readonly context: NapiContext;
  readonly redirectPath: RedirectPath;
  readonly counters: DriverCounters;
  readonly verdicts: Float64Array;
  readonly frameOf: (index: number) => XdpFrame;
  readonly passToStack: (index: number, outcome: Outcome, isRecycled: boolean) => void;
  /** Where coherent memory and pools are entered, for registers and reports. */
  readonly blocks: CoherentBlock[];
  readonly pools: PagePool[];
  /** A page is about to go back. */
  readonly checkReturn: (index: number) => void;
  readonly completeDone: (workDone: number) => boolean;
  /** The program has spoken. */
  readonly afterVerdict: (index: number) => void;
}

/**
 * The part of the kernel that an XDP driver links against, under the kernel's own names (Linux 6.18), so that a driver here reads like the
 * one in C that it stands for. Each call does what the kernel does and is watched; none throws for a driver's mistake.
 *
 * Addresses of packets are host addresses; I/O addresses are their low words (`dma_addr_t` without IOVA_HIGH).
 */
export class DriverKernel {
  /** How the CPU touches packets: `*(u32 *)(data - 8)` is `kernel.packet.read32(data - 8)`. */
  readonly packet: PacketMemory;
  /** Memory of the host as the checksum helpers take it; what is read through it is not checked. */
  readonly memory: KitParts['config']['memory'];
  /** Descriptors as `ethtool -G` has set them, and the MTU. */
  readonly rxRingSize: number;
  readonly txRingSize: number;
  readonly mtu: number;
  /** xdp_rxq_info_reg: the receive queue. */
  readonly rxq: XdpRxqInfo;
  readonly #parts: DriverKernelParts;
  readonly #checks: CallChecks;
  readonly #skb: SkBuff = { head: 0, data: 0, len: 0, metaBytes: 0, pp_recycle: false };

  constructor(parts: DriverKernelParts) {
    const { config } = parts;
    this.#parts = parts;
    this.#checks = new CallChecks(parts);
    this.packet = new PacketMemory(parts);
    this.memory = config.memory;
    this.rxRingSize = config.rxRingSize;
    this.txRingSize = config.txRingSize;
    this.mtu = config.mtu;
    this.rxq = { ifindex: config.ifindex, queueIndex: 0, fragSizeBytes: 0 };
  }

  // ── DMA (include/linux/dma-mapping.h) ──

  /** Zeroed memory for a ring, at a page's start. */
  dma_alloc_coherent(sizeBytes: number, name: string): CoherentBlock {
    const { config, blocks } = this.#parts;
    if (!Number.isInteger(sizeBytes) || sizeBytes <= 0) {
      throw new ProblemError({ code: 'coherent-size', message: `dma_alloc_coherent: ${sizeBytes} bytes for ${name}`, hint: 'ask for the bytes of the ring: descriptors times their size' });
    }
    const { hostAddress, iovaLow } = config.dma.allocCoherent(name, sizeBytes, this.#parts.mistakes.where);
    const block = new CoherentBlock(config.memory, hostAddress, iovaLow, sizeBytes, this.#parts.mistakes);
    blocks.push(block);
    return block;
  }

  dma_free_coherent(block: CoherentBlock): void {
    const { config, blocks, mistakes } = this.#parts;
    const at = blocks.indexOf(block);
    if (at < 0) {
      mistakes.add('coherent-not-allocated', 0, () => `dma_free_coherent() of ${block?.isFreed === true ? 'memory that was freed before' : 'what dma_alloc_coherent() never gave'}: the kernel would free pages that somebody else has`);
      return;
    }
    blocks.splice(at, 1);
    block.isFreed = true;
    config.dma.freeCoherent(block.sizeBytes, block.hostAddress, block.iovaLow, 'dma_free_coherent');
  }

  dma_map_single(address: number, sizeBytes: number, direction: number): number {
    if (!this.#checks.isRange('dma_map_single', address, sizeBytes)) return 0;
    const iovaLow = this.#parts.config.dma.mapSingle(address, sizeBytes, direction, 'dma_map_single');
    if (iovaLow !== 0) this.#parts.iovas.note(iovaLow, address - (address & (PAGE_BYTES - 1)));
    return iovaLow;
  }

  dma_mapping_error(iovaLow: number): boolean {
    return this.#parts.config.dma.mappingError(iovaLow);
  }

  dma_unmap_single(iovaLow: number, sizeBytes: number, direction: number): void {
    const { config, iovas, book, mistakes } = this.#parts;
    if (!this.#checks.isRange('dma_unmap_single', iovaLow, sizeBytes)) return;
    const page = iovas.pageOf(iovaLow);
    const index = page === 0 ? -1 : book.indexOf(page);
    const { pp, dmaAddrLow } = config.allocator.pages;
    if (index >= 0 && pp[index] !== 0 && dmaAddrLow[index] >>> 12 === iovaLow >>> 12) {
      mistakes.add('unmap-of-pool-page', book.packetId(index), () =>
        `dma_unmap_single() of ${book.describe(index)}: the mapping belongs to page_pool ${pp[index]}, which will give the page to the device again: it would write into nothing, or into foreign memory`);
    }
    config.dma.unmap(iovaLow, sizeBytes, direction, 'dma_unmap_single');
  }

  /** dma_sync_single_for_cpu, with any range inside of a mapping. */
  dma_sync_single_for_cpu(iovaLow: number, sizeBytes: number, direction: number): void {
    if (!this.#checks.isRange('dma_sync_single_for_cpu', iovaLow, sizeBytes)) return;
    this.#parts.config.dma.syncForCpu(iovaLow, sizeBytes, direction, 'dma_sync_single_for_cpu');
  }

  dma_sync_single_for_device(iovaLow: number, sizeBytes: number, direction: number): void {
    if (!this.#checks.isRange('dma_sync_single_for_device', iovaLow, sizeBytes)) return;
    this.#parts.config.dma.syncForDevice(iovaLow, sizeBytes, direction, 'dma_sync_single_for_device');
  }

  /** Upper word of every `dma_addr_t`. */
  readonly dmaAddressHigh = IOVA_HIGH;

  /** What was written to coherent memory before is seen by the device before what is written after. */
  dma_wmb(): void {
    this.#parts.barriers.writes++;
  }

  /** What was read from coherent memory before was read before what is read after. */
  dma_rmb(): void {
    this.#parts.barriers.isReadPending = false;
  }

  // ── page_pool (include/net/page_pool/helpers.h) ──

  /** @throws ProblemError for parameters that the kernel refuses */
  page_pool_create(params: PagePoolParams): PagePool {
    const { config, pools, context } = this.#parts;
    const pool = new PagePool({ release: config.vm.environment.kernel, ...params, allocator: config.allocator, dma: bufferDma(config.dma, 'page_pool'), queue: 0, context });
    pools.push(pool);
    return pool;
  }

  /** A page, 0 when there is none. */
  page_pool_dev_alloc_pages(pool: PagePool): number {
    const page = pool.alloc();
    if (page === 0) {
      this.#parts.counters.rxAllocFailed++;
      return 0;
    }
    this.#parts.config.allocator.ledger.move(page, Owner.pool, Owner.driver);
    this.#parts.iovas.note(pool.iovaLow(page), page);
    return page;
  }

  page_pool_get_dma_addr(page: number): number {
    const { pages } = this.#parts.config.allocator;
    const index = this.#checks.indexOf(page);
    return index < 0 ? 0 : pages.dmaAddrLow[index];
  }

  /** Only in the NAPI poll of the pool's queue. */
  page_pool_recycle_direct(pool: PagePool, page: number): void {
    this.page_pool_put_full_page(pool, page, true);
  }

  /** @param allowDirect true only in the NAPI poll of the pool's queue */
  page_pool_put_full_page(pool: PagePool, page: number, allowDirect: boolean): void {
    const { config, book, checkReturn } = this.#parts;
    const index = this.#checks.indexOf(page);
    if (index < 0) return;
    checkReturn(index);
    book.giveBack(index);
    const from = config.allocator.ledger.owner[index] === Owner.txRing ? Owner.txRing : Owner.driver;
    if (allowDirect) pool.recycleDirect(page, from);
    else pool.recycle(page, from);
  }

  /** Ends the pool. Pages that somebody still has are waited for, and the kernel's log will tell. */
  page_pool_destroy(pool: PagePool): void {
    pool.destroy(this.#parts.config.scheduler.nowNs / 1e9);
  }

  // ── XDP (include/net/xdp.h, include/linux/filter.h) ──

  /** The program that is attached to the device, undefined for none (READ_ONCE(dev->xdp_prog)). */
  get xdp_prog(): LoadedProgram | undefined {
    return this.#parts.config.program;
  }

  xdp_init_buff(xdp: XdpBuff, frameSizeBytes: number, rxq: XdpRxqInfo): void {
    xdp.frame_sz = frameSizeBytes;
    xdp.rxq = rxq;
  }

  xdp_prepare_buff(xdp: XdpBuff, hardStart: number, headroomBytes: number, lenBytes: number): void {
    xdp.data_hard_start = hardStart;
    xdp.data = hardStart + headroomBytes;
    xdp.data_end = xdp.data + lenBytes;
    xdp.data_meta = xdp.data;
  }

  /** Runs the program and puts into `xdp` what it did to the packet. A program that was stopped gives XDP_ABORTED. */
  bpf_prog_run_xdp(prog: LoadedProgram, xdp: XdpBuff): number {
    const { config, book, verdicts, counters } = this.#parts;
    const { vm, memory, allocator, observer, dma, scheduler } = config;
    const { u32 } = memory;
    const page = xdp.data_hard_start;
    const index = this.#checks.indexOf(page);
    if (index < 0 || !this.#checks.isPacketInside('bpf_prog_run_xdp', index, page, xdp.data_meta, xdp.data, xdp.data_end, xdp.frame_sz)) return XDP_ABORTED;
    this.#checks.checkBuff(xdp, index);
    counters.rxPackets++;
    counters.rxBytes += xdp.data_end - xdp.data;
    book.place(index, xdp.data, xdp.data_end - xdp.data, xdp.data - xdp.data_meta);
    const context = vm.contextAddress;
    this.#prepare(xdp);
    vm.environment.tNs = scheduler.nowNs;
    allocator.ledger.move(page, Owner.driver, Owner.program);
    const fault = vm.run(prog.address);
    allocator.ledger.move(page, Owner.program, Owner.driver);
    const word = context >>> 2;
    xdp.data = u32[word + XDP_MD_DATA / 4];
    xdp.data_end = u32[word + XDP_MD_DATA_END / 4];
    xdp.data_meta = xdp.data - metadataBytes(u32, context);
    book.place(index, xdp.data, xdp.data_end - xdp.data, xdp.data - xdp.data_meta);
    // The program may have written anywhere between the two.
    dma.debug.noteCpuWrite(xdp.data_meta, xdp.data_end - xdp.data_meta);
    if (fault !== 0) {
      observer.onFault(book.packetId(index));
      book.judge(index, NO_VERDICT);
      book.blame(index, Outcome.programFault);
      return XDP_ABORTED;
    }
    const { retval } = vm;
    verdicts[verdictIndex(retval)]++;
    if (retval === XDP_DROP) counters.xdpDrop++;
    else if (retval === XDP_PASS) counters.xdpPass++;
    else if (retval === XDP_TX) counters.xdpTx++;
    else if (retval === XDP_ABORTED) counters.xdpAborted++;
    else if (retval !== XDP_REDIRECT) counters.xdpInvalid++;
    book.judge(index, retval);
    this.#parts.afterVerdict(index);
    return retval;
  }

  /** Puts a packet without metadata into the context block. */
  #prepare({ rxq, data_hard_start: page, frame_sz: frameSizeBytes, data, data_end: dataEnd }: XdpBuff): void {
    const { vm, memory } = this.#parts.config;
    prepareXdpBuff(memory.u32, vm.contextAddress, rxq, page, frameSizeBytes, data - page, dataEnd - data);
  }

  /** The packet becomes a frame, whose struct lies in the headroom; undefined when there is no room for it (40 bytes, metadata not counted). */
  xdp_convert_buff_to_frame(xdp: XdpBuff): XdpFrame | undefined {
    const { config, book, frameOf } = this.#parts;
    const { u32 } = config.memory;
    const index = this.#checks.indexOf(xdp.data_hard_start);
    if (index < 0 || !this.#checks.isPacketInside('xdp_convert_buff_to_frame', index, xdp.data_hard_start, xdp.data_meta, xdp.data, xdp.data_end, xdp.frame_sz)) return undefined;
    const flags = u32[(config.vm.contextAddress + XDP_BUFF_FLAGS) >>> 2];
    if (!convertBuffToFrame(u32, xdp.data_hard_start, xdp.frame_sz, xdp.data_meta, xdp.data, xdp.data_end, flags)) {
      book.blame(index, Outcome.txNoHeadroom);
      return undefined;
    }
    const frame = frameOf(index);
    frame.data = xdp.data;
    frame.len = xdp.data_end - xdp.data;
    frame.headroom = xdp.data - xdp.data_hard_start - 40;
    frame.metasize = xdp.data - xdp.data_meta;
    return frame;
  }

  /** Carries out XDP_REDIRECT of the packet that `bpf_prog_run_xdp` just saw. 0: the page is gone. Negative errno: it is still the driver's. */
  xdp_do_redirect(xdp: XdpBuff): number {
    const { config, redirectPath, counters } = this.#parts;
    const index = this.#checks.indexOf(xdp.data_hard_start);
    if (index < 0 || !this.#checks.isPacketInside('xdp_do_redirect', index, xdp.data_hard_start, xdp.data_meta, xdp.data, xdp.data_end, xdp.frame_sz)) return -EINVAL;
    this.#prepare(xdp);
    config.memory.u32[(config.vm.contextAddress + XDP_MD_DATA_META) >>> 2] = xdp.data_meta;
    const error = redirectPath.redirect(index);
    if (error === 0) counters.xdpRedirect++;
    else counters.xdpRedirectErrors++;
    return error;
  }

  /** Sends what was redirected: once, at the end of the poll. */
  xdp_do_flush(): void {
    this.#parts.config.core.xdpDoFlush();
  }

  /** Gives a frame back to wherever its page came from, from any context. */
  xdp_return_frame(frame: XdpFrame): void {
    this.#returnFrame(frame, false);
  }

  /** The same, straight into the pool's cache: only in the NAPI poll of the queue that the page belongs to. */
  xdp_return_frame_rx_napi(frame: XdpFrame): void {
    this.#returnFrame(frame, true);
  }

  /** Several frames at once, from any context (xdp_return_frame_bulk and xdp_flush_frame_bulk). */
  xdp_return_frame_bulk(frames: readonly XdpFrame[], count: number): void {
    for (let i = 0; i < count; i++) this.#returnFrame(frames[i], false);
  }

  #returnFrame(frame: XdpFrame, isDirect: boolean): void {
    const { config, pools, book, redirectPath } = this.#parts;
    const index = this.#checks.indexOf(frame.page);
    if (index < 0) return;
    if (redirectPath.isFrame(frame.page)) {
      redirectPath.returnFrame(index, frame.page, isDirect);
      return;
    }
    const id = config.allocator.pages.pp[index];
    const pool = pools.find((each) => each.id === id);
    if (pool !== undefined) this.page_pool_put_full_page(pool, frame.page, isDirect);
    else book.giveBack(index);
  }

  /** The tracepoint xdp:xdp_exception: an XDP_ABORTED, a verdict that is none, an XDP_TX or redirect that failed. */
  trace_xdp_exception(act: number): void {
    const { counters, config } = this.#parts;
    config.tracer.xdpException(config.ifindex, config.program?.id ?? 0, act);
    counters.xdpExceptions++;
    if (act === XDP_TX) {
      // It was counted when the program said so, and has not been sent.
      counters.xdpTx--;
      counters.xdpTxErrors++;
    }
  }

  /** The kernel says once in its log that a program returned a number that is no verdict; here the packet's end tells. */
  bpf_warn_invalid_xdp_action(_act: number): void {}

  // ── the way up (include/linux/skbuff.h) ──

  /** An skb around a page, without copying (napi_build_skb, skb_reserve and skb_put in one). One at a time. */
  napi_build_skb(page: number, headroomBytes: number, lenBytes: number): SkBuff {
    const skb = this.#skb;
    skb.head = page;
    skb.data = page + headroomBytes;
    skb.len = lenBytes;
    skb.metaBytes = 0;
    skb.pp_recycle = false;
    return skb;
  }

  skb_metadata_set(skb: SkBuff, metaBytes: number): void {
    skb.metaBytes = metaBytes;
  }

  /** When the skb is freed, its page goes back to the page_pool that it came from. */
  skb_mark_for_recycle(skb: SkBuff): void {
    skb.pp_recycle = true;
  }

  /** The stack has the packet now, and its page. */
  napi_gro_receive(skb: SkBuff): void {
    const { book, mistakes, passToStack, counters } = this.#parts;
    const index = this.#checks.indexOf(skb.head);
    if (index < 0) return;
    // The page is the stack's whatever the lengths say; of a packet that isn't there, nothing is.
    const dataEnd = Number.isInteger(skb.len) ? skb.data + skb.len : NaN;
    const dataMeta = Number.isInteger(skb.metaBytes) ? skb.data - skb.metaBytes : NaN;
    if (!this.#checks.isPacketInside('napi_gro_receive', index, skb.head, dataMeta, skb.data, dataEnd, PAGE_BYTES)) {
      skb.data = skb.head;
      skb.len = skb.metaBytes = 0;
    }
    if (book.stage[index] === PageStage.received) {
      counters.rxPackets++;
      counters.rxBytes += skb.len;
    }
    book.place(index, skb.data, skb.len, skb.metaBytes);
    if (!skb.pp_recycle) {
      mistakes.add('skb-not-recycled', book.packetId(index), () => `packet ${book.packetId(index)} goes up in an skb that isn't marked for recycling: its page, mapped as it is, never comes back to its page_pool`);
    }
    passToStack(index, Outcome.stack, skb.pp_recycle);
  }

  // ── NAPI (include/linux/netdevice.h) ──

  napi_enable(): void {
    const { napi, mistakes } = this.#parts;
    if (!napi.has(NAPI_DISABLE)) mistakes.add('napi-enabled-twice', 0, () => 'napi_enable() of a NAPI that is enabled already: the kernel stops with a BUG there');
    napi.enable();
  }

  napi_disable(): void {
    const { napi, mistakes } = this.#parts;
    if (napi.isPolling) mistakes.add('napi-disabled-in-poll', 0, () => 'napi_disable() inside of its own poll: the kernel would wait for ever, here the call is left out');
    else napi.disable();
  }

  /** True when this call scheduled the poll. */
  napi_schedule(): boolean {
    return this.#parts.napi.schedule();
  }

  /** True when the driver is to enable its interrupt. */
  napi_complete_done(workDone: number): boolean {
    return this.#parts.completeDone(workDone);
  }
}
