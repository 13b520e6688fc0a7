const NS_PER_SEC = 1e9;

/** Virtual time of the first packet: a machine that has been up for a second, so that no time stamp is 0. */
export const BOOT_NS = 1e9;

/** Virtual time on the clock of a capture: `startNs` is when the capture begins. */
export class CaptureClock {
  readonly #startNs: number;
  #firstSec = 0;
  #firstNsec = 0;

  constructor(startNs: number) {
    this.#startNs = startNs;
  }

  /** The first packet of the capture is of this time. */
  set(firstSec: number, firstNsec: number): void {
    this.#firstSec = firstSec;
    this.#firstNsec = firstNsec;
  }

  /** When a packet of the capture arrives, virtual ns. */
  virtualNs(tSec: number, tNsec: number): number {
    return this.#startNs + (tSec - this.#firstSec) * NS_PER_SEC + (tNsec - this.#firstNsec);
  }

  /** A moment of virtual time on the capture's clock: whole seconds since its epoch. */
  sec(tNs: number): number {
    return this.#firstSec + Math.floor((this.#firstNsec + (tNs - this.#startNs)) / NS_PER_SEC);
  }

  /** And the nanoseconds within that second. */
  nsec(tNs: number): number {
    return (this.#firstNsec + (tNs - this.#startNs)) % NS_PER_SEC;
  }
}
