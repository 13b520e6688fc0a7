import { EINVAL } from '../base/index.js';

// struct xsk_tx_metadata (include/uapi/linux/if_xdp.h, 6.18), tx_metadata_len bytes before the packet:
//
//     0 flags u64   8 request:    csum_start u16   csum_offset u16   (4 unused)   16 launch_time u64
//                     completion: tx_timestamp u64
const FLAGS = 0;
const CSUM_START = 8;
const CSUM_OFFSET = 10;
const LAUNCH_TIME = 16;
const TX_TIMESTAMP = 8;

/** sizeof(struct xsk_tx_metadata); one that ends before launch_time will do for frames without a launch time. */
export const XSK_TX_METADATA_BYTES = 24;
export const XSK_TX_METADATA_SHORT_BYTES = LAUNCH_TIME;

/** Write when the frame was sent, ns, over the request. */
export const XDP_TXMD_FLAGS_TIMESTAMP = 1;
/** Compute a checksum from csum_start on, and put it at csum_start + csum_offset, which holds the pseudo header's sum. */
export const XDP_TXMD_FLAGS_CHECKSUM = 2;
/** Send at launch_time, ns of the device's clock; since 6.15. Queues that aren't set up for it pass it over. */
export const XDP_TXMD_FLAGS_LAUNCH_TIME = 4;

/** What a frame may ask for; the place in the list is the bit of the flag. */
export const TX_METADATA_REQUESTS = ['time stamp', 'checksum', 'launch time'] as const;

const KNOWN_FLAGS = XDP_TXMD_FLAGS_TIMESTAMP | XDP_TXMD_FLAGS_CHECKSUM | XDP_TXMD_FLAGS_LAUNCH_TIME;

/** What the metadata of a frame asks for: the mainline contract of AF_XDP, since 6.8. */
export interface TxMetadata {
  wantsTimestamp: boolean;
  /** From the beginning of the packet; -1 for no checksum. */
  csumStart: number;
  /** From `csumStart`. */
  csumOffset: number;
  /** When to send the frame, ns; -1 for no such request. Beyond 2^53 it is nearly so. */
  launchTimeNs: number;
}

/** A frame that asks for nothing. */
export const NO_TX_METADATA: Readonly<TxMetadata> = { wantsTimestamp: false, csumStart: -1, csumOffset: 0, launchTimeNs: -1 };

/**
 * Reads it as xsk_skb_metadata does (net/xdp/xsk.c, 6.18).
 *
 * @param address host address of the metadata
 * @param lenBytes length of the packet
 * @returns 0, or -EINVAL for unknown flags and a checksum behind the packet
 */
export function readTxMetadata(view: DataView, address: number, lenBytes: number, into: TxMetadata): number {
  const flags = view.getUint32(address + FLAGS, true);
  if ((flags & ~KNOWN_FLAGS) !== 0 || view.getUint32(address + FLAGS + 4, true) !== 0) return -EINVAL;
  into.wantsTimestamp = (flags & XDP_TXMD_FLAGS_TIMESTAMP) !== 0;
  into.launchTimeNs = (flags & XDP_TXMD_FLAGS_LAUNCH_TIME) === 0 ? -1 : readU64(view, address + LAUNCH_TIME);
  into.csumStart = -1;
  if ((flags & XDP_TXMD_FLAGS_CHECKSUM) === 0) return 0;
  into.csumStart = view.getUint16(address + CSUM_START, true);
  into.csumOffset = view.getUint16(address + CSUM_OFFSET, true);
  return into.csumStart + into.csumOffset + 2 > lenBytes ? -EINVAL : 0;
}

/**
 * Writes what a frame asks for, as an application does before it submits the descriptor with XDP_TX_METADATA.
 *
 * @param address of the metadata, which ends where the packet begins if it has XSK_TX_METADATA_BYTES: `umem.getData(addr) - umem.config.txMetadataLen`
 */
export function writeTxMetadata(view: DataView, address: number, { wantsTimestamp, csumStart, csumOffset, launchTimeNs }: TxMetadata): void {
  const hasCsum = csumStart >= 0;
  const hasLaunchTime = launchTimeNs >= 0;
  view.setUint32(address + FLAGS, (wantsTimestamp ? XDP_TXMD_FLAGS_TIMESTAMP : 0) | (hasCsum ? XDP_TXMD_FLAGS_CHECKSUM : 0) | (hasLaunchTime ? XDP_TXMD_FLAGS_LAUNCH_TIME : 0), true);
  view.setUint32(address + FLAGS + 4, 0, true);
  view.setUint16(address + CSUM_START, hasCsum ? csumStart : 0, true);
  view.setUint16(address + CSUM_OFFSET, hasCsum ? csumOffset : 0, true);
  if (hasLaunchTime) writeU64(view, address + LAUNCH_TIME, launchTimeNs);
}

/** Writes the completion of a frame that asked for a time stamp (xsk_tx_metadata_complete). */
export function writeTxTimestamp(view: DataView, address: number, tNs: number): void {
  writeU64(view, address + TX_TIMESTAMP, tNs);
}

/** When a frame that asked for a time stamp was sent, ns; to be read when its chunk has come back on COMPLETION. */
export function readTxTimestamp(view: DataView, address: number): number {
  return readU64(view, address + TX_TIMESTAMP);
}

function writeU64(view: DataView, address: number, value: number): void {
  view.setUint32(address, value % 2 ** 32, true);
  view.setUint32(address + 4, Math.floor(value / 2 ** 32), true);
}

/** Beyond 2^53 it is nearly so. */
function readU64(view: DataView, address: number): number {
  return view.getUint32(address, true) + view.getUint32(address + 4, true) * 2 ** 32;
}
