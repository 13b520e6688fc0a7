import { Rng } from '../../src/base/index.js';
import type { KernelRelease } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { EventQueue } from '../../src/sim/eventQueue.js';
import {
  AF_XDP, AfXdp, MSG_DONTWAIT, SOCK_RAW, SOL_XDP, XDP_COPY, XDP_RX_RING, XDP_SHARED_UMEM, XDP_TX_RING, XDP_UMEM_COMPLETION_RING, XDP_UMEM_FILL_RING,
  XDP_UMEM_REG, XDP_UMEM_UNALIGNED_CHUNK_FLAG, XDP_USE_SG,
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
}

/** One UMEM, two queues with a pool each, three sockets: two on the first queue, one on the second. Copy mode, XDP_USE_SG where there is one. */
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
  #packetId = 0;

  constructor({ kernel, quirks, chunkSizeBytes, chunkCount, isUnaligned, ringSizes, firstIndex }: WorldOptions, rng: Rng) {
    const { memory } = this;
    this.rng = rng;
    this.afXdp = new AfXdp({ memory, scheduler: this.events, kernel, quirks });
    this.afXdp.addDevice(this.#device);
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
    open([XDP_UMEM_REG, ...ownRings, XDP_RX_RING, XDP_TX_RING], XDP_COPY | sg, 0, 0);
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
    if (socket.checkReceive(IFINDEX, socket.queueId, lenBytes) !== 0) return;
    if (socket.copyPacket(this.#packet, lenBytes, 0, false, ++this.#packetId) === 0 || this.rng.below(2) === 0) socket.flush();
  }

  send(socket: number): number {
    return this.afXdp.sendto(this.fds[socket]!, MSG_DONTWAIT);
  }

  poll(socket: number): number {
    return this.afXdp.poll(this.fds[socket]!, 0xffff);
  }

  /** The device has sent one packet: as a rule the oldest, sometimes another one. */
  complete(): void {
    if (this.#inFlight.length === 0) return;
    const at = this.rng.below(10) === 0 ? this.rng.below(this.#inFlight.length) : 0;
    const { pool, completion } = this.#inFlight.splice(at, 1)[0]!;
    pool.completePacket(completion, this.events.nowNs);
  }
}
