import { EBUSY, EDEADLK, EINVAL } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import type { BpfMap } from './maps/map.js';

/** struct bpf_timer (include/uapi/linux/bpf.h): what stands in the map value. */
export const TIMER_BYTES = 16;

// Clocks that a timer can follow (include/uapi/linux/time.h). A simulated machine has no date: all of them are its virtual time.
const MAX_CLOCKS = 16;
const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;

/**
 * A callback takes no virtual time here. A timer that is armed in one fires so much later at least, ns, or a program could keep time from going on.
 */
const LEAST_PERIOD_NS = 1000;

/** Flags of bpf_timer_start. */
const BPF_F_TIMER_ABS = 1;
const BPF_F_TIMER_CPU_PIN = 2;

/** The function that a timer calls. */
export interface TimerCallback {
  /** PROG_ID of its program. */
  readonly programId: number;
  readonly insnIndex: number;
}

/** One timer that a program has initialised. */
export class Timer {
  /** What the value holds while this timer is its own: a new or freed value holds something else. */
  readonly handle: number;
  readonly address: number;
  readonly map: BpfMap;
  callback: TimerCallback | undefined;
  /** When it fires, ns; `undefined` while it isn't armed. */
  expiresNs: number | undefined;
  cpu = 0;
  /** Order of arming, for timers of the same time. */
  sequence = 0;

  constructor(handle: number, address: number, map: BpfMap) {
    this.handle = handle;
    this.address = address;
    this.map = map;
  }
}

/**
 * The timers in map values (bpf_timer_*, kernel/bpf/helpers.c, 6.18). Results are 0 or a negated errno.
 *
 * Who owns the time asks for `nextNs` and takes the timers out that are due. A value that is deleted or replaced takes its timer with it:
 * its 16 bytes, of which the first four say which timer it has, are zeroed by the map.
 */
export class Timers {
  readonly #memory: HostMemory;
  readonly #byAddress = new Map<number, Timer>();
  /** Armed timers, the next one last. */
  readonly #armed: Timer[] = [];
  #handles = 0;
  #sequence = 0;
  /** Where a callback finds its key when the map is an array. */
  readonly arrayKeyAddress: number;
  /** The timer whose callback runs. */
  running: Timer | undefined;

  constructor(memory: HostMemory) {
    this.#memory = memory;
    this.arrayKeyAddress = memory.reserve('key for the callback of a timer', 8);
  }

  init(address: number, map: BpfMap, flags: number): number {
    if (flags >= MAX_CLOCKS || ![CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME].includes(flags)) return -EINVAL;
    if (this.#at(address) !== undefined) return -EBUSY;
    const timer = new Timer(++this.#handles, address, map);
    this.#byAddress.set(address, timer);
    this.#memory.view.setUint32(address, timer.handle, true);
    return 0;
  }

  setCallback(address: number, callback: TimerCallback): number {
    const timer = this.#at(address);
    if (timer === undefined) return -EINVAL;
    timer.callback = callback;
    return 0;
  }

  /** @param nsecs from now, or with BPF_F_TIMER_ABS since boot */
  start(address: number, nsecs: number, flags: number, nowNs: number, cpu: number): number {
    if ((flags & ~(BPF_F_TIMER_ABS | BPF_F_TIMER_CPU_PIN)) !== 0) return -EINVAL;
    const timer = this.#at(address);
    if (timer?.callback === undefined) return -EINVAL;
    this.#disarm(timer);
    const wantedNs = (flags & BPF_F_TIMER_ABS) !== 0 ? nsecs : nowNs + nsecs;
    timer.expiresNs = this.running === undefined ? wantedNs : Math.max(wantedNs, nowNs + LEAST_PERIOD_NS);
    timer.cpu = cpu;
    timer.sequence = ++this.#sequence;
    this.#armed.splice(this.#placeOf(timer), 0, timer);
    return 0;
  }

  /** 1 when it was armed, 0 when not; it has no callback any more. */
  cancel(address: number): number {
    const timer = this.#at(address);
    if (timer === undefined) return -EINVAL;
    if (timer === this.running) return -EDEADLK;
    timer.callback = undefined;
    return this.#disarm(timer) ? 1 : 0;
  }

  /** When the next timer fires, ns; Infinity when none is armed. */
  get nextNs(): number {
    // An element of an empty array costs more than the question.
    if (this.#armed.length === 0) return Infinity;
    return this.#armed[this.#armed.length - 1].expiresNs ?? Infinity;
  }

  /** Takes out the next timer that is due by then; it is not armed any more. Whether its value is still there, `isLive` tells. */
  takeDue(tNs: number): Timer | undefined {
    if (this.nextNs > tNs) return undefined;
    const timer = this.#armed.pop()!;
    timer.expiresNs = undefined;
    return timer;
  }

  /** The value still has this timer. */
  isLive(timer: Timer): boolean {
    return this.#at(timer.address) === timer;
  }

  #at(address: number): Timer | undefined {
    const timer = this.#byAddress.get(address);
    if (timer === undefined || this.#memory.view.getUint32(address, true) === timer.handle) return timer;
    this.#disarm(timer);
    this.#byAddress.delete(address);
    return undefined;
  }

  #disarm(timer: Timer): boolean {
    if (timer.expiresNs === undefined) return false;
    this.#armed.splice(this.#placeOf(timer), 1);
    timer.expiresNs = undefined;
    return true;
  }

  /** Index of an armed timer, or of where it belongs: later ones stand before it. */
  #placeOf(timer: Timer): number {
    let low = 0;
    let high = this.#armed.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#armed[middle]!;
      const isLater = other.expiresNs! > timer.expiresNs! || (other.expiresNs === timer.expiresNs && other.sequence > timer.sequence);
      if (isLater) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
