import type { Scheduler } from '../../../base/index.js';
import type { HostMemory } from '../../../memory/index.js';
import type { WireBatch } from '../batch.js';
import { LOSS_CRC, LOSS_LINK } from '../deviceConfig.js';
import type { DeviceCounters, DeviceObserver } from '../deviceConfig.js';
import type { DescriptorFormat } from '../formats/descriptorFormat.js';
import { IOMMU_WRITE } from '../iommu.js';
import type { Iommu } from '../iommu.js';
import { Chance, Outage } from './chance.js';
import { FAULT_KINDS } from './faultKinds.js';
import type { FaultKind } from './faultKinds.js';
import type { FaultPlan } from './faultPlan.js';
import { PacketFates } from './packetFates.js';
import { WriteBackFaults } from './writeBackFaults.js';

/** Bits are flipped behind the Ethernet addresses and type, so that the frame stays addressed to whom it was. */
const FLIP_START = 14;
/** And not beyond what a jumbo frame can have. */
const FLIP_END = 9018;

/** What the faults of a run came to. */
export interface FaultCounts {
  /** How often each kind of the plan struck, in the order of FAULT_KINDS. */
  readonly injected: Readonly<Partial<Record<FaultKind, number>>>;
  /** After flipped descriptors: frames that the driver saw and that were no packets, packets that no driver ever saw as such. */
  readonly phantomFrames: number;
  readonly swallowedPackets: number;
  /** Transfers into buffers that the driver had taken back already, as it believed a flipped index. */
  readonly strayWrites: number;
}

/** What the faults of a device need of it. */
export interface FaultParts {
  readonly memory: HostMemory;
  readonly format: DescriptorFormat;
  readonly scheduler: Scheduler;
  readonly queues: number;
}

/**
 * The faults of one NIC: dice, and what happens where they strike. Device and driver ask it only when there is a plan, so that a run without
 * one pays a branch a batch.
 */
export class DeviceFaults {
  readonly plan: FaultPlan;
  /** Only when descriptors are flipped. */
  readonly fates: PacketFates | undefined;
  readonly writeBack: WriteBackFaults | undefined;
  /** Something may need the driver's watchdog: an interrupt was lost, an engine stands. */
  onTrouble: () => void = () => {};
  /** The device's interrupt of a queue, for a late write-back that raises it. */
  raise: (queue: number, frames: number) => void = () => {};
  #swallowedPackets = 0;
  strayWrites = 0;
  readonly #memory: HostMemory;
  readonly #scheduler: Scheduler;
  readonly #chances: Partial<Record<FaultKind, Chance>> = {};
  readonly #link: Outage | undefined;
  /** Of each queue. */
  readonly #txStall: readonly Outage[];

