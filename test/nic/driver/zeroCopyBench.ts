import { unwrap } from '../../../src/base/index.js';
import type { KernelRelease } from '../../../src/base/index.js';
import { HostMemory, Owner, PageAllocator } from '../../../src/memory/index.js';
import { createNic, NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_XSK_ZEROCOPY, PROFILES, WireBatch } from '../../../src/nic/index.js';
import type { Nic, NicProfile, NicSettings } from '../../../src/nic/index.js';
import {
  AF_XDP, AfXdp, auditChunks, MSG_DONTWAIT, SOCK_RAW, SOL_XDP, XDP_RX_RING, XDP_SHARED_UMEM, XDP_TX_RING, XDP_UMEM_COMPLETION_RING, XDP_UMEM_FILL_RING,
  XDP_UMEM_REG, XDP_UMEM_TX_METADATA_LEN, XDP_UMEM_UNALIGNED_CHUNK_FLAG, XDP_USE_NEED_WAKEUP, XDP_USE_SG, XDP_ZEROCOPY,
} from '../../../src/umem/index.js';
import type { Mapping, Ring, Umem, XdpSock } from '../../../src/umem/index.js';
import { Vm, XskMap } from '../../../src/vm/index.js';
import type { LoadedObject, ObjectSpec } from '../../../src/vm/index.js';
import { Outcome, OUTCOMES, XdpCore } from '../../../src/xdp/index.js';
import { nicSettings, redirectToSocket } from '../../support/simulate.js';
import { quietEnvironment } from '../../support/xdpProgram.js';
import { ManualScheduler } from '../support.js';

const XSK_FEATURES = NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_XSK_ZEROCOPY;

/** Profiles whose driver has zero copy. */
export const ZERO_COPY_PROFILES: readonly NicProfile[] = PROFILES.filter(({ xdp }) => (xdp.features & XSK_FEATURES) === XSK_FEATURES);

/** Of these, those that receive packets of several buffers. */
export const SG_PROFILES = ZERO_COPY_PROFILES.filter(({ xdp }) => xdp.zeroCopy!.maxSegments > 1);

export interface ZeroCopyOptions {
  readonly profile: NicProfile;
  /** Redirects to the socket of its queue unless told. */
  readonly object?: ObjectSpec | undefined;
  readonly settings?: Partial<NicSettings>;
  readonly kernel?: KernelRelease;
  readonly chunkCount?: number;
  readonly chunkSizeBytes?: number;
  readonly headroomBytes?: number;
  readonly isUnaligned?: boolean;
  readonly txMetadataBytes?: number;
  readonly rings?: { readonly rx?: number; readonly tx?: number; readonly fill?: number; readonly completion?: number };
  /** XDP_USE_NEED_WAKEUP, unless told. */
  readonly usesNeedWakeup?: boolean;
  readonly hasSg?: boolean;
  /** Flags of bind besides these two; XDP_ZEROCOPY unless told. */
  readonly bindFlags?: number;
  /** Chunks that lie on FILL at the time of bind. */
  readonly filled?: number;
  readonly pages?: number;
  /** Another NIC, of the profile plain, with the same program; its ifindex is 2. */
  readonly hasPeer?: boolean;
  /** Puts things into maps. */
  readonly prepare?: (loaded: LoadedObject) => void;
}

export interface EndedPacket {
  readonly packetId: number;
  readonly outcome: string;
  readonly retval: number;
  readonly bytes: Uint8Array;
  readonly metaBytes: number;
}

export interface ReadDesc {
  /** UMEM offset of the first byte, and of its chunk. */
  readonly offBytes: number;
  readonly chunk: number;
  readonly len: number;
  readonly options: number;
}

export const u32Bytes = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

