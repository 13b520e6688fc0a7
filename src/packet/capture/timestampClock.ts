/** Seconds beyond which a timestamp is nonsense (34 841 years); far inside what a Number holds exactly. */
const MAX_SECONDS = 2 ** 40;

const NS_PER_SEC = 1_000_000_000;

/**
 * Turns pcapng timestamps, 64-bit counts of an interface's own unit, into seconds and nanoseconds, exactly.
 *
 * The high word changes every few seconds at most, so what it stands for is worked out once (with BigInt) and remembered; each packet
 * then costs one division of Numbers. That is exact while 2^32 ticks plus a second's ticks stay below 2^53 and a tick is
 * a double without rounding: units down to 10^-9 and 2^-32. Finer units take the slow exact way.
 */
export class TimestampClock {
  /** Result of the last `convert`: whole seconds. */
  sec = 0;
  /** Result of the last `convert`: nanoseconds within the second, rounded down. */
  nsec = 0;

  readonly #ticksPerSecExact: bigint;
  readonly #ticksPerSec: number;
  readonly #nsPerTick: number;
  readonly #offsetSec: number;
  readonly #slow: boolean;
  #high = 0;
  #highSec = 0;
  #highTicks = 0;

  /**
   * @param tsresol value of if_tsresol: bit 7 clear, unit 10^-value seconds; bit 7 set, unit 2^-(value without bit 7) seconds
   * @param offsetSec value of if_tsoffset, seconds to add
   */
  constructor(tsresol: number, offsetSec: number) {
    const exponent = tsresol & 0x7f;
    const binary = (tsresol & 0x80) !== 0;
    this.#ticksPerSecExact = (binary ? 2n : 10n) ** BigInt(exponent);
    this.#ticksPerSec = Number(this.#ticksPerSecExact);
    this.#nsPerTick = NS_PER_SEC / this.#ticksPerSec;
    this.#offsetSec = offsetSec;
    this.#slow = exponent > (binary ? 32 : 9);
  }

  /** Converts the timestamp `high * 2^32 + low` into `sec` and `nsec`; false when it lies outside of any sensible time. */
  convert(high: number, low: number): boolean {
    if (this.#slow) {
      this.#convertSlowly(high, low);
    } else {
      if (high !== this.#high) this.#remember(high);
      const ticks = this.#highTicks + low;
      const wholeSec = Math.floor(ticks / this.#ticksPerSec);
      this.sec = this.#highSec + wholeSec + this.#offsetSec;
      this.nsec = Math.floor((ticks - wholeSec * this.#ticksPerSec) * this.#nsPerTick);
    }
    return this.sec <= MAX_SECONDS && this.sec >= -MAX_SECONDS;
  }

  #remember(high: number): void {
    const ticks = BigInt(high) << 32n;
    this.#high = high;
    this.#highSec = Number(ticks / this.#ticksPerSecExact);
    this.#highTicks = Number(ticks % this.#ticksPerSecExact);
  }

  #convertSlowly(high: number, low: number): void {
    const ticks = (BigInt(high) << 32n) | BigInt(low);
    this.sec = Number(ticks / this.#ticksPerSecExact) + this.#offsetSec;
    this.nsec = Number(((ticks % this.#ticksPerSecExact) * BigInt(NS_PER_SEC)) / this.#ticksPerSecExact);
  }
}
