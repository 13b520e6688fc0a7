import { fail, NEWEST_KERNEL, ok } from '../base/index.js';
import type { Result, Scheduler } from '../base/index.js';
import { PAGE_BYTES } from '../memory/index.js';
import type { HostMemory, PageAllocator } from '../memory/index.js';
import type { XdpSock } from '../umem/index.js';
import type { LoadedProgram, Vm } from '../vm/index.js';
import { Outcome, XDP_TX, XdpCore } from '../xdp/index.js';
import type { XdpTracer } from '../xdp/index.js';
import { BufferTags, TX_EMPTY, TX_NONE, TX_SKB, TX_XDP_TX, TX_XDP_TX_CHUNK, TX_XDP_TX_COPY, TX_XSK_SKB } from './bufferTags.js';
import { LOSS_ADDRESS, LOSS_CRC, LOSS_DMA, LOSS_LINK, LOSS_MISSED, LOSS_OVER_LENGTH, LOSS_RUNT, LOSS_STEERED } from './device/deviceConfig.js';
import type { DeviceLoss, DeviceObserver } from './device/deviceConfig.js';
import { DeviceFaults } from './device/faults/deviceFaults.js';
import type { PacketFates } from './device/faults/packetFates.js';
import { FlowSteering } from './device/flowSteering.js';
import { Iommu } from './device/iommu.js';
import { NicDevice } from './device/nicDevice.js';
import type { OffloadedXdp } from './device/offloadedXdp.js';
import { defaultRssKey, Rss } from './device/rss.js';
import { HardwareClock } from './device/timestamps.js';
import { CacheModel } from './dma/cacheModel.js';
import { DmaApi } from './dma/dmaApi.js';
import { initialModeration } from './driver/adaptiveModeration.js';
import { NicDriver } from './driver/driver.js';
import type { DriverConfig } from './driver/driverState.js';
import type { NetDriver } from './driver/netDriver.js';
import { Softirq } from './driver/softirq.js';
import { rxLayout } from './driver/rxLayout.js';
import { DmaUmems } from './dmaUmems.js';
import type { DmaUmem } from './dmaUmems.js';
import { checkAttach } from './attach/checkAttach.js';
import { checkSettings, effectiveSettings, headroomOf } from './nicSettings.js';
import type { NicSettings } from './nicSettings.js';
import { behindOffload, createOffload, offloadEnd, verdictAtLoss } from './offload.js';
import { profileOfRelease } from './profiles/history.js';
import type { RssSupport } from './profiles/profile.js';

/** Where a NIC reports to. One call for each packet's end, one for each frame that an application sent. */
export interface NicObserver {
  /**
   * A received packet reached its end. Its bytes (linear) lie at `address`, `metaBytes` of metadata before them.
   *
   * @param retval what the program returned, -1 when no program saw the packet
   * @param queue -1 when the packet reached no queue
   */
  onPacketEnd(packetId: number, outcome: Outcome, retval: number, queue: number, address: number, lenBytes: number, metaBytes: number): void;
  /** A copy of a packet, made for a broadcast, reached its end; the packet has an end of its own. */
  onCopyEnd?(packetId: number, outcome: Outcome, queue: number, address: number, lenBytes: number): void;
  /** A frame of an AF_XDP application left for the wire; `packetId` is the packet that its chunk had carried, 0 for none. */
  onApplicationFrame(packetId: number, queue: number, address: number, lenBytes: number): void;
  /** Any frame left for the wire, those of the other two calls included, which come first; `packetId` is 0 for one that carries no packet. */
  onWire?(packetId: number, queue: number, address: number, lenBytes: number): void;
  onFault(packetId: number): void;
  onSocketReady(socket: XdpSock): void;
}

/** One NIC: device and driver, joined only by host memory, doorbells and interrupts. */
export interface Nic {
  readonly settings: NicSettings;
  readonly device: NicDevice;
  readonly driver: NetDriver;
  readonly tags: BufferTags;
  readonly iommu: Iommu;
  readonly dma: DmaApi;
  /** UMEMs that the device reads and writes in zero-copy mode. */
  readonly umems: DmaUmems;
  /** Frames that the device had no descriptor for, by queue. */
  readonly missed: Float64Array;
  /** The faults that are injected, `undefined` without a plan. */
  readonly faults: DeviceFaults | undefined;
  /** The program that runs in the device, `undefined` in other modes than `offload`. */
  readonly offload: OffloadedXdp | undefined;
  /** Shuts device and driver down. */
  close(): void;
}

const OUTCOME_OF_LOSS: Record<DeviceLoss, Outcome> = {
  [LOSS_RUNT]: Outcome.macRunt,
  [LOSS_OVER_LENGTH]: Outcome.macOverLength,
  [LOSS_ADDRESS]: Outcome.macAddress,
  [LOSS_MISSED]: Outcome.rxMissed,
  [LOSS_DMA]: Outcome.dmaError,
  [LOSS_STEERED]: Outcome.rxSteered,
  [LOSS_LINK]: Outcome.rxLinkDown,
  [LOSS_CRC]: Outcome.rxError,
};

