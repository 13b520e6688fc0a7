import type { Scheduler } from '../../../base/index.js';
import type { HostMemory } from '../../../memory/index.js';
import { DESC_EOP, DESC_RX_ERROR } from '../batch.js';
import type { DescriptorBatch } from '../batch.js';
import type { DescriptorFormat, RingMemory } from '../formats/descriptorFormat.js';
import type { Chance } from './chance.js';
import type { FaultKind } from './faultKinds.js';
import { LATE_DEFAULT_NS } from './faultPlan.js';
import type { FaultSetting } from './faultPlan.js';
import { RingShadow, storeBytes } from './ringShadow.js';
import type { RingChange } from './ringShadow.js';

/** Lengths that a fault writes stay below it, as some descriptors have 14 bits for them. */
const LENGTH_END = 0x3ff0;

/** A write-back that is not visible yet. */
interface LateWriteBack {
  readonly change: RingChange;
  readonly slots: number;
  readonly frames: number;
}

/** The dice of these faults; those that are not in the plan are missing. */
export type WriteBackChances = Partial<Record<Extract<FaultKind, 'length' | 'empty' | 'error' | 'eop' | 'descriptor' | 'late'>, Chance>>;

/** What can go wrong when a device tells its driver about received frames. */
export class WriteBackFaults {
  readonly #memory: HostMemory;
  readonly #format: DescriptorFormat;
  readonly #scheduler: Scheduler;
  readonly #chances: WriteBackChances;
  readonly #delayNs: number;
  readonly #onVisible: (queue: number, frames: number) => void;
  readonly #shadow: RingShadow;
  /** Of each queue, in order. */
  readonly #late: LateWriteBack[][];
  readonly #visibleNs: Float64Array;
  readonly #handler: number;

  /** @param onVisible called when a late write-back has come */
  constructor(
    memory: HostMemory, format: DescriptorFormat, scheduler: Scheduler, queues: number, chances: WriteBackChances, late: FaultSetting | undefined,
    onVisible: (queue: number, frames: number) => void,
  ) {
    this.#memory = memory;
    this.#format = format;
    this.#scheduler = scheduler;
    this.#chances = chances;
    this.#delayNs = late?.delayNs ?? LATE_DEFAULT_NS;
    this.#onVisible = onVisible;
    this.#shadow = new RingShadow(memory);
    this.#late = Array.from({ length: queues }, () => []);
    this.#visibleNs = new Float64Array(queues);
    this.#handler = scheduler.register((queue) => this.#appear(queue));
  }

  /** Slots that are used, but not written back yet. */
  pendingSlots(queue: number): number {
    return this.#late[queue].reduce((sum, { slots }) => sum + slots, 0);
  }

  /** In place of the format's `rxWriteBack`: writes back what the faults leave of it. */
  writeBack(queue: number, ring: RingMemory, head: number, batch: DescriptorBatch, roomBytes: number, frames: number): void {
    const { nowNs } = this.#scheduler;
    this.#corrupt(batch, roomBytes, nowNs);
    const isFlipped = this.#chances.descriptor?.strikes(nowNs) === true;
    const isLate = this.#chances.late?.strikes(nowNs) === true || this.#late[queue].length > 0;
    if (!isFlipped && !isLate) {
      this.#format.rxWriteBack(this.#memory, ring, head, batch);
      return;
    }
    const change = this.#changeOf(queue, ring, head, batch);
    if (isFlipped) this.#flip(change);
    if (isLate) this.#postpone(queue, change, batch.count, frames);
    else storeBytes(this.#memory, change.at, change.value);
  }

  /** Length, status and error bits that make no sense, in frames that the device could write. */
  #corrupt(batch: DescriptorBatch, roomBytes: number, nowNs: number): void {
    const { length, empty, error, eop } = this.#chances;
    if ((length ?? empty ?? error ?? eop) === undefined) return;
    const { lenBytes, flags, count } = batch;
    for (let first = 0, last = 0; last < count; last++) {
      if ((flags[last] & DESC_EOP) === 0) continue;
      if (lenBytes.subarray(first, last + 1).every((bytes) => bytes > 0)) {
        if (length?.strikes(nowNs)) lenBytes[last] = roomBytes + 1 + length.rng.below(Math.max(1, LENGTH_END - roomBytes));
        else if (empty?.strikes(nowNs)) lenBytes.fill(0, first, last + 1);
        else if (error?.strikes(nowNs)) for (let i = first; i <= last; i++) flags[i] |= DESC_RX_ERROR;
        else if (eop?.strikes(nowNs)) flags[last] &= ~DESC_EOP;
      }
      first = last + 1;
    }
  }

  /** What the write-back changes in the ring, which is left as it was. It comes behind those that are late. */
  #changeOf(queue: number, ring: RingMemory, head: number, batch: DescriptorBatch): RingChange {
    const late = this.#late[queue];
    for (const { change } of late) storeBytes(this.#memory, change.at, change.value);
    this.#shadow.take(ring.address, this.#format.rxRingBytes(ring.size));
    this.#format.rxWriteBack(this.#memory, ring, head, batch);
    const change = this.#shadow.changes();
    storeBytes(this.#memory, change.at, change.old);
    for (let i = late.length - 1; i >= 0; i--) storeBytes(this.#memory, late[i].change.at, late[i].change.old);
    return change;
  }

  #flip({ value }: RingChange): void {
    const { rng } = this.#chances.descriptor!;
    if (value.length === 0) return;
    value[rng.below(value.length)] ^= 1 << rng.below(8);
  }

  #postpone(queue: number, change: RingChange, slots: number, frames: number): void {
    this.#late[queue].push({ change, slots, frames });
    this.#visibleNs[queue] = Math.max(this.#visibleNs[queue], this.#scheduler.nowNs + this.#delayNs);
    this.#scheduler.schedule(this.#visibleNs[queue], this.#handler, queue);
  }

  #appear(queue: number): void {
    const late = this.#late[queue].shift();
    if (late === undefined) return;
    storeBytes(this.#memory, late.change.at, late.change.value);
    this.#onVisible(queue, late.frames);
  }
}
