import type { Scheduler } from '../../base/index.js';
import {
  BATCH_FRAMES, DESC_CSUM, DESC_CSUM_IPV4, DESC_EOP, DESC_LAUNCH, DESC_LAUNCH_FIRST, DESC_MALFORMED, DESC_VLAN, DescriptorBatch, MAX_SEGMENTS,
} from './batch.js';
import type { DeviceCounters, NicDeviceConfig } from './deviceConfig.js';
import type { RingMemory } from './formats/descriptorFormat.js';
import type { InterruptLine } from './interrupt.js';
import { IOMMU_READ } from './iommu.js';
import { launchMoment } from './launchCycle.js';
import { insertChecksums } from './txChecksum.js';
import { insertVlanTag, VLAN_TAG_BYTES } from './vlan.js';

/** Descriptors that are fetched at once. */
const FETCH_SLOTS = BATCH_FRAMES * MAX_SEGMENTS;

/** Longest frame that fits into the device's FIFO, bytes. */
const FIFO_BYTES = MAX_SEGMENTS * 4096;
/** Room before it, for a VLAN tag. */
const FIFO_ROOM_BYTES = 64;

/** Registers of one transmit queue. */
interface TxRegisters {
  ring: RingMemory;
  /** Slots that the device is done with since the ring was made. */
  head: number;
  doorbell: number;
  isWorkScheduled: boolean;
  /** The queue launches frames at their times; it is off before `configure` and after `disable`. */
  readonly launches: boolean;
  readonly isEnabled: boolean;
  /** When the frame at the head is to be launched and when the last one was sent, by the hardware clock, ns; NOT_SEEN: the head wasn't looked at yet. */
  headLaunchNs: number;
  lastSentNs: number;
  /** When each slot's frame was sent, by the hardware clock, ns: known in the last slot of each frame. */
  readonly sentNs: Float64Array;
}

/** In place of the time at which the frame at the head is to be launched. */
const NOT_SEEN = -1;

/** The transmitting half of a device: reads descriptors and frames, applies offloads, sends, marks as done. */
export class TxEngine {
  readonly #config: NicDeviceConfig;
  readonly #counters: DeviceCounters;
  readonly #irq: readonly InterruptLine[];
  readonly #queues: TxRegisters[];
  readonly #scheduler: Scheduler;
  readonly #handler: number;
  readonly #noRing: RingMemory;
  readonly #batch = new DescriptorBatch(FETCH_SLOTS);
  /** Where the pieces of a frame that spans several descriptors, or that is changed on its way out, are put together. */
  readonly #fifo: number;

  constructor(config: NicDeviceConfig, counters: DeviceCounters, irq: readonly InterruptLine[], noRing: RingMemory) {
    this.#config = config;
    this.#counters = counters;
    this.#irq = irq;
    this.#scheduler = config.scheduler;
    this.#noRing = noRing;
    this.#queues = Array.from({ length: config.queues }, () => registers(noRing, false, false));
    this.#handler = config.scheduler.register((queue) => this.#transmit(queue));
    this.#fifo = config.memory.reserve('TX FIFO', FIFO_ROOM_BYTES + FIFO_BYTES) + FIFO_ROOM_BYTES;
  }

  configure(queue: number, ring: RingMemory): void {
    this.#queues[queue] = registers(ring, true, this.#config.launchTimeQueues?.includes(queue) === true);
  }

  /** The queue sends no more; what waits on its ring is the driver's again. */
  disable(queue: number): void {
    this.#queues[queue] = registers(this.#noRing, false, false);
  }

  /** Time stamp of the frame whose last slot this is, ns; it is kept for a lap of the ring. */
  timestamp(queue: number, slot: number): number {
    const { sentNs } = this.#queues[queue];
    return sentNs[slot % sentNs.length];
  }

  /** The device starts to send on its own time. */
  doorbell(queue: number, value: number): void {
    const tx = this.#queues[queue];
    tx.doorbell = value;
    if (tx.isWorkScheduled) return;
    tx.isWorkScheduled = true;
    this.#scheduler.schedule(this.#scheduler.nowNs, this.#handler, queue);
  }

  /** Sends whole frames as long as there are any, marks them as done and raises the interrupt. */
  #transmit(queue: number): void {
    const { memory, format } = this.#config;
    const tx = this.#queues[queue];
    tx.isWorkScheduled = false;
    if (!tx.isEnabled) return;
    if (this.#config.faults !== undefined && this.#isStopped(queue, tx)) return;
    let frames = 0;
    for (;;) {
      const available = format.txAvailable(memory, tx.ring, tx.head, tx.doorbell, FETCH_SLOTS);
      if (available === 0) break;
      format.txFetch(memory, tx.ring, tx.head, available, this.#batch);
      const before = tx.head;
      frames += this.#sendFrames(queue, tx);
      // A frame whose last descriptor is still missing waits for the next doorbell, one with a launch time until then.
      if (tx.head === before) break;
      format.txWriteBack(memory, tx.ring, before, tx.head - before);
    }
    if (tx.headLaunchNs !== NOT_SEEN) this.#wakeAtLaunch(queue, tx);
    if (frames > 0) this.#irq[queue].raise(frames, 'tx');
  }

  #wakeAtLaunch(queue: number, tx: TxRegisters): void {
    tx.isWorkScheduled = true;
    this.#scheduler.schedule(this.#config.clock.momentOf(tx.headLaunchNs, this.#scheduler.nowNs), this.#handler, queue);
  }

