import { EBADF, EBUSY, EINVAL, ENETDOWN, ENOPROTOOPT, ENOTSOCK, EOPNOTSUPP, EPROTONOSUPPORT, ESOCKTNOSUPPORT, NEWEST_KERNEL, ProblemError } from '../base/index.js';
import type { KernelRelease, Scheduler } from '../base/index.js';
import { PAGE_BYTES } from '../memory/index.js';
import type { HostMemory } from '../memory/index.js';
import { bind } from './bind.js';
import type { BindHost } from './bind.js';
import { POLLNVAL, SOCK_RAW, XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING, XDP_UMEM_PGOFF_COMPLETION_RING, XDP_UMEM_PGOFF_FILL_RING } from './ifXdp.js';
import { getOption, setOption } from './socketOptions.js';
import type { OptionHost } from './socketOptions.js';
import type { Umem } from './umem.js';
import { UmemWatch } from './umemWatch.js';
import { XdpSock } from './xdpSock.js';
import type { XskBuffPool } from './xskBuffPool.js';
import type { XskDevice } from './xskDevice.js';
import type { XskQueue } from './xskQueue.js';
import { xskRules } from './xskRules.js';
import type { XskQuirks, XskRules } from './xskRules.js';
import type { Mapping, XskSyscalls } from './xskSyscalls.js';

/** The kernel gives a queue back in a worker after a grace period: a bind that comes at once still finds it taken (measured on 6.18: below 60 ms). */
const RELEASE_DELAY_NS = 20_000_000;

/** File descriptors begin behind those of standard input, output and error. */
const FIRST_FD = 3;

/** What AF_XDP of a host is made of. */
export interface AfXdpParts {
  readonly memory: HostMemory;
  readonly scheduler: Scheduler;
  readonly kernel?: KernelRelease | undefined;
  readonly quirks?: XskQuirks | undefined;
  /**
   * RLIMIT_MEMLOCK of the applications, who are all one user, bytes: the UMEMs that are there at a time lock no more pages than fit into it. Left out: they
   * have CAP_IPC_LOCK, as root has, and no limit.
   */
  readonly memlockBytes?: number | undefined;
  /** Finds packets that the application changes after their submission; costs each of their bytes twice. */
  readonly hashesPackets?: boolean | undefined;
}

/** AF_XDP of one host: its sockets by file descriptor, the devices that they can be bound to, and the pools on their queues. */
export class AfXdp implements XskSyscalls, BindHost, OptionHost {
  readonly memory: HostMemory;
  readonly rules: XskRules;
  /** All sockets that there ever were, by id. */
  readonly sockets: XdpSock[] = [];
  /** Called when a socket is closed: it is in no XSKMAP any more. */
  onClose: (socket: XdpSock) => void = () => {};
  readonly scheduler: Scheduler;
  readonly #devices = new Map<number, XskDevice>();
  readonly #files = new Map<number, XdpSock | 'socket' | 'other'>();
  readonly #pools: XskBuffPool[] = [];
  readonly #mappings: Mapping[] = [];
  readonly #releaseHandler: number;
  readonly #releasing: XskBuffPool[] = [];
  readonly #umems: Umem[] = [];
  readonly #startNs: number;
  readonly #hashesPackets: boolean;
  readonly #memlockPages: number;

  constructor({ memory, scheduler, kernel = NEWEST_KERNEL, quirks, memlockBytes = Infinity, hashesPackets = false }: AfXdpParts) {
    if (!(memlockBytes >= 0)) throw new RangeError(`AfXdp: a limit of ${memlockBytes} bytes of locked memory is none`);
    this.memory = memory;
    this.#hashesPackets = hashesPackets;
    this.#memlockPages = Math.floor(memlockBytes / PAGE_BYTES);
    this.#startNs = scheduler.nowNs;
    this.rules = xskRules(kernel, quirks);
    this.scheduler = scheduler;
    this.#releaseHandler = scheduler.register(() => this.#removePool(this.#releasing.shift()!));
  }

  // ── devices ──