/** One NIC of a profile, one AF_XDP socket on its queue 0, and an application and a wire by hand. */
export class ZeroCopyBench {
  readonly memory: HostMemory;
  readonly allocator: PageAllocator;
  readonly scheduler = new ManualScheduler();
  readonly afXdp: AfXdp;
  readonly core: XdpCore;
  readonly nic: Nic;
  readonly peer: Nic | undefined;
  /** Frames that left by the other NIC. */
  readonly peerWire: Uint8Array[] = [];
  readonly fd: number;
  readonly socket: XdpSock;
  readonly area: Mapping;
  readonly umem: Umem;
  /** What bind gave. */
  readonly bound: number;
  readonly ends: EndedPacket[] = [];
  /** Frames that left for the wire, and those of them that applications sent. */
  readonly wire: Uint8Array[] = [];
  /** When each of them left, ns. */
  readonly wireNs: number[] = [];
  readonly applicationFrames: { readonly packetId: number; readonly bytes: Uint8Array }[] = [];
  readonly ready: XdpSock[] = [];
  readonly #map: XskMap | undefined;
  readonly #batch = new WireBatch();
  readonly #wireAddress: number;
  #packets = 0;
  readonly #options: ZeroCopyOptions;

  constructor(options: ZeroCopyOptions) {
    const { profile, object = redirectToSocket({ frags: options.hasSg === true }), settings = {}, kernel, chunkCount = 128, chunkSizeBytes = 2048, filled = 0, pages = 1024 } = options;
    this.#options = options;
    const memory = new HostMemory(32);
    this.memory = memory;
    const vm = new Vm({ memory, environment: { ...quietEnvironment(), kernel } });
    const loaded = unwrap(vm.load(object));
    this.allocator = new PageAllocator(memory, pages, { unitBytes: profile.frameSizeBytes });
    this.afXdp = new AfXdp({ memory, scheduler: this.scheduler, kernel });
    this.core = new XdpCore({ vm, allocator: this.allocator, scheduler: this.scheduler, sockets: this.afXdp.sockets });
    const ring = (limit: NicProfile['rxRing']): number => Math.max(limit.min, Math.min(limit.max, 64));
    this.nic = unwrap(createNic(nicSettings({ profile, rxRingSize: ring(profile.rxRing), txRingSize: ring(profile.txRing), mtu: Math.min(1500, profile.xdp.mtuMaxLinear), ...settings }), {
      memory, allocator: this.allocator, scheduler: this.scheduler, vm, core: this.core, program: loaded.program('main'),
      observer: {
        onPacketEnd: (packetId, outcome, retval, _queue, address, lenBytes, metaBytes) => {
          this.ends.push({ packetId, outcome: OUTCOMES[outcome].name, retval, bytes: memory.u8.slice(address, address + lenBytes), metaBytes });
        },
        onApplicationFrame: (packetId, _queue, address, lenBytes) => this.applicationFrames.push({ packetId, bytes: memory.u8.slice(address, address + lenBytes) }),
        onWire: (_packetId, _queue, address, lenBytes) => {
          this.wire.push(memory.u8.slice(address, address + lenBytes));
          this.wireNs.push(this.scheduler.nowNs);
        },
        onFault: () => {},
        onSocketReady: (socket) => this.ready.push(socket),
      },
    }));
    this.afXdp.addDevice(this.nic.driver);
    if (options.hasPeer === true) this.peer = this.#makePeer(vm, loaded);
    options.prepare?.(loaded);
    this.#wireAddress = memory.reserve('wire', 64 * 16384);
    for (const map of loaded.maps.values()) if (map instanceof XskMap) this.#map = map;
    this.#map?.setQueues((id) => this.afXdp.sockets[id]?.queueId ?? 0);
    this.area = this.afXdp.mmapAnonymous(chunkCount * chunkSizeBytes);
    this.fd = this.openSocket();
    this.registerUmem(this.fd);
    this.socket = this.afXdp.socketOf(this.fd)!;
    this.umem = this.socket.umem!;
    for (let i = 0; i < filled; i++) this.fill(i * chunkSizeBytes);
    const { usesNeedWakeup = true, hasSg = false, bindFlags = XDP_ZEROCOPY } = options;
    this.bound = this.bind(this.fd, bindFlags | (usesNeedWakeup ? XDP_USE_NEED_WAKEUP : 0) | (hasSg ? XDP_USE_SG : 0));
    this.attach(0, this.socket);
    this.settle();
  }

