import type { InterruptModeration } from '../device/interrupt.js';
import { DIM_EVENTS, DIM_PROFILES, DIM_START, dimStats, nextDim } from '../device/moderationDim.js';
import { ITR_START, itrIntervalNs, itrOf, nextItrClass } from '../device/moderationItr.js';
import type { ItrClass } from '../device/moderationItr.js';
import type { ModerationSupport } from '../profiles/profile.js';

/** What a queue pair has handled since it was opened. */
export interface HandledFrames {
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly txPackets: number;
  readonly txBytes: number;
}

/** Chooses a queue's moderation by what it has to do (`ethtool -C adaptive-rx on`). */
export interface AdaptiveModeration {
  /**
   * Called when a poll is complete and the interrupt is about to be switched on again.
   *
   * @param handled counts that only grow
   * @returns new moderation, `undefined` when nothing changes
   */
  onPollDone(handled: HandledFrames, nowNs: number): InterruptModeration | undefined;
}

/**
 * Moderation as the driver sets it when the device is opened. The rx-usecs of igb and igc are a mode then, not a time: EITR holds interrupts
 * apart, and one that comes after a pause isn't delayed.
 */
export function initialModeration({ rxUsecs, rxFrames, txUsecs, txFrames, adaptive }: ModerationSupport): InterruptModeration {
  if (adaptive === 'itr') return { rxDelayNs: 0, rxFrames: 0, txDelayNs: 0, txFrames: 0, minIntervalNs: itrIntervalNs(ITR_START) };
  return { rxDelayNs: rxUsecs * 1000, rxFrames, txDelayNs: txUsecs * 1000, txFrames };
}

/** The driver's adaptive rule, `undefined` when its moderation stays as it is. */
export function createAdaptiveModeration(support: ModerationSupport, linkMbps: number): AdaptiveModeration | undefined {
  switch (support.adaptive) {
    case 'itr':
      return new ItrModeration(initialModeration(support), linkMbps, support.rxUsecs === ITR_CONSERVATIVE);
    case 'dim':
      return new DimModeration(initialModeration(support));
    default:
      return undefined;
  }
}

/** rx-usecs 3 of igb and igc, their default, means adaptive without the fastest class; 1 means with it. */
const ITR_CONSERVATIVE = 3;

/** igb and igc: after each poll, by the frames since the last one; each direction has its class. */
class ItrModeration implements AdaptiveModeration {
  readonly #base: InterruptModeration;
  readonly #linkMbps: number;
  readonly #isConservative: boolean;
  #last: HandledFrames = { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0 };
  #rx: ItrClass = 'lowest';
  #tx: ItrClass = 'lowest';
  #itr = -1;

  constructor(base: InterruptModeration, linkMbps: number, isConservative: boolean) {
    this.#base = base;
    this.#linkMbps = linkMbps;
    this.#isConservative = isConservative;
  }

  onPollDone(handled: HandledFrames): InterruptModeration | undefined {
    const { rxPackets, rxBytes, txPackets, txBytes } = this.#last;
    this.#rx = nextItrClass(this.#rx, { packets: handled.rxPackets - rxPackets, bytes: handled.rxBytes - rxBytes });
    this.#tx = nextItrClass(this.#tx, { packets: handled.txPackets - txPackets, bytes: handled.txBytes - txBytes });
    this.#last = { rxPackets: handled.rxPackets, rxBytes: handled.rxBytes, txPackets: handled.txPackets, txBytes: handled.txBytes };
    const itr = itrOf(this.#rx, this.#tx, this.#linkMbps, this.#isConservative);
    if (itr === this.#itr) return undefined;
    this.#itr = itr;
    return { ...this.#base, minIntervalNs: itrIntervalNs(itr) };
  }
}

/** mlx5: a measurement takes 64 interrupts; the receive side is measured, the transmit side keeps what it has. */
class DimModeration implements AdaptiveModeration {
  readonly #base: InterruptModeration;
  #state = DIM_START;
  #events = 0;
  #startPackets = 0;
  #startBytes = 0;
  #startNs = -1;

  constructor(base: InterruptModeration) {
    this.#base = base;
  }

  onPollDone({ rxPackets, rxBytes }: HandledFrames, nowNs: number): InterruptModeration | undefined {
    if (this.#startNs < 0) {
      this.#start(rxPackets, rxBytes, nowNs);
      return undefined;
    }
    if (++this.#events < DIM_EVENTS) return undefined;
    const stats = dimStats(rxPackets - this.#startPackets, rxBytes - this.#startBytes, (nowNs - this.#startNs) / 1000);
    this.#start(rxPackets, rxBytes, nowNs);
    if (stats === undefined) return undefined;
    const { profile } = this.#state;
    this.#state = nextDim(this.#state, stats);
    if (this.#state.profile === profile) return undefined;
    const { usecs, packets } = DIM_PROFILES.rxEqe[this.#state.profile];
    return { ...this.#base, rxDelayNs: usecs * 1000, rxFrames: packets };
  }

  #start(packets: number, bytes: number, nowNs: number): void {
    this.#events = 0;
    this.#startPackets = packets;
    this.#startBytes = bytes;
    this.#startNs = nowNs;
  }
}
