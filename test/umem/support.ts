import { EventQueue } from '../../src/sim/eventQueue.js';
import type { KernelRelease } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import {
  AF_XDP, AfXdp, MSG_DONTWAIT, SOCK_RAW, SOL_XDP, XDP_COPY, XDP_RX_RING, XDP_TX_RING, XDP_UMEM_COMPLETION_RING, XDP_UMEM_FILL_RING, XDP_UMEM_REG,
  XDP_UMEM_TX_METADATA_LEN, XDP_UMEM_UNALIGNED_CHUNK_FLAG, XDP_USE_SG,
} from '../../src/umem/index.js';
import type { Ring, Umem, XdpSock, XskBuffPool, XskDevice, XskQuirks } from '../../src/umem/index.js';

export interface BenchOptions {
  readonly kernel?: KernelRelease;
  readonly quirks?: XskQuirks;
  readonly chunkCount?: number;
  readonly chunkSizeBytes?: number;
  readonly headroomBytes?: number;
  readonly isUnaligned?: boolean;
  readonly rings?: { readonly rx?: number; readonly tx?: number; readonly fill?: number; readonly completion?: number };
  readonly txMetadataBytes?: number;
  readonly hasSg?: boolean;
  readonly hashesPackets?: boolean;
}

export interface ReadDesc {
  readonly addr: number;
  readonly len: number;
  readonly options: number;
}

/** Where packets lie before the socket gets them: room for metadata, then bytes that count up. */
const PACKET_META_MAX = 256;
const PACKET_MAX = 20_000;

const IFINDEX = 1;

/** The bytes of a u32. */
export const u32Bytes = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

/** One socket with its UMEM in copy mode, an application that keeps the rules of ownership, and a driver that does what the test says. */
export class SocketBench {
  readonly memory = new HostMemory(8);
  readonly events = new EventQueue(0);
  readonly afXdp: AfXdp;
  readonly fd: number;
  readonly socket: XdpSock;
  readonly umem: Umem;
  readonly pool: XskBuffPool;
  readonly rx: Ring;
  readonly tx: Ring;
  readonly fillRing: Ring;
  readonly completion: Ring;
  /** What the driver answers to each packet; 0 when the list has run out. */
  readonly answers: number[] = [];
  /** Packets that the driver took, and has not completed. */
  readonly inFlight: number[] = [];
  /** Bytes of every packet that the driver took. */
  readonly sent: Uint8Array[] = [];
  /** csum_start and csum_offset of every packet that the driver took; -1 for none. */
  readonly checksums: (readonly [number, number])[] = [];
  readonly #packet: number;

  constructor(options: BenchOptions = {}) {
    const { chunkCount = 8, chunkSizeBytes = 2048, headroomBytes = 0, txMetadataBytes = 0, isUnaligned = false, rings = {}, kernel, quirks, hasSg = false, hashesPackets = false } = options;
    const { memory } = this;
    this.afXdp = new AfXdp({ memory, scheduler: this.events, kernel, quirks, hashesPackets });
    this.afXdp.addDevice(this.device);
    this.fd = this.afXdp.socket(SOCK_RAW, 0);
    const area = this.afXdp.mmapAnonymous(chunkCount * chunkSizeBytes);
    const reg = new DataView(new ArrayBuffer(32));
    reg.setBigUint64(0, area.address, true);
    reg.setBigUint64(8, BigInt(chunkCount * chunkSizeBytes), true);
    reg.setUint32(16, chunkSizeBytes, true);
    reg.setUint32(20, headroomBytes, true);
    reg.setUint32(24, (txMetadataBytes > 0 ? XDP_UMEM_TX_METADATA_LEN : 0) | (isUnaligned ? XDP_UMEM_UNALIGNED_CHUNK_FLAG : 0), true);
    reg.setUint32(28, txMetadataBytes, true);
    const sizes = { rx: 8, tx: 64, fill: 8, completion: 64, ...rings };
    const results = [
      this.afXdp.setsockopt(this.fd, SOL_XDP, XDP_UMEM_REG, new Uint8Array(reg.buffer)),
      this.afXdp.setsockopt(this.fd, SOL_XDP, XDP_RX_RING, u32Bytes(sizes.rx)),
      this.afXdp.setsockopt(this.fd, SOL_XDP, XDP_TX_RING, u32Bytes(sizes.tx)),
      this.afXdp.setsockopt(this.fd, SOL_XDP, XDP_UMEM_FILL_RING, u32Bytes(sizes.fill)),
      this.afXdp.setsockopt(this.fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, u32Bytes(sizes.completion)),
      this.afXdp.bind(this.fd, new Uint8Array(Uint32Array.of(AF_XDP | ((XDP_COPY | (hasSg ? XDP_USE_SG : 0)) << 16), IFINDEX, 0, 0).buffer)),
    ];
    if (results.some((result) => result !== 0)) throw new Error(`SocketBench: refused: ${results.join(', ')}`);
    this.socket = this.afXdp.socketOf(this.fd)!;
    this.umem = this.socket.umem!;
    this.pool = this.socket.pool!;
    this.rx = this.socket.rx!.ring;
    this.tx = this.socket.tx!.ring;
    this.fillRing = this.pool.fill.ring;
    this.completion = this.pool.completion.ring;
    this.#packet = memory.reserve('packet', PACKET_META_MAX + PACKET_MAX) + PACKET_META_MAX;
  }

