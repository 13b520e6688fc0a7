import { EAGAIN, EBUSY, errnoName } from '../../src/base/index.js';
import { POLLOUT } from '../../src/umem/index.js';
import type { XskSocket } from '../../src/xsk/index.js';
import { BATCH } from './endpoint.js';
import type { Endpoint } from './endpoint.js';
import { lengthOf, optionsOf, packetBytes } from './packet.js';
import type { Packet } from './packet.js';

export interface SenderOptions {
  /** The kernel puts descriptors that it finds fault with on COMPLETION, too. */
  readonly completesInvalid: boolean;
  /** Socket of the endpoint; left out: the first. */
  readonly socket?: XskSocket | undefined;
  /** Packets that go on the ring at once; left out: 64. */
  readonly batch?: number;
  /** Puts a batch on the ring when all before it has come back. */
  readonly waits?: boolean;
  /** Asks poll for POLLOUT before each batch, which also sends in copy mode. */
  readonly usesPoll?: boolean;
  /** False: COMPLETION is left as it is. */
  readonly completes?: boolean;
  /** The NIC drops packets, as they are too long for it, and the send call says EBUSY. */
  readonly expectsDrops?: boolean;
}

/** Sends a stream of packets, batch by batch. */
export class Sender {
  readonly endpoint: Endpoint;
  readonly socket: XskSocket;
  /** What went wrong, sentences. */
  readonly mistakes: string[] = [];
  /** How often poll said that there is no room. */
  pollsWithoutRoom = 0;
  readonly #stream: readonly Packet[];
  readonly #options: Required<Omit<SenderOptions, 'socket'>>;
  #next = 0;

  constructor(endpoint: Endpoint, stream: readonly Packet[], { socket = endpoint.sockets[0], ...options }: SenderOptions) {
    this.endpoint = endpoint;
    this.socket = socket;
    this.#stream = stream;
    this.#options = { batch: BATCH, waits: false, usesPoll: false, completes: true, expectsDrops: false, ...options };
  }

  /** Not all of what it sends is valid. */
  get hasInvalid(): boolean {
    return this.#stream.some(({ isValid }) => !isValid);
  }

  /** The kernel has taken every packet, and given every buffer back. */
  get isDone(): boolean {
    const { tx } = this.socket;
    return this.#next === this.#stream.length && tx.producer === tx.consumer && (!this.#options.completes || this.endpoint.onTheirWay <= 0);
  }

  /** Collects completions, puts a batch on the ring and wakes the kernel. @returns something has moved */
  step(): boolean {
    const completed = this.#options.completes ? this.endpoint.complete() : 0;
    if (this.#options.usesPoll && this.#next < this.#stream.length && (this.socket.poll(POLLOUT) & POLLOUT) === 0) {
      this.pollsWithoutRoom++;
      return completed > 0;
    }
    return completed + this.#queue() + this.#kick() > 0;
  }

  /** @returns packets */
  #queue(): number {
    const { tx } = this.socket;
    let packets = 0;
    let parts = 0;
    if (this.#options.waits && (tx.producer !== tx.consumer || this.endpoint.onTheirWay > 0)) return 0;
    for (; packets < this.#options.batch && this.#next < this.#stream.length; packets++) {
      const packet = this.#stream[this.#next];
      const hasBuffers = !this.#options.completes || this.endpoint.onTheirWay + packet.parts.length <= this.endpoint.config.txBuffers;
      if (!hasBuffers || tx.reserve(packet.parts.length) === 0) break;
      this.#write(packet, tx.index);
      parts += packet.parts.length;
      this.#next++;
    }
    tx.submit(parts);
    return packets;
  }

  #write(packet: Packet, index: number): void {
    const { umem } = this.endpoint;
    const bytes = packetBytes(packet, packet.isValid ? lengthOf(packet) : 0);
    const comesBack = packet.isValid || this.#options.completesInvalid;
    let at = 0;
    packet.parts.forEach((part, i) => {
      const addr = part.addr ?? this.endpoint.nextTxBuffer();
      if (packet.isValid) umem.u8.set(bytes.subarray(at, at + part.len), umem.getData(addr));
      at += part.len;
      // A negative one as C has it, a large u64.
      const [low, high] = addr < 0 ? [addr + 2 ** 48, 0xffff] : [addr, 0];
      this.socket.tx.setDesc(index + i, low, part.len, optionsOf(packet, i), high);
      if (comesBack) this.endpoint.owedAddresses.push(low + high);
    });
  }

  /** Calls sendto as often as the kernel takes something and has something left. @returns descriptors that it took */
  #kick(): number {
    const { tx } = this.socket;
    const before = tx.consumer;
    for (let last = -1; tx.consumer !== last && tx.consumer !== tx.producer; ) {
      last = tx.consumer;
      if (!tx.needsWakeup && !this.endpoint.config.isBusyPolled) break;
      const result = this.socket.sendto();
      const isExpected = result === 0 || result === -EAGAIN || (result === -EBUSY && this.#options.expectsDrops);
      if (!isExpected) this.mistakes.push(`sendto gave ${errnoName(result)}`);
    }
    return (tx.consumer - before) >>> 0;
  }
}
