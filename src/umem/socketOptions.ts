import { EACCES, EBUSY, EINVAL, ENOMEM, ENOPROTOOPT, EOPNOTSUPP, hasChange } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import {
  SO_BUSY_POLL, SO_BUSY_POLL_BUDGET, SO_ERROR, SO_PREFER_BUSY_POLL, SOL_SOCKET, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, XDP_MMAP_OFFSETS, XDP_OPTIONS,
  XDP_OPTIONS_ZEROCOPY, XDP_RX_RING, XDP_STATISTICS, XDP_TX_RING, XDP_UMEM_COMPLETION_RING, XDP_UMEM_FILL_RING, XDP_UMEM_REG,
} from './ifXdp.js';
import { ADDRESS_BYTES, MAX_RING_ENTRIES, RING_CONSUMER, RING_ENTRIES, RING_FLAGS, RING_PRODUCER, XDP_DESC_BYTES, XDP_RING_NEED_WAKEUP } from './ring.js';
import { readUmemReg, Umem, UMEM_REG_V1_BYTES } from './umem.js';
import type { XdpSock } from './xdpSock.js';
import { ConsumerQueue, ProducerQueue } from './xskQueue.js';
import { TX_BATCH_SIZE } from './xskRules.js';

const U16_MAX = 0xffff;

/** What socket options need to know of the host. */
export interface OptionHost {
  readonly memory: HostMemory;
  /** The application has this memory. */
  isMapped(address: number, lenBytes: number): boolean;
  /** Pages that it may still lock for UMEMs (RLIMIT_MEMLOCK); Infinity for as many as it likes. */
  lockablePages(): number;
  nextUmemId(): number;
  /** Somebody follows the chunks of a new UMEM. */
  watch(umem: Umem): void;
}

/** setsockopt: xsk_setsockopt (net/xdp/xsk.c, 6.18), and what AF_XDP listens to at SOL_SOCKET. */
export function setOption(host: OptionHost, socket: XdpSock, level: number, name: number, value: Uint8Array): number {
  if (level === SOL_SOCKET) return setSocketOption(socket, name, value);
  if (level !== SOL_XDP) return -ENOPROTOOPT;
  switch (name) {
    case XDP_RX_RING:
    case XDP_TX_RING:
    case XDP_UMEM_FILL_RING:
    case XDP_UMEM_COMPLETION_RING:
      return makeRing(host, socket, name, value);
    case XDP_UMEM_REG:
      return registerUmem(host, socket, value);
    case XDP_MAX_TX_SKB_BUDGET:
      if (!hasChange(socket.rules.kernel, 'txBudgetOption')) return -ENOPROTOOPT;
      return setTxBudget(socket, value);
    default:
      return -ENOPROTOOPT;
  }
}

/** getsockopt: xsk_getsockopt. Writes to `value`; gives the length that it has written, or a negated errno. */
export function getOption(socket: XdpSock, level: number, name: number, value: Uint8Array): number {
  if (level === SOL_SOCKET) return getSocketOption(socket, name, value);
  if (level !== SOL_XDP) return -ENOPROTOOPT;
  switch (name) {
    case XDP_STATISTICS:
      return writeStatistics(socket, value);
    case XDP_MMAP_OFFSETS:
      return writeOffsets(value);
    case XDP_OPTIONS:
      if (value.length < 4) return -EINVAL;
      viewOf(value).setUint32(0, socket.isZeroCopy ? XDP_OPTIONS_ZEROCOPY : 0, true);
      return 4;
    default:
      return -EOPNOTSUPP;
  }
}

function viewOf(value: Uint8Array): DataView {
  return new DataView(value.buffer, value.byteOffset, value.length);
}

/** xsk_init_queue: a ring of so many entries. */
function makeRing({ memory }: OptionHost, socket: XdpSock, name: number, value: Uint8Array): number {
  if (value.length < 4) return -EINVAL;
  const entries = viewOf(value).getUint32(0, true);
  if (socket.state !== 'ready') return -EBUSY;
  const isThere = { [XDP_RX_RING]: socket.rx, [XDP_TX_RING]: socket.tx, [XDP_UMEM_FILL_RING]: socket.fillUntilBind, [XDP_UMEM_COMPLETION_RING]: socket.completionUntilBind }[name] !== undefined;
  if (entries === 0 || isThere || (entries & (entries - 1)) !== 0) return -EINVAL;
  const entryBytes = name === XDP_RX_RING || name === XDP_TX_RING ? XDP_DESC_BYTES : ADDRESS_BYTES;
  // The kernel would try, up to 64 GiB, and take the machine down.
  if (entries > MAX_RING_ENTRIES || !memory.hasRoom(RING_ENTRIES + entries * entryBytes)) return -ENOMEM;
  const trusts = socket.rules.quirks.trustsProducer === true;
  const ringName = (kind: string): string => `xsk${socket.id} ${kind} ring`;
  switch (name) {
    case XDP_RX_RING:
      socket.rx = new ProducerQueue(memory, ringName('RX'), entries, entryBytes);
      break;
    case XDP_TX_RING:
      socket.tx = new ConsumerQueue(memory, ringName('TX'), entries, entryBytes, trusts);
      // In copy mode it stays so.
      socket.tx.ring.flags = XDP_RING_NEED_WAKEUP;
      break;
    case XDP_UMEM_FILL_RING:
      socket.fillUntilBind = new ConsumerQueue(memory, ringName('FILL'), entries, entryBytes, trusts);
      break;
    default:
      socket.completionUntilBind = new ProducerQueue(memory, ringName('COMPLETION'), entries, entryBytes);
  }
  return 0;
}

