import type { BpfMap } from '../vm/index.js';

/** Events that are kept, and bytes of them in all; more are only counted. */
const KEPT_EVENTS = 10_000;
const KEPT_BYTES = 4 << 20;

/** What a program sent to user space: a record of a RINGBUF, or an event of a PERF_EVENT_ARRAY. */
export interface ProgramEvent {
  readonly map: BpfMap;
  /** Number of the packet in the capture, from 1, that the program ran on. */
  readonly packetId: number;
  readonly tNs: number;
  readonly cpu: number;
  /** A copy. Of a perf event its raw sample, which is filled up with zeros to 4 less than a multiple of 8. */
  readonly bytes: Uint8Array;
}

/** Events of one map. */
export interface EventCount {
  readonly map: BpfMap;
  readonly count: number;
  readonly bytes: number;
}

/** The reader of all rings and perf events of a simulation: it takes everything at once, counts it, and keeps the first of it. */
export class ProgramEvents {
  readonly #kept: ProgramEvent[] = [];
  readonly #counts = new Map<number, { map: BpfMap; count: number; bytes: number }>();
  #keptBytes = 0;

  get kept(): readonly ProgramEvent[] {
    return this.#kept;
  }

  /** In the order of their first events. */
  get counts(): readonly EventCount[] {
    return [...this.#counts.values()];
  }

  get count(): number {
    return this.counts.reduce((sum, { count }) => sum + count, 0);
  }

  /** @param event its bytes are copied if it is kept */
  add(event: ProgramEvent): void {
    const counted = this.#counts.get(event.map.id) ?? { map: event.map, count: 0, bytes: 0 };
    counted.count++;
    counted.bytes += event.bytes.length;
    this.#counts.set(event.map.id, counted);
    // The first that doesn't fit ends it, so that what is kept is the beginning.
    if (this.#keptBytes + event.bytes.length > KEPT_BYTES || this.#kept.length === KEPT_EVENTS) this.#keptBytes = KEPT_BYTES + 1;
    if (this.#keptBytes > KEPT_BYTES) return;
    this.#keptBytes += event.bytes.length;
    this.#kept.push({ ...event, bytes: event.bytes.slice() });
  }
}
