import { LAUNCH_CYCLE_NS } from '../device/launchCycle.js';

/** Slots of an empty frame: a context descriptor and a data descriptor. */
export const EMPTY_FRAME_SLOTS = 2;

/**
 * The launch times of one transmit queue that was set up for them: what igc makes of a time on its way into a context descriptor (igc_tx_launchtime,
 * 6.18). The descriptor has room for an offset into a cycle only, the present one or, with its FIRST, the next. So the horizon is the end of the next
 * cycle: a frame for a time behind it leaves too early.
 */
export class LaunchTimes {
  /** What a context descriptor asks for after `plan`: ns from the start of the cycle. */
  offsetNs = 0;
  opensCycle = false;
  /** FIRST puts a frame off only where the queue has sent in the present cycle: an empty frame must go first. */
  needsEmptyFrame = false;
  /** Cycle in which FIRST was asked for last (last_ff_cycle), and end of the one in which a frame was planned last (last_tx_cycle), ns. */
  #lastFirstNs = -1;
  #lastEndNs = -1;

  /**
   * @param launchTimeNs when the frame is to leave, by the device's clock
   * @param nowNs CLOCK_TAI, which the device's clock is expected to agree with: here the time of the simulation
   */
  plan(launchTimeNs: number, nowNs: number): void {
    const startNs = Math.floor(nowNs / LAUNCH_CYCLE_NS) * LAUNCH_CYCLE_NS;
    const endNs = startNs + LAUNCH_CYCLE_NS;
    this.opensCycle = launchTimeNs >= endNs && startNs !== this.#lastFirstNs;
    this.needsEmptyFrame = this.opensCycle && endNs > this.#lastEndNs;
    if (this.opensCycle) this.#lastFirstNs = startNs;
    this.#lastEndNs = endNs;
    // The driver keeps the difference in 32 bits.
    const offsetNs = (launchTimeNs - startNs) | 0;
    this.offsetNs = offsetNs > 0 ? offsetNs % LAUNCH_CYCLE_NS : 0;
  }
}
