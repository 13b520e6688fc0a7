import type { Scheduler } from '../base/index.js';

/**
 * The virtual clock and everything that is still to happen, in a total order: by time, then by the order of scheduling.
 * A binary heap in typed arrays, so that an event costs no object.
 */
export class EventQueue implements Scheduler {
  nowNs: number;
  readonly #handlers: ((argument: number) => void)[] = [];
  #tNs = new Float64Array(64);
  #sequence = new Float64Array(64);
  #handler = new Int32Array(64);
  #argument = new Int32Array(64);
  #count = 0;
  #nextSequence = 0;

  constructor(startNs: number) {
    this.nowNs = startNs;
  }

  register(handler: (argument: number) => void): number {
    return this.#handlers.push(handler) - 1;
  }

  schedule(tNs: number, handler: number, argument: number): void {
    if (tNs < this.nowNs) throw new RangeError(`EventQueue.schedule: ${tNs} ns lies before the present ${this.nowNs} ns`);
    if (this.#count === this.#tNs.length) this.#grow();
    let at = this.#count++;
    const sequence = this.#nextSequence++;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      // The new event has the highest sequence number: it goes before its parent only when it is strictly earlier.
      if (this.#tNs[parent] <= tNs) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#tNs[at] = tNs;
    this.#sequence[at] = sequence;
    this.#handler[at] = handler;
    this.#argument[at] = argument;
  }

  /** Time of the next event, Infinity when there is none. */
  get nextNs(): number {
    return this.#count === 0 ? Infinity : this.#tNs[0];
  }

  /** Moves the clock to the next event and runs it; false when there was none. */
  step(): boolean {
    if (this.#count === 0) return false;
    this.nowNs = this.#tNs[0];
    const handler = this.#handler[0];
    const argument = this.#argument[0];
    this.#removeFirst();
    this.#handlers[handler](argument);
    return true;
  }

  #removeFirst(): void {
    const last = --this.#count;
    if (last === 0) return;
    const tNs = this.#tNs[last];
    const sequence = this.#sequence[last];
    let at = 0;
    for (let child = 1; child < last; child = at * 2 + 1) {
      if (child + 1 < last && this.#isBefore(child + 1, this.#tNs[child], this.#sequence[child])) child++;
      if (!this.#isBefore(child, tNs, sequence)) break;
      this.#move(child, at);
      at = child;
    }
    this.#move(last, at);
  }

  #isBefore(at: number, tNs: number, sequence: number): boolean {
    return this.#tNs[at] < tNs || (this.#tNs[at] === tNs && this.#sequence[at] < sequence);
  }

  #move(from: number, to: number): void {
    this.#tNs[to] = this.#tNs[from];
    this.#sequence[to] = this.#sequence[from];
    this.#handler[to] = this.#handler[from];
    this.#argument[to] = this.#argument[from];
  }

  #grow(): void {
    const size = this.#tNs.length * 2;
    const larger = <T extends Float64Array | Int32Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    this.#tNs = larger(this.#tNs, new Float64Array(size));
    this.#sequence = larger(this.#sequence, new Float64Array(size));
    this.#handler = larger(this.#handler, new Int32Array(size));
    this.#argument = larger(this.#argument, new Int32Array(size));
  }
}