  readonly device: XskDevice = {
    ifindex: IFINDEX,
    rxQueues: 1,
    txQueues: 1,
    mtu: 1500,
    kick: () => {},
    xskTransmit: (_socket, { partAddress, partBytes, partCount, completion, metadata }) => {
      const answer = this.answers.shift() ?? 0;
      if (answer !== 0) return answer;
      const parts = Array.from({ length: partCount }, (_, i) => this.memory.u8.slice(partAddress[i], partAddress[i]! + partBytes[i]!));
      this.sent.push(Uint8Array.from(parts.flatMap((part) => [...part])));
      this.inFlight.push(completion);
      this.checksums.push([metadata.csumStart, metadata.csumOffset]);
      return 0;
    },
  };

  /** The virtual clock. */
  get clock(): { nowNs: number } {
    return this.events;
  }

  get umemAddress(): number {
    return this.umem.address;
  }

  /** Chunks that the kernel holds. */
  get kernelChunkCount(): number {
    return this.pool.freeCount + this.pool.inFlight;
  }

  send(): number {
    return this.afXdp.sendto(this.fd, MSG_DONTWAIT);
  }

  /** Application: gives a chunk to FILL, by any address in it. */
  fill(low: number, high = 0): boolean {
    if (!put(this.fillRing, [low, high])) return false;
    this.afXdp.observe();
    return true;
  }

  /** Application: queues a descriptor. */
  queue(addr: number, len: number, options = 0, high = 0): boolean {
    if (!put(this.tx, [addr, high, len, options])) return false;
    this.afXdp.observe();
    return true;
  }

  /** Application: takes one packet from the RX ring. `addr` is where its bytes begin. */
  consume(): ReadDesc | undefined {
    const { rx, memory } = this;
    if (rx.isEmpty) return undefined;
    const word = rx.entryWord(rx.consumer);
    rx.consumer += 1;
    const [low, high, len, options] = memory.u32.subarray(word, word + 4);
    this.afXdp.observe();
    return { addr: low! + (high! >>> 16), len: len!, options: options! };
  }

  /** Application: takes one address from COMPLETION, -1 when there is none. */
  reclaim(): number {
    const { completion, memory } = this;
    if (completion.isEmpty) return -1;
    const word = completion.entryWord(completion.consumer);
    completion.consumer += 1;
    const address = memory.u32[word]! + memory.u32[word + 1]! * 2 ** 32;
    this.afXdp.observe();
    return address;
  }

  /** The driver's device has sent the oldest packet. */
  completeOldest(tNs = 0): void {
    const packet = this.inFlight.shift();
    if (packet !== undefined) this.pool.completePacket(packet, tNs);
  }

  /** A packet arrives: `metaBytes` bytes of 0xee before `lenBytes` bytes that count up from `first`. */
  receive(lenBytes: number, metaBytes = 0, first = 0, packetId = 1, hasFragments = false): number {
    const { u8 } = this.memory;
    u8.fill(0xee, this.#packet - metaBytes, this.#packet);
    for (let i = 0; i < lenBytes; i++) u8[this.#packet + i] = (first + i) & 0xff;
    const refused = this.socket.checkReceive(IFINDEX, 0, lenBytes);
    if (refused !== 0) return refused;
    const error = this.socket.copyPacket(this.#packet, lenBytes, metaBytes, hasFragments, packetId);
    if (error === 0) this.socket.flush();
    return error;
  }

  /** Bytes of the UMEM. */
  bytes(offBytes: number, lenBytes: number): Uint8Array {
    return this.memory.u8.slice(this.umemAddress + offBytes, this.umemAddress + offBytes + lenBytes);
  }

  /** Lets every ring begin with both indices at `index`. */
  startRingsAt(index: number): void {
    for (const queue of [this.socket.rx!, this.socket.tx!, this.pool.fill, this.pool.completion]) {
      queue.ring.producer = index;
      queue.ring.consumer = index;
      queue.cachedProd = index;
      queue.cachedCons = index;
    }
    for (const watched of this.umem.watch!.rings) watched.seen = index;
  }
}

function put(ring: Ring, words: readonly number[]): boolean {
  if (ring.used >= ring.size) return false;
  ring.u32.set(words, ring.entryWord(ring.producer));
  ring.producer += 1;
  return true;
}
