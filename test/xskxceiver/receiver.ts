import { POLLIN, XDP_PKT_CONTD } from '../../src/umem/index.js';
import type { XskSocket } from '../../src/xsk/index.js';
import { BATCH } from './endpoint.js';
import type { Endpoint } from './endpoint.js';
import { lengthOf, packetBytes } from './packet.js';
import type { Packet } from './packet.js';

export interface ReceiverOptions {
  /** Socket of the endpoint; left out: the first. */
  readonly socket?: XskSocket | undefined;
  readonly batch?: number;
  /** Looks at RX only when poll says POLLIN. */
  readonly usesPoll?: boolean;
  /** False: chunks don't go back to FILL. */
  readonly refills?: boolean;
  /** False: entries of RX are looked at and never given back. */
  readonly releases?: boolean;
  /** What the program has added to each packet, bytes, at its end: zeros, or negative: cut off. */
  readonly tailChange?: number;
  /** Metadata before each packet that begins with its number, u64: bytes. */
  readonly metadataBytes?: number;
}

/** Mistakes that are told; of a stream that is out of order each packet is one. */
const KEPT_MISTAKES = 10;

/** Receives packets, and compares each with the one that must be next: its bytes, where it lies, its metadata. */
export class Receiver {
  readonly endpoint: Endpoint;
  readonly socket: XskSocket;
  /** What went wrong, sentences. */
  readonly mistakes: string[] = [];
  received = 0;
  /** Descriptors of them. */
  descriptors = 0;
  /** How often poll said that nothing is there. */
  pollsIdle = 0;
  readonly #expected: readonly Packet[];
  readonly #options: Required<Omit<ReceiverOptions, 'socket'>>;
  /** Parts so far of a packet that isn't complete. */
  #parts: Uint8Array[] = [];

  constructor(endpoint: Endpoint, expected: readonly Packet[], { socket = endpoint.sockets[0], ...options }: ReceiverOptions = {}) {
    this.endpoint = endpoint;
    this.socket = socket;
    this.#expected = expected;
    this.#options = { batch: BATCH, usesPoll: false, refills: true, releases: true, tailChange: 0, metadataBytes: 0, ...options };
  }

  get expectedCount(): number {
    return this.#expected.length;
  }

  get isDone(): boolean {
    return this.received >= this.#expected.length;
  }

  /** Takes what is there. @returns something was there */
  step(): boolean {
    if (this.endpoint.config.isBusyPolled) this.socket.recvfrom();
    if (this.#options.usesPoll && (this.socket.poll(POLLIN) & POLLIN) === 0) {
      this.pollsIdle++;
      return false;
    }
    let total = 0;
    for (let count = this.#takeBatch(); count > 0; count = this.#takeBatch()) total += count;
    if (total === 0 && this.socket.fill.needsWakeup) this.socket.poll(POLLIN);
    return total > 0;
  }

  #takeBatch(): number {
    const { rx } = this.socket;
    const count = rx.peek(this.#options.batch);
    const chunks: number[] = [];
    for (let i = 0; i < count; i++) {
      this.#take(rx.index + i);
      chunks.push(rx.addr(rx.index + i));
    }
    if (this.#options.releases) rx.release(count);
    if (this.#options.refills) this.endpoint.refill(chunks);
    return count;
  }

  #take(index: number): void {
    const { rx } = this.socket;
    const { umem, dataOff, config } = this.endpoint;
    const at = umem.getData(rx.dataAddr(index));
    const len = rx.len(index);
    const offBytes = config.isUnaligned ? rx.offset(index) : rx.addr(index) % config.frameSize;
    if (offBytes !== dataOff) this.#note(`it begins ${offBytes} bytes behind the beginning of its chunk, not ${dataOff}`);
    if (this.#parts.length === 0) this.#checkMetadata(at);
    this.#parts.push(umem.u8.slice(at, at + len));
    this.descriptors++;
    if ((rx.options(index) & XDP_PKT_CONTD) !== 0) return;
    this.#check(Buffer.concat(this.#parts));
    this.#parts = [];
    this.received++;
  }

  #check(bytes: Uint8Array): void {
    const packet = this.#expected[this.received];
    if (packet === undefined) {
      this.#note('nobody sent it, or it was to be dropped');
      return;
    }
    const { tailChange } = this.#options;
    const sent = packetBytes(packet, lengthOf(packet) + Math.min(tailChange, 0));
    const expected = tailChange > 0 ? Buffer.concat([sent, new Uint8Array(tailChange)]) : sent;
    if (bytes.length !== expected.length) this.#note(`it has ${bytes.length} bytes, not ${expected.length}`);
    else if (Buffer.compare(bytes, expected) !== 0) {
      const wrong = expected.findIndex((byte, i) => byte !== bytes[i]);
      this.#note(`byte ${wrong} is ${bytes[wrong]}, not ${expected[wrong]}: it should be number ${packet.number}, and says ${(bytes[14] << 8) | bytes[15]}`);
    }
  }

  #checkMetadata(at: number): void {
    const { metadataBytes } = this.#options;
    if (metadataBytes === 0) return;
    const { u8 } = this.endpoint.umem;
    const number = Number(new DataView(u8.buffer, u8.byteOffset + at - metadataBytes, 8).getBigUint64(0, true));
    if (number !== this.received) this.#note(`its metadata says that it is number ${number}`);
  }

  #note(mistake: string): void {
    if (this.mistakes.length < KEPT_MISTAKES) this.mistakes.push(`packet ${this.received}: ${mistake}`);
  }
}