  /** register_netdevice. */
  addDevice(device: XskDevice): void {
    if (this.#devices.has(device.ifindex)) throw new Error(`AfXdp: there are two devices with ifindex ${device.ifindex}`);
    this.#devices.set(device.ifindex, device);
  }

  /** unregister_netdevice: its sockets are unbound for good, and say ENETDOWN when they are asked (xsk_notifier). */
  removeDevice(ifindex: number): void {
    for (const socket of this.sockets) {
      if (!socket.isBound || socket.ifindex !== ifindex) continue;
      socket.error = ENETDOWN;
      this.#unbind(socket);
    }
    this.#devices.delete(ifindex);
  }

  device(ifindex: number): XskDevice | undefined {
    return this.#devices.get(ifindex);
  }

  // ── what bind and options ask ──

  file(fd: number): XdpSock | 'socket' | 'other' | undefined {
    return this.#files.get(fd);
  }

  pool(ifindex: number, queueId: number): XskBuffPool | undefined {
    return this.#pools.find((pool) => pool.device.ifindex === ifindex && pool.queueId === queueId);
  }

  addPool(pool: XskBuffPool): void {
    this.#pools.push(pool);
  }

  isMapped(address: number, lenBytes: number): boolean {
    return this.#mappings.some((each) => address >= each.offBytes && address + lenBytes <= each.offBytes + each.lenBytes);
  }

  lockablePages(): number {
    if (this.#memlockPages === Infinity) return Infinity;
    return this.#memlockPages - [...this.#usedUmems()].reduce((sum, { pages }) => sum + pages, 0);
  }

  /** UMEMs whose sockets are not all closed, or whose pools are not gone yet. */
  #usedUmems(): Set<Umem> {
    const used = new Set(this.#pools.map(({ umem }) => umem));
    for (const file of this.#files.values()) if (file instanceof XdpSock && file.umem !== undefined) used.add(file.umem);
    return used;
  }

  nextUmemId(): number {
    return this.#umems.length;
  }

  watch(umem: Umem): void {
    this.#umems.push(umem);
    umem.watch = new UmemWatch(umem, this.memory, this.scheduler, this.#startNs, this.#hashesPackets);
  }

  /** All UMEMs that there ever were, by id. */
  get umems(): readonly Umem[] {
    return this.#umems;
  }

  /** For the library: the application uses a byte of its memory. */
  accessed(offBytes: number): void {
    for (const { watch, address, sizeBytes } of this.#umems) if (offBytes >= address && offBytes < address + sizeBytes) watch?.accessed(offBytes - address);
  }

  /** The application has done something to its rings at this moment: where nobody says so, it is seen when the kernel looks at them next. */
  observe(): void {
    for (const { watch } of this.#umems) watch?.sync();
  }

  /** A descriptor that is something else, as a test needs it: a socket of another family, or no socket at all. */
  openOther(what: 'socket' | 'other'): number {
    return this.#install(what);
  }

  /** The socket behind a descriptor. */
  socketOf(fd: number): XdpSock | undefined {
    const file = this.#files.get(fd);
    return file instanceof XdpSock ? file : undefined;
  }

  // ── system calls ──

  socket(type: number, protocol: number): number {
    if (type !== SOCK_RAW) return -ESOCKTNOSUPPORT;
    if (protocol !== 0) return -EPROTONOSUPPORT;
    const socket = new XdpSock(this.memory, this.sockets.length, this.rules);
    this.sockets.push(socket);
    return this.#install(socket);
  }

  #install(file: XdpSock | 'socket' | 'other'): number {
    let fd = FIRST_FD;
    while (this.#files.has(fd)) fd++;
    this.#files.set(fd, file);
    return fd;
  }

  close(fd: number): number {
    const file = this.#files.get(fd);
    if (file === undefined) return -EBADF;
    this.#files.delete(fd);
    if (!(file instanceof XdpSock)) return 0;
    this.onClose(file);
    this.#unbind(file);
    return 0;
  }

  /** xsk_unbind_dev; the last socket of a pool takes it along. */
  #unbind(socket: XdpSock): void {
    const { pool, state } = socket;
    socket.state = 'unbound';
    if (pool === undefined || state !== 'bound') return;
    pool.umem.watch?.removeSocket(socket);
    pool.sockets.delete(socket);
    const at = pool.txSockets.indexOf(socket);
    if (at >= 0) pool.txSockets.splice(at, 1);
    if (pool.sockets.size > 0) return;
    this.#releasing.push(pool);
    this.scheduler.schedule(this.scheduler.nowNs + RELEASE_DELAY_NS, this.#releaseHandler, 0);
  }

  #removePool(pool: XskBuffPool): void {
    if (pool.isZeroCopy) pool.device.zeroCopy?.setupPool(pool.queueId, undefined);
    this.#pools.splice(this.#pools.indexOf(pool), 1);
    pool.umem.watch?.removePool(pool);
  }

  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
    const socket = this.#socket(fd);
    return typeof socket === 'number' ? socket : setOption(this, socket, level, name, value);
  }

  getsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
    const socket = this.#socket(fd);
    // Other sockets know a level that isn't theirs neither to set nor to get, and say so in two ways.
    if (typeof socket === 'number') return socket === -ENOPROTOOPT ? -EOPNOTSUPP : socket;
    return getOption(socket, level, name, value);
  }

  bind(fd: number, address: Uint8Array): number {
    const socket = this.#socket(fd);
    return typeof socket === 'number' ? socket : bind(this, socket, address);
  }

  /** xsk_mmap. Both sockets of a pool see the same FILL and COMPLETION. */
  mmap(fd: number, lenBytes: number, offBytes: number): Mapping | number {
    const socket = this.#socket(fd);
    if (typeof socket === 'number') return socket;
    if (socket.state === 'unbound') return -EBUSY;
    const ring = ringAt(socket, offBytes)?.ring;
    if (ring === undefined || lenBytes <= 0 || lenBytes > Math.ceil(ring.lenBytes / PAGE_BYTES) * PAGE_BYTES) return -EINVAL;
    return this.#mapping(ring.address, lenBytes);
  }

  mmapAnonymous(lenBytes: number): Mapping {
    if (!Number.isInteger(lenBytes) || lenBytes < 1) throw new RangeError(`AfXdp.mmapAnonymous: ${lenBytes} is no number of bytes, which is a whole one from 1 on`);
    const wholeBytes = Math.ceil(lenBytes / PAGE_BYTES) * PAGE_BYTES;
    if (!this.memory.hasRoom(wholeBytes)) {
      throw new ProblemError({
        code: 'host-memory-exhausted', where: 'mmapAnonymous', message: `the host has no room for ${wholeBytes} bytes more`,
        hint: 'map less, or give the host more memory for applications (applicationBytes), which is less than 4 GiB in all',
      });
    }
    const mapping = this.#mapping(this.memory.reserve('application memory', wholeBytes, PAGE_BYTES), wholeBytes);
    this.#mappings.push(mapping);
    return mapping;
  }

  #mapping(address: number, lenBytes: number): Mapping {
    return { u8: this.memory.u8, u32: this.memory.u32, offBytes: address, lenBytes, address: BigInt(address) };
  }

  /** Host memory is given back with the simulation only. A UMEM holds its pages, so sockets that use them do not mind. */
  munmap(mapping: Mapping): void {
    const at = this.#mappings.findIndex(({ offBytes }) => offBytes === mapping.offBytes);
    if (at >= 0) this.#mappings.splice(at, 1);
  }

  sendto(fd: number, flags: number): number {
    const socket = this.#socket(fd);
    return typeof socket === 'number' ? socket : socket.sendmsg(flags);
  }

  recvfrom(fd: number, flags: number): number {
    const socket = this.#socket(fd);
    return typeof socket === 'number' ? socket : socket.recvmsg(flags);
  }

  poll(fd: number, events: number): number {
    const file = this.#files.get(fd);
    if (file === undefined) return fd < 0 ? 0 : POLLNVAL;
    return file instanceof XdpSock ? file.poll() & events : 0;
  }

  /** The socket, or what a call on something else gives. */
  #socket(fd: number): XdpSock | number {
    const file = this.#files.get(fd);
    if (file instanceof XdpSock) return file;
    if (file === 'socket') return -ENOPROTOOPT;
    return file === 'other' ? -ENOTSOCK : -EBADF;
  }
}

function ringAt(socket: XdpSock, offBytes: number): XskQueue | undefined {
  switch (offBytes) {
    case XDP_PGOFF_RX_RING:
      return socket.rx;
    case XDP_PGOFF_TX_RING:
      return socket.tx;
    case XDP_UMEM_PGOFF_FILL_RING:
      return socket.pool?.fill ?? socket.fillUntilBind;
    case XDP_UMEM_PGOFF_COMPLETION_RING:
      return socket.pool?.completion ?? socket.completionUntilBind;
    default:
      return undefined;
  }
}
