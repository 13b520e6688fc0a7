/** Timer ticks in a second: CONFIG_HZ=250, as distribution kernels have it. */
export const HZ = 250;

/** Length of a timer tick, ns. */
export const TICK_NS = 1e9 / HZ;

/** First value of the tick counter: it wraps 32 bits five minutes after boot (INITIAL_JIFFIES, include/linux/jiffies.h). */
const INITIAL_JIFFIES = 2 ** 32 - 300 * HZ;

/** The 64-bit tick counter at a time since boot. */
export function jiffiesAt(tNs: number): number {
  return INITIAL_JIFFIES + Math.floor(tNs / TICK_NS);
}
