import type { Scheduler } from '../../base/index.js';
import type { Napi } from './napi.js';

/** sysctl net.core.netdev_budget and netdev_budget_usecs, and what a packet costs this CPU. */
export interface SoftirqSettings {
  /** Packets that one run of NET_RX_SOFTIRQ may process over all NAPIs; 300 unless told. */
  readonly budget: number;
  /** Time that one run may take, µs; 2 jiffies unless told, which is 2000 at HZ=1000. */
  readonly budgetUsecs: number;
  /** Virtual time of one packet, ns. At 0 only the packet budget can end a run early. */
  readonly packetCostNs: number;
}

export const SOFTIRQ_DEFAULTS: SoftirqSettings = { budget: 300, budgetUsecs: 2000, packetCostNs: 0 };

/** NET_RX_SOFTIRQ of one CPU: `softnet_data.poll_list` and net_rx_action (net/core/dev.c, 6.18). */
export class Softirq {
  /** Runs that the budget or the time ended although there was work (third column of /proc/net/softnet_stat). */
  timeSqueeze = 0;
  runs = 0;
  readonly #scheduler: Scheduler;
  readonly #settings: SoftirqSettings;
  readonly #action: number;
  #pollList: Napi[] = [];
  #emptyList: Napi[] = [];
  readonly #repoll: Napi[] = [];
  #isRaised = false;
  /** A run looks at the poll list itself before it ends (`in_net_rx_action`). */
  #isRunning = false;
  /** The CPU is busy with packets until then, ns. */
  #busyUntilNs = 0;

  constructor(scheduler: Scheduler, settings: Partial<SoftirqSettings> = {}) {
    this.#scheduler = scheduler;
    this.#settings = { ...SOFTIRQ_DEFAULTS, ...settings };
    if (!(this.#settings.budget > 0)) throw new Error(`Softirq: a budget of ${this.#settings.budget} packets polls nothing`);
    this.#action = scheduler.register(() => this.#netRxAction());
  }

  /** ____napi_schedule: the NAPI, whose SCHED bit the caller owns, goes to the end of the poll list. */
  enqueue(napi: Napi): void {
    this.#pollList.push(napi);
    this.#raise();
  }

  remove(napi: Napi): void {
    this.#pollList = this.#pollList.filter((other) => other !== napi);
  }

  #raise(): void {
    if (this.#isRaised || this.#isRunning) return;
    this.#isRaised = true;
    this.#scheduler.schedule(Math.max(this.#scheduler.nowNs, this.#busyUntilNs), this.#action, 0);
  }

  #netRxAction(): void {
    const { budget, budgetUsecs, packetCostNs } = this.#settings;
    const repoll = this.#repoll;
    this.#isRaised = false;
    this.#isRunning = true;
    this.runs++;
    let list = this.#takeList();
    let left = budget;
    let elapsedNs = 0;
    let next = 0;
    for (;;) {
      if (next === list.length) {
        // What was scheduled meanwhile belongs to this run, unless somebody waits for another round already.
        if (repoll.length > 0 || this.#pollList.length === 0) break;
        this.#emptyList = list;
        list = this.#takeList();
        next = 0;
      }
      const napi = list[next++];
      const work = napi.poll();
      if (napi.wantsRepoll) repoll.push(napi);
      left -= work;
      elapsedNs += work * packetCostNs;
      if (left <= 0 || elapsedNs >= budgetUsecs * 1000) {
        this.timeSqueeze++;
        break;
      }
    }
    this.#busyUntilNs = this.#scheduler.nowNs + elapsedNs;
    if (next < list.length || repoll.length > 0) {
      this.#pollList = [...list.slice(next), ...this.#pollList, ...repoll];
      repoll.length = 0;
    }
    this.#emptyList = list;
    this.#isRunning = false;
    if (this.#pollList.length > 0) this.#raise();
  }

  /** The poll list; an empty one, which was in use before, takes its place. */
  #takeList(): Napi[] {
    const list = this.#pollList;
    this.#pollList = this.#emptyList;
    this.#pollList.length = 0;
    return list;
  }
}
