import { checkOptionNames, EINVAL, errnoName, shownValue } from '../base/index.js';
import type { OptionNames } from '../base/index.js';
import {
  AF_XDP, MSG_DONTWAIT, POLLIN, POLLOUT, SO_BUSY_POLL, SO_BUSY_POLL_BUDGET, SO_PREFER_BUSY_POLL, SOCK_RAW, SOL_SOCKET, SOL_XDP, XDP_MAX_TX_SKB_BUDGET,
  XDP_OPTIONS, XDP_OPTIONS_ZEROCOPY, XDP_SHARED_UMEM, XDP_STATISTICS,
} from '../umem/index.js';
import type { XdpStatistics, XskSyscalls } from '../umem/index.js';
import { makeRing, mapRing } from './mappedRing.js';
import type { MappedRing, SocketInMaking } from './mappedRing.js';
import { whyNoField, whyNoSocket, whyNotBound } from './whyRefused.js';
import { refused } from './xskProblem.js';
import type { XskRefusal, XskResult } from './xskProblem.js';
import { RxRing } from './xskRingCons.js';
import type { CompletionRing } from './xskRingCons.js';
import { TxRing } from './xskRingProd.js';
import type { FillRing } from './xskRingProd.js';
import { makeQueueRings, unmapQueueRings } from './queueRings.js';
import type { QueueRings } from './queueRings.js';
import type { RingSizes, XskUmem } from './xskUmem.js';

/**
 * struct xsk_socket_config, with the defaults of libxdp. Its flags about the XDP program are missing: this library attaches none, and the socket goes into
 * an XSKMAP by its `fd`, as with XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD.
 */
export interface XskSocketConfig {
  /** Entries of RX and TX, powers of two; 0 for no such ring. Left out: 2048. */
  readonly rxSize?: number;
  readonly txSize?: number;
  /** XDP_COPY or XDP_ZEROCOPY, XDP_USE_NEED_WAKEUP, XDP_USE_SG. Left out: 0. */
  readonly bindFlags?: number;
}

/** Of a socket that shares the UMEM of another one, whose bind flags hold for it, too. */
export interface XskSharedSocketConfig extends Omit<XskSocketConfig, 'bindFlags'> {
  /** Entries of its queue's FILL and COMPLETION, if it is the first socket of that queue. Left out: as many as the UMEM's. */
  readonly fillSize?: number;
  readonly compSize?: number;
}

const CONFIG_NAMES: OptionNames<XskSocketConfig> = { rxSize: true, txSize: true, bindFlags: true };
const SHARED_CONFIG_NAMES: OptionNames<XskSharedSocketConfig> = { rxSize: true, txSize: true, fillSize: true, compSize: true };

const DEFAULT_RING_SIZE = 2048;

/** Bytes of struct sockaddr_xdp and of struct xdp_statistics. */
const SOCKADDR_BYTES = 16;
const STATISTICS_BYTES = 48;

/**
 * An AF_XDP socket as an application has it (struct xsk_socket of libxdp).
 *
 * @example
 * const nic = createTestNic('fixtures/programs/xsk_redirect/xsk_redirect.o', { profile: 'ice' });
 * const umem = unwrap(XskUmem.create(nic.syscalls, nic.syscalls.mmapAnonymous(65536), 65536));
 * const socket = unwrap(XskSocket.create(umem, nic.ifindex, 0, { rxSize: 16, txSize: 16, bindFlags: XDP_ZEROCOPY }));
 * socket.isZeroCopy; // true
 * socket.statistics.rx_dropped; // 0
 */
export class XskSocket {
  readonly umem: XskUmem;
  readonly ifindex: number;
  readonly queueId: number;
  readonly #syscalls: XskSyscalls;
  readonly #queue: QueueRings;
  readonly #own: OwnRings;
  readonly #rx: RxRing | undefined;
  readonly #tx: TxRing | undefined;
  #fd: number;