  constructor(plan: FaultPlan, { memory, format, scheduler, queues }: FaultParts) {
    this.plan = plan;
    this.#memory = memory;
    this.#scheduler = scheduler;
    for (const setting of plan.faults) this.#chances[setting.kind] = new Chance(setting, plan.seed ?? 1, scheduler.nowNs);
    const { link, tx_stall: stall, descriptor, length, empty, error, eop, late } = this.#chances;
    const settingOf = (kind: FaultKind) => plan.faults.find((setting) => setting.kind === kind)!;
    this.#link = link && new Outage(link, settingOf('link'));
    this.#txStall = stall === undefined ? [] : Array.from({ length: queues }, () => new Outage(stall, settingOf('tx_stall')));
    this.fates = descriptor && new PacketFates();
    if ((descriptor ?? length ?? empty ?? error ?? eop ?? late) !== undefined) {
      const raisesAgain = late !== undefined && settingOf('late').raisesAgain === true;
      this.writeBack = new WriteBackFaults(memory, format, scheduler, queues, this.#chances, late && settingOf('late'), (queue, frames) => {
        if (raisesAgain) this.raise(queue, frames);
        else this.onTrouble();
      });
    }
  }

  counts(): FaultCounts {
    const injected: Partial<Record<FaultKind, number>> = {};
    for (const { kind } of FAULT_KINDS) {
      const chance = this.#chances[kind];
      if (chance !== undefined) injected[kind] = chance.count;
    }
    return { injected, phantomFrames: this.fates?.phantoms ?? 0, swallowedPackets: this.#swallowedPackets, strayWrites: this.strayWrites };
  }

  /**
   * After the device was shut down: packets that no driver ever saw as such end here, if descriptors were flipped; else there are none, or
   * the audit is to find them.
   */
  endSwallowed(observer: DeviceObserver): void {
    if (this.fates === undefined || !this.mayBeOutOfStep) return;
    for (const packetId of this.fates.open()) {
      this.#swallowedPackets++;
      observer.onLost(packetId, LOSS_CRC, 0, 0, -1);
    }
  }

  /** A bit of a descriptor was flipped: device and driver may differ about where in the ring they are. */
  get mayBeOutOfStep(): boolean {
    return (this.#chances.descriptor?.count ?? 0) > 0;
  }

  // ── wire ──

  /** Takes frames out of the batch that don't come as far as the MAC's filter, and flips bits in others. */
  onWire(wire: WireBatch, counters: DeviceCounters, observer: DeviceObserver): void {
    const { crc, wire: bits } = this.#chances;
    const { address, lenBytes, packetId, count } = wire;
    const { nowNs } = this.#scheduler;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      this.fates?.begin(packetId[i]);
      if (this.#link !== undefined && this.#link.check(nowNs) > 0) {
        counters.rxLinkDown++;
        observer.onLost(packetId[i], LOSS_LINK, address[i], lenBytes[i], -1);
        continue;
      }
      if (crc?.strikes(nowNs)) {
        counters.rxCrcErrors++;
        observer.onLost(packetId[i], LOSS_CRC, address[i], lenBytes[i], -1);
        continue;
      }
      if (bits?.strikes(nowNs)) this.#flipBit(bits, address[i], lenBytes[i]);
      address[kept] = address[i];
      lenBytes[kept] = lenBytes[i];
      packetId[kept] = packetId[i];
      kept++;
    }
    wire.count = kept;
  }

  #flipBit({ rng }: Chance, address: number, lenBytes: number): void {
    const end = Math.min(lenBytes, FLIP_END);
    if (end > FLIP_START) this.#memory.u8[address + FLIP_START + rng.below(end - FLIP_START)] ^= 1 << rng.below(8);
  }

  get isLinkUp(): boolean {
    return this.#link === undefined || !this.#link.isDown(this.#scheduler.nowNs);
  }

  /** How often the link went down (carrier_down_count of sysfs). */
  get linkDownCount(): number {
    return this.#chances.link?.count ?? 0;
  }

  // ── DMA and interrupts ──

  /** The IOMMU, with its refusals. Those are not in its own list of faults: the driver made no mistake. */
  translator(iommu: Pick<Iommu, 'translate'>): Pick<Iommu, 'translate'> {
    const { rx_dma: rx, tx_dma: tx } = this.#chances;
    if ((rx ?? tx) === undefined) return iommu;
    return {
      translate: (iovaHigh, iovaLow, sizeBytes, permission) => {
        const chance = permission === IOMMU_WRITE ? rx : tx;
        return chance?.strikes(this.#scheduler.nowNs) ? 0 : iommu.translate(iovaHigh, iovaLow, sizeBytes, permission);
      },
    };
  }

  /** Hook of an interrupt line, `undefined` when none are lost. */
  get dropInterrupt(): (() => boolean) | undefined {
    const { interrupt } = this.#chances;
    if (interrupt === undefined) return undefined;
    return () => {
      const isLost = interrupt.strikes(this.#scheduler.nowNs);
      if (isLost) this.onTrouble();
      return isLost;
    };
  }

  /** Hook of the page allocator, `undefined` when none fail. */
  get failAllocation(): (() => boolean) | undefined {
    const { alloc } = this.#chances;
    return alloc && (() => alloc.strikes(this.#scheduler.nowNs));
  }

  // ── transmit ──

  /** Whether the transmit engine of a queue may run now: 0, or when to try again, which may be never (Infinity). */
  txResumesNs(queue: number): number {
    const { nowNs } = this.#scheduler;
    // A link doesn't break because something is sent: only what arrives throws its dice.
    const linkNs = this.#link === undefined || !this.#link.isDown(nowNs) ? 0 : this.#link.check(nowNs);
    const stallNs = this.#txStall.length === 0 ? 0 : this.#txStall[queue].check(nowNs);
    const resumesNs = linkNs > stallNs ? linkNs : stallNs;
    if (resumesNs > 0) this.onTrouble();
    return resumesNs;
  }

  /** The driver resets the transmit queue: the engine runs again. */
  resetTx(queue: number): void {
    if (this.#txStall.length > 0) this.#txStall[queue].reset(this.#scheduler.nowNs);
  }
}
