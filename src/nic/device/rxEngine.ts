import { FrameCopier, Owner } from '../../memory/index.js';
import type { Umem } from '../../umem/index.js';
import { XDP_RSS_TYPE_NONE } from '../../vm/index.js';
import { BATCH_FRAMES, DESC_EOP, DESC_FIRST, DESC_L3_BAD, DESC_L4_BAD, DESC_RSS, DESC_TIMESTAMP, DESC_VLAN, DescriptorBatch, MAX_SEGMENTS, PACKET_BROADCAST, PACKET_MULTICAST } from './batch.js';
import type { WireBatch } from './batch.js';
import { LOSS_DMA, LOSS_MISSED, LOSS_STEERED } from './deviceConfig.js';
import type { DeviceCounters, DeviceLoss, NicDeviceConfig } from './deviceConfig.js';
import { FLOW_DISCARD, FLOW_NONE } from './flowSteering.js';
import type { RingMemory } from './formats/descriptorFormat.js';
import type { InterruptLine } from './interrupt.js';
import { IOMMU_WRITE } from './iommu.js';
import { filterFrame, MAC_ACCEPT, MAC_OVER_LENGTH, MAC_RUNT } from './mac.js';
import { ParsedFrame, parseFrame } from './parseFrame.js';
import { rxChecksumFlags } from './rxChecksum.js';
import { NO_VLAN_TAG, strippableTci, VLAN_TAG_BYTES, VLAN_TAG_OFFSET } from './vlan.js';

/** Row of the copy list: { u32 destination, u32 source, u32 bytes }. */
const COPY_ROW_WORDS = 3;

/** Registers of one receive queue. */
interface RxRegisters {
  ring: RingMemory;
  /** Slots that the device has used since the ring was made. */
  head: number;
  doorbell: number;
  bufferBytes: number;
}

/** The receiving half of a device: MAC filter, offloads, queue choice, DMA, write-back. */
export class RxEngine {
  readonly #config: NicDeviceConfig;
  readonly #counters: DeviceCounters;
  readonly #irq: readonly InterruptLine[];
  readonly #queues: RxRegisters[];
  readonly #batch = new DescriptorBatch(BATCH_FRAMES * MAX_SEGMENTS);
  readonly #frame = new ParsedFrame();
  readonly #copier: FrameCopier;
  readonly #copyList: number;

  constructor(config: NicDeviceConfig, counters: DeviceCounters, irq: readonly InterruptLine[], noRing: RingMemory) {
    this.#config = config;
    this.#counters = counters;
    this.#irq = irq;
    this.#queues = Array.from({ length: config.queues }, () => ({ ring: noRing, head: 0, doorbell: 0, bufferBytes: 1 }));
    this.#copier = new FrameCopier(config.memory);
    this.#copyList = config.memory.reserve('DMA copy list', BATCH_FRAMES * (MAX_SEGMENTS + 1) * COPY_ROW_WORDS * 4);
  }

  configure(queue: number, ring: RingMemory, bufferBytes: number): void {
    this.#queues[queue] = { ring, head: 0, doorbell: 0, bufferBytes };
  }

  doorbell(queue: number, value: number): void {
    this.#queues[queue].doorbell = value;
  }

  /** Frames arrive from the wire. */
  receive(wire: WireBatch): void {
    this.#config.faults?.onWire(wire, this.#counters, this.#config.observer);
    this.#classify(wire);
    for (let queue = 0; queue < this.#queues.length; queue++) this.#receiveOnQueue(queue, wire);
  }

  /** MAC filter, then what the device finds out about each frame: hash, type, queue, checksums, VLAN tag. */
  #classify(wire: WireBatch): void {
    const { mac, rss, steering, memory, offloads, offload, observer } = this.#config;
    const isSteered = steering.count > 0;
    const counters = this.#counters;
    const frame = this.#frame;
    const { u8 } = memory;
    const { address, lenBytes, rssHash, rssType, queue, flags, packetType, vlanTci, count } = wire;
    for (let i = 0; i < count; i++) {
      const reason = filterFrame(mac, u8, address[i], lenBytes[i]);
      if (reason !== MAC_ACCEPT) {
        this.#lose(wire, i, reason as DeviceLoss);
        continue;
      }
      if (offload !== undefined && !offload.receive(wire, i, counters, observer)) continue;
      parseFrame(u8, address[i], lenBytes[i], frame);
      const hash = rss.hashParsed(u8, address[i], frame);
      rssHash[i] = hash;
      rssType[i] = rss.hashType;
      queue[i] = rss.hashType === XDP_RSS_TYPE_NONE ? 0 : rss.queueFor(hash);
      if (isSteered) {
        const action = steering.match(u8, address[i], frame);
        if (action === FLOW_DISCARD) {
          this.#lose(wire, i, LOSS_STEERED);
          continue;
        }
        if (action !== FLOW_NONE) queue[i] = action;
      }
      packetType[i] = frame.packetType;
      let found = rss.hashType !== XDP_RSS_TYPE_NONE ? DESC_RSS : 0;
      if (offloads.rxChecksum) found |= rxChecksumFlags(memory, address[i], lenBytes[i], frame);
      if (offloads.rxVlanStrip && frame.vlanTci !== NO_VLAN_TAG) {
        const tci = strippableTci(u8, address[i], lenBytes[i]);
        if (tci !== NO_VLAN_TAG) {
          found |= DESC_VLAN;
          vlanTci[i] = tci;
        }
      }
      flags[i] = found;
      if ((frame.packetType & (PACKET_MULTICAST | PACKET_BROADCAST)) !== 0) {
        if ((frame.packetType & PACKET_BROADCAST) !== 0) counters.rxBroadcast++;
        else counters.rxMulticast++;
      }
      if ((found & (DESC_L3_BAD | DESC_L4_BAD)) !== 0) counters.rxChecksumErrors++;
    }
  }