/** Without RSS there is one queue, whatever the hash. */
const NO_RSS: RssSupport = { indirectionSize: 128, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: true, flowRules: 0 };

/** Locally administered address of the model NIC. */
const MAC_ADDRESS = Uint8Array.from([0x02, 0, 0, 0, 0, 0x01]);

/** What `createNic` needs besides settings. */
export interface NicParts {
  readonly memory: HostMemory;
  readonly allocator: PageAllocator;
  readonly scheduler: Scheduler;
  readonly vm: Vm;
  readonly program: LoadedProgram | undefined;
  /** The XDP core of the host; NICs that share one are on one host. Left out: a host with this NIC alone. */
  readonly core?: XdpCore | undefined;
  /** NET_RX_SOFTIRQ of each CPU of the host; left out: a host with this NIC alone. */
  readonly softirqs?: readonly Softirq[] | undefined;
  readonly observer: NicObserver;
  /** Hears the tracepoints of XDP; left out: nobody does. */
  readonly tracer?: XdpTracer | undefined;
  /** Makes the driver; left out: the one of the model, which fits every profile. */
  readonly createDriver?: ((config: DriverConfig) => NetDriver) | undefined;
}

/** Builds a NIC and opens it. Problems: those of `checkSettings` and of `checkAttach`. */
export function createNic(requested: NicSettings, parts: NicParts): Result<Nic> {
  const settings = effectiveSettings({ ...requested, profile: profileOfRelease(requested.profile, parts.vm.environment.kernel ?? NEWEST_KERNEL) });
  const problem = checkSettings(settings) ?? (parts.program === undefined ? undefined : checkAttach(settings, parts.program, parts.vm.environment.possibleCpus));
  if (problem !== undefined) return fail(problem);
  const { profile, queues, mtu, ifindex, rxRingSize, txRingSize, xdpMode = 'native' } = settings;
  const { memory, allocator, scheduler, vm, program } = parts;
  const core = parts.core ?? new XdpCore({ vm, allocator, scheduler, ...(parts.tracer === undefined ? {} : { tracer: parts.tracer }) });
  const faults = settings.faults && new DeviceFaults(settings.faults, { memory, format: profile.format, scheduler, queues });
  const observer = faults?.fates === undefined ? parts.observer : endOnce(parts.observer, faults.fates);
  const offload = createOffload(settings, parts);
  const offloads = { ...profile.offloads, ...settings.offloads };
  const hintOffloads = { hasRxHash: offloads.rxHash ?? true, hasVlanStrip: offloads.rxVlanStrip };
  const { ledger } = allocator;
  const range = { start: ledger.baseAddress, sizeBytes: ledger.count * ledger.unitBytes };
  const cache = settings.isDmaCoherent === false ? CacheModel.nonCoherent(memory, range) : CacheModel.coherent(memory);
  // In zero-copy mode UMEMs are mapped, too, wherever in host memory they lie.
  const iommu = new Iommu(allocator.ledger.count + ringPages(settings) + txRingSize * queues * 2 + 4096 + (profile.xdp.zeroCopy === undefined ? 0 : memory.sizeBytes / PAGE_BYTES));
  const softirqs = parts.softirqs ?? Array.from({ length: vm.environment.possibleCpus }, () => new Softirq(scheduler));
  const umems = new DmaUmems(ledger);
  const dma = new DmaApi({ memory, iommu, cache, ledgers: umems.ledgers });
  const tags = new BufferTags(allocator.ledger);
  const makeDriver = parts.createDriver ?? ((config: DriverConfig) => new NicDriver(config));
  const driver = makeDriver({
    memory, allocator, tags, dma, umems, scheduler, softirqs,
    napi: settings.napi ?? {},
    isModerationAdaptive: settings.interruptDelayNs === undefined,
    profile, hintOffloads, queues, rxRingSize, txRingSize,
    launchTimeQueues: settings.launchTimeQueues,
    headroomBytes: headroomOf(settings),
    ifindex, mtu, vm,
    program: xdpMode === 'native' ? program : undefined,
    genericProgram: xdpMode === 'generic' ? program : undefined,
    xdpMode,
    peer: settings.peer,
    hasTxContract: settings.hasTxContract ?? profile.xdp.hasTxContract === true,
    address: MAC_ADDRESS,
    core,
    observer: offload === undefined ? observer : behindOffload(observer),
    tracer: parts.tracer ?? core.tracer,
    watchdogNs: settings.faults?.watchdogNs,
  });
  core.addDevice(driver, observer);
  if (faults !== undefined) faults.onTrouble = () => driver.wakeWatchdog?.();
  allocator.shouldFail ??= faults?.failAllocation;
  const rss = profile.rss ?? NO_RSS;
  const missed = new Float64Array(queues);
  const deviceObserver: DeviceObserver = {
    onLost(packetId, reason, address, lenBytes, queue) {
      if (reason === LOSS_MISSED) missed[queue]++;
      observer.onPacketEnd(packetId, OUTCOME_OF_LOSS[reason], verdictAtLoss(offload, reason), queue, address, lenBytes, 0);
    },
    onTransmit(queue, buffer, address, lenBytes) {
      const inUmem = umems.find(buffer);
      if (inUmem !== undefined) {
        onChunkSent(inUmem, observer, queue, buffer, address, lenBytes);
        return;
      }
      const index = allocator.ledger.indexOf(buffer);
      const packetId = allocator.ledger.packetId[index];
      const kind = tags.kind[index];
      tags.kind[index] = TX_NONE;
      if (kind === TX_EMPTY) {
        observer.onWire?.(0, queue, address, lenBytes);
        return;
      }
      if (kind === TX_XSK_SKB) observer.onApplicationFrame(packetId, queue, address, lenBytes);
      else if (kind === TX_SKB) {
        const { skbs } = core.generic;
        const skb = skbs.takeSent(buffer)!;
        skbs.reportEndAt(skb, skb.retval === XDP_TX ? Outcome.tx : Outcome.redirect, queue, address, lenBytes, 0);
      }
      else if (kind === TX_XDP_TX || kind === TX_XDP_TX_COPY || core.memory.memIdOf(buffer) === 0) observer.onPacketEnd(packetId, kind === TX_XDP_TX || kind === TX_XDP_TX_COPY ? Outcome.tx : Outcome.redirect, tags.retval[index], queue, address, lenBytes, 0);
      else core.endSentFrame(buffer, Outcome.redirect, queue, address, lenBytes);
      observer.onWire?.(packetId, queue, address, lenBytes);
    },
    onOffloadEnd: offloadEnd(observer),
  };
  const device = new NicDevice(
    {
      memory,
      pages: allocator.ledger,
      umems,
      tags,
      iommu,
      cache,
      scheduler,
      format: profile.format,
      mac: { address: MAC_ADDRESS, promiscuous: true, mtu, ...(profile.offloads.rxScatter ? {} : { rxMaxBytes: rxLayout(profile, headroomOf(settings)).packetBytes }) },
      rss: new Rss(defaultRssKey(rss.keyBytes), queues, rss),
      steering: new FlowSteering(rss.flowRules, queues),
      clock: new HardwareClock(),
      offloads,
      queues,
      launchTimeQueues: settings.launchTimeQueues,
      moderation: settings.interruptDelayNs ?? initialModeration(profile.moderation),
      interruptPolicy: profile.moderation.adaptive === 'dim' ? 'arm' : 'mask',
      faults,
      offload,
      observer: deviceObserver,
    },
    (queue) => driver.onInterrupt(queue),
  );
  driver.open(device);
  const close = (): void => {
    driver.close();
    faults?.endSwallowed(deviceObserver);
  };
  return ok({ settings, device, driver, tags, iommu, dma, umems, missed, faults, offload, close });
}

