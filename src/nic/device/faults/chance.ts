import { Rng } from '../../../base/index.js';
import { FAULT_KINDS } from './faultKinds.js';
import type { FaultKind } from './faultKinds.js';
import type { FaultSetting, FaultWindow } from './faultPlan.js';

const U32_COUNT = 2 ** 32;

/** The dice of one kind of fault. */
export class Chance {
  /** How often the fault struck. */
  count = 0;
  /** For what else the fault has to choose. */
  readonly rng: Rng;
  readonly #dice: Rng;
  /** Below it the dice say yes. */
  readonly #limit: number;
  readonly #windows: readonly FaultWindow[] | undefined;
  readonly #startNs: number;

  constructor({ kind, rate = 1, windows }: FaultSetting, seed: number, startNs: number) {
    const [dice, choices] = streamSeeds(kind, seed);
    this.#dice = new Rng(dice);
    this.rng = new Rng(choices);
    this.#limit = rate * U32_COUNT;
    this.#windows = windows;
    this.#startNs = startNs;
  }

  /** One opportunity: whether the fault strikes, which is counted. The dice fall outside of the windows, too. */
  strikes(nowNs: number): boolean {
    if (this.#dice.nextU32() >= this.#limit || this.windowAt(nowNs) === undefined) return false;
    this.count++;
    return true;
  }

  /** Window that this moment lies in, on the clock; always open when there are none. */
  windowAt(nowNs: number): FaultWindow | undefined {
    if (this.#windows === undefined) return ALWAYS;
    const sinceNs = nowNs - this.#startNs;
    const found = this.#windows.find(({ fromNs, toNs }) => sinceNs >= fromNs && sinceNs < toNs);
    return found && { fromNs: found.fromNs + this.#startNs, toNs: found.toNs + this.#startNs };
  }
}

const ALWAYS: FaultWindow = { fromNs: 0, toNs: Infinity };

/** Two seeds of a kind, which no other kind has. */
function streamSeeds(kind: FaultKind, seed: number): [number, number] {
  const streams = new Rng(seed ^ 0x6e69_6366);
  let pair: [number, number] = [0, 0];
  for (const each of FAULT_KINDS) {
    pair = [streams.nextU32(), streams.nextU32()];
    if (each.kind === kind) break;
  }
  return pair;
}

/** A fault that lasts: a link that is down, an engine that stands still. */
export class Outage {
  readonly #chance: Chance;
  readonly #durationNs: number;
  readonly #isByWindow: boolean;
  /** End of the present outage, and of the last one when there is none. */
  #untilNs = -Infinity;
  #resetNs = -Infinity;

  constructor(chance: Chance, { rate, windows, durationNs = Infinity }: FaultSetting) {
    this.#chance = chance;
    this.#durationNs = durationNs;
    this.#isByWindow = rate === undefined && windows !== undefined;
  }

  /** Whether it is down, without an opportunity to break. */
  isDown(nowNs: number): boolean {
    return nowNs < this.#untilNs || this.#openWindow(nowNs) !== undefined;
  }

  /**
   * One opportunity to break down, unless it is down already: when it is up again, 0 when it is not down. The moment at which it is up again is no
   * opportunity: an engine that always breaks down would never send, and its frames never end.
   */
  check(nowNs: number): number {
    if (nowNs < this.#untilNs) return this.#untilNs;
    if (this.#isByWindow) {
      const window = this.#openWindow(nowNs);
      if (window === undefined) return 0;
      this.#chance.count++;
      this.#untilNs = window.toNs;
    } else {
      if (nowNs === this.#untilNs || !this.#chance.strikes(nowNs)) return 0;
      this.#untilNs = nowNs + this.#durationNs;
    }
    return this.#untilNs;
  }

  /** Ends the outage. A window in which that happens breaks nothing again. */
  reset(nowNs: number): void {
    if (nowNs >= this.#untilNs) return;
    this.#untilNs = -Infinity;
    this.#resetNs = nowNs;
  }

  #openWindow(nowNs: number): FaultWindow | undefined {
    const window = this.#isByWindow ? this.#chance.windowAt(nowNs) : undefined;
    return window !== undefined && window.fromNs > this.#resetNs ? window : undefined;
  }
}
