import type { WireBatch } from './batch.js';
import { newDeviceCounters } from './deviceConfig.js';
import type { DeviceCounters, NicDeviceConfig } from './deviceConfig.js';
import type { FlowSteering } from './flowSteering.js';
import { RING_STATE_WORDS } from './formats/descriptorFormat.js';
import type { RingMemory } from './formats/descriptorFormat.js';
import { InterruptLine } from './interrupt.js';
import { IOMMU_READ, IOMMU_WRITE } from './iommu.js';
import type { Rss } from './rss.js';
import { RxEngine } from './rxEngine.js';
import type { HardwareClock } from './timestamps.js';
import { TxEngine } from './txEngine.js';

export type { DeviceCounters } from './deviceConfig.js';

/**
 * The hardware: MAC, RSS, offloads, DMA engine and queues. It meets its driver only in descriptors in host memory, doorbells and
 * interrupts; it holds no reference to it.
 */
export class NicDevice {
  readonly counters: DeviceCounters = newDeviceCounters();
  readonly #config: NicDeviceConfig;
  readonly #irq: readonly InterruptLine[];
  readonly #rx: RxEngine;
  readonly #tx: TxEngine;

  constructor(config: NicDeviceConfig, interruptHandler: (queue: number) => void) {
    const { scheduler, queues } = config;
    this.#config = config;
    const noRing: RingMemory = { address: 0, iovaLow: 0, size: 1, state: new Int32Array(RING_STATE_WORDS) };
    const drop = config.faults?.dropInterrupt;
    const options = { policy: config.interruptPolicy, ...(drop === undefined ? {} : { drop }) };
    this.#irq = Array.from({ length: queues }, (_, queue) => new InterruptLine(scheduler, queue, config.moderation, interruptHandler, options));
    const { faults } = config;
    const engines = faults === undefined ? config : { ...config, iommu: faults.translator(config.iommu) };
    if (faults !== undefined) faults.raise = (queue, frames) => this.#irq[queue].raise(frames);
    this.#rx = new RxEngine(engines, this.counters, this.#irq, noRing);
    this.#tx = new TxEngine(engines, this.counters, this.#irq, noRing);
  }

  // ── registers ──

  /** Sets a receive queue's ring (I/O address of its first byte, slots) and buffer size, and zeroes its head. */
  configureRx(queue: number, iovaHigh: number, iovaLow: number, size: number, bufferBytes: number): void {
    this.#rx.configure(queue, this.#ringAt(iovaHigh, iovaLow, size), bufferBytes);
  }

  /** Resets a transmit queue and sets its ring. */
  configureTx(queue: number, iovaHigh: number, iovaLow: number, size: number): void {
    this.#config.faults?.resetTx(queue);
    this.#tx.configure(queue, this.#ringAt(iovaHigh, iovaLow, size));
  }

  /** Switches a transmit queue off, until it is configured again. */
  disableTx(queue: number): void {
    this.#tx.disable(queue);
  }

  #ringAt(iovaHigh: number, iovaLow: number, size: number): RingMemory {
    const address = this.#config.iommu.translate(iovaHigh, iovaLow, 1, IOMMU_READ | IOMMU_WRITE);
    return { address, iovaLow, size, state: new Int32Array(RING_STATE_WORDS) };
  }

  /** RX doorbell of the queue, in the words of the descriptor format. */
  rxDoorbell(queue: number, value: number): void {
    this.#rx.doorbell(queue, value);
  }

  /** TX doorbell of the queue: the device starts to send on its own time. */
  txDoorbell(queue: number, value: number): void {
    this.#tx.doorbell(queue, value);
  }

  /** TX time stamp, by the hardware clock, of the frame whose last slot this is (slots count since the ring was set), ns. */
  txTimestamp(queue: number, slot: number): number {
    return this.#tx.timestamp(queue, slot);
  }

  /** What `ethtool -X`, `-N` and a PTP clock set. */
  get rss(): Rss {
    return this.#config.rss;
  }

  get steering(): FlowSteering {
    return this.#config.steering;
  }

  get clock(): HardwareClock {
    return this.#config.clock;
  }

  /** Interrupt mask and status registers of a queue. */
  interrupt(queue: number): InterruptLine {
    return this.#irq[queue];
  }

  /** Link status register. */
  get isLinkUp(): boolean {
    return this.#config.faults?.isLinkUp ?? true;
  }

  /** Frames arrive from the wire. */
  receive(batch: WireBatch): void {
    this.#rx.receive(batch);
  }
}
