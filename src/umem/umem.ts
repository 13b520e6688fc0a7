import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { Owner, OwnerLedger, PAGE_BYTES } from '../memory/index.js';
import type { HostMemory } from '../memory/index.js';

/** XDP_PACKET_HEADROOM: spent at the head of every chunk, in copy mode too. */
export const XDP_PACKET_HEADROOM = 256;

/** What XDP_UMEM_REG takes. Aligned chunks only. */
export interface UmemOptions {
  readonly chunkCount: number;
  /** 2048 or 4096. */
  readonly chunkSizeBytes: number;
  /** Bytes between the kernel's own headroom and the packet. */
  readonly headroomBytes: number;
  /** Length of the metadata before each packet to be sent (XDP_UMEM_TX_METADATA_LEN); left out: none. */
  readonly txMetadataBytes?: number;
  /** Checksums of the metadata are computed by the CPU (XDP_UMEM_TX_SW_CSUM). */
  readonly hasTxSwCsum?: boolean;
}

/** Room that xdp_umem_reg wants left in a chunk besides both headrooms (measured on 6.18: 320 tailroom + 128). */
const CHUNK_RESERVE_BYTES = 320 + 128;

/** tx_metadata_len is below 256 (xdp_umem_reg). */
const TX_METADATA_MAX_BYTES = 248;

/** Packet memory that an AF_XDP application shares with the kernel: equal chunks, each with one owner. */
export class Umem {
  readonly address: number;
  readonly sizeBytes: number;
  readonly chunkSizeBytes: number;
  readonly headroomBytes: number;
  readonly txMetadataBytes: number;
  readonly hasTxSwCsum: boolean;
  readonly chunks: OwnerLedger;

  /** @param options checked by `createUmem` */
  constructor(memory: HostMemory, name: string, options: UmemOptions) {
    this.chunkSizeBytes = options.chunkSizeBytes;
    this.headroomBytes = options.headroomBytes;
    this.txMetadataBytes = options.txMetadataBytes ?? 0;
    this.hasTxSwCsum = options.hasTxSwCsum ?? false;
    this.sizeBytes = options.chunkCount * options.chunkSizeBytes;
    this.address = memory.reserve(name, this.sizeBytes, PAGE_BYTES);
    this.chunks = new OwnerLedger('chunk', this.address, options.chunkSizeBytes, options.chunkCount, Owner.application);
  }

  /** Bytes of packet that one chunk can take. */
  get frameSizeBytes(): number {
    return this.chunkSizeBytes - XDP_PACKET_HEADROOM - this.headroomBytes;
  }

  /** Start of the chunk that contains this offset, -1 when the UMEM doesn't contain it (xp_aligned_validate_desc, net/xdp/xsk_buff_pool.c). */
  chunkStart(offBytes: number): number {
    return offBytes >= 0 && offBytes < this.sizeBytes ? offBytes - (offBytes % this.chunkSizeBytes) : -1;
  }
}

/** Registers a UMEM: the checks of xdp_umem_reg (net/xdp/xdp_umem.c, 6.18) for aligned chunks. */
export function createUmem(memory: HostMemory, name: string, options: UmemOptions): Result<Umem> {
  const { chunkCount, chunkSizeBytes, headroomBytes, txMetadataBytes = 0 } = options;
  const refuse = (message: string, hint: string): Result<Umem> => fail({ code: 'umem-einval', where: name, message: `${message} (EINVAL)`, hint });
  if (chunkSizeBytes !== 2048 && chunkSizeBytes !== 4096) {
    return refuse(`chunks of ${chunkSizeBytes} bytes are refused`, 'aligned chunks are 2048 or 4096 bytes');
  }
  if (!Number.isInteger(chunkCount) || chunkCount < 1) return refuse(`${chunkCount} chunks are refused`, 'use at least one chunk');
  const headroomMax = chunkSizeBytes - XDP_PACKET_HEADROOM - CHUNK_RESERVE_BYTES;
  if (!Number.isInteger(headroomBytes) || headroomBytes < 0 || headroomBytes > headroomMax) {
    return refuse(`a headroom of ${headroomBytes} bytes is refused`, `with chunks of ${chunkSizeBytes} bytes it may be 0 to ${headroomMax}`);
  }
  if (!Number.isInteger(txMetadataBytes) || txMetadataBytes < 0 || txMetadataBytes > TX_METADATA_MAX_BYTES || txMetadataBytes % 8 !== 0) {
    return refuse(`a tx_metadata_len of ${txMetadataBytes} is refused`, `use a multiple of 8 up to ${TX_METADATA_MAX_BYTES}; struct xsk_tx_metadata has 24`);
  }
  return ok(new Umem(memory, name, options));
}
