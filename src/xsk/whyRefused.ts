import { EACCES, EAFNOSUPPORT, EBADF, EBUSY, EFAULT, EINVAL, ENETDOWN, ENOBUFS, ENODEV, ENOMEM, ENOTSOCK, EOPNOTSUPP, EPERM, shownValue } from '../base/index.js';
import {
  XDP_COPY, XDP_PACKET_HEADROOM, XDP_SHARED_UMEM, XDP_UMEM_TX_METADATA_LEN, XDP_UMEM_TX_SW_CSUM, XDP_UMEM_UNALIGNED_CHUNK_FLAG, XDP_USE_NEED_WAKEUP, XDP_USE_SG,
  XDP_ZEROCOPY,
} from '../umem/index.js';
import type { Reason } from './xskProblem.js';
import type { XskUmemConfig } from './xskUmem.js';

// An errno of AF_XDP says little, and EINVAL least. The kernel decides; what follows looks at the arguments of a call that it has refused and says which
// one must have been meant. The rules are those of net/xdp (6.18), in the kernel's order.

const UNKNOWN: Reason = { why: 'for a reason that the arguments do not show', hint: 'look at what the kernel logs, and compare its release with the flags that are asked for' };

const DELETED: Reason = { why: 'the UMEM is deleted', hint: 'create a new one' };

/**
 * Of numbers that go into fields of a struct the first that its field can't hold: in C it would lose its upper bits, and another number would be meant.
 * Nobody asks the kernel then.
 */
export function whyNoField(numbers: Readonly<Record<string, number>>, bits = 32): Reason | undefined {
  const most = 2 ** bits - 1;
  const wrong = Object.entries(numbers).find(([, value]) => !(Number.isInteger(value) && value >= 0 && value <= most));
  return wrong && { why: `${wrong[0]} ${shownValue(wrong[1])} is no whole number of ${bits} bits`, hint: `use a whole number from 0 to ${most}` };
}

/** socket(AF_XDP). */
export function whyNoSocket(errno: number): Reason {
  if (errno === EPERM) return { why: 'CAP_NET_RAW is missing', hint: 'run it as root, or give the binary CAP_NET_RAW' };
  if (errno === EAFNOSUPPORT) return { why: 'the kernel was built without AF_XDP', hint: 'use a kernel with CONFIG_XDP_SOCKETS' };
  return UNKNOWN;
}

/** setsockopt(XDP_UMEM_REG). @param address of the first byte */
export function whyNoUmem(errno: number, address: bigint, sizeBytes: number, config: Required<XskUmemConfig>): Reason {
  switch (errno) {
    case EBUSY:
      return { why: 'the socket has a UMEM already', hint: 'create it once, and share it' };
    case EFAULT:
      return { why: 'not all of its memory is mapped', hint: 'map at least as many bytes as the UMEM has' };
    case ENOMEM:
    case ENOBUFS:
      return { why: 'so much memory can\'t be locked', hint: 'raise RLIMIT_MEMLOCK (ulimit -l), or use fewer chunks' };
    case EINVAL:
      return whyBadUmem(address, sizeBytes, config);
    default:
      return UNKNOWN;
  }
}

function whyBadUmem(address: bigint, sizeBytes: number, { frameSize, frameHeadroom, flags, txMetadataLen }: Required<XskUmemConfig>): Reason {
  const isUnaligned = (flags & XDP_UMEM_UNALIGNED_CHUNK_FLAG) !== 0;
  if (frameSize < 2048 || frameSize > 4096) return { why: `frameSize ${frameSize} is out of range`, hint: 'use 2048 or 4096, or, with unaligned chunks, any size from 2048 to 4096' };
  if ((flags & ~(XDP_UMEM_UNALIGNED_CHUNK_FLAG | XDP_UMEM_TX_SW_CSUM | XDP_UMEM_TX_METADATA_LEN)) !== 0) return { why: `flags 0x${(flags >>> 0).toString(16)} have a bit that means nothing`, hint: 'use XDP_UMEM_UNALIGNED_CHUNK_FLAG, XDP_UMEM_TX_SW_CSUM and XDP_UMEM_TX_METADATA_LEN' };
  if (!isUnaligned && (frameSize & (frameSize - 1)) !== 0) return { why: `frameSize ${frameSize} is no power of two`, hint: 'use 2048 or 4096, or set XDP_UMEM_UNALIGNED_CHUNK_FLAG' };
  if (address % 4096n !== 0n) return { why: 'its memory does not begin at a page', hint: 'map it, or align it to 4096' };
  if (sizeBytes < frameSize) return { why: `${sizeBytes} bytes hold no chunk of ${frameSize}`, hint: 'make it larger' };
  if (!isUnaligned && sizeBytes % frameSize !== 0) return { why: `${sizeBytes} bytes are no whole number of chunks of ${frameSize}`, hint: 'make it a multiple of frameSize' };
  const most = frameSize - XDP_PACKET_HEADROOM - 448;
  if (frameHeadroom > most) return { why: `frameHeadroom ${frameHeadroom} leaves too little of a chunk`, hint: `use at most ${most}: 256 bytes are XDP's own, 448 must be left` };
  if ((flags & XDP_UMEM_TX_METADATA_LEN) !== 0 && (txMetadataLen >= 256 || txMetadataLen % 8 !== 0)) return { why: `txMetadataLen ${txMetadataLen} is not allowed`, hint: 'use a multiple of 8 below 256; struct xsk_tx_metadata has 24 bytes' };
  if ((flags & (XDP_UMEM_TX_SW_CSUM | XDP_UMEM_TX_METADATA_LEN)) !== 0) return { why: 'this kernel may be too old for metadata of packets to be sent', hint: 'it takes Linux 6.8; leave XDP_UMEM_TX_SW_CSUM and XDP_UMEM_TX_METADATA_LEN out' };
  return UNKNOWN;
}

