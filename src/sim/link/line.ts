/** What Ethernet puts around a frame (IEEE 802.3, 3.1.1 and 4.2.3.2): preamble with start delimiter, check sequence, gap to the next frame; bytes. */
export const PREAMBLE_BYTES = 8;
export const FCS_BYTES = 4;
export const INTERFRAME_GAP_BYTES = 12;
/** Shortest frame without its check sequence; the MAC pads those that are shorter. */
export const MIN_FRAME_BYTES = 60;

const NS_PER_SEC = 1e9;

/**
 * The time that frames take on an Ethernet line of some rate, one after the other. Exact: the moment from which the line is free is kept as
 * whole ns and a rest in units of 1/rate ns, so that nothing adds up over millions of frames.
 */
export class Line {
  /** Bits per second, 0 for a line on which frames take no time. */
  readonly rateBitsPerS: number;
  #freeNs = 0;
  /** Of `rateBitsPerS`: the line is free from #freeNs + #freeRest / rateBitsPerS ns on. */
  #freeRest = 0;

  /** @param rateBitsPerS a whole number up to 1e13 */
  constructor(rateBitsPerS: number) {
    this.rateBitsPerS = rateBitsPerS;
  }

  /** When a frame that comes now goes onto the line, rounded up to whole ns. @param nowNs a whole number */
  startNs(nowNs: number): number {
    return Math.max(nowNs, this.#freeRest === 0 ? this.#freeNs : this.#freeNs + 1);
  }

  /**
   * Puts a frame on the line, as soon as it is free.
   *
   * @param nowNs now, a whole number, not before the last call's
   * @param lenBytes frame without check sequence
   * @returns when its last bit has been sent, rounded up to whole ns
   */
  send(nowNs: number, lenBytes: number): number {
    const { rateBitsPerS } = this;
    if (rateBitsPerS === 0) return nowNs;
    if (nowNs > this.#freeNs || (nowNs === this.#freeNs && this.#freeRest === 0)) {
      this.#freeNs = nowNs;
      this.#freeRest = 0;
    }
    this.#occupy(PREAMBLE_BYTES + Math.max(lenBytes, MIN_FRAME_BYTES) + FCS_BYTES);
    const endNs = this.#freeRest === 0 ? this.#freeNs : this.#freeNs + 1;
    this.#occupy(INTERFRAME_GAP_BYTES);
    return endNs;
  }

  #occupy(bytes: number): void {
    const { rateBitsPerS } = this;
    // At most 2^17 bytes: 1e15, which a Number holds exactly.
    const units = this.#freeRest + bytes * 8 * NS_PER_SEC;
    const rest = units % rateBitsPerS;
    this.#freeNs += (units - rest) / rateBitsPerS;
    this.#freeRest = rest;
  }
}
