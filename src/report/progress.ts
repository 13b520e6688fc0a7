/** A line on a terminal that is drawn over and over. Silent where standard error is no terminal. */
export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  #lastMs: number;

  /** @param nowMs a clock, ms; the line is drawn ten times a second at most */
  constructor(stream: NodeJS.WriteStream, nowMs: () => number) {
    this.#stream = stream;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
    this.#lastMs = this.#startMs + 400;
  }

  update(packets: number): void {
    if (!this.#stream.isTTY) return;
    const nowMs = this.#nowMs();
    if (nowMs - this.#lastMs < 100) return;
    this.#lastMs = nowMs;
    this.#stream.write(`\r\u001b[2K${packets} packets, ${speed(packets, nowMs - this.#startMs)}`);
  }

  /** Removes the line. */
  clear(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\u001b[2K');
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
