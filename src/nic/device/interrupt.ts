import type { Scheduler } from '../../base/index.js';

/** Frames that end the moderation early where only a delay is told, so that it doesn't overrun the ring. */
const MODERATION_FRAMES = 32;

/** Moderation of one line as `ethtool -C` tells it. */
export interface InterruptModeration {
  /** rx-usecs: time from the first received frame to its interrupt, ns. */
  readonly rxDelayNs: number;
  /** rx-frames: received frames that end the delay early; 0: only the time counts. */
  readonly rxFrames: number;
  /** tx-usecs, ns. */
  readonly txDelayNs: number;
  /** tx-frames; 0: only the time counts. */
  readonly txFrames: number;
  /** Least time between two interrupts (EITR of the Intel devices), ns; 0 unless told. */
  readonly minIntervalNs?: number;
}

export interface InterruptOptions {
  /**
   * How the line stays silent after an interrupt.
   * 'mask': until the driver masks it, events fire again (r8169 IntrMask over the W1C bits of IntrStatus).
   * 'arm': one interrupt per arming; arming with what the driver has consumed fires at once if there is more (mlx5 completion queues).
   */
  readonly policy?: 'mask' | 'arm';
  /** A fault that loses interrupts: asked before each; true: this one never reaches the CPU, and its events are spent. */
  readonly drop?: (queue: number) => boolean;
}

/** The same moderation for both directions. */
export function moderationOf(delayNs: number): InterruptModeration {
  return { rxDelayNs: delayNs, rxFrames: MODERATION_FRAMES, txDelayNs: delayNs, txFrames: MODERATION_FRAMES };
}

/**
 * Interrupt line of one queue pair, with moderation: the interrupt comes its direction's delay after the first event that wants it, or
 * with the frame that fills the direction's count, whichever is earlier.
 * The handler masks the line (NAPI does); what happens meanwhile raises it again as soon as it is unmasked.
 */
export class InterruptLine {
  raisedCount = 0;
  /** Interrupts that the `drop` hook ate. */
  lostCount = 0;
  /** Frames that wanted an interrupt so far: what `unmask` of an 'arm' line compares with. */
  events = 0;
  readonly #scheduler: Scheduler;
  readonly #queue: number;
  readonly #isOneShot: boolean;
  readonly #drop: ((queue: number) => boolean) | undefined;
  readonly #handler: (queue: number) => void;
  readonly #fireHandler: number;
  #moderation: InterruptModeration;
  #isMasked = false;
  /** `events` up to which nobody needs an interrupt. */
  #acknowledged = 0;
  #pendingRx = 0;
  #pendingTx = 0;
  #lastNs = -Infinity;
  /** Time of the scheduled interrupt, Infinity when there is none. */
  #scheduledNs = Infinity;

  /**
   * @param moderation of the line; a number is the delay of both directions, ns
   * @param handler the driver's interrupt handler; it gets the queue's number
   */
  constructor(scheduler: Scheduler, queue: number, moderation: number | InterruptModeration, handler: (queue: number) => void, options: InterruptOptions = {}) {
    this.#scheduler = scheduler;
    this.#queue = queue;
    this.#moderation = typeof moderation === 'number' ? moderationOf(moderation) : moderation;
    this.#isOneShot = options.policy === 'arm';
    this.#drop = options.drop;
    this.#handler = handler;
    this.#fireHandler = scheduler.register(() => this.#fire());
  }

  get moderation(): InterruptModeration {
    return this.#moderation;
  }

  /** New moderation (ethtool -C, or an adaptive rule), for events from now on. */
  moderate(moderation: InterruptModeration): void {
    this.#moderation = moderation;
  }

  /** The device has something for the driver: `frames` more than before. */
  raise(frames: number, direction: 'rx' | 'tx' = 'rx'): void {
    this.events += frames;
    if (direction === 'rx') this.#pendingRx += frames;
    else this.#pendingTx += frames;
    if (this.#isMasked) return;
    const { rxDelayNs, rxFrames, txDelayNs, txFrames } = this.#moderation;
    const isFull = direction === 'rx' ? rxFrames > 0 && this.#pendingRx >= rxFrames : txFrames > 0 && this.#pendingTx >= txFrames;
    const delayNs = direction === 'rx' ? rxDelayNs : txDelayNs;
    this.#scheduleAt(this.#scheduler.nowNs + (isFull ? 0 : delayNs));
  }

  /** The driver polls now and wants no interrupt. */
  mask(): void {
    this.#isMasked = true;
  }

  /**
   * The driver has polled everything that it saw. An 'arm' line is armed by this.
   * @param consumed `events` up to which the driver has polled; without it, what `acknowledge` said last
   */
  unmask(consumed: number = this.#acknowledged): void {
    this.#isMasked = false;
    this.#acknowledged = Math.min(consumed, this.events);
    if (this.#isPending) this.#scheduleAt(this.#scheduler.nowNs);
  }

  /** The driver is about to look at the rings: events up to now need no interrupt of their own. */
  acknowledge(): void {
    this.#acknowledged = this.events;
    this.#pendingRx = 0;
    this.#pendingTx = 0;
  }

  get #isPending(): boolean {
    return this.events > this.#acknowledged;
  }

  #fire(): void {
    // The timer of an interrupt that an earlier one overtook: whatever is pending now has a later one.
    if (this.#scheduler.nowNs !== this.#scheduledNs) return;
    this.#scheduledNs = Infinity;
    if (this.#isMasked || !this.#isPending) return;
    this.acknowledge();
    this.#lastNs = this.#scheduler.nowNs;
    if (this.#isOneShot) this.#isMasked = true;
    if (this.#drop?.(this.#queue) === true) {
      this.lostCount++;
      return;
    }
    this.raisedCount++;
    this.#handler(this.#queue);
  }

  /** The earliest time counts. What was scheduled for a later one can't be taken back, but no longer fires. */
  #scheduleAt(wantedNs: number): void {
    const tNs = Math.max(wantedNs, this.#lastNs + (this.#moderation.minIntervalNs ?? 0));
    if (this.#scheduledNs <= tNs) return;
    this.#scheduledNs = tNs;
    this.#scheduler.schedule(tNs, this.#fireHandler, 0);
  }
}
