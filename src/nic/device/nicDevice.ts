import { FrameCopier, Owner } from '../../memory/index.js';
import type { HostMemory, OwnerLedger } from '../../memory/index.js';
import { XDP_RSS_TYPE_NONE } from '../../vm/index.js';
import type { Scheduler } from '../scheduler.js';
import { BATCH_FRAMES, DESC_EOP, DESC_RSS, DescriptorBatch } from './batch.js';
import type { WireBatch } from './batch.js';
import type { DescriptorFormat, RingMemory } from './formats/descriptorFormat.js';
import { InterruptLine } from './interrupt.js';
import { DMA_READ, DMA_WRITE } from './iommu.js';
import type { Iommu } from './iommu.js';
import { filterFrame, MAC_ACCEPT, MAC_ADDRESS, MAC_OVER_LENGTH, MAC_RUNT } from './mac.js';
import type { MacConfig } from './mac.js';
import type { Rss } from './rss.js';

/** Descriptors that one frame may span: its first buffer and 17 fragments. */
const MAX_SEGMENTS = 18;

/** Row of the copy list: { u32 destination, u32 source, u32 bytes }. */
const COPY_ROW_WORDS = 3;

/** Registers of one receive queue. Indices run freely; the device owns descriptors from head to tail. */
interface RxRegisters {
  ring: RingMemory;
  head: number;
  tail: number;
  bufferBytes: number;
}

/** Registers of one transmit queue. */
interface TxRegisters {
  ring: RingMemory;
  head: number;
  tail: number;
  isWorkScheduled: boolean;
}

/** What the device reports to whoever watches the simulation; the driver hears none of it. */
export interface DeviceObserver {
  /** A frame got no further than the device: MAC_* reason, or `missed`, or `dma`. */
  onLost(packetId: number, reason: DeviceLoss, address: number, lenBytes: number, queue: number): void;
  /** A frame went out on the wire; `descriptorIndex` is that of its last descriptor. */
  onTransmit(queue: number, descriptorIndex: number, address: number, lenBytes: number, packetId: number): void;
  /** The IOMMU refused to let a frame be read: it is lost; `descriptorIndex` is that of its first descriptor. */
  onTransmitLost(queue: number, descriptorIndex: number): void;
}

export const LOSS_RUNT = MAC_RUNT;
export const LOSS_OVER_LENGTH = MAC_OVER_LENGTH;
export const LOSS_ADDRESS = MAC_ADDRESS;
export const LOSS_MISSED = 4;
export const LOSS_DMA = 5;
export type DeviceLoss = typeof LOSS_RUNT | typeof LOSS_OVER_LENGTH | typeof LOSS_ADDRESS | typeof LOSS_MISSED | typeof LOSS_DMA;

/** Hardware counters, whole device. */
export interface DeviceCounters {
  rxPackets: number;
  rxBytes: number;
  rxRunts: number;
  rxOverLength: number;
  rxAddressFiltered: number;
  rxMissed: number;
  rxDmaErrors: number;
  txPackets: number;
  txBytes: number;
  txDmaErrors: number;
}

/** What the device is made of. */
export interface NicDeviceConfig {
  readonly memory: HostMemory;
  readonly pages: OwnerLedger;
  readonly iommu: Iommu;
  readonly scheduler: Scheduler;
  readonly format: DescriptorFormat;
  readonly mac: MacConfig;
  readonly rss: Rss;
  readonly queues: number;
  readonly interruptDelayNs: number;
  readonly observer: DeviceObserver;
}

/**
 * The hardware: MAC, RSS, DMA engine and queues. It meets its driver only in descriptors in host memory, doorbells and
 * interrupts; it holds no reference to it.
 */
export class NicDevice {
  readonly counters: DeviceCounters = {
    rxPackets: 0, rxBytes: 0, rxRunts: 0, rxOverLength: 0, rxAddressFiltered: 0, rxMissed: 0, rxDmaErrors: 0, txPackets: 0, txBytes: 0, txDmaErrors: 0,
  };
  readonly #config: NicDeviceConfig;
  readonly #rx: RxRegisters[];
  readonly #tx: TxRegisters[];
  readonly #irq: InterruptLine[];
  readonly #txHandler: number;
  readonly #batch = new DescriptorBatch(BATCH_FRAMES * MAX_SEGMENTS);
  readonly #accepted = new Int32Array(BATCH_FRAMES);
  readonly #copier: FrameCopier;
  readonly #copyList: number;
  /** Where the pieces of a frame that spans several TX descriptors are put together, as on the wire. */
  readonly #txScratch: number;

