import type { Scheduler } from '../../src/nic/index.js';

/** A scheduler whose clock the test moves by hand. */
export class ManualScheduler implements Scheduler {
  nowNs = 1000;
  readonly #handlers: ((argument: number) => void)[] = [];
  readonly #events: { readonly tNs: number; readonly handler: number; readonly argument: number }[] = [];

  register(handler: (argument: number) => void): number {
    return this.#handlers.push(handler) - 1;
  }

  schedule(tNs: number, handler: number, argument: number): void {
    this.#events.push({ tNs, handler, argument });
  }

  /** Runs everything that is due until `tNs`, in order, and lets the clock stand there. */
  runUntil(tNs: number): void {
    for (;;) {
      const due = this.#events.filter((event) => event.tNs <= tNs);
      if (due.length === 0) break;
      const next = due.reduce((first, event) => (event.tNs < first.tNs ? event : first));
      this.#events.splice(this.#events.indexOf(next), 1);
      this.nowNs = Math.max(this.nowNs, next.tNs);
      this.#handlers[next.handler](next.argument);
    }
    this.nowNs = tNs;
  }
}