/** setsockopt of a ring. @param hasBefore it was made by an attempt before this, with another size */
export function whyNoRing(errno: number, ring: string, size: number, hasBefore: boolean): Reason {
  switch (errno) {
    case EBADF:
      return DELETED;
    case EBUSY:
      return { why: 'the socket is bound already', hint: `make the ${ring} ring before; a further socket of a UMEM is made by XskSocket.createShared` };
    case ENOMEM:
    case ENOBUFS:
      return { why: `there is no memory for ${size} entries`, hint: 'use a smaller ring; 2048 is what libxdp takes' };
    case EINVAL:
      if (hasBefore) return { why: `the ${ring} ring was made by an attempt before, with another size`, hint: 'keep the size, or delete the UMEM and begin anew' };
      return { why: `${size} entries are not allowed`, hint: 'use a power of two' };
    default:
      return UNKNOWN;
  }
}

/** XDP_MMAP_OFFSETS, and mmap() of a ring. */
export function whyNoMapping(errno: number): Reason {
  if (errno === EBADF) return DELETED;
  if (errno === EOPNOTSUPP) return { why: 'the kernel is older than 5.4', hint: 'use a newer one' };
  if (errno === EBUSY) return { why: 'the socket has lost its device', hint: 'bring the device back and make a new socket' };
  return UNKNOWN;
}

/** What bind() was asked for. */
export interface BindRequest {
  readonly ifindex: number;
  readonly queueId: number;
  readonly flags: number;
  readonly hasRings: boolean;
}

/** bind(). */
export function whyNotBound(errno: number, { ifindex, queueId, flags, hasRings }: BindRequest): Reason {
  const isShared = (flags & XDP_SHARED_UMEM) !== 0;
  switch (errno) {
    case EBUSY:
      return { why: `queue ${queueId} of interface ${ifindex} has a socket already, or had one a moment ago`, hint: 'close that one and try again after 100 ms, or share its UMEM' };
    case ENODEV:
      return { why: `there is no interface ${ifindex}`, hint: 'look at ip link; indices differ between network namespaces' };
    case EOPNOTSUPP:
      return { why: 'XDP_ZEROCOPY was asked for, and the driver can\'t, or not with these packets', hint: 'without XDP_ZEROCOPY the socket gets copy mode then; a driver that can has xsk-zerocopy among its XDP features (docs/nic.md, sim nic show NAME)' };
    case ENOTSOCK:
      return DELETED;
    case EBADF:
      return { why: 'the socket whose UMEM is to be shared is not bound', hint: 'bind it first, by XskSocket.create' };
    case ENETDOWN:
      return { why: 'the device is down or has no XDP program, which its driver wants for zero copy', hint: 'ip link set it up, and attach the program first' };
    case ENOMEM:
      return { why: 'the driver has no memory for the queue', hint: 'use smaller rings' };
    case EACCES:
    case EPERM:
      return { why: 'it is not allowed', hint: 'run it as root' };
    case EINVAL:
      if ((flags & ~(XDP_SHARED_UMEM | XDP_COPY | XDP_ZEROCOPY | XDP_USE_NEED_WAKEUP | XDP_USE_SG)) !== 0) return { why: `bindFlags 0x${flags.toString(16)} have a bit that means nothing`, hint: 'use XDP_COPY or XDP_ZEROCOPY, XDP_USE_NEED_WAKEUP and XDP_USE_SG' };
      if (!hasRings) return { why: 'the socket has neither an RX nor a TX ring', hint: 'give rxSize or txSize' };
      if ((flags & XDP_COPY) !== 0 && (flags & XDP_ZEROCOPY) !== 0) return { why: 'XDP_COPY and XDP_ZEROCOPY exclude each other', hint: 'use one of them, or neither: zero copy if the driver can' };
      if (isShared) return { why: 'the shared UMEM does not go with this queue', hint: `does interface ${ifindex} have a queue ${queueId}? ethtool -l says how many there are` };
      if ((flags & XDP_USE_SG) !== 0) return { why: `interface ${ifindex} has no queue ${queueId}, or the kernel is too old for XDP_USE_SG`, hint: 'look at ethtool -l; XDP_USE_SG takes Linux 6.6' };
      return { why: `interface ${ifindex} has no queue ${queueId}`, hint: 'ethtool -l says how many there are' };
    default:
      return UNKNOWN;
  }
}
