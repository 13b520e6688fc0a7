import { EBADF, EBUSY, EINVAL, ENODEV, ENOPROTOOPT, ENOTSOCK, EOPNOTSUPP, hasChange } from '../base/index.js';
import type { KernelRelease, Scheduler } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import {
  AF_XDP, XDP_COPY, XDP_SHARED_UMEM, XDP_USE_NEED_WAKEUP, XDP_USE_SG, XDP_WAKEUP_TX, XDP_ZEROCOPY,
} from './ifXdp.js';
import type { XdpSock } from './xdpSock.js';
import { XskBuffPool } from './xskBuffPool.js';
import type { XskDevice } from './xskDevice.js';

/** Bytes of struct sockaddr_xdp. */
const SOCKADDR_BYTES = 16;

/** What a frame may be longer than its MTU: Ethernet header, two VLAN tags, FCS. */
const ETH_PAD_BYTES = 14 + 2 * 4 + 4;

const KNOWN_FLAGS = XDP_SHARED_UMEM | XDP_COPY | XDP_ZEROCOPY | XDP_USE_NEED_WAKEUP;

/** What bind needs to know of the host. */
export interface BindHost {
  readonly memory: HostMemory;
  readonly scheduler: Scheduler;
  device(ifindex: number): XskDevice | undefined;
  /** What a file descriptor is. */
  file(fd: number): XdpSock | 'socket' | 'other' | undefined;
  /** The pool on a queue of a device. */
  pool(ifindex: number, queueId: number): XskBuffPool | undefined;
  addPool(pool: XskBuffPool): void;
}

/**
 * bind() of an AF_XDP socket: the checks of xsk_bind (net/xdp/xsk.c, 6.18) in their order, and what it changes.
 *
 *     0 family u16   2 flags u16   4 ifindex u32   8 queue_id u32   12 shared_umem_fd u32
 *
 * @returns 0, -EINVAL, -EBUSY (bound before, or somebody else has the queue), -ENODEV, -ENOTSOCK, -ENOPROTOOPT and -EBADF (shared_umem_fd), -EOPNOTSUPP
 * (XDP_ZEROCOPY without it)
 */
export function bind(host: BindHost, socket: XdpSock, address: Uint8Array): number {
  if (address.length < SOCKADDR_BYTES) return -EINVAL;
  const view = new DataView(address.buffer, address.byteOffset, address.length);
  const flags = view.getUint16(2, true);
  const { hasMultiBuffer, quirks } = socket.rules;
  if (view.getUint16(0, true) !== AF_XDP) return -EINVAL;
  if ((flags & ~(hasMultiBuffer ? KNOWN_FLAGS | XDP_USE_SG : KNOWN_FLAGS)) !== 0) return -EINVAL;
  if (socket.state !== 'ready') return -EBUSY;
  const device = host.device(view.getUint32(4, true));
  if (device === undefined) return -ENODEV;
  if (socket.rx === undefined && socket.tx === undefined) return -EINVAL;
  const queueId = quirks.truncatesQueueId === true ? view.getUint16(8, true) : view.getUint32(8, true);
  const error = (flags & XDP_SHARED_UMEM) !== 0
    ? shareUmem(host, socket, device, queueId, flags, view.getInt32(12, true))
    : bindOwnUmem(host, socket, device, queueId, flags);
  if (error !== 0) return error;
  socket.device = device;
  socket.queueId = queueId;
  socket.isZeroCopy = socket.pool!.isZeroCopy;
  socket.pool!.sockets.add(socket);
  if (socket.tx !== undefined) socket.pool!.txSockets.push(socket);
  socket.fillUntilBind = undefined;
  socket.completionUntilBind = undefined;
  socket.state = 'bound';
  socket.umem?.watch?.addSocket(socket);
  return 0;
}

