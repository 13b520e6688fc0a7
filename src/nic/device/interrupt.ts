import type { Scheduler } from '../scheduler.js';

/** Frames that end the moderation early (ethtool -C rx-frames), so that a delay doesn't overrun the ring. */
const MODERATION_FRAMES = 32;

/**
 * Interrupt line of one queue pair, with moderation: the interrupt comes `delayNs` after the first event that wants it, or with
 * the 32nd frame, whichever is earlier.
 * The handler masks the line (NAPI does); what happens meanwhile raises it again as soon as it is unmasked.
 */
export class InterruptLine {
  raisedCount = 0;
  readonly #scheduler: Scheduler;
  readonly #delayNs: number;
  readonly #queue: number;
  readonly #fireHandler: number;
  #isMasked = false;
  #isPending = false;
  #pendingFrames = 0;
  /** Time of the scheduled interrupt, Infinity when there is none. */
  #scheduledNs = Infinity;

  /** @param handler the driver's interrupt handler; it gets the queue's number */
  constructor(scheduler: Scheduler, queue: number, delayNs: number, handler: (queue: number) => void) {
    this.#scheduler = scheduler;
    this.#queue = queue;
    this.#delayNs = delayNs;
    this.#fireHandler = scheduler.register(() => {
      // The timer of an interrupt that an earlier one overtook: whatever is pending now has a later one.
      if (scheduler.nowNs !== this.#scheduledNs) return;
      this.#scheduledNs = Infinity;
      if (this.#isMasked || !this.#isPending) return;
      this.acknowledge();
      this.raisedCount++;
      handler(this.#queue);
    });
  }

  /** The device has something for the driver: `frames` more than before. */
  raise(frames: number): void {
    this.#isPending = true;
    this.#pendingFrames += frames;
    if (this.#isMasked) return;
    this.#scheduleAt(this.#scheduler.nowNs + (this.#pendingFrames >= MODERATION_FRAMES ? 0 : this.#delayNs));
  }

  /** The driver polls now and wants no interrupt. */
  mask(): void {
    this.#isMasked = true;
  }

  /** The driver has polled everything that it saw. */
  unmask(): void {
    this.#isMasked = false;
    if (this.#isPending) this.#scheduleAt(this.#scheduler.nowNs);
  }

  /** The driver is about to look at the rings: events up to now need no interrupt of their own. */
  acknowledge(): void {
    this.#isPending = false;
    this.#pendingFrames = 0;
  }

  /** The earliest time counts. What was scheduled for a later one can't be taken back, but no longer fires. */
  #scheduleAt(tNs: number): void {
    if (this.#scheduledNs <= tNs) return;
    this.#scheduledNs = tNs;
    this.#scheduler.schedule(tNs, this.#fireHandler, 0);
  }
}
