import type { Ring } from './ring.js';
import type { XdpSock } from './xdpSock.js';
import type { XskBuffPool } from './xskBuffPool.js';
import type { XskQueue } from './xskQueue.js';

export type RingKind = 'RX' | 'TX' | 'FILL' | 'COMPLETION';

/** A ring of a UMEM as the watch knows it. */
export class WatchedRing {
  /** Number among the rings of the UMEM. */
  readonly id: number;
  readonly kind: RingKind;
  readonly queue: XskQueue;
  readonly ring: Ring;
  readonly pool: XskBuffPool;
  /** Whose ring it is; of FILL and COMPLETION the first socket that came with them. */
  readonly socket: XdpSock;
  /** Index up to which the application's half is known: producer of FILL and TX, consumer of RX and COMPLETION. */
  seen: number;
  /** The first of these. */
  readonly start: number;
  /** Its socket, or its pool, is bound. */
  isOpen = true;
  /** FILL and TX: since when entries wait that no system call has followed, ns; -1 for none. */
  waitingSinceNs = -1;
  /** TX: what the last sendto gave. */
  lastResult = 0;
  /** TX: descriptors of the packet whose last one has not been seen yet. */
  openDescriptors = 0;
  /** FILL: how often a packet found none, when first, ns, -1 for never, and who had the chunks then, by `Owner`. */
  starvedCount = 0;
  starvedNs = -1;
  starvedOwners: readonly number[] = [];

  constructor(id: number, kind: RingKind, queue: XskQueue, pool: XskBuffPool, socket: XdpSock) {
    this.id = id;
    this.kind = kind;
    this.queue = queue;
    this.ring = queue.ring;
    this.pool = pool;
    this.socket = socket;
    this.start = kind === 'FILL' || kind === 'TX' ? queue.cachedCons : queue.cachedProd;
    this.seen = this.start;
  }

  /** The application has done nothing with it yet. */
  get isUntouched(): boolean {
    return this.seen === this.start;
  }

  /** The slot of an index. */
  slot(index: number): number {
    return index & (this.ring.size - 1);
  }
}
