import { Rng } from '../../src/base/index.js';
import type { KernelRelease } from '../../src/base/index.js';
import { HostMemory, Owner } from '../../src/memory/index.js';
import { EventQueue } from '../../src/sim/eventQueue.js';
import {
  AF_XDP, AfXdp, MSG_DONTWAIT, SOCK_RAW, SOL_XDP, XDP_COPY, XDP_RX_RING, XDP_SHARED_UMEM, XDP_TX_RING, XDP_UMEM_COMPLETION_RING, XDP_UMEM_FILL_RING,
  XDP_UMEM_REG, XDP_UMEM_UNALIGNED_CHUNK_FLAG, XDP_USE_SG, XDP_ZEROCOPY, receiveZeroCopy, ZeroCopyTx,
} from '../../src/umem/index.js';
import type { Ring, Umem, XdpSock, XskBuffPool, XskDevice, XskQuirks } from '../../src/umem/index.js';

const IFINDEX = 1;
const PACKET_MAX = 9000;
const u32Bytes = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

export interface WorldOptions {
  readonly kernel: KernelRelease;
  readonly quirks?: XskQuirks;
  readonly chunkSizeBytes: number;
  readonly chunkCount: number;
  readonly isUnaligned: boolean;
  readonly ringSizes: readonly number[];
  /** Where all indices begin. */
  readonly firstIndex: number;
  readonly isZeroCopy?: boolean;
}

/** What a driver in zero-copy mode has of one queue: chunks for packets to come, and how many descriptors wait to be completed. */
interface DriverQueue {
  readonly pool: XskBuffPool;
  readonly posted: number[];
  readonly tx: ZeroCopyTx;
  sending: number;
}

/** One UMEM, two queues with a pool each, three sockets: two on the first queue, one on the second. XDP_USE_SG where there is one. */
export class ChunkWorld {
  readonly memory = new HostMemory(8);
  readonly events = new EventQueue(0);
  readonly afXdp: AfXdp;
  readonly fds: number[] = [];
  readonly sockets: XdpSock[] = [];
  readonly pools: XskBuffPool[] = [];
  readonly umem: Umem;
  readonly umemAddress: number;
  readonly rings: Ring[];
  readonly rng: Rng;
  /** Packets that the device has not sent yet, and the pool of each. */
  readonly #inFlight: { readonly pool: XskBuffPool; readonly completion: number }[] = [];
  readonly #packet: number;
  readonly #queues: DriverQueue[] = [];
  #packetId = 0;

