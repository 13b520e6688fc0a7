import { unwrap } from '../../src/base/index.js';
import type { KernelRelease } from '../../src/base/index.js';
import { HostMemory, Owner } from '../../src/memory/index.js';
import { createUmem, XskSocket } from '../../src/umem/index.js';
import type { XskRingSizes, XskTransmit } from '../../src/umem/index.js';

export interface BenchOptions {
  readonly kernel?: KernelRelease;
  readonly chunkCount?: number;
  readonly chunkSizeBytes?: number;
  readonly headroomBytes?: number;
  readonly rings?: Partial<XskRingSizes>;
  readonly txMetadataBytes?: number;
}

/** Where packets lie before the socket gets them: room for metadata, then 0x55.. bytes. */
const PACKET_META_MAX = 256;

/** One socket with its UMEM, an application that keeps the rules of ownership, and a driver that does what the test says. */
export class SocketBench {
  readonly memory = new HostMemory(4);
  readonly socket: XskSocket;
  /** What the driver answers to each packet; 0 when the list has run out. */
  readonly answers: number[] = [];
  /** Packets that the driver took, and has not completed. */
  readonly inFlight: number[] = [];
  /** Bytes of every packet that the driver took. */
  readonly sent: Uint8Array[] = [];
  /** csum_start and csum_offset of every packet that the driver took; -1 for none. */
  readonly checksums: (readonly [number, number])[] = [];
  readonly #packet: number;

  constructor({ chunkCount = 8, chunkSizeBytes = 2048, headroomBytes = 0, txMetadataBytes = 0, rings = {}, kernel }: BenchOptions = {}) {
    const umem = unwrap(createUmem(this.memory, 'umem', { chunkCount, chunkSizeBytes, headroomBytes, txMetadataBytes }));
    this.socket = new XskSocket(this.memory, 3, 1, 0, umem, { rx: 8, tx: 64, fill: 8, completion: 64, ...rings }, kernel);
    this.#packet = this.memory.reserve('packet', PACKET_META_MAX + 4096) + PACKET_META_MAX;
  }

  readonly driver: XskTransmit = {
    transmit: (_socket, address, lenBytes, completionOffBytes, { csumStart, csumOffset }) => {
      const answer = this.answers.shift() ?? 0;
      if (answer !== 0) return answer;
      this.sent.push(this.memory.u8.slice(address, address + lenBytes));
      this.inFlight.push(completionOffBytes);
      this.checksums.push([csumStart, csumOffset]);
      return 0;
    },
  };

  get umemAddress(): number {
    return this.socket.umem.address;
  }

  send(): number {
    return this.socket.send(this.driver);
  }

  /** Application: gives a chunk to FILL, by any address in it. */
  fill(offBytes: number): boolean {
    const { socket } = this;
    if (!socket.fill.produce(offBytes)) return false;
    if (socket.umem.chunkStart(offBytes) >= 0) socket.umem.chunks.move(this.umemAddress + offBytes, Owner.application, Owner.fillRing);
    return true;
  }

  /** Application: queues a descriptor. */
  queue(addr: number, len: number, options = 0): boolean {
    const { socket } = this;
    if (!socket.tx.produce(addr, len, options)) return false;
    if (socket.umem.chunkStart(addr) >= 0) socket.umem.chunks.move(this.umemAddress + addr, Owner.application, Owner.txRing);
    return true;
  }

  /** Application: takes one packet from the RX ring. */
  consume(): { readonly addr: number; readonly len: number; readonly options: number } | undefined {
    const desc = { addr: 0, len: 0, options: 0 };
    if (!this.socket.rx.peek(desc)) return undefined;
    this.socket.rx.release();
    this.socket.umem.chunks.move(this.umemAddress + desc.addr, Owner.rxRing, Owner.application);
    return desc;
  }

  /** Application: takes one address from COMPLETION, -1 when there is none. */
  reclaim(): number {
    const offBytes = this.socket.completion.consume();
    if (this.socket.umem.chunkStart(offBytes) >= 0) {
      this.socket.umem.chunks.move(this.umemAddress + offBytes, Owner.completionRing, Owner.application);
    }
    return offBytes;
  }

  /** The driver's device has sent the oldest packet. */
  completeOldest(tNs = 0): void {
    const offBytes = this.inFlight.shift();
    if (offBytes !== undefined) this.socket.complete(offBytes, tNs);
  }

  /** A packet arrives: `metaBytes` bytes of 0xee before `lenBytes` bytes that count up from `first`. */
  receive(lenBytes: number, metaBytes = 0, first = 0, packetId = 1): number {
    const { u8 } = this.memory;
    u8.fill(0xee, this.#packet - metaBytes, this.#packet);
    for (let i = 0; i < lenBytes; i++) u8[this.#packet + i] = (first + i) & 0xff;
    return this.socket.receive(this.#packet, lenBytes, metaBytes, packetId);
  }

  /** Bytes of the UMEM. */
  bytes(offBytes: number, lenBytes: number): Uint8Array {
    return this.memory.u8.slice(this.umemAddress + offBytes, this.umemAddress + offBytes + lenBytes);
  }

  /** Lets every ring begin with both indices at `index`. */
  startRingsAt(index: number): void {
    const { rx, tx, fill, completion } = this.socket;
    for (const { ring } of [rx, tx, fill, completion]) {
      ring.producer = index;
      ring.consumer = index;
    }
  }
}