  constructor(config: NicDeviceConfig, interruptHandler: (queue: number) => void) {
    const { memory, scheduler, queues } = config;
    this.#config = config;
    const noRing: RingMemory = { address: 0, size: 1 };
    this.#rx = Array.from({ length: queues }, () => ({ ring: noRing, head: 0, tail: 0, bufferBytes: 0 }));
    this.#tx = Array.from({ length: queues }, () => ({ ring: noRing, head: 0, tail: 0, isWorkScheduled: false }));
    this.#irq = Array.from({ length: queues }, (_, queue) => new InterruptLine(scheduler, queue, config.interruptDelayNs, interruptHandler));
    this.#txHandler = scheduler.register((queue) => this.#transmit(queue));
    this.#copier = new FrameCopier(memory);
    this.#copyList = memory.reserve('DMA copy list', BATCH_FRAMES * MAX_SEGMENTS * COPY_ROW_WORDS * 4);
    this.#txScratch = memory.reserve('TX FIFO', MAX_SEGMENTS * 4096);
  }

  // ── registers ──

  /** Sets a receive queue's ring (I/O address of its first descriptor), buffer size and zeroed head and tail. */
  configureRx(queue: number, iovaHigh: number, iovaLow: number, size: number, bufferBytes: number): void {
    this.#rx[queue] = { ring: { address: this.#ringAddress(iovaHigh, iovaLow), size }, head: 0, tail: 0, bufferBytes };
  }

  /** Sets a transmit queue's ring. */
  configureTx(queue: number, iovaHigh: number, iovaLow: number, size: number): void {
    this.#tx[queue] = { ring: { address: this.#ringAddress(iovaHigh, iovaLow), size }, head: 0, tail: 0, isWorkScheduled: false };
  }