function bindOwnUmem(host: BindHost, socket: XdpSock, device: XskDevice, queueId: number, flags: number): number {
  const { umem, fillUntilBind: fill, completionUntilBind: completion } = socket;
  if (umem === undefined || fill === undefined || completion === undefined) return -EINVAL;
  const pool = new XskBuffPool({ memory: host.memory, umem, fill, completion, device, queueId, clock: host.scheduler });
  const error = assignDevice(host, pool, flags, socket.rules.kernel);
  if (error !== 0) return error;
  socket.pool = pool;
  socket.hasSg = (flags & XDP_USE_SG) !== 0;
  return 0;
}

/** xp_assign_dev: the pool takes the queue, in zero-copy mode if that is wanted or nobody says otherwise and the driver can. */
function assignDevice(host: BindHost, pool: XskBuffPool, flags: number, kernel: KernelRelease): number {
  const { device, queueId } = pool;
  const isForced = (flags & XDP_ZEROCOPY) !== 0;
  const isCopy = (flags & XDP_COPY) !== 0;
  if (isForced && isCopy) return -EINVAL;
  if (host.pool(device.ifindex, queueId) !== undefined) return -EBUSY;
  if (queueId >= Math.max(device.rxQueues, device.txQueues)) return -EINVAL;
  pool.usesNeedWakeup = (flags & XDP_USE_NEED_WAKEUP) !== 0;
  pool.hasSg = (flags & XDP_USE_SG) !== 0;
  // Sending begins with a wake-up by the application, whatever the mode, and copy mode stays so.
  pool.cachedNeedWakeup = XDP_WAKEUP_TX;
  const error = isCopy ? 0 : setupZeroCopy(pool, kernel);
  if (error !== 0 && isForced) return error;
  host.addPool(pool);
  return 0;
}

/** 0, or why it is copy mode. */
function setupZeroCopy(pool: XskBuffPool, kernel: KernelRelease): number {
  const { device } = pool;
  const { zeroCopy } = device;
  if (zeroCopy === undefined) return -EOPNOTSUPP;
  if (pool.hasSg && zeroCopy.maxSegments === 1) return -EOPNOTSUPP;
  // As the source has it: there was no driver with zero copy to ask.
  if (hasChange(kernel, 'zeroCopyMtu') && device.mtu + ETH_PAD_BYTES > pool.rxFrameBytes * (pool.hasSg ? zeroCopy.maxSegments : 1)) return -EINVAL;
  pool.isZeroCopy = true;
  const error = zeroCopy.setupPool(pool.queueId, pool);
  if (error !== 0) pool.isZeroCopy = false;
  return error;
}

/** The branch of XDP_SHARED_UMEM. */
function shareUmem(host: BindHost, socket: XdpSock, device: XskDevice, queueId: number, flags: number, fd: number): number {
  if ((flags & (XDP_COPY | XDP_ZEROCOPY | XDP_USE_NEED_WAKEUP | XDP_USE_SG)) !== 0) return -EINVAL;
  if (socket.umem !== undefined) return -EINVAL;
  const other = host.file(fd);
  if (other === undefined || other === 'other') return -ENOTSOCK;
  if (other === 'socket') return -ENOPROTOOPT;
  const { umem, pool } = other;
  if (!other.isBound || umem === undefined || pool === undefined) return -EBADF;
  const { fillUntilBind: fill, completionUntilBind: completion } = socket;
  if (other.device === device && other.queueId === queueId) {
    if (fill !== undefined || completion !== undefined) return -EINVAL;
    socket.pool = pool;
  } else {
    if (fill === undefined || completion === undefined) return -EINVAL;
    const own = new XskBuffPool({ memory: host.memory, umem, fill, completion, device, queueId, clock: host.scheduler });
    const mode = (pool.isZeroCopy ? XDP_ZEROCOPY : XDP_COPY) | (pool.usesNeedWakeup ? XDP_USE_NEED_WAKEUP : 0) | (pool.hasSg ? XDP_USE_SG : 0);
    const error = assignDevice(host, own, mode, socket.rules.kernel);
    if (error !== 0) return error;
    socket.pool = own;
  }
  socket.umem = umem;
  socket.hasSg = other.hasSg;
  return 0;
}