  private constructor(umem: XskUmem, fd: number, ifindex: number, queueId: number, queue: QueueRings, own: OwnRings) {
    this.umem = umem;
    this.#fd = fd;
    this.ifindex = ifindex;
    this.queueId = queueId;
    this.#syscalls = umem.syscalls;
    this.#queue = queue;
    this.#own = own;
    this.#rx = own.rx && new RxRing(own.rx);
    this.#tx = own.tx && new TxRing(own.tx);
    umem.addSocket(fd, ifindex, queueId, queue);
  }

  /**
   * xsk_socket__create: makes RX and TX on the socket of a UMEM, and binds it to a queue. One socket of a UMEM begins so; after an EBUSY of bind it can be
   * tried again.
   *
   * @param ifindex of the interface, in the application's network namespace
   * @returns Problems `xsk-socket`, `xsk-rx-ring`, `xsk-tx-ring`, `xsk-mmap`, `xsk-bind`: the system call that was refused, and why
   * @throws TypeError for what is no UMEM, such as the result that it is still in; Error for a member of `config` that there is not
   */
  static create(umem: XskUmem, ifindex: number, queueId: number, config: XskSocketConfig = {}): XskResult<XskSocket> {
    checkUmem('XskSocket.create', umem);
    checkOptionNames('XskSocket.create, config', config, CONFIG_NAMES);
    const socket = { syscalls: umem.syscalls, fd: umem.fd, where: whereOf(ifindex, queueId) };
    const own = makeOwnRings(socket, config, umem.ringSizes);
    if (!own.ok) return own;
    const wrong = bind(socket, own.value, ifindex, queueId, config.bindFlags ?? 0, 0);
    if (wrong === undefined) return { ok: true, value: new XskSocket(umem, umem.fd, ifindex, queueId, umem.rings, own.value) };
    unmapOwnRings(socket.syscalls, own.value);
    return wrong;
  }

  /**
   * xsk_socket__create_shared: one more socket for a UMEM whose first one is bound, on the same queue or on another one. Sockets of one queue share its
   * FILL and COMPLETION; the first one of a queue makes them.
   *
   * @returns Problems as of `create`
   * @throws as `create`
   */
  static createShared(umem: XskUmem, ifindex: number, queueId: number, config: XskSharedSocketConfig = {}): XskResult<XskSocket> {
    checkUmem('XskSocket.createShared', umem);
    checkOptionNames('XskSocket.createShared, config', config, SHARED_CONFIG_NAMES);
    const { syscalls } = umem;
    const where = whereOf(ifindex, queueId);
    const fd = syscalls.socket(SOCK_RAW, 0);
    if (fd < 0) return refused(where, 'socket(AF_XDP)', fd, whyNoSocket(-fd));
    const shared = bindShared(umem, { syscalls, fd, where }, ifindex, queueId, config);
    if (shared.ok) return { ok: true, value: new XskSocket(umem, fd, ifindex, queueId, shared.value.queue, shared.value.own) };
    syscalls.close(fd);
    return shared;
  }

  /** -1 when it is deleted, so that its calls give -EBADF: the number may be somebody else's then. */
  get fd(): number {
    return this.#fd;
  }

  /** FILL and COMPLETION of its queue: the same objects for all sockets on it. */
  get fill(): FillRing {
    return this.#queue.fill;
  }

  get completion(): CompletionRing {
    return this.#queue.completion;
  }

