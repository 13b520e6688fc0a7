import { NO_PACKET } from './packetWatcher.js';

/** So many of the newest packets are remembered: more than all hosts of a scenario hold at any moment. */
const REMEMBERED = 2 ** 20;

/**
 * The numbers of packets, and where each came from. A frame that arrives at a NIC is a new packet of that host: it gets the next number,
 * whichever host it is. In a ring, so that memory doesn't grow with the traffic.
 */
export class PacketOrigins {
  #last = NO_PACKET;
  readonly #mask: number;
  readonly #packetId: Int32Array;
  readonly #cameFrom: Int32Array;
  readonly #hops: Int32Array;

  /** @param remembers how many of the newest packets, a power of two; 1 where no links are */
  constructor(remembers: number = REMEMBERED) {
    this.#mask = remembers - 1;
    this.#packetId = new Int32Array(remembers);
    this.#cameFrom = new Int32Array(remembers);
    this.#hops = new Int32Array(remembers);
  }

  /** Number of a packet that comes from a capture. */
  next(): number {
    return ++this.#last;
  }

  /** Number of a packet that was `packetId` on the host before, and has crossed `hops` links by now. */
  follow(packetId: number, hops: number): number {
    const id = ++this.#last;
    const at = id & this.#mask;
    this.#packetId[at] = id;
    this.#cameFrom[at] = packetId;
    this.#hops[at] = hops;
    return id;
  }

  /** Packet that this one was on the host before, NO_PACKET for one that comes from a capture. */
  cameFrom(packetId: number): number {
    const at = packetId & this.#mask;
    return this.#packetId[at] === packetId ? this.#cameFrom[at] : NO_PACKET;
  }

  /** Links that the packet has crossed. */
  hops(packetId: number): number {
    const at = packetId & this.#mask;
    return this.#packetId[at] === packetId ? this.#hops[at] : 0;
  }
}