  #makePeer(vm: Vm, loaded: LoadedObject): Nic {
    const { memory, allocator, scheduler, core } = this;
    const nothing = (): void => {};
    return unwrap(createNic(nicSettings({ ifindex: 2 }), {
      memory, allocator, scheduler, vm, core, program: loaded.program('main'),
      observer: {
        onPacketEnd: nothing, onApplicationFrame: nothing, onFault: nothing, onSocketReady: nothing,
        onWire: (_packetId, _queue, address, lenBytes) => this.peerWire.push(memory.u8.slice(address, address + lenBytes)),
      },
    }));
  }

  // ── system calls ──

  /** A socket with RX and TX rings. */
  openSocket(): number {
    const { rings = {} } = this.#options;
    const fd = this.afXdp.socket(SOCK_RAW, 0);
    this.#must(this.afXdp.setsockopt(fd, SOL_XDP, XDP_RX_RING, u32Bytes(rings.rx ?? 64)));
    this.#must(this.afXdp.setsockopt(fd, SOL_XDP, XDP_TX_RING, u32Bytes(rings.tx ?? 64)));
    return fd;
  }

  registerUmem(fd: number): void {
    const { chunkSizeBytes = 2048, headroomBytes = 0, isUnaligned = false, txMetadataBytes = 0 } = this.#options;
    const reg = new DataView(new ArrayBuffer(32));
    reg.setBigUint64(0, this.area.address, true);
    reg.setBigUint64(8, BigInt(this.area.lenBytes), true);
    reg.setUint32(16, chunkSizeBytes, true);
    reg.setUint32(20, headroomBytes, true);
    reg.setUint32(24, (txMetadataBytes > 0 ? XDP_UMEM_TX_METADATA_LEN : 0) | (isUnaligned ? XDP_UMEM_UNALIGNED_CHUNK_FLAG : 0), true);
    reg.setUint32(28, txMetadataBytes, true);
    this.#must(this.afXdp.setsockopt(fd, SOL_XDP, XDP_UMEM_REG, new Uint8Array(reg.buffer)));
    this.makePoolRings(fd);
  }

  makePoolRings(fd: number): void {
    const { rings = {} } = this.#options;
    this.#must(this.afXdp.setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, u32Bytes(rings.fill ?? 128)));
    this.#must(this.afXdp.setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, u32Bytes(rings.completion ?? 128)));
  }

  bind(fd: number, flags: number, queue = 0, sharedFd = 0): number {
    return this.afXdp.bind(fd, new Uint8Array(Uint32Array.of(AF_XDP | (flags << 16), 1, queue, sharedFd).buffer));
  }

  /** Another socket on the same queue, with the same UMEM. */
  share(): XdpSock {
    const fd = this.openSocket();
    this.#must(this.bind(fd, XDP_SHARED_UMEM, 0, this.fd));
    return this.afXdp.socketOf(fd)!;
  }

  /** Puts a socket into a slot of the XSKMAP. */
  attach(slot: number, socket: XdpSock): void {
    this.#map?.updateBytes(u32Bytes(slot), u32Bytes(socket.id + 1), 0);
  }

  #must(result: number): void {
    if (result !== 0) throw new Error(`ZeroCopyBench: refused: ${result}`);
  }

  sendto(fd = this.fd): number {
    const result = this.afXdp.sendto(fd, MSG_DONTWAIT);
    this.settle();
    return result;
  }

  recvfrom(fd = this.fd): number {
    const result = this.afXdp.recvfrom(fd, MSG_DONTWAIT);
    this.settle();
    return result;
  }

  /** Everything that is due happens. */
  settle(): void {
    this.scheduler.runUntil(this.scheduler.nowNs);
  }

  passTime(ns: number): void {
    this.scheduler.runUntil(this.scheduler.nowNs + ns);
  }

  // ── the application's half ──

  get pool(): NonNullable<XdpSock['pool']> {
    return this.socket.pool!;
  }

  get fillRing(): Ring {
    return (this.socket.pool?.fill ?? this.socket.fillUntilBind!).ring;
  }

  get completionRing(): Ring {
    return this.pool.completion.ring;
  }

  get counters(): ReturnType<Nic['driver']['counters']> {
    return this.nic.driver.counters(0);
  }

  fill(low: number, high = 0): void {
    put(this.fillRing, [low, high]);
  }

  queue(offBytes: number, len: number, { options = 0, high = 0, socket = this.socket }: { options?: number; high?: number; socket?: XdpSock } = {}): void {
    put(socket.tx!.ring, [offBytes, high, len, options]);
  }

  /** Writes a frame into the UMEM and queues it. */
  send(offBytes: number, bytes: Uint8Array, options = 0, socket = this.socket): void {
    this.memory.u8.set(bytes, this.umem.address + offBytes);
    this.queue(offBytes, bytes.length, { options, socket });
  }

  /** Takes one packet off the RX ring. */
  consume(socket = this.socket): ReadDesc | undefined {
    const { ring } = socket.rx!;
    if (ring.isEmpty) return undefined;
    const word = ring.entryWord(ring.consumer);
    ring.consumer += 1;
    const [low, high, len, options] = this.memory.u32.subarray(word, word + 4);
    const offBytes = low! + (high! >>> 16);
    return { offBytes, chunk: this.umem.isUnaligned ? low! : offBytes - (offBytes % this.umem.chunkSizeBytes), len: len!, options: options! };
  }

  consumeAll(socket = this.socket): ReadDesc[] {
    const all: ReadDesc[] = [];
    for (let desc = this.consume(socket); desc !== undefined; desc = this.consume(socket)) all.push(desc);
    return all;
  }

  /** Takes all addresses off COMPLETION. */
  reclaim(): number[] {
    const ring = this.completionRing;
    const all: number[] = [];
    for (; !ring.isEmpty; ring.consumer += 1) {
      const word = ring.entryWord(ring.consumer);
      all.push(this.memory.u32[word]! + this.memory.u32[word + 1]! * 2 ** 32);
    }
    return all;
  }

  bytes(offBytes: number, lenBytes: number): Uint8Array {
    return this.memory.u8.slice(this.umem.address + offBytes, this.umem.address + offBytes + lenBytes);
  }

  // ── the wire ──

  /** Up to 64 frames arrive at once; then everything comes to rest. */
  arrive(...frames: readonly Uint8Array[]): void {
    frames.forEach((frame, i) => {
      const address = this.#wireAddress + i * 16384;
      this.memory.u8.set(frame, address);
      this.#batch.address[i] = address;
      this.#batch.lenBytes[i] = frame.length;
      this.#batch.packetId[i] = ++this.#packets;
    });
    this.#batch.count = frames.length;
    this.nic.device.receive(this.#batch);
    this.settle();
  }

  outcomes(): string[] {
    return this.ends.map(({ outcome }) => outcome);
  }

  // ── what must hold ──

  /** Chunks that the NIC has on its rings. */
  get chunksOfDriver(): number {
    return this.umem.chunks.owner.reduce((sum, owner) => sum + (owner === Owner.device || owner === Owner.txRing ? 1 : 0), 0);
  }

  /** What is wrong with DMA, owners, chunks and pages; all of it is looked at again after the NIC was shut down. */
  wrongs(): string[] {
    const { nic, allocator, umem } = this;
    return [
      ...nic.iommu.faults.map(({ reason }) => reason),
      ...nic.dma.debug.reports.map(({ message }) => message),
      ...nic.driver.mistakes().map(({ message }) => message),
      ...allocator.ledger.violations.map((each) => `${each.buffer}: ${each.expected} to ${each.next}, but ${each.found} has it`),
      ...umem.chunks.violations.map((each) => `${each.buffer}: ${each.expected} to ${each.next}, but ${each.found} has it`),
      ...(this.#packets === this.ends.length && new Set(this.ends.map(({ packetId }) => packetId)).size === this.#packets ? [] : [`${this.#packets} packets, ${this.ends.length} ends`]),
    ];
  }

  /** Shuts the NIC down; gives what is wrong then. */
  close(): string[] {
    this.nic.driver.stopTransmit!();
    this.peer?.driver.stopTransmit!();
    this.nic.close();
    this.peer?.close();
    this.settle();
    const { ok, detail } = auditChunks(this.umem);
    const { mappedCount } = this.nic.iommu;
    return [
      ...this.wrongs(), ...(ok ? [] : [detail]), ...(mappedCount === 0 ? [] : [`${mappedCount} I/O pages are still mapped`]),
      ...(this.allocator.usedCount === 0 ? [] : [`${this.allocator.usedCount} pages leaked`]),
    ];
  }
}

function put(ring: Ring, words: readonly number[]): void {
  if (ring.used >= ring.size) throw new Error(`${ring.name} is full`);
  ring.u32.set(words, ring.entryWord(ring.producer));
  ring.producer += 1;
}

export const OUTCOME_XSK = OUTCOMES[Outcome.xsk].name;
