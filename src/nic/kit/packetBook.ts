import { PAGE_BYTES, Owner, ownerName } from '../../memory/index.js';
import { Outcome, verdictName, XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../xdp/index.js';
import { TX_NONE, TX_XDP_TX, TX_XDP_XMIT } from '../bufferTags.js';
import { NO_VERDICT } from '../driver/driverState.js';
import type { DriverConfig } from '../driver/driverState.js';

/** How far a page's packet has come. */
export const PageStage = {
  /** It carries none that is still under way. */
  idle: 0,
  /** On the RX ring, with or without a packet in it. */
  posted: 1,
  /** The driver has seen that the device is done with it. */
  received: 2,
  /** The program has spoken. */
  judged: 3,
  /** On the TX ring: the device will end it. */
  queued: 4,
} as const;

type PageStage = (typeof PageStage)[keyof typeof PageStage];

/** No outcome was decided yet. */
const UNDECIDED = 255;

/**
 * What the kit knows about the packet in each page, by number of the page: which a driver could not tell, as it deals with one packet after
 * the other. From it the kit reports where each packet ended.
 */
export class PacketBook {
  readonly stage: Uint8Array;
  readonly retval: Float64Array;
  /** The packet as the program left it. */
  readonly data: Uint32Array;
  readonly lenBytes: Uint32Array;
  readonly metaBytes: Uint32Array;
  /** Bytes of the received packet by its descriptor, without FCS. */
  readonly receivedBytes: Int32Array;
  /** Descriptor on the ring that the page was last put on. */
  readonly slot: Int32Array;
  /** The page is given to ndo_xdp_xmit, and the driver can't know where it comes from. */
  readonly isForeign: Uint8Array;
  /** Filled pages that the driver has taken from the device so far. */
  seen = 0;
  readonly #config: DriverConfig;
  /** What the packet's end will be if the page goes back now; UNDECIDED: the verdict says it. */
  readonly #failure: Uint8Array;
  /** Packet of the page that the driver saw last. */
  #lastSeen = 0;
  /** Pages that got a verdict during the present poll. */
  readonly #judged: number[] = [];

  constructor(config: DriverConfig) {
    const { ledger } = config.allocator;
    if (ledger.unitBytes !== PAGE_BYTES) throw new RangeError('PacketBook: the driver kit deals with whole pages');
    this.#config = config;
    this.stage = new Uint8Array(ledger.count);
    this.retval = new Float64Array(ledger.count);
    this.data = new Uint32Array(ledger.count);
    this.lenBytes = new Uint32Array(ledger.count);
    this.metaBytes = new Uint32Array(ledger.count);
    this.receivedBytes = new Int32Array(ledger.count);
    this.slot = new Int32Array(ledger.count);
    this.isForeign = new Uint8Array(ledger.count);
    this.#failure = new Uint8Array(ledger.count);
  }

  /** Number of the page that holds an address, -1 when it lies in none. */
  indexOf(address: number): number {
    const { ledger } = this.#config.allocator;
    const offBytes = address - ledger.baseAddress;
    return Number.isInteger(offBytes) && offBytes >= 0 && offBytes < ledger.count * PAGE_BYTES ? ledger.indexOf(address) : -1;
  }

  packetId(index: number): number {
    return this.#config.allocator.ledger.packetId[index];
  }

  /** The page goes onto the RX ring, empty. */
  post(page: number, slot: number): void {
    const { allocator, tags } = this.#config;
    const { ledger } = allocator;
    const index = ledger.indexOf(page);
    // A driver may put the page of a dropped packet straight back onto the ring.
    this.giveBack(index);
    ledger.move(page, Owner.driver, Owner.device);
    ledger.packetId[index] = 0;
    tags.payload[index] = 0;
    this.stage[index] = PageStage.posted;
    this.slot[index] = slot;
  }

  /** The driver has seen that the device is done with the page. Of a frame in several pages the first one stands for the packet. */
  see(page: number, lenBytes: number): void {
    const { ledger } = this.#config.allocator;
    ledger.move(page, Owner.device, Owner.driver);
    const index = ledger.indexOf(page);
    const packetId = ledger.packetId[index];
    this.stage[index] = packetId === 0 || packetId === this.#lastSeen ? PageStage.idle : PageStage.received;
    if (packetId !== 0) {
      this.#lastSeen = packetId;
      this.seen++;
    }
    this.receivedBytes[index] = lenBytes;
    this.retval[index] = NO_VERDICT;
    this.data[index] = this.#config.tags.payload[index];
    this.lenBytes[index] = 0;
    this.metaBytes[index] = 0;
    this.isForeign[index] = 0;
    this.#failure[index] = UNDECIDED;
  }

  /** The packet lies here now. */
  place(index: number, data: number, lenBytes: number, metaBytes: number): void {
    this.data[index] = data;
    this.lenBytes[index] = lenBytes;
    this.metaBytes[index] = metaBytes;
  }

  /** The program has returned. */
  judge(index: number, retval: number): void {
    this.stage[index] = PageStage.judged;
    this.retval[index] = retval;
    this.#judged.push(index);
  }

  /** If the page goes back now, this is why. */
  blame(index: number, outcome: Outcome): void {
    if (index >= 0) this.#failure[index] = outcome;
  }

  /** The page goes onto the TX ring; the device will tell when the frame is on the wire. */
  queue(page: number, slot: number): void {
    const { allocator, tags } = this.#config;
    const { ledger } = allocator;
    const index = ledger.indexOf(page);
    ledger.move(page, Owner.driver, Owner.txRing);
    tags.send(page, this.isForeign[index] === 1 ? TX_XDP_XMIT : TX_XDP_TX, this.retval[index] < 0 ? 0 : this.retval[index]);
    this.stage[index] = PageStage.queued;
    this.slot[index] = slot;
  }

  /** The packet ends here. */
  end(index: number, outcome: Outcome, retval: number = this.retval[index]): void {
    this.stage[index] = PageStage.idle;
    this.#config.observer.onPacketEnd(this.packetId(index), outcome, retval, 0, this.data[index], this.lenBytes[index], this.metaBytes[index]);
  }

  /** The page is given up by the driver: what was still under way in it ends by this. */
  giveBack(index: number): void {
    const stage = this.stage[index] as PageStage;
    if (stage === PageStage.received) this.end(index, this.#decided(index, Outcome.rxError), NO_VERDICT);
    else if (stage === PageStage.judged) this.end(index, this.#decided(index, outcomeOfVerdict(this.retval[index])));
    else if (stage === PageStage.queued) {
      const { tags } = this.#config;
      // A frame that comes back without having been on the wire was lost in the device.
      if (tags.kind[index] !== TX_NONE) this.end(index, Outcome.txDmaError);
      tags.kind[index] = TX_NONE;
    }
    this.stage[index] = PageStage.idle;
  }

  #decided(index: number, otherwise: Outcome): Outcome {
    const failure = this.#failure[index];
    return failure === UNDECIDED ? otherwise : (failure as Outcome);
  }

  /** The poll is over: a dropped packet is gone, whether its page came back or not. */
  endPoll(): void {
    for (const index of this.#judged) {
      if (this.stage[index] !== PageStage.judged) continue;
      const retval = this.retval[index];
      if (retval !== XDP_PASS && retval !== XDP_TX && retval !== XDP_REDIRECT) this.giveBack(index);
    }
    this.#judged.length = 0;
  }

  /** Everything is over: packets that are still somewhere end as they are. */
  endRun(): void {
    for (let index = 0; index < this.stage.length; index++) {
      if (this.stage[index] > PageStage.posted) this.giveBack(index);
    }
  }

  /** `page 12 (packet 5, XDP_DROP), now with driver, before with program`. */
  describe(index: number): string {
    const { ledger } = this.#config.allocator;
    const id = this.packetId(index);
    const packet = id === 0 ? '' : ` (packet ${id}, ${this.retval[index] < 0 ? 'no verdict' : verdictName(this.retval[index])})`;
    return `page ${index}${packet}, now with ${ownerName(ledger.owner[index])}, before with ${ownerName(ledger.previousOwner[index])}`;
  }
}

/** Why a packet with this verdict ends when its page goes back to the pool. */
function outcomeOfVerdict(retval: number): Outcome {
  switch (retval) {
    case XDP_ABORTED:
      return Outcome.xdpAborted;
    case XDP_DROP:
      return Outcome.xdpDrop;
    case XDP_PASS:
      return Outcome.rxError;
    case XDP_TX:
    case XDP_REDIRECT:
      return Outcome.txRingFull;
    default:
      return Outcome.invalidVerdict;
  }
}
