import type { Scheduler } from '../../base/index.js';

const FIRST_DELAY_NS = 1_000;
const LONGEST_DELAY_NS = 1_000_000;
/** So many polls in a row found nothing, and the driver gives up: a real one goes on for ever, and no simulation would end. */
const USELESS_POLLS = 2_000;

/**
 * A driver whose FILL ring ran empty, and which can't ask to be woken (no XDP_USE_NEED_WAKEUP), returns its whole budget: it is polled again and again until
 * the application has given chunks. As polls cost no virtual time, here some of it passes between two of them, more and more up to a millisecond.
 */
export class XskRepoll {
  readonly #scheduler: Scheduler;
  readonly #handler: number;
  #isScheduled = false;
  #delayNs = FIRST_DELAY_NS;
  #useless = 0;

  /** @param poll schedules NAPI */
  constructor(scheduler: Scheduler, poll: () => void) {
    this.#scheduler = scheduler;
    this.#handler = scheduler.register(() => {
      this.#isScheduled = false;
      poll();
    });
  }

  /** A poll has ended. @param isStarved FILL was too short @param done packets that it handled */
  onPoll(isStarved: boolean, done: number): void {
    if (!isStarved || done > 0) {
      this.#delayNs = FIRST_DELAY_NS;
      this.#useless = 0;
    }
    if (!isStarved || this.#isScheduled || this.#useless >= USELESS_POLLS) return;
    this.#useless++;
    this.#isScheduled = true;
    this.#scheduler.schedule(this.#scheduler.nowNs + this.#delayNs, this.#handler, 0);
    this.#delayNs = Math.min(LONGEST_DELAY_NS, this.#delayNs * 2);
  }
}