  /** @throws Error when it was made with `rxSize` 0 */
  get rx(): RxRing {
    if (this.#rx === undefined) throw new Error('XskSocket.rx: it was made with rxSize 0');
    return this.#rx;
  }

  /** @throws Error when it was made with `txSize` 0 */
  get tx(): TxRing {
    if (this.#tx === undefined) throw new Error('XskSocket.tx: it was made with txSize 0');
    return this.#tx;
  }

  get hasRx(): boolean {
    return this.#rx !== undefined;
  }

  get hasTx(): boolean {
    return this.#tx !== undefined;
  }

  // ── system calls, none of which blocks; results are 0 or more, or a negated errno ──

  /** Makes the kernel look at TX. In copy mode nothing is sent without it; else it is needed when `tx.needsWakeup`. */
  sendto(): number {
    return this.#syscalls.sendto(this.#fd, MSG_DONTWAIT);
  }

  /** Makes the kernel look at FILL: needed when `fill.needsWakeup`. */
  recvfrom(): number {
    return this.#syscalls.recvfrom(this.#fd, MSG_DONTWAIT);
  }

  /** Does both, and says what can be done without waiting: POLLIN, POLLOUT. */
  poll(events = POLLIN | POLLOUT): number {
    return this.#syscalls.poll(this.#fd, events);
  }

  /**
   * Packets are handled within the calls above (SO_BUSY_POLL and its kin).
   *
   * @param usecs 0 switches it off
   * @param budget packets of one round
   * @param prefers the interrupts of the queue are put off meanwhile
   */
  setBusyPoll(usecs: number, budget: number, prefers: boolean): number {
    for (const [name, value] of [[SO_PREFER_BUSY_POLL, Number(prefers)], [SO_BUSY_POLL, usecs], [SO_BUSY_POLL_BUDGET, budget]]) {
      const result = this.#set(SOL_SOCKET, name, value);
      if (result < 0) return result;
    }
    return 0;
  }

  /** Descriptors that one `sendto` handles in copy mode, from 32 to the size of TX. Linux 6.17. */
  setMaxTxBudget(descriptors: number): number {
    return this.#set(SOL_XDP, XDP_MAX_TX_SKB_BUDGET, descriptors);
  }

  #set(level: number, name: number, value: number): number {
    if (whyNoField({ value }) !== undefined) return -EINVAL;
    return this.#syscalls.setsockopt(this.#fd, level, name, new Uint8Array(Uint32Array.of(value).buffer));
  }

  /** Whether bind found zero copy (XDP_OPTIONS). @throws Error when it is deleted */
  get isZeroCopy(): boolean {
    const options = new Uint8Array(4);
    this.#ask(XDP_OPTIONS, options);
    return (options[0] & XDP_OPTIONS_ZEROCOPY) !== 0;
  }

  /** XDP_STATISTICS. @throws Error when it is deleted */
  get statistics(): XdpStatistics {
    const bytes = new Uint8Array(STATISTICS_BYTES);
    this.#ask(XDP_STATISTICS, bytes);
    const [rx_dropped, rx_invalid_descs, tx_invalid_descs, rx_ring_full, rx_fill_ring_empty_descs, tx_ring_empty_descs] = Array.from(new BigUint64Array(bytes.buffer), Number);
    return { rx_dropped, rx_invalid_descs, tx_invalid_descs, rx_ring_full, rx_fill_ring_empty_descs, tx_ring_empty_descs };
  }

  #ask(name: number, value: Uint8Array): void {
    const result = this.#syscalls.getsockopt(this.#fd, SOL_XDP, name, value);
    if (result < 0) throw new Error(`XskSocket: getsockopt gives ${errnoName(result)}: is it deleted?`);
  }

