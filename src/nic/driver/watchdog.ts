import type { Scheduler } from '../../base/index.js';

/** Ticks in which nothing moved, after which the watchdog gives up: a real one goes on for ever, and no simulation would end. */
const USELESS_TICKS = 16;

/** What a driver's watchdog looks at. */
export interface Watched {
  /** Looks after everything; true when there still is something that it waits for. */
  tick(): boolean;
  /** Work done so far, a number that grows. */
  progress(): number;
}

/**
 * The periodic task of a driver (igb_watchdog_task and its kin, together with dev_watchdog of the stack). It runs at multiples of its
 * period, but only while somebody has woken it and it has something to wait for.
 */
export class Watchdog {
  readonly #scheduler: Scheduler;
  readonly #periodNs: number;
  readonly #watched: Watched;
  readonly #handler: number;
  readonly #startNs: number;
  #isArmed = false;
  #lastProgress = -1;
  #uselessTicks = 0;

  constructor(scheduler: Scheduler, periodNs: number, watched: Watched) {
    this.#scheduler = scheduler;
    this.#periodNs = periodNs;
    this.#watched = watched;
    this.#startNs = scheduler.nowNs;
    this.#handler = scheduler.register(() => this.#run());
  }

  /** There may be something to look after at the next tick. */
  wake(): void {
    if (this.#isArmed || this.#hasGivenUp()) return;
    this.#isArmed = true;
    const periods = Math.floor((this.#scheduler.nowNs - this.#startNs) / this.#periodNs) + 1;
    this.#scheduler.schedule(this.#startNs + periods * this.#periodNs, this.#handler, 0);
  }

  /** Looking after something may fail again and ask for the next tick; only work that is done starts it anew. */
  #hasGivenUp(): boolean {
    return this.#uselessTicks >= USELESS_TICKS && this.#watched.progress() === this.#lastProgress;
  }

  #run(): void {
    this.#isArmed = false;
    const progress = this.#watched.progress();
    this.#uselessTicks = progress === this.#lastProgress ? this.#uselessTicks + 1 : 0;
    this.#lastProgress = progress;
    if (this.#watched.tick()) this.wake();
  }
}