  constructor({ kernel, quirks, chunkSizeBytes, chunkCount, isUnaligned, ringSizes, firstIndex, isZeroCopy = false }: WorldOptions, rng: Rng) {
    const { memory } = this;
    this.rng = rng;
    this.afXdp = new AfXdp({ memory, scheduler: this.events, kernel, quirks });
    this.afXdp.addDevice(isZeroCopy ? { ...this.#device, mtu: 1500, zeroCopy: { maxSegments: 4, setupPool: () => 0, wakeup: () => 0 } } : this.#device);
    const lenBytes = chunkSizeBytes * chunkCount;
    const area = this.afXdp.mmapAnonymous(lenBytes);
    this.umemAddress = area.offBytes;
    const size = (): Uint8Array => u32Bytes(ringSizes[rng.below(ringSizes.length)]!);
    const sg = kernel === '6.1' ? 0 : XDP_USE_SG;
    const open = (options: readonly number[], flags: number, queue: number, sharedFd: number): void => {
      const fd = this.afXdp.socket(SOCK_RAW, 0);
      for (const option of options) {
        const value = option === XDP_UMEM_REG ? u32Bytes(area.offBytes, 0, lenBytes, 0, chunkSizeBytes, 0, isUnaligned ? XDP_UMEM_UNALIGNED_CHUNK_FLAG : 0, 0) : size();
        if (this.afXdp.setsockopt(fd, SOL_XDP, option, value) !== 0) throw new Error(`ChunkWorld: option ${option} was refused`);
      }
      const error = this.afXdp.bind(fd, u32Bytes(AF_XDP | (flags << 16), IFINDEX, queue, sharedFd));
      if (error !== 0) throw new Error(`ChunkWorld: bind gave ${error}`);
      this.fds.push(fd);
      this.sockets.push(this.afXdp.socketOf(fd)!);
    };
    const ownRings = [XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING];
    open([XDP_UMEM_REG, ...ownRings, XDP_RX_RING, XDP_TX_RING], (isZeroCopy ? XDP_ZEROCOPY : XDP_COPY) | sg, 0, 0);
    open([XDP_RX_RING, XDP_TX_RING], XDP_SHARED_UMEM, 0, this.fds[0]!);
    open([...ownRings, XDP_RX_RING, XDP_TX_RING], XDP_SHARED_UMEM, 1, this.fds[0]!);
    this.umem = this.sockets[0]!.umem!;
    this.pools = [this.sockets[0]!.pool!, this.sockets[2]!.pool!];
    const queues = [...this.sockets.flatMap(({ rx, tx }) => [rx!, tx!]), ...this.pools.flatMap(({ fill, completion }) => [fill, completion])];
    for (const queue of queues) {
      queue.ring.producer = firstIndex;
      queue.ring.consumer = firstIndex;
      queue.cachedProd = firstIndex;
      queue.cachedCons = firstIndex;
    }
    for (const watched of this.umem.watch!.rings) watched.seen = firstIndex;
    this.rings = queues.map(({ ring }) => ring);
    this.#packet = memory.reserve('packet', PACKET_MAX);
    if (isZeroCopy) for (const pool of this.pools) this.#queues.push({ pool, posted: [], tx: new ZeroCopyTx(memory, pool, 64, 4), sending: 0 });
  }

  readonly #device: XskDevice = {
    ifindex: IFINDEX,
    rxQueues: 2,
    txQueues: 2,
    mtu: 9000,
    kick: () => {},
    xskTransmit: ({ pool, tx }, { completion, partCount }) => {
      const chance = this.rng.below(20);
      // Of a packet that several calls took the kernel would take back more than it may.
      if (chance === 0 && partCount <= ((tx!.cachedCons - tx!.ring.consumer) >>> 0)) return -11;
      if (chance === 1) return -16;
      this.#inFlight.push({ pool: pool!, completion });
      return 0;
    },
  };

  /** A packet comes to a socket. */
  receive(socket: XdpSock, lenBytes: number): void {
    const queue = this.#queues[socket.queueId];
    if (queue !== undefined) return this.#receiveZeroCopy(queue, socket, lenBytes);
    if (socket.checkReceive(IFINDEX, socket.queueId, lenBytes) !== 0) return;
    if (socket.copyPacket(this.#packet, lenBytes, 0, false, ++this.#packetId) === 0 || this.rng.below(2) === 0) socket.flush();
  }

  send(socket: number): number {
    return this.afXdp.sendto(this.fds[socket]!, MSG_DONTWAIT);
  }

  poll(socket: number): number {
    return this.afXdp.poll(this.fds[socket]!, 0xffff);
  }

  /** The driver refills its ring, and hands over a packet that the device has written into some of the chunks. */
  #receiveZeroCopy({ pool, posted }: DriverQueue, socket: XdpSock, lenBytes: number): void {
    const fresh = new Uint32Array(4);
    const count = pool.allocBatch(fresh, 1 + this.rng.below(4));
    for (const chunk of fresh.subarray(0, count)) {
      this.umem.move(chunk, Owner.kernel, Owner.device);
      posted.push(chunk);
    }
    const parts = Math.ceil(lenBytes / pool.umem.frameSizeBytes);
    if (parts > posted.length) return;
    const chunks = posted.splice(0, parts);
    for (const chunk of chunks) this.umem.move(chunk, Owner.device, Owner.kernel);
    const packet = { partCount: parts, chunk: Float64Array.from(chunks), offBytes: new Uint32Array(parts).fill(256), lenBytes: new Uint32Array(parts).fill(60) };
    const taken = socket.checkReceive(IFINDEX, socket.queueId, parts === 1 ? 60 : 60 * parts) === 0 ? receiveZeroCopy(socket, pool, packet, ++this.#packetId) : 0;
    for (const chunk of chunks.slice(taken)) pool.free(chunk);
    socket.flush();
  }

  /** The driver's poll: takes descriptors, one by one or many at once. */
  #pollTx(queue: DriverQueue): void {
    const { tx } = queue;
    const count = this.rng.below(2) === 0 ? tx.takeBatch(1 + this.rng.below(64)) : tx.takeEach(1 + this.rng.below(8));
    for (let i = 0; i < count; i++) this.umem.move(tx.descriptors.chunk[i]!, Owner.kernel, Owner.device);
    queue.sending += count;
  }

  /** Chunks that the driver has in its rings. */
  get driverChunks(): number {
    return this.#queues.reduce((sum, { posted, sending }) => sum + posted.length + sending, 0);
  }

  /** The device has sent one packet: as a rule the oldest, sometimes another one. */
  complete(): void {
    for (const queue of this.#queues) {
      this.#pollTx(queue);
      const count = this.rng.below(queue.sending + 1);
      queue.sending -= count;
      if (count > 0) queue.tx.completed(count);
    }
    if (this.#inFlight.length === 0) return;
    const at = this.rng.below(10) === 0 ? this.rng.below(this.#inFlight.length) : 0;
    const { pool, completion } = this.#inFlight.splice(at, 1)[0]!;
    pool.completePacket(completion, this.events.nowNs);
  }
}