  /** No link, or an engine that stands: frames stay on the ring until it goes on, or until the queue is reset. */
  #isStopped(queue: number, tx: TxRegisters): boolean {
    const resumesNs = this.#config.faults!.txResumesNs(queue);
    if (resumesNs === 0) return false;
    if (resumesNs === Infinity) return true;
    tx.isWorkScheduled = true;
    this.#scheduler.schedule(resumesNs, this.#handler, queue);
    return true;
  }

  /** Sends the whole frames of the batch and moves the head behind them; gives their number. */
  #sendFrames(queue: number, tx: TxRegisters): number {
    const { flags, slots, count } = this.#batch;
    const nowNs = this.#config.clock.timeAt(this.#scheduler.nowNs);
    let first = 0;
    let taken = 0;
    let frames = 0;
    for (let i = 0; i < count; i++) {
      taken += slots[i];
      if ((flags[i] & DESC_EOP) === 0) continue;
      if (tx.launches && this.#isToWait(tx, first, nowNs)) break;
      this.#sendFrame(queue, first, i);
      tx.head += taken;
      tx.sentNs[(tx.head - 1) % tx.ring.size] = nowNs;
      tx.lastSentNs = nowNs;
      taken = 0;
      frames++;
      first = i + 1;
    }
    return frames;
  }

  /** Whether the launch time of the frame whose first buffer is `first`, and which has come to the head, is still to come. */
  #isToWait(tx: TxRegisters, first: number, nowNs: number): boolean {
    const { flags, launchNs } = this.#batch;
    if ((flags[first] & DESC_LAUNCH) === 0) return false;
    if (tx.headLaunchNs === NOT_SEEN) tx.headLaunchNs = launchMoment(nowNs, tx.lastSentNs, launchNs[first], (flags[first] & DESC_LAUNCH_FIRST) !== 0);
    if (nowNs < tx.headLaunchNs) return true;
    tx.headLaunchNs = NOT_SEEN;
    return false;
  }

  #sendFrame(queue: number, first: number, last: number): void {
    const { memory, iommu, cache, observer } = this.#config;
    const counters = this.#counters;
    const { iovaHigh, iovaLow, lenBytes, flags } = this.#batch;
    if ((flags[first] & DESC_MALFORMED) !== 0) {
      counters.txMalformed++;
      return;
    }
    const buffer = iommu.translate(iovaHigh[first], iovaLow[first], lenBytes[first], IOMMU_READ);
    let address = buffer;
    let frameBytes = lenBytes[first];
    if (buffer !== 0 && (last > first || (flags[first] & (DESC_CSUM | DESC_CSUM_IPV4 | DESC_VLAN)) !== 0)) {
      address = this.#fifo;
      frameBytes = this.#gather(first, last);
      if (frameBytes === 0) address = 0;
      else if ((flags[first] & (DESC_CSUM | DESC_CSUM_IPV4)) !== 0 && !this.#insertChecksums(first, frameBytes)) counters.txMalformed++;
      if (address !== 0 && (flags[first] & DESC_VLAN) !== 0) {
        // After the checksums, as their offsets are those of the frame without its tag.
        address = insertVlanTag(memory.u8, address, this.#batch.vlanTci[first]);
        frameBytes += VLAN_TAG_BYTES;
      }
    }
    if (address === 0) {
      counters.txDmaErrors++;
      return;
    }
    counters.txPackets++;
    counters.txBytes += frameBytes;
    observer.onTransmit(queue, cache.hostAddressOf(buffer), address, frameBytes);
  }

  /** Reads all buffers of a frame into the FIFO; gives its length, 0 when it can't be read or is too long. */
  #gather(first: number, last: number): number {
    const { memory, iommu } = this.#config;
    const { iovaHigh, iovaLow, lenBytes } = this.#batch;
    let end = this.#fifo;
    let isReadable = true;
    for (let segment = first; segment <= last; segment++) {
      const from = iommu.translate(iovaHigh[segment], iovaLow[segment], lenBytes[segment], IOMMU_READ);
      if (from === 0 || end + lenBytes[segment] > this.#fifo + FIFO_BYTES) isReadable = false;
      else memory.u8.copyWithin(end, from, from + lenBytes[segment]);
      end += lenBytes[segment];
    }
    return isReadable ? end - this.#fifo : 0;
  }

  /** False: the descriptor asks for what can't be done; the frame goes out as it is. */
  #insertChecksums(first: number, frameBytes: number): boolean {
    const { flags, packetType, l3Start, csumStart, csumOffset } = this.#batch;
    return insertChecksums(this.#config.memory, this.#fifo, frameBytes, flags[first], packetType[first], l3Start[first], csumStart[first], csumOffset[first]);
  }
}

/** Registers of a queue after a reset. */
function registers(ring: RingMemory, isEnabled: boolean, launches: boolean): TxRegisters {
  return {
    ring, head: 0, doorbell: 0, isWorkScheduled: false, isEnabled, launches, headLaunchNs: NOT_SEEN, lastSentNs: -Infinity, sentNs: new Float64Array(ring.size),
  };
}