  /** The frame reaches no queue. */
  #lose(wire: WireBatch, i: number, reason: DeviceLoss): void {
    const counters = this.#counters;
    if (reason === MAC_RUNT) counters.rxRunts++;
    else if (reason === MAC_OVER_LENGTH) counters.rxOverLength++;
    else if (reason === LOSS_STEERED) counters.rxSteeredAway++;
    else counters.rxAddressFiltered++;
    wire.queue[i] = -1;
    this.#config.observer.onLost(wire.packetId[i], reason, wire.address[i], wire.lenBytes[i], -1);
  }

  #receiveOnQueue(queue: number, wire: WireBatch): void {
    const { memory, format, cache } = this.#config;
    const rx = this.#queues[queue];
    const room = rx.bufferBytes;
    let frames = 0;
    let wanted = 0;
    for (let i = 0; i < wire.count; i++) {
      if (wire.queue[i] !== queue) continue;
      frames++;
      const bytes = wire.lenBytes[i] + format.rxPrefixBytes;
      wanted += bytes <= room ? 1 : Math.ceil(bytes / room);
    }
    if (frames === 0) return;
    const batch = this.#batch;
    const { faults } = this.#config;
    let limit = wanted < BATCH_FRAMES * MAX_SEGMENTS ? wanted : BATCH_FRAMES * MAX_SEGMENTS;
    // A descriptor that is not written back yet still looks free in some formats.
    if (faults?.writeBack !== undefined) limit = Math.min(limit, rx.ring.size - faults.writeBack.pendingSlots(queue));
    format.rxFetch(memory, rx.ring, rx.head, format.rxAvailable(memory, rx.ring, rx.head, rx.doorbell, limit), batch);
    const accepted = this.#dmaFrames(queue, wire);
    if (accepted === 0) return;
    if (faults?.writeBack === undefined) format.rxWriteBack(memory, rx.ring, rx.head, batch);
    else faults.writeBack.writeBack(queue, rx.ring, rx.head, batch, room, accepted);
    if (!cache.isCoherent) this.#writeDirtyLines();
    rx.head += batch.count;
    this.#irq[queue].raise(accepted);
  }

  /**
   * Copies the frames of a queue into the buffers of the fetched descriptors, as many as these hold, and fills in what is written back.
   *
   * @returns frames that took descriptors; `batch.count` is how many
   */
  #dmaFrames(queue: number, wire: WireBatch): number {
    const { observer } = this.#config;
    const counters = this.#counters;
    const descriptors = this.#batch;
    const available = descriptors.count;
    let first = 0;
    let frames = 0;
    let row = this.#copyList >>> 2;
    for (let i = 0; i < wire.count; i++) {
      if (wire.queue[i] !== queue) continue;
      const segments = this.#segmentsFor(wire, i, first, available);
      if (segments === 0) {
        counters.rxMissed++;
        observer.onLost(wire.packetId[i], LOSS_MISSED, wire.address[i], wire.lenBytes[i], queue);
        continue;
      }
      row = this.#dmaFrame(queue, wire, i, first, segments, row);
      first += segments;
      frames++;
    }
    descriptors.count = first;
    this.#copier.copy(this.#copyList, (row - (this.#copyList >>> 2)) / COPY_ROW_WORDS);
    return frames;
  }

  /** Descriptors from `first` on that the frame fills, 0 when there are not enough. */
  #segmentsFor(wire: WireBatch, i: number, first: number, available: number): number {
    const { lenBytes } = this.#batch;
    let left = wire.lenBytes[i] - ((wire.flags[i] & DESC_VLAN) !== 0 ? VLAN_TAG_BYTES : 0) + this.#config.format.rxPrefixBytes;
    let segments = 0;
    while (left > 0) {
      if (first + segments >= available || segments === MAX_SEGMENTS) return 0;
      left -= lenBytes[first + segments];
      segments++;
    }
    return segments;
  }

  /** What the CPU had left in its cache goes on top of what the device wrote. */
  #writeDirtyLines(): void {
    const { address, lenBytes, count } = this.#batch;
    const { cache, format } = this.#config;
    for (let i = 0; i < count; i++) if (lenBytes[i] > 0) cache.afterDeviceWrite(address[i], lenBytes[i] + format.rxPrefixBytes);
  }

  /** One frame into descriptors `first` to `first + segments - 1`; gives the next free row of the copy list. */
  #dmaFrame(queue: number, wire: WireBatch, i: number, first: number, segments: number, firstRow: number): number {
    const { memory, iommu, cache, pages, umems, tags, observer, offloads, format, clock, scheduler } = this.#config;
    const { u32 } = memory;
    const descriptors = this.#batch;
    const packetId = wire.packetId[i];
    const isStripped = (wire.flags[i] & DESC_VLAN) !== 0;
    const frameFlags = wire.flags[i] | (offloads.rxTimestamp ? DESC_TIMESTAMP : 0);
    const timestampNs = offloads.rxTimestamp ? clock.timeAt(scheduler.nowNs) : 0;
    let row = firstRow;
    let source = wire.address[i];
    let left = wire.lenBytes[i] - (isStripped ? VLAN_TAG_BYTES : 0);
    let isLost = false;
    for (let segment = first; segment < first + segments; segment++) {
      const prefix = segment === first ? format.rxPrefixBytes : 0;
      const room = descriptors.lenBytes[segment] - prefix;
      const chunk = left < room ? left : room;
      const target = iommu.translate(descriptors.iovaHigh[segment], descriptors.iovaLow[segment], chunk + prefix, IOMMU_WRITE);
      descriptors.address[segment] = target;
      if (target === 0) isLost = true;
      else {
        const buffer = cache.hostAddressOf(target);
        const inUmem = umems?.find(buffer);
        const ledger = inUmem === undefined ? pages : inUmem.umem.chunks;
        const unit = inUmem === undefined ? buffer : buffer - inUmem.deviceOffBytes;
        const index = ledger.indexOf(unit);
        if (ledger.owner[index] !== Owner.device) this.#strayWrite(unit, inUmem?.umem);
        ledger.packetId[index] = packetId;
        if (inUmem === undefined) tags.payload[index] = buffer + prefix;
        u32[row] = target + prefix;
        u32[row + 1] = source;
        u32[row + 2] = chunk;
        if (isStripped && segment === first) {
          u32[row + 2] = VLAN_TAG_OFFSET;
          row += COPY_ROW_WORDS;
          u32[row] = target + prefix + VLAN_TAG_OFFSET;
          u32[row + 1] = source + VLAN_TAG_OFFSET + VLAN_TAG_BYTES;
          u32[row + 2] = chunk - VLAN_TAG_OFFSET;
          source += VLAN_TAG_BYTES;
        }
        row += COPY_ROW_WORDS;
      }
      left -= chunk;
      source += chunk;
      // A refused DMA is written back as an empty buffer, so that the driver can tell.
      descriptors.lenBytes[segment] = target === 0 ? 0 : chunk;
      descriptors.rssHash[segment] = wire.rssHash[i];
      descriptors.rssType[segment] = wire.rssType[i];
      descriptors.packetType[segment] = wire.packetType[i];
      descriptors.vlanTci[segment] = wire.vlanTci[i];
      descriptors.timestampNs[segment] = timestampNs;
      descriptors.flags[segment] = frameFlags | (segment === first ? DESC_FIRST : 0) | (segment === first + segments - 1 ? DESC_EOP : 0);
    }
    const counters = this.#counters;
    if (isLost) {
      this.#forgetPacket(first, segments);
      counters.rxDmaErrors++;
      observer.onLost(packetId, LOSS_DMA, wire.address[i], wire.lenBytes[i], queue);
    } else {
      counters.rxPackets++;
      counters.rxBytes += wire.lenBytes[i];
    }
    return row;
  }

  /** Buffers of a frame that was lost carry no packet. */
  #forgetPacket(first: number, segments: number): void {
    const { pages, umems, cache } = this.#config;
    const { address } = this.#batch;
    for (let i = first; i < first + segments; i++) {
      if (address[i] === 0) continue;
      const buffer = cache.hostAddressOf(address[i]);
      const inUmem = umems?.find(buffer);
      if (inUmem === undefined) pages.packetId[pages.indexOf(buffer)] = 0;
      else inUmem.umem.chunks.packetId[inUmem.umem.chunks.indexOf(buffer - inUmem.deviceOffBytes)] = 0;
    }
  }

  /** A buffer that is not the device's: the driver broke the rule, unless a fault made it believe that the device was done. */
  #strayWrite(buffer: number, umem: Umem | undefined): void {
    const { faults, pages } = this.#config;
    if (faults?.mayBeOutOfStep === true) faults.strayWrites++;
    // Who follows the chunks knows whether the application had this one in two places at once.
    else if (umem === undefined) pages.move(buffer, Owner.device, Owner.device);
    else umem.move(buffer - umem.address, Owner.device, Owner.device);
  }
}