  #ringAddress(iovaHigh: number, iovaLow: number): number {
    return this.#config.iommu.translate(iovaHigh, iovaLow, 1, DMA_READ | DMA_WRITE);
  }

  /** RX tail doorbell: the device owns descriptors up to, not including, this free-running index. */
  rxDoorbell(queue: number, tail: number): void {
    this.#rx[queue].tail = tail;
  }

  /** TX tail doorbell: the device starts to send on its own time. */
  txDoorbell(queue: number, tail: number): void {
    const tx = this.#tx[queue];
    tx.tail = tail;
    if (tx.isWorkScheduled) return;
    tx.isWorkScheduled = true;
    this.#config.scheduler.schedule(this.#config.scheduler.nowNs, this.#txHandler, queue);
  }

  /** Interrupt mask and status registers of a queue. */
  interrupt(queue: number): InterruptLine {
    return this.#irq[queue];
  }

  // ── receive ──

  /** Frames arrive from the wire. */
  receive(batch: WireBatch): void {
    this.#filterAndHash(batch);
    for (let queue = 0; queue < this.#rx.length; queue++) this.#receiveOnQueue(queue, batch);
  }

  #filterAndHash(batch: WireBatch): void {
    const { mac, rss, memory, observer } = this.#config;
    const { counters } = this;
    const { u8 } = memory;
    const { address, lenBytes, rssHash, rssType, queue, packetId, count } = batch;
    for (let i = 0; i < count; i++) {
      const reason = filterFrame(mac, u8, address[i], lenBytes[i]);
      if (reason === MAC_ACCEPT) {
        const hash = rss.hashFrame(u8, address[i], lenBytes[i]);
        rssHash[i] = hash;
        rssType[i] = rss.hashType;
        queue[i] = rss.queueFor(hash);
        continue;
      }
      queue[i] = -1;
      if (reason === MAC_RUNT) counters.rxRunts++;
      else if (reason === MAC_OVER_LENGTH) counters.rxOverLength++;
      else counters.rxAddressFiltered++;
      observer.onLost(packetId[i], reason as DeviceLoss, address[i], lenBytes[i], -1);
    }
  }

  #receiveOnQueue(queue: number, batch: WireBatch): void {
    const { memory, format, observer } = this.#config;
    const rx = this.#rx[queue];
    const { lenBytes, count } = batch;
    const accepted = this.#accepted;
    const available = (rx.tail - rx.head) | 0;
    let frames = 0;
    let segments = 0;
    for (let i = 0; i < count; i++) {
      if (batch.queue[i] !== queue) continue;
      const needed = lenBytes[i] <= rx.bufferBytes ? 1 : Math.ceil(lenBytes[i] / rx.bufferBytes);
      if (segments + needed > available || needed > MAX_SEGMENTS) {
        this.counters.rxMissed++;
        observer.onLost(batch.packetId[i], LOSS_MISSED, batch.address[i], lenBytes[i], queue);
        continue;
      }
      segments += needed;
      accepted[frames++] = i;
    }
    if (frames === 0) return;
    format.rxFetch(memory, rx.ring, rx.head, segments, this.#batch);
    this.#dmaFrames(queue, rx.bufferBytes, batch, frames);
    format.rxWriteBack(memory, rx.ring, rx.head, this.#batch);
    rx.head = (rx.head + segments) | 0;
    this.#irq[queue].raise(frames);
  }

  /** Copies the accepted frames into the buffers of the fetched descriptors and fills in what is written back. */
  #dmaFrames(queue: number, bufferBytes: number, wire: WireBatch, frames: number): void {
    const { memory, iommu, pages, observer } = this.#config;
    const { nowNs } = this.#config.scheduler;
    const { counters } = this;
    const { u32 } = memory;
    const descriptors = this.#batch;
    const accepted = this.#accepted;
    let segment = 0;
    let row = this.#copyList >>> 2;
    let rows = 0;
    for (let k = 0; k < frames; k++) {
      const i = accepted[k];
      let source = wire.address[i];
      let left = wire.lenBytes[i];
      let isLost = false;
      while (left > 0) {
        const chunk = left < bufferBytes ? left : bufferBytes;
        const target = iommu.translate(descriptors.iovaHigh[segment], descriptors.iovaLow[segment], chunk, DMA_WRITE);
        if (target === 0) isLost = true;
        else {
          pages.move(target, Owner.device, Owner.device);
          pages.packetId[pages.indexOf(target)] = wire.packetId[i];
          u32[row] = target;
          u32[row + 1] = source;
          u32[row + 2] = chunk;
          row += COPY_ROW_WORDS;
          rows++;
        }
        left -= chunk;
        source += chunk;
        // A refused DMA is written back as an empty buffer, so that the driver can tell.
        descriptors.lenBytes[segment] = target === 0 ? 0 : chunk;
        descriptors.rssHash[segment] = wire.rssHash[i];
        descriptors.rssType[segment] = wire.rssType[i];
        descriptors.timestampNs[segment] = nowNs;
        descriptors.flags[segment] = (left === 0 ? DESC_EOP : 0) | (wire.rssType[i] !== XDP_RSS_TYPE_NONE ? DESC_RSS : 0);
        segment++;
      }
      if (isLost) {
        counters.rxDmaErrors++;
        observer.onLost(wire.packetId[i], LOSS_DMA, wire.address[i], wire.lenBytes[i], queue);
      } else {
        counters.rxPackets++;
        counters.rxBytes += wire.lenBytes[i];
      }
    }
    this.#copier.copy(this.#copyList, rows);
  }

  // ── transmit ──

  /** Sends everything between head and tail, marks it as done and raises the interrupt. */
  #transmit(queue: number): void {
    const { memory, format } = this.#config;
    const tx = this.#tx[queue];
    tx.isWorkScheduled = false;
    const { counters } = this;
    const framesBefore = counters.txPackets + counters.txDmaErrors;
    while (tx.head !== tx.tail) {
      const count = Math.min((tx.tail - tx.head) | 0, BATCH_FRAMES * MAX_SEGMENTS);
      format.txFetch(memory, tx.ring, tx.head, count, this.#batch);
      const sent = this.#sendFrames(queue, tx.head, count);
      // A frame whose last descriptor is still missing waits for the next doorbell.
      if (sent === 0) break;
      format.txWriteBack(memory, tx.ring, tx.head, sent);
      tx.head = (tx.head + sent) | 0;
    }
    const frames = counters.txPackets + counters.txDmaErrors - framesBefore;
    if (frames > 0) this.#irq[queue].raise(frames);
  }

  /** Puts frames on the wire; gives the number of descriptors that whole frames took. */
  #sendFrames(queue: number, first: number, count: number): number {
    const { memory, iommu, pages, observer } = this.#config;
    const { counters } = this;
    const { iovaHigh, iovaLow, lenBytes, flags } = this.#batch;
    let start = 0;
    for (let i = 0; i < count; i++) {
      if ((flags[i] & DESC_EOP) === 0) continue;
      let frameAddress = iommu.translate(iovaHigh[start], iovaLow[start], lenBytes[start], DMA_READ);
      const packetId = frameAddress === 0 ? 0 : pages.packetId[pages.indexOf(frameAddress)];
      let frameBytes = lenBytes[start];
      if (i > start) {
        let end = this.#txScratch;
        for (let segment = start; segment <= i; segment++) {
          const from = iommu.translate(iovaHigh[segment], iovaLow[segment], lenBytes[segment], DMA_READ);
          if (from === 0) frameAddress = 0;
          else memory.u8.copyWithin(end, from, from + lenBytes[segment]);
          end += lenBytes[segment];
        }
        if (frameAddress !== 0) frameAddress = this.#txScratch;
        frameBytes = end - this.#txScratch;
      }
      if (frameAddress !== 0) {
        counters.txPackets++;
        counters.txBytes += frameBytes;
        observer.onTransmit(queue, (first + i) | 0, frameAddress, frameBytes, packetId);
      } else {
        counters.txDmaErrors++;
        observer.onTransmitLost(queue, (first + start) | 0);
      }
      start = i + 1;
    }
    return start;
  }
}