function registerUmem(host: OptionHost, socket: XdpSock, value: Uint8Array): number {
  const reg = readUmemReg(value, socket.rules.kernel, host.lockablePages(), (address, lenBytes) => host.isMapped(address, lenBytes));
  // A length that is too short is refused before the socket is looked at, everything else after it.
  if (value.length < UMEM_REG_V1_BYTES) return -EINVAL;
  if (socket.state !== 'ready' || socket.umem !== undefined) return -EBUSY;
  if (typeof reg === 'number') return reg;
  socket.umem = new Umem(host.nextUmemId(), reg);
  host.watch(socket.umem);
  return 0;
}

/** XDP_MAX_TX_SKB_BUDGET: from 32 to the size of the TX ring. */
function setTxBudget(socket: XdpSock, value: Uint8Array): number {
  if (value.length !== 4) return -EINVAL;
  const budget = viewOf(value).getUint32(0, true);
  if (socket.tx === undefined || budget < TX_BATCH_SIZE || budget > socket.tx.ring.size) return -EACCES;
  socket.maxTxBudget = budget;
  return 0;
}

/** SO_BUSY_POLL and its kin (sk_setsockopt, net/core/sock.c); the model's application may do what CAP_NET_ADMIN allows. */
function setSocketOption(socket: XdpSock, name: number, value: Uint8Array): number {
  if (value.length < 4) return -EINVAL;
  const number = viewOf(value).getInt32(0, true);
  switch (name) {
    case SO_BUSY_POLL:
      if (number < 0) return -EINVAL;
      socket.busyPollUsecs = number;
      return 0;
    case SO_PREFER_BUSY_POLL:
      socket.prefersBusyPoll = number !== 0;
      return 0;
    case SO_BUSY_POLL_BUDGET:
      if (number < 0 || number > U16_MAX) return -EINVAL;
      socket.busyPollBudget = number;
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

/** SO_BUSY_POLL_BUDGET can be set only. */
function getSocketOption(socket: XdpSock, name: number, value: Uint8Array): number {
  const numbers: Readonly<Record<number, number>> = {
    [SO_ERROR]: socket.error, [SO_BUSY_POLL]: socket.busyPollUsecs, [SO_PREFER_BUSY_POLL]: socket.prefersBusyPoll ? 1 : 0,
  };
  if (numbers[name] === undefined) return -ENOPROTOOPT;
  const bytes = new Uint8Array(Int32Array.of(numbers[name]).buffer).subarray(0, value.length);
  if (name === SO_ERROR) socket.error = 0;
  value.set(bytes);
  return bytes.length;
}

const STATISTICS_V1_BYTES = 24;
const STATISTICS_BYTES = 48;

/** XDP_STATISTICS: with room for three numbers, as of old, full RX rings count as dropped packets. */
function writeStatistics(socket: XdpSock, value: Uint8Array): number {
  if (value.length < STATISTICS_V1_BYTES) return -EINVAL;
  const all = socket.statistics;
  const isShort = value.length < STATISTICS_BYTES;
  const numbers = [isShort ? all.rx_dropped + all.rx_ring_full : all.rx_dropped, all.rx_invalid_descs, all.tx_invalid_descs];
  if (!isShort) numbers.push(all.rx_ring_full, all.rx_fill_ring_empty_descs, all.tx_ring_empty_descs);
  const view = viewOf(value);
  numbers.forEach((number, i) => view.setBigUint64(i * 8, BigInt(number), true));
  return numbers.length * 8;
}

// struct xdp_mmap_offsets: four rings, three numbers each at first and four with flags.
const MMAP_OFFSETS_V1_BYTES = 96;
const MMAP_OFFSETS_BYTES = 128;

/** XDP_MMAP_OFFSETS: for each of the rings RX, TX, FILL and COMPLETION producer, consumer, entries and, with room for them, flags, as u64. */
function writeOffsets(value: Uint8Array): number {
  if (value.length < MMAP_OFFSETS_V1_BYTES) return -EINVAL;
  const withoutFlags = [RING_PRODUCER, RING_CONSUMER, RING_ENTRIES];
  const numbers = value.length >= MMAP_OFFSETS_BYTES ? [...withoutFlags, RING_FLAGS] : withoutFlags;
  const view = viewOf(value);
  for (let ring = 0; ring < 4; ring++) numbers.forEach((number, i) => view.setBigUint64((ring * numbers.length + i) * 8, BigInt(number), true));
  return numbers.length * 32;
}