/** A frame left for the wire that lies in a chunk of a UMEM. */
function onChunkSent({ umem, tags, txPacketId }: DmaUmem, observer: NicObserver, queue: number, buffer: number, address: number, lenBytes: number): void {
  const index = umem.chunks.indexOf(buffer);
  const packetId = txPacketId[index];
  const kind = tags.kind[index];
  tags.kind[index] = TX_NONE;
  if (kind === TX_XDP_TX_CHUNK) observer.onPacketEnd(packetId, Outcome.tx, tags.retval[index], queue, address, lenBytes, 0);
  else observer.onApplicationFrame(packetId, queue, address, lenBytes);
  observer.onWire?.(packetId, queue, address, lenBytes);
}

/** The observer, which hears the first end of each packet only. */
function endOnce(observer: NicObserver, fates: PacketFates): NicObserver {
  return {
    onPacketEnd(packetId, ...rest) {
      if (fates.end(packetId)) observer.onPacketEnd(packetId, ...rest);
    },
    onCopyEnd: (...rest) => observer.onCopyEnd?.(...rest),
    onApplicationFrame: (...rest) => observer.onApplicationFrame(...rest),
    onWire: (...rest) => observer.onWire?.(...rest),
    onFault: (packetId) => observer.onFault(packetId),
    onSocketReady: (socket) => observer.onSocketReady(socket),
  };
}

/** I/O pages that the rings of a NIC take. */
export function ringPages({ profile, queues, rxRingSize, txRingSize }: NicSettings): number {
  const { format } = profile;
  return queues * (Math.ceil(format.rxRingBytes(rxRingSize) / PAGE_BYTES) + Math.ceil(format.txRingBytes(txRingSize) / PAGE_BYTES));
}
