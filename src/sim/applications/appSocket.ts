import { EAGAIN, EBUSY, ENETDOWN, ENXIO, errnoName } from '../../base/index.js';
import { XDP_UMEM_UNALIGNED_CHUNK_FLAG } from '../../umem/index.js';
import type { XskSocket } from '../../xsk/index.js';

/** A socket, and the chunks that its application has in hand: the part that all applications have in common. */
export class AppSocket {
  readonly socket: XskSocket;
  /** UMEM offsets of the chunks that are neither on a ring nor with the kernel; taken from the end. */
  readonly #free: number[] = [];
  readonly #chunkBytes: number;
  readonly #isUnaligned: boolean;

  constructor(socket: XskSocket) {
    const { config, sizeBytes } = socket.umem;
    this.socket = socket;
    this.#chunkBytes = config.frameSize;
    this.#isUnaligned = (config.flags & XDP_UMEM_UNALIGNED_CHUNK_FLAG) !== 0;
    for (let chunk = Math.floor(sizeBytes / config.frameSize) - 1; chunk >= 0; chunk--) this.#free.push(chunk * config.frameSize);
  }

  get freeCount(): number {
    return this.#free.length;
  }

  /** A chunk of its own. There must be one. */
  take(): number {
    const chunk = this.#free.pop();
    if (chunk === undefined) throw new Error('AppSocket.take: no chunk is left');
    return chunk;
  }

  /** Takes back the chunk of an address that RX or COMPLETION gave, its low 48 bits. */
  give(addr: number): void {
    // Of unaligned chunks they are what FILL or TX was given; an aligned one begins where the address is rounded to.
    this.#free.push(this.#isUnaligned ? addr : addr - (addr % this.#chunkBytes));
  }

  /** Puts all chunks in hand on FILL, as many as it takes, and wakes a driver that waits for them. */
  refill(): void {
    const { fill } = this.socket;
    const count = fill.reserve(Math.min(this.#free.length, fill.nbFree(this.#free.length)));
    for (let i = 0; i < count; i++) fill.setAddr(fill.index + i, this.take());
    if (count > 0) fill.submit(count);
    if (fill.needsWakeup) this.socket.recvfrom();
  }

  /** Takes back the chunks of what was sent. */
  reclaim(): void {
    const { completion } = this.socket;
    const count = completion.peek(completion.size);
    for (let i = 0; i < count; i++) this.give(completion.addr(completion.index + i));
    if (count > 0) completion.release(count);
  }

  /**
   * Makes the kernel look at TX, if it waits for that. A call of copy mode handles 32 descriptors and ends early when COMPLETION is full, so there is one
   * after the other as long as they lead to something. What is left then is sent when the driver has room: its completions wake the application.
   */
  send(): void {
    const { tx } = this.socket;
    for (let waiting = this.waiting; waiting > 0 && tx.needsWakeup; ) {
      const result = this.socket.sendto();
      // Without its device the socket is of no use, but that is no reason to fall over.
      if (result === -ENETDOWN || result === -ENXIO) return;
      // Nor is a driver that has no program and so wakes nobody (ndo_xsk_wakeup of ice and its like gives EINVAL).
      if (result < 0 && this.socket.isZeroCopy) return;
      if (result < 0 && result !== -EAGAIN && result !== -EBUSY) throw new Error(`AppSocket.send: sendto gives ${errnoName(result)}`);
      this.reclaim();
      const before = waiting;
      waiting = this.waiting;
      if (waiting === before) return;
    }
  }

  /** Entries on TX that the kernel has not taken. */
  get waiting(): number {
    const { tx } = this.socket;
    return tx.size - tx.nbFree(tx.size);
  }
}
