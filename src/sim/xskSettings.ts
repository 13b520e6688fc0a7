import { PAGE_BYTES } from '../memory/index.js';
import {
  XDP_COPY, XDP_DESC_BYTES, XDP_UMEM_TX_METADATA_LEN, XDP_UMEM_TX_SW_CSUM, XDP_UMEM_UNALIGNED_CHUNK_FLAG, XDP_USE_NEED_WAKEUP, XDP_USE_SG, XDP_ZEROCOPY,
} from '../umem/index.js';
import type { XskUmemConfig } from '../xsk/index.js';

/** Entries of the four rings, each a power of two. */
export interface XskRingSizes {
  readonly rx: number;
  readonly tx: number;
  readonly fill: number;
  readonly completion: number;
}

/** `auto`: zero copy if the driver can, as bind() does when neither is asked for. */
export const XSK_BIND_MODES = ['auto', 'copy', 'zerocopy'] as const;
export type XskBindMode = (typeof XSK_BIND_MODES)[number];

/** How the AF_XDP sockets of a NIC, and the UMEM of each, are made. The kernel says what of it can't be. */
export interface XskSettings {
  readonly mode: XskBindMode;
  readonly rings: XskRingSizes;
  /** Chunks of each socket's UMEM, and bytes of each. */
  readonly chunkCount: number;
  readonly chunkSizeBytes: number;
  /** Bytes of a chunk between XDP's own 256 and the packet. */
  readonly headroomBytes: number;
  /** XDP_UMEM_UNALIGNED_CHUNK_FLAG. */
  readonly isUnaligned: boolean;
  /** XDP_USE_NEED_WAKEUP. */
  readonly usesNeedWakeup: boolean;
  /** XDP_USE_SG: packets of several descriptors. */
  readonly hasSg: boolean;
  /** Length of struct xsk_tx_metadata before packets to be sent, 0 for none, and whether the CPU computes its checksums (XDP_UMEM_TX_SW_CSUM). */
  readonly txMetadataBytes: number;
  readonly hasTxSwCsum: boolean;
}

/** As many as xdpsock takes: a driver in zero-copy mode fills its RX ring with chunks, and some must be left for what is under way. */
export const XSK_DEFAULTS: XskSettings = {
  mode: 'auto', rings: { rx: 2048, tx: 2048, fill: 4096, completion: 2048 }, chunkCount: 4096, chunkSizeBytes: 4096, headroomBytes: 0, isUnaligned: false,
  usesNeedWakeup: false, hasSg: false, txMetadataBytes: 0, hasTxSwCsum: false,
};

/** Rings and UMEM begin at pages. */
const SLACK_BYTES = 8 * PAGE_BYTES;

/** More chunks than host memory has room for in any case. */
export const MAX_XSK_CHUNKS = 2 ** 20;

export function umemConfig({ rings, chunkSizeBytes, headroomBytes, isUnaligned, txMetadataBytes, hasTxSwCsum }: XskSettings): Required<XskUmemConfig> {
  return {
    fillSize: rings.fill, compSize: rings.completion, frameSize: chunkSizeBytes, frameHeadroom: headroomBytes, txMetadataLen: txMetadataBytes,
    flags: (isUnaligned ? XDP_UMEM_UNALIGNED_CHUNK_FLAG : 0) | (txMetadataBytes > 0 ? XDP_UMEM_TX_METADATA_LEN : 0) | (hasTxSwCsum ? XDP_UMEM_TX_SW_CSUM : 0),
  };
}

export function bindFlags({ mode, usesNeedWakeup, hasSg }: XskSettings): number {
  return (mode === 'copy' ? XDP_COPY : mode === 'zerocopy' ? XDP_ZEROCOPY : 0) | (usesNeedWakeup ? XDP_USE_NEED_WAKEUP : 0) | (hasSg ? XDP_USE_SG : 0);
}

/** Bytes of the UMEMs and rings of one socket, at most. */
export function xskMemoryBytes({ rings, chunkCount, chunkSizeBytes }: XskSettings): number {
  const entries = Object.values(rings).reduce((sum, size) => sum + size, 0);
  return chunkCount * chunkSizeBytes + entries * XDP_DESC_BYTES + SLACK_BYTES;
}
