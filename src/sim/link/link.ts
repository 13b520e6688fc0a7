import { ok, ProblemError, Rng } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import { BATCH_FRAMES } from '../../nic/index.js';
import type { WireBatch } from '../../nic/index.js';
import type { EventQueue } from '../eventQueue.js';
import type { PacketOrigins } from '../packetOrigins.js';
import { WIRE_SLOT_BYTES } from '../wireSource.js';
import type { WireSink, WireSource } from '../wireSource.js';
import { FrameQueue } from './frameQueue.js';
import { Line } from './line.js';

/** What a link is like; both directions are alike. */
export interface LinkSettings {
  /** Bits per second on the wire, preamble and gaps included, as Ethernet counts; 0: frames take no time. */
  readonly rateBitsPerS: number;
  /** Time from one end to the other, ns. */
  readonly delayNs: number;
  /** Probability from 0 to 1 that a frame is damaged on its way, and so never arrives. */
  readonly loss: number;
  /** Frames that can wait for the line; left out: any number. */
  readonly queueFrames?: number | undefined;
}

/** A patch cable of no length between ports without speed: what a veth pair is. */
export const IDEAL_LINK: LinkSettings = { rateBitsPerS: 0, delayNs: 0, loss: 0 };

/** More bytes on the way are refused: a loop that doubles packets, or a delay that nobody has the memory for. */
const MAX_BYTES = 256 << 20;

/** What became of frames that were sent into one direction of a link; `frames` is the sum of the others once all have come to rest. */
export interface LinkCounters {
  frames: number;
  bytes: number;
  delivered: number;
  /** By the dice of `loss`. */
  lost: number;
  queueFull: number;
  /** Had crossed too many links. */
  hopLimit: number;
}

/** What becomes of one frame. */
export const LINK_FATES = ['delivered', 'lost', 'queue_full', 'hop_limit'] as const;
export type LinkFate = (typeof LINK_FATES)[number];

/** Hears of each frame: when it is there, or, when it does not get there, when it is sent. */
export interface LinkObserver {
  /**
   * @param packetId on the sending host, NO_PACKET for a frame that carries none
   * @param arrivedAs on the receiving host, NO_PACKET for one that did not get there
   */
  onFrame(direction: LinkDirection, packetId: number, arrivedAs: number, sentNs: number, fate: LinkFate, lenBytes: number): void;
}

/** What a direction of a link is made of. */
export interface LinkDirectionParts {
  /** `HOST.NIC > HOST.NIC`. */
  readonly name: string;
  readonly settings: LinkSettings;
  readonly events: EventQueue;
  readonly origins: PacketOrigins;
  /** Memory of the sending and of the receiving host. */
  readonly from: HostMemory;
  readonly to: HostMemory;
  readonly seed: number;
  /** Links that a packet may cross. */
  readonly maxHops: number;
  readonly observer: LinkObserver;
}

/**
 * One direction of a link: the line, and the frames on their way. What is sent arrives in its order, once, `delayNs` after its last bit has
 * left; a frame that is lost takes its time on the line all the same.
 */
export class LinkDirection implements WireSink, WireSource {
  readonly name: string;
  readonly settings: LinkSettings;
  readonly counters: LinkCounters = { frames: 0, bytes: 0, delivered: 0, lost: 0, queueFull: 0, hopLimit: 0 };
  readonly #events: EventQueue;
  readonly #origins: PacketOrigins;
  readonly #from: Uint8Array;
  readonly #to: Uint8Array;
  readonly #slots: number;
  readonly #rng: Rng;
  readonly #maxHops: number;
  readonly #observer: LinkObserver;
  readonly #line: Line;
  readonly #frames = new FrameQueue();
  /** When the frames go on the line that wait for it, as a queue: those that are lost wait too. */
  readonly #starts: WaitingStarts | undefined;

