import { unwrap } from '../../src/base/index.js';
import type { KernelRelease, Scheduler } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { AfXdp } from '../../src/umem/index.js';
import type { Mapping, XskDevice, XskPacket } from '../../src/umem/index.js';
import type { MappedRing } from '../../src/xsk/mappedRing.js';
import { XskUmem } from '../../src/xsk/index.js';
import type { XskUmemConfig } from '../../src/xsk/index.js';

/** A scheduler whose time goes on when the test says so. */
export class TestClock implements Scheduler {
  nowNs = 0;
  readonly #handlers: ((argument: number) => void)[] = [];
  #due: { tNs: number; handler: number; argument: number }[] = [];

  register(handler: (argument: number) => void): number {
    return this.#handlers.push(handler) - 1;
  }

  schedule(tNs: number, handler: number, argument: number): void {
    this.#due.push({ tNs, handler, argument });
  }

  advance(ns: number): void {
    this.nowNs += ns;
    const now = this.#due.filter(({ tNs }) => tNs <= this.nowNs);
    this.#due = this.#due.filter(({ tNs }) => tNs > this.nowNs);
    for (const { handler, argument } of now) this.#handlers[handler](argument);
  }
}

/** A host with one device of two queues that sends at once, and the AF_XDP of it. */
export class XskBench {
  readonly memory = new HostMemory(16);
  readonly clock = new TestClock();
  readonly kernel: AfXdp;
  /** Bytes of every packet that left. */
  readonly sent: Uint8Array[] = [];
  readonly device: XskDevice;

  constructor({ kernel, device = {} }: { kernel?: KernelRelease; device?: Partial<XskDevice> } = {}) {
    this.kernel = new AfXdp({ memory: this.memory, scheduler: this.clock, kernel });
    this.device = { ifindex: 2, rxQueues: 2, txQueues: 2, mtu: 1500, xskTransmit: (socket, packet) => this.#transmit(socket.pool!, packet), kick: () => {}, ...device };
    this.kernel.addDevice(this.device);
  }

  #transmit(pool: { completePacket(packet: number, tNs: number): void }, { partAddress, partBytes, partCount, completion }: XskPacket): number {
    const parts = Array.from({ length: partCount }, (_, i) => [...this.memory.u8.subarray(partAddress[i], partAddress[i] + partBytes[i])]);
    this.sent.push(Uint8Array.from(parts.flat()));
    pool.completePacket(completion, this.clock.nowNs);
    return 0;
  }

  /** A UMEM of 16 chunks with rings of 8, unless told otherwise. */
  umem(config: XskUmemConfig = {}, sizeBytes = 16 * (config.frameSize ?? 4096)): XskUmem {
    return unwrap(XskUmem.create(this.kernel, this.kernel.mmapAnonymous(sizeBytes), sizeBytes, { fillSize: 8, compSize: 8, ...config }));
  }

  /** A packet for a queue of the device, as the redirect path hands it over; the application sees it at once. @returns 0 or a negated errno */
  receive(fd: number, bytes: Uint8Array, hasFragments = false): number {
    const socket = this.kernel.socketOf(fd)!;
    const mark = this.memory.mark();
    const address = this.memory.reserve('packet', bytes.length);
    this.memory.u8.set(bytes, address);
    const error = socket.checkReceive(this.device.ifindex, socket.queueId, bytes.length) || socket.copyPacket(address, bytes.length, 0, hasFragments, 1);
    this.memory.release(mark);
    socket.flush();
    return error;
  }
}

/** Memory of a ring whose indices begin anywhere, and the other end of it, as simple as can be. */
export class BareRing {
  readonly mapped: MappedRing;
  readonly #view: DataView;
  readonly #size: number;
  readonly #entryBytes: number;

  constructor(size: number, entryBytes: number, start: number) {
    // The layout is nobody's but the test's: the library takes what XDP_MMAP_OFFSETS says.
    const offsets = { producer: 64, consumer: 8, flags: 24, desc: 128 };
    const offBytes = 4096;
    const buffer = new ArrayBuffer(offBytes + offsets.desc + size * entryBytes);
    const mapping: Mapping = { u8: new Uint8Array(buffer), u32: new Uint32Array(buffer), offBytes, lenBytes: offsets.desc + size * entryBytes, address: 0n };
    this.mapped = { mapping, offsets, size };
    this.#view = new DataView(buffer, offBytes);
    this.#size = size;
    this.#entryBytes = entryBytes;
    this.producer = start;
    this.consumer = start;
  }

  get producer(): number {
    return this.#view.getUint32(64, true);
  }

  set producer(index: number) {
    this.#view.setUint32(64, index, true);
  }

  get consumer(): number {
    return this.#view.getUint32(8, true);
  }

  set consumer(index: number) {
    this.#view.setUint32(8, index, true);
  }

  set flags(flags: number) {
    this.#view.setUint32(24, flags, true);
  }

  get used(): number {
    return Number(BigInt.asUintN(32, BigInt(this.producer) - BigInt(this.consumer)));
  }

  /** The other end puts an address in. */
  produce(address: bigint): void {
    this.#view.setBigUint64(this.#entry(this.producer), address, true);
    this.producer = (this.producer + 1) % 2 ** 32;
  }

  /** The other end takes an address out. */
  consume(): bigint {
    const address = this.#view.getBigUint64(this.#entry(this.consumer), true);
    this.consumer = (this.consumer + 1) % 2 ** 32;
    return address;
  }

  #entry(index: number): number {
    return 128 + (index % this.#size) * this.#entryBytes;
  }
}
