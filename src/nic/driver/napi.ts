import type { Scheduler } from '../../base/index.js';
import type { Softirq } from './softirq.js';

/** NAPI_POLL_WEIGHT: packets of one poll. */
export const NAPI_POLL_WEIGHT = 64;

// NAPI_STATE_* (include/linux/netdevice.h), those that the model has.
export const NAPI_SCHED = 1 << 0;
export const NAPI_MISSED = 1 << 1;
export const NAPI_DISABLE = 1 << 2;
export const NAPI_IN_BUSY_POLL = 1 << 3;
export const NAPI_PREFER_BUSY_POLL = 1 << 4;

/** Deferral of hard interrupts (per device in /sys/class/net, per NAPI by netlink since 6.13). */
export interface NapiSettings {
  /** napi_defer_hard_irqs: empty polls by timer before the interrupt is on again. Needs groFlushTimeoutNs, too. */
  readonly deferHardIrqs: number;
  /** gro_flush_timeout, ns: how long after a poll the timer polls again. */
  readonly groFlushTimeoutNs: number;
  /** irq_suspend_timeout, ns: how long interrupts stay off after a busy poll that found something; 0 is never. */
  readonly irqSuspendTimeoutNs: number;
}

export const NAPI_DEFAULTS: NapiSettings = { deferHardIrqs: 0, groFlushTimeoutNs: 0, irqSuspendTimeoutNs: 0 };

/** What a driver's poll function did that NAPI's rules forbid. */
export interface NapiMistake {
  readonly code: 'budget-exceeded' | 'completed-with-whole-budget' | 'completed-without-schedule';
  /** One sentence without a full stop at its end. */
  readonly message: string;
}

/** More mistakes than these are only counted. */
const KEPT_MISTAKES = 32;

/** One `napi_struct` with net/core/dev.c's rules (6.18) for one queue pair. */
export class Napi {
  readonly queue: number;
  settings: NapiSettings;
  /** NAPI_* bits. */
  state = 0;
  /** The last poll used its whole budget: the softirq polls again. */
  wantsRepoll = false;
  polls = 0;
  mistakeCount = 0;
  readonly mistakes: NapiMistake[] = [];
  readonly #scheduler: Scheduler;
  readonly #softirq: Softirq;
  readonly #driverPoll: (budget: number) => number;
  readonly #watchdog: number;
  /** Expiry of the hrtimer, Infinity when it is off. */
  #timerNs = Infinity;
  #deferCount = 0;
  #isPolling = false;
  #hasCompleted = false;

  /**
   * @param pollDriver the driver's poll function: processes up to `budget` packets and gives their number; with less than the
   * budget it calls `completeDone`, and unmasks its interrupt if that says so
   */
  constructor(scheduler: Scheduler, softirq: Softirq, queue: number, pollDriver: (budget: number) => number, settings: Partial<NapiSettings> = {}) {
    this.queue = queue;
    this.settings = { ...NAPI_DEFAULTS, ...settings };
    this.#scheduler = scheduler;
    this.#softirq = softirq;
    this.#driverPoll = pollDriver;
    this.#watchdog = scheduler.register(() => this.#onTimer());
  }

  has(bits: number): boolean {
    return (this.state & bits) !== 0;
  }

  /** The driver's poll function runs. */
  get isPolling(): boolean {
    return this.#isPolling;
  }

  /** napi_schedule_prep: whether the caller owns the NAPI now and has to call `enqueue`. Someone else's poll runs once more instead. */
  schedulePrep(): boolean {
    if (this.has(NAPI_DISABLE)) return false;
    if (this.has(NAPI_SCHED)) {
      this.state |= NAPI_MISSED;
      return false;
    }
    this.state |= NAPI_SCHED;
    return true;
  }

  /** napi_schedule: whether this call put the NAPI on its CPU's poll list. */
  schedule(): boolean {
    if (!this.schedulePrep()) return false;
    this.#softirq.enqueue(this);
    return true;
  }

