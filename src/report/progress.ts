import { grouped } from './textTable.js';

/** Runs shorter than this draw nothing. */
const FIRST_DRAWN_MS = 500;
/** Time between two drawings. */
const REDRAWN_MS = 100;

/** Carriage return, and "erase in line" (ECMA-48 EL). */
const ERASE_LINE = '\r\u001b[2K';

/** A line on a terminal that is drawn over and over, while a long run goes on. */
export class ProgressLine {
  readonly #write: ((text: string) => unknown) | undefined;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  #nextMs: number;
  #isDrawn = false;

  /**
   * @param write puts text on the terminal; `undefined` where there is none, and the line stays silent
   * @param nowMs a clock, ms
   */
  constructor(write: ((text: string) => unknown) | undefined, nowMs: () => number) {
    this.#write = write;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
    this.#nextMs = this.#startMs + FIRST_DRAWN_MS;
  }

  /** Draws the line anew, ten times a second at most. */
  update(packets: number): void {
    if (this.#write === undefined) return;
    const nowMs = this.#nowMs();
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + REDRAWN_MS;
    this.#isDrawn = true;
    const elapsedMs = nowMs - this.#startMs;
    this.#write(`${ERASE_LINE}${grouped(packets)} packets, ${(elapsedMs / 1000).toFixed(1)} s, ${speed(packets, elapsedMs)}`);
  }

  /** Removes the line. */
  clear(): void {
    if (this.#isDrawn) this.#write?.(ERASE_LINE);
    this.#isDrawn = false;
  }

  /** Time since the start, ms. */
  get elapsedMs(): number {
    return this.#nowMs() - this.#startMs;
  }
}

/** `412 kpps`. */
export function speed(packets: number, elapsedMs: number): string {
  const perSecond = (packets / Math.max(elapsedMs, 0.001)) * 1000;
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(2)} Mpps`;
  if (perSecond >= 1e3) return `${(perSecond / 1e3).toFixed(0)} kpps`;
  return `${perSecond.toFixed(0)} pps`;
}