  /** xsk_socket__delete. A UMEM's first socket remains bound until the UMEM is deleted, as others may share it. @throws Error when it is deleted already */
  delete(): void {
    const fd = this.#fd;
    if (fd < 0) throw new Error('XskSocket.delete: it is deleted already');
    this.#fd = -1;
    unmapOwnRings(this.#syscalls, this.#own);
    this.umem.removeSocket(fd, this.ifindex, this.queueId);
    if (fd !== this.umem.fd) this.#syscalls.close(fd);
  }
}

interface OwnRings {
  readonly rx: MappedRing | undefined;
  readonly tx: MappedRing | undefined;
}

/** @throws TypeError for anything else */
function checkUmem(caller: string, umem: XskUmem | undefined): void {
  if (umem?.ringSizes === undefined) throw new TypeError(`${caller}: this is no UMEM; XskUmem.create gives a result, and unwrap takes the UMEM out of it`);
}

function whereOf(ifindex: number, queueId: number): string {
  return `AF_XDP socket on interface ${shownValue(ifindex)}, queue ${shownValue(queueId)}`;
}

/** RX and TX. @param made sizes of those that an attempt before this one has made, which stay */
function makeOwnRings(socket: SocketInMaking, { rxSize = DEFAULT_RING_SIZE, txSize = DEFAULT_RING_SIZE }: XskSocketConfig, made: RingSizes): XskResult<OwnRings> {
  const rings: { rx: MappedRing | undefined; tx: MappedRing | undefined } = { rx: undefined, tx: undefined };
  for (const [key, kind, size] of [['rx', 'RX', rxSize], ['tx', 'TX', txSize]] as const) {
    if (size === 0) continue;
    const wrong = made[key] === size ? undefined : makeRing(socket, kind, size, made[key] !== undefined);
    if (wrong === undefined) made[key] = size;
    const ring = wrong ?? mapRing(socket, kind, size);
    if (!ring.ok) {
      unmapOwnRings(socket.syscalls, rings);
      return ring;
    }
    rings[key] = ring.value;
  }
  return { ok: true, value: rings };
}

function unmapOwnRings(syscalls: XskSyscalls, { rx, tx }: OwnRings): void {
  for (const ring of [rx, tx]) if (ring !== undefined) syscalls.munmap(ring.mapping);
}

function bindShared(
  umem: XskUmem,
  socket: SocketInMaking,
  ifindex: number,
  queueId: number,
  config: XskSharedSocketConfig,
): XskResult<{ readonly queue: QueueRings; readonly own: OwnRings }> {
  const present = umem.queueUse(ifindex, queueId);
  const queue = present === undefined ? makeQueueRings(socket, config.fillSize ?? umem.config.fillSize, config.compSize ?? umem.config.compSize) : { ok: true as const, value: present.rings };
  if (!queue.ok) return queue;
  const own = makeOwnRings(socket, config, {});
  // libxdp always names the UMEM's own socket, and so can't add a second socket to a further queue.
  const wrong = own.ok ? bind(socket, own.value, ifindex, queueId, XDP_SHARED_UMEM, present?.fds[0] ?? umem.fd) : own;
  if (own.ok && wrong === undefined) return { ok: true, value: { queue: queue.value, own: own.value } };
  if (own.ok) unmapOwnRings(socket.syscalls, own.value);
  if (present === undefined) unmapQueueRings(socket.syscalls, queue.value);
  return wrong!;
}

/**
 * struct sockaddr_xdp:
 *
 *     0 family u16   2 flags u16   4 ifindex u32   8 queue_id u32   12 shared_umem_fd u32
 */
function bind({ syscalls, fd, where }: SocketInMaking, rings: OwnRings, ifindex: number, queueId: number, flags: number, sharedUmemFd: number): XskRefusal | undefined {
  const tooWide = whyNoField({ ifindex, queueId }) ?? whyNoField({ bindFlags: flags }, 16);
  if (tooWide !== undefined) return refused(where, 'bind()', -EINVAL, tooWide);
  const address = new Uint8Array(SOCKADDR_BYTES);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_XDP, true);
  view.setUint16(2, flags, true);
  view.setUint32(4, ifindex, true);
  view.setUint32(8, queueId, true);
  view.setUint32(12, sharedUmemFd, true);
  const result = syscalls.bind(fd, address);
  const hasRings = rings.rx !== undefined || rings.tx !== undefined;
  return result < 0 ? refused(where, 'bind()', result, whyNotBound(-result, { ifindex, queueId, flags, hasRings })) : undefined;
}