  constructor(parts: LinkDirectionParts) {
    this.name = parts.name;
    this.settings = parts.settings;
    this.#events = parts.events;
    this.#origins = parts.origins;
    this.#from = parts.from.u8;
    this.#to = parts.to.u8;
    this.#slots = parts.to.reserve(`wire of ${parts.name}`, BATCH_FRAMES * WIRE_SLOT_BYTES);
    this.#rng = new Rng(parts.seed);
    this.#maxHops = parts.maxHops;
    this.#observer = parts.observer;
    this.#line = new Line(parts.settings.rateBitsPerS);
    if (parts.settings.queueFrames !== undefined) this.#starts = new WaitingStarts(parts.settings.queueFrames);
  }

  /** Frames that have been sent and are not there yet. */
  get onTheWay(): number {
    return this.#frames.count;
  }

  send(packetId: number, address: number, lenBytes: number): void {
    const { counters, settings } = this;
    const nowNs = Math.ceil(this.#events.nowNs);
    counters.frames++;
    counters.bytes += lenBytes;
    const hops = this.#origins.hops(packetId) + 1;
    if (hops > this.#maxHops) {
      counters.hopLimit++;
      this.#observer.onFrame(this, packetId, 0, this.#events.nowNs, 'hop_limit', lenBytes);
      return;
    }
    if (this.#starts !== undefined && !this.#starts.add(nowNs, this.#line.startNs(nowNs))) {
      counters.queueFull++;
      this.#observer.onFrame(this, packetId, 0, this.#events.nowNs, 'queue_full', lenBytes);
      return;
    }
    const arrivalNs = this.#line.send(nowNs, lenBytes) + settings.delayNs;
    if (settings.loss > 0 && this.#rng.nextU32() < settings.loss * 2 ** 32) {
      counters.lost++;
      this.#observer.onFrame(this, packetId, 0, this.#events.nowNs, 'lost', lenBytes);
      return;
    }
    const keptBytes = Math.min(lenBytes, WIRE_SLOT_BYTES);
    if (this.#frames.usedBytes + keptBytes > MAX_BYTES) throw tooMuch(this.name);
    this.#frames.push(arrivalNs, this.#events.nowNs, packetId, hops, this.#from, address, lenBytes, keptBytes);
  }

  get nextNs(): number {
    return this.#frames.firstArrivalNs;
  }

  take(untilNs: number, batch: WireBatch): Result<void> {
    const frames = this.#frames;
    let count = 0;
    for (; count < BATCH_FRAMES && frames.firstArrivalNs <= untilNs; count++) {
      const slot = this.#slots + count * WIRE_SLOT_BYTES;
      frames.copyFirst(this.#to, slot);
      const packetId = this.#origins.follow(frames.firstPacketId, frames.firstHops);
      batch.address[count] = slot;
      batch.lenBytes[count] = frames.firstLenBytes;
      batch.packetId[count] = packetId;
      this.counters.delivered++;
      this.#observer.onFrame(this, frames.firstPacketId, packetId, frames.firstSentNs, 'delivered', frames.firstLenBytes);
      frames.shift();
    }
    batch.count = count;
    return DONE;
  }
}

const DONE = ok(undefined);

/** The moments at which the last frames go on the line: as many of them as can wait lie in the future. */
class WaitingStarts {
  readonly #startNs: Float64Array;
  #count = 0;
  #head = 0;

  /** @param limit frames that can wait */
  constructor(limit: number) {
    this.#startNs = new Float64Array(limit);
  }

  /** A frame comes; false when it would have to wait and so many do already. */
  add(nowNs: number, startNs: number): boolean {
    const size = this.#startNs.length;
    while (this.#count > 0 && this.#startNs[this.#head] <= nowNs) {
      this.#head = (this.#head + 1) % size;
      this.#count--;
    }
    if (startNs <= nowNs) return true;
    if (this.#count === size) return false;
    this.#startNs[(this.#head + this.#count++) % size] = startNs;
    return true;
  }
}

function tooMuch(name: string): ProblemError {
  return new ProblemError({
    code: 'link-overflow',
    where: `link ${name}`,
    message: `more than ${MAX_BYTES >> 20} MiB of frames are on their way at once`,
    hint: 'look for packets that go round in circles and are copied on their way, or give the link a queue limit or less delay',
  });
}
