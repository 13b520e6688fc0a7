import { EBUSY, formatProblem, unwrap } from '../../src/base/index.js';
import { POLLIN, XDP_COPY, XDP_PACKET_HEADROOM, XDP_UMEM_UNALIGNED_CHUNK_FLAG, XDP_USE_NEED_WAKEUP, XDP_USE_SG, XDP_ZEROCOPY } from '../../src/umem/index.js';
import type { Mapping } from '../../src/umem/index.js';
import { XskSocket, XskUmem } from '../../src/xsk/index.js';
import type { Bed, BedEnd, Mode } from './bed.js';

/** Sizes of the selftest. */
export const DEFAULT_BUFFERS = 1024;
export const DEFAULT_RING = 2048;
export const BATCH = 64;

/** How an application sets its UMEM and its sockets up; what is left out is as in the selftest. */
export interface EndpointConfig {
  readonly mode: Mode;
  readonly frameSize?: number;
  readonly buffers?: number;
  readonly headroom?: number;
  readonly isUnaligned?: boolean;
  readonly rxSize?: number;
  readonly txSize?: number;
  readonly fillSize?: number;
  readonly compSize?: number;
  /** What the device writes between headroom and packet. */
  readonly prefixBytes?: number;
  /** Packets of several descriptors. */
  readonly hasSg?: boolean;
  /** Sockets on the one queue, which share the UMEM. */
  readonly sockets?: number;
  readonly isBusyPolled?: boolean;
  /** Buffers that packets are sent from, the first ones of the UMEM; left out: all. */
  readonly txBuffers?: number;
  /** Chunks for FILL at the beginning, UMEM offsets; left out: every buffer, from its beginning. */
  readonly fill?: readonly number[];
}

/** SO_BUSY_POLL and SO_BUSY_POLL_BUDGET of the selftest, µs and packets. */
const BUSY_POLL_USECS = 20;
const BUSY_POLL_BUDGET = BATCH;

/** The kernel gives a queue back some time after its socket was closed. */
const BIND_ATTEMPTS = 10;
const BIND_RETRY_MS = 20;

/** An application at one end: a UMEM and sockets on queue 0, and chunks on FILL. */
export class Endpoint {
  readonly bed: Bed;
  readonly end: BedEnd;
  readonly umem: XskUmem;
  readonly sockets: readonly XskSocket[];
  readonly config: Required<Omit<EndpointConfig, 'fill'>>;
  /** Addresses that have to come back on COMPLETION, and that did, in their order: of all sockets, as they share that ring. */
  readonly owedAddresses: number[] = [];
  readonly completedAddresses: number[] = [];
  readonly #area: Mapping;
  #txBuffer = 0;

  constructor(bed: Bed, end: BedEnd, config: EndpointConfig) {
    this.bed = bed;
    this.end = end;
    this.config = {
      frameSize: 4096, buffers: DEFAULT_BUFFERS, headroom: 0, prefixBytes: 0, isUnaligned: false, rxSize: DEFAULT_RING, txSize: DEFAULT_RING, fillSize: DEFAULT_RING,
      compSize: DEFAULT_RING, hasSg: false, sockets: 1, isBusyPolled: false,
      txBuffers: config.buffers ?? DEFAULT_BUFFERS, ...config,
    };
    const { frameSize, buffers, headroom, isUnaligned, fillSize, compSize, sockets } = this.config;
    this.#area = end.calls.mmapAnonymous(this.sizeBytes);
    const flags = isUnaligned ? XDP_UMEM_UNALIGNED_CHUNK_FLAG : 0;
    this.umem = unwrap(XskUmem.create(end.calls, this.#area, this.sizeBytes, { fillSize, compSize, frameSize, frameHeadroom: headroom, flags }));
    this.sockets = Array.from({ length: sockets }, (_, i) => (i === 0 ? this.#bind() : this.#share()));
    if (this.config.isBusyPolled) for (const socket of this.sockets) socket.setBusyPoll(BUSY_POLL_USECS, BUSY_POLL_BUDGET, true);
    this.refill(config.fill ?? Array.from({ length: buffers }, (_, i) => i * frameSize));
  }

  get sizeBytes(): number {
    return this.config.buffers * this.config.frameSize;
  }

  /** Bytes of packet that a chunk takes in copy mode. */
  get frameBytes(): number {
    return this.config.frameSize - this.dataOff;
  }

  /** From the beginning of a chunk to the packet that the kernel puts into it. */
  get dataOff(): number {
    return XDP_PACKET_HEADROOM + this.config.headroom + this.config.prefixBytes;
  }

  #bind(): XskSocket {
    const { mode, hasSg, rxSize, txSize } = this.config;
    const bindFlags = (mode === 'ZC' ? XDP_ZEROCOPY : XDP_COPY) | XDP_USE_NEED_WAKEUP | (hasSg ? XDP_USE_SG : 0);
    for (let attempt = 1; ; attempt++) {
      const bound = XskSocket.create(this.umem, this.end.ifindex, 0, { rxSize, txSize, bindFlags });
      if (bound.ok) return bound.value;
      if (bound.problem.errno !== EBUSY || attempt === BIND_ATTEMPTS) throw new Error(formatProblem(bound.problem));
      this.bed.pass(BIND_RETRY_MS);
    }
  }

  #share(): XskSocket {
    const { rxSize, txSize } = this.config;
    return unwrap(XskSocket.createShared(this.umem, this.end.ifindex, 0, { rxSize, txSize }));
  }

  /** Puts each socket into the slot of its number, as programs of several sockets want it. */
  putSockets(): void {
    this.sockets.forEach((socket, slot) => this.putSocket(slot, socket));
  }

  putSocket(slot: number, socket: XskSocket): void {
    const error = this.end.putSocket(slot, socket.fd);
    if (error !== 0) throw new Error(`Endpoint.putSocket: ${error}`);
  }

  /** Gives chunks to FILL, and wakes the kernel if it sleeps on it. */
  refill(chunks: readonly number[]): void {
    const [{ fill }] = this.sockets;
    if (chunks.length > 0 && fill.reserve(chunks.length) === 0) throw new Error(`Endpoint.refill: FILL has no room for ${chunks.length} chunks`);
    chunks.forEach((chunk, i) => fill.setAddr(fill.index + i, chunk));
    fill.submit(chunks.length);
    if (fill.needsWakeup) this.sockets[0].poll(POLLIN);
  }

  /** UMEM offset of the buffer that the next packet, or the next part of one, is sent from. */
  nextTxBuffer(): number {
    const buffer = this.#txBuffer;
    this.#txBuffer = (buffer + 1) % this.config.txBuffers;
    return buffer * this.config.frameSize;
  }

  /** Buffers that were sent and have not come back. */
  get onTheirWay(): number {
    return this.owedAddresses.length - this.completedAddresses.length;
  }

  /** Takes what is on COMPLETION. @returns entries */
  complete(): number {
    const [{ completion }] = this.sockets;
    const count = completion.peek(this.config.compSize);
    for (let i = 0; i < count; i++) this.completedAddresses.push(completion.dataAddr(completion.index + i));
    completion.release(count);
    return count;
  }

  close(): void {
    for (const socket of this.sockets) socket.delete();
    const error = this.umem.delete();
    if (error !== 0) throw new Error(`Endpoint.close: ${error}`);
    this.end.calls.munmap(this.#area);
  }
}
