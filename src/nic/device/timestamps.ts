import { fail, ok } from '../../base/index.js';
import type { Result } from '../../base/index.js';

const PPM = 1e6;
/** `scaled_ppm` of struct ptp_clock_info's adjfine: millionths with a 16-bit binary fraction. */
const SCALED_PPM_ONE = 65536;
const TWO_32 = 0x100000000;

/** Largest frequency offset of igb and igc (`max_adj`), billionths. */
const MAX_ADJUSTMENT_PPB = 62_499_999;

/**
 * A NIC's PTP hardware clock (/dev/ptpN): simulation time with an offset and a frequency of its own. Nanoseconds are plain numbers, exact
 * below 2^53 (104 days), so a clock shows time since the start of the simulation rather than since 1970.
 */
export class HardwareClock {
  readonly maxAdjustmentPpb: number;
  /** What the clock showed at `#sinceNs` of simulation time, when it was set last. */
  #shownNs: number;
  #sinceNs = 0;
  #scaledPpm = 0;

  /** @param offsetNs what the clock shows at simulation time 0 */
  constructor(offsetNs = 0, maxAdjustmentPpb: number = MAX_ADJUSTMENT_PPB) {
    checkTime('HardwareClock', offsetNs);
    this.#shownNs = offsetNs;
    this.maxAdjustmentPpb = maxAdjustmentPpb;
  }

  /** What the clock shows (gettime64). @param nowNs simulation time, not before the last call that set the clock */
  timeAt(nowNs: number): number {
    const passedNs = nowNs - this.#sinceNs;
    return this.#shownNs + passedNs + Math.floor((passedNs * this.#scaledPpm) / (PPM * SCALED_PPM_ONE));
  }

  /** First moment of the simulation, ns, from `nowNs` on, at which the clock shows `timeNs` or more, if nobody sets it until then. */
  momentOf(timeNs: number, nowNs: number): number {
    const passedNs = Math.floor((timeNs - this.#shownNs) / (1 + this.#scaledPpm / (PPM * SCALED_PPM_ONE)));
    let momentNs = Math.max(nowNs, this.#sinceNs + passedNs);
    // The quotient is rounded, and so is what the clock shows.
    while (this.timeAt(momentNs) < timeNs) momentNs++;
    while (momentNs > nowNs && this.timeAt(momentNs - 1) >= timeNs) momentNs--;
    return momentNs;
  }

  /**
   * Sets the clock (settime64).
   *
   * @throws RangeError for what is no whole number of ns that can be told exactly
   */
  setTime(nowNs: number, timeNs: number): void {
    if (!Number.isFinite(nowNs)) throw new RangeError(`HardwareClock: ${String(nowNs)} ns is no time of the simulation`);
    checkTime('setTime', timeNs);
    this.#shownNs = timeNs;
    this.#sinceNs = nowNs;
  }

  /** Moves the clock by a step (adjtime). */
  adjustTime(nowNs: number, deltaNs: number): void {
    checkTime('adjustTime', deltaNs);
    this.setTime(nowNs, this.timeAt(nowNs) + deltaNs);
  }

  /**
   * Makes the clock run faster or slower from now on (adjfine). What it shows doesn't jump.
   *
   * @param scaledPpm millionths times 65536
   */
  adjustFrequency(nowNs: number, scaledPpm: number): Result<void> {
    const ppb = (scaledPpm * 1000) / SCALED_PPM_ONE;
    if (typeof scaledPpm !== 'number') throw new TypeError(`adjustFrequency: ${typeof scaledPpm} is no number`);
    if (!(Math.abs(ppb) <= this.maxAdjustmentPpb)) {
      return fail({
        code: 'ptp-frequency',
        message: `the hardware clock can't run off by ${ppb} ppb (ERANGE)`,
        hint: `choose ${this.maxAdjustmentPpb} ppb at most`,
      });
    }
    this.setTime(nowNs, this.timeAt(nowNs));
    this.#scaledPpm = scaledPpm;
    return ok(undefined);
  }
}

function checkTime(call: string, timeNs: number): void {
  if (!Number.isSafeInteger(timeNs)) throw new RangeError(`HardwareClock, ${call}: ${String(timeNs)} is no whole number of ns below 2^53`);
}

/**
 * A free-running counter, as mlx5 stamps its completions with (unless it is in real-time mode): the device writes cycles, the driver turns
 * them into time by the frequency that the firmware tells.
 */
export class CycleCounter {
  readonly frequencyKhz: number;

  constructor(frequencyKhz: number) {
    this.frequencyKhz = frequencyKhz;
  }

  /** What the device writes, a whole number below 2^53. */
  cyclesAt(nowNs: number): number {
    return Math.floor((nowNs * this.frequencyKhz) / 1e6);
  }

  /** What the driver makes of it, ns, less than one cycle (and its rounding to whole ns) too early. */
  nsOf(cycles: number): number {
    return Math.floor((cycles * 1e6) / this.frequencyKhz);
  }
}

/** The low 32 bits of a time in ns, which is all that a descriptor of ice has room for. */
export function timestampLow32(timeNs: number): number {
  return timeNs % TWO_32;
}

/**
 * The whole time of a 32-bit stamp, by a time of the clock that the driver has read within 2.1 s of it, before or after
 * (ice_ptp_extend_32b_ts, Linux 6.18; igb and others do the same with more bits).
 *
 * @param cachedNs what the driver has read from the clock
 * @param stamp32 u32, low bits of the time of the packet, ns
 */
export function extendTimestamp32(cachedNs: number, stamp32: number): number {
  const delta = (stamp32 - timestampLow32(cachedNs) + TWO_32) % TWO_32;
  // In this order, as a whole time plus 4 s may be beyond 2^53.
  return cachedNs + (delta > TWO_32 / 2 - 1 ? delta - TWO_32 : delta);
}