  /** __napi_poll, called by the softirq: one poll with the weight. Sets `wantsRepoll`. */
  poll(): number {
    this.wantsRepoll = false;
    if (!this.has(NAPI_SCHED)) return 0;
    const work = this.pollDriver(NAPI_POLL_WEIGHT);
    if (work < NAPI_POLL_WEIGHT || this.#hasCompleted) return work;
    if (this.has(NAPI_PREFER_BUSY_POLL)) {
      // The application polls; without a timer that would watch over it the softirq has to go on.
      if (this.completeDone(work)) this.schedule();
      return work;
    }
    this.wantsRepoll = true;
    return work;
  }

  /** One call of the driver's poll function, with the checks of its result. For busy polling and `poll`. */
  pollDriver(budget: number): number {
    if (this.#isPolling) throw new Error(`Napi: queue ${this.queue} is polled while it is being polled`);
    this.#isPolling = true;
    this.#hasCompleted = false;
    this.polls++;
    const work = this.#driverPoll(budget);
    this.#isPolling = false;
    if (work > budget) this.#mistake('budget-exceeded', `queue ${this.queue}: poll function exceeded its budget: ${work} of ${budget}`);
    if (work >= budget && this.#hasCompleted) {
      this.#mistake('completed-with-whole-budget', `queue ${this.queue}: poll function called napi_complete_done and returned its whole budget of ${budget}`);
    }
    return work;
  }

  /** napi_complete_done: whether the driver may turn the interrupt on again. */
  completeDone(workDone: number): boolean {
    if (this.has(NAPI_IN_BUSY_POLL)) return false;
    const { deferHardIrqs, groFlushTimeoutNs } = this.settings;
    if (!this.has(NAPI_SCHED)) {
      this.#mistake('completed-without-schedule', `queue ${this.queue}: napi_complete_done without napi_schedule`);
      return false;
    }
    this.#hasCompleted = true;
    if (workDone > 0) this.#deferCount = deferHardIrqs;
    let timeoutNs = 0;
    if (this.#deferCount > 0) {
      this.#deferCount--;
      timeoutNs = groFlushTimeoutNs;
    }
    const hasMissed = this.has(NAPI_MISSED);
    this.state &= ~(NAPI_SCHED | NAPI_MISSED | NAPI_PREFER_BUSY_POLL);
    if (hasMissed) {
      this.state |= NAPI_SCHED;
      this.#softirq.enqueue(this);
      return false;
    }
    if (timeoutNs > 0) this.startTimer(timeoutNs);
    return timeoutNs === 0;
  }

  /** napi_disable: nobody polls any more, and what was scheduled is forgotten. Not from inside a poll, where the kernel would wait forever. */
  disable(): void {
    if (this.#isPolling) throw new Error(`Napi: napi_disable of queue ${this.queue} inside its own poll`);
    this.abandon();
  }

  /** What `disable` does, also from inside of a poll: for a driver that would be polled for ever. */
  abandon(): void {
    this.state = NAPI_DISABLE;
    this.#timerNs = Infinity;
    this.#deferCount = 0;
    this.wantsRepoll = false;
    this.#softirq.remove(this);
  }

  /** napi_enable. */
  enable(): void {
    this.state &= ~NAPI_DISABLE;
  }

  /** Sets the timer that takes the NAPI to the softirq; an earlier setting is void. */
  startTimer(delayNs: number): void {
    this.#timerNs = this.#scheduler.nowNs + delayNs;
    this.#scheduler.schedule(this.#timerNs, this.#watchdog, 0);
  }

  /** Loads the deferral counter as after work; whether deferral is on. */
  reloadDefer(): boolean {
    this.#deferCount = this.settings.deferHardIrqs;
    return this.#deferCount > 0 && this.settings.groFlushTimeoutNs > 0;
  }

  /** __napi_schedule for who owns SCHED already. */
  enqueueOwned(): void {
    this.#softirq.enqueue(this);
  }

  /** napi_suspend_irqs: an application that found events keeps the interrupt off for irq_suspend_timeout. */
  suspendIrqs(): void {
    if (this.settings.irqSuspendTimeoutNs > 0) this.startTimer(this.settings.irqSuspendTimeoutNs);
  }

  /** napi_resume_irqs: it found none and is going to sleep. */
  resumeIrqs(): void {
    if (this.settings.irqSuspendTimeoutNs > 0) this.schedule();
  }

  /** napi_watchdog. No MISSED: no device asked. */
  #onTimer(): void {
    if (this.#scheduler.nowNs !== this.#timerNs) return;
    this.#timerNs = Infinity;
    if (this.has(NAPI_DISABLE | NAPI_SCHED)) return;
    this.state = (this.state | NAPI_SCHED) & ~NAPI_PREFER_BUSY_POLL;
    this.#softirq.enqueue(this);
  }

  #mistake(code: NapiMistake['code'], message: string): void {
    this.mistakeCount++;
    if (this.mistakes.length < KEPT_MISTAKES) this.mistakes.push({ code, message });
  }
}
