import { EFAULT, EINVAL, ENOBUFS, ENOMEM, hasChange } from '../base/index.js';
import type { KernelRelease } from '../base/index.js';
import { Owner, OwnerLedger, PAGE_BYTES } from '../memory/index.js';
import { XDP_UMEM_TX_METADATA_LEN, XDP_UMEM_TX_SW_CSUM, XDP_UMEM_UNALIGNED_CHUNK_FLAG, XSK_UNALIGNED_BUF_OFFSET_SHIFT } from './ifXdp.js';
import type { UmemWatch } from './umemWatch.js';
import type { XskQueue } from './xskQueue.js';

/** XDP_PACKET_HEADROOM: spent at the head of every chunk, in copy mode too. */
export const XDP_PACKET_HEADROOM = 256;

/** Room that xdp_umem_reg wants left in a chunk besides both headrooms (measured on 6.18: 320 tailroom + 128). */
const CHUNK_RESERVE_BYTES = 320 + 128;
const CHUNK_MIN_BYTES = 2048;
/** tx_metadata_len is below it (xdp_umem_reg). */
const TX_METADATA_LIMIT_BYTES = 256;

/** Pages whose pointers kvcalloc gives no more room for: INT_MAX bytes (xdp_umem_pin_pages). */
const PAGES_LIMIT = 2n ** 28n;

/** Bytes of struct xdp_umem_reg, without and with what came after its headroom. */
export const UMEM_REG_V1_BYTES = 24;
const UMEM_REG_BYTES = 32;

/** struct xdp_umem_reg, checked. */
export interface UmemReg {
  /** Host address of the first chunk. */
  readonly address: number;
  /** Aligned chunks: a whole number of them. Behind unaligned ones there may be a rest. */
  readonly lenBytes: number;
  readonly chunkSizeBytes: number;
  /** Bytes between the kernel's own headroom and the packet. */
  readonly headroomBytes: number;
  /** Chunks begin anywhere (XDP_UMEM_UNALIGNED_CHUNK_FLAG). */
  readonly isUnaligned: boolean;
  /** Length of the metadata before each packet to be sent (XDP_UMEM_TX_METADATA_LEN); 0 for none. */
  readonly txMetadataBytes: number;
  /** Checksums of the metadata are computed by the CPU (XDP_UMEM_TX_SW_CSUM). */
  readonly hasTxSwCsum: boolean;
}

/**
 * The checks of XDP_UMEM_REG in their order (xsk_setsockopt, xdp_umem_reg in net/xdp/xdp_umem.c, 6.18).
 *
 *     0 addr u64   8 len u64   16 chunk_size u32   20 headroom u32   24 flags u32   28 tx_metadata_len u32
 *
 * @param value the bytes of struct xdp_umem_reg; 24 of them do, and more than 32 are not looked at
 * @param lockablePages pages that the application may still lock; Infinity: it has CAP_IPC_LOCK
 * @param isMapped whether the application has this memory
 * @returns -EINVAL, -ENOBUFS for more pages than may be locked, -ENOMEM for more than a terabyte, or -EFAULT for memory that isn't there
 */
export function readUmemReg(value: Uint8Array, kernel: KernelRelease, lockablePages: number, isMapped: (address: number, lenBytes: number) => boolean): UmemReg | number {
  if (value.length < UMEM_REG_V1_BYTES) return -EINVAL;
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const isLong = value.length >= UMEM_REG_BYTES;
  const address = view.getBigUint64(0, true);
  const len = view.getBigUint64(8, true);
  const chunkSizeBytes = view.getUint32(16, true);
  const headroomBytes = view.getUint32(20, true);
  const flags = isLong ? view.getUint32(24, true) : 0;
  const txMetadataBytes = isLong && (flags & XDP_UMEM_TX_METADATA_LEN) !== 0 ? view.getUint32(28, true) : 0;
  const isUnaligned = (flags & XDP_UMEM_UNALIGNED_CHUNK_FLAG) !== 0;
  const knownFlags = XDP_UMEM_UNALIGNED_CHUNK_FLAG | (hasChange(kernel, 'txMetadata') ? XDP_UMEM_TX_SW_CSUM | XDP_UMEM_TX_METADATA_LEN : 0);
  if (chunkSizeBytes < CHUNK_MIN_BYTES || chunkSizeBytes > PAGE_BYTES) return -EINVAL;
  if ((flags & ~knownFlags) !== 0) return -EINVAL;
  if (!isUnaligned && (chunkSizeBytes & (chunkSizeBytes - 1)) !== 0) return -EINVAL;
  if (address % BigInt(PAGE_BYTES) !== 0n || address + len >= 1n << 64n) return -EINVAL;
  const chunks = len / BigInt(chunkSizeBytes);
  if (chunks === 0n || chunks >= 1n << 32n) return -EINVAL;
  if (!isUnaligned && len % BigInt(chunkSizeBytes) !== 0n) return -EINVAL;
  if (headroomBytes > chunkSizeBytes - XDP_PACKET_HEADROOM - CHUNK_RESERVE_BYTES) return -EINVAL;
  if (txMetadataBytes >= TX_METADATA_LIMIT_BYTES || txMetadataBytes % 8 !== 0) return -EINVAL;
  const pages = (len + BigInt(PAGE_BYTES) - 1n) / BigInt(PAGE_BYTES);
  // xdp_umem_account_pages comes before the memory is looked at.
  if (Number(pages) > lockablePages) return -ENOBUFS;
  if (pages >= PAGES_LIMIT) return -ENOMEM;
  if (address + len > 1n << 32n || !isMapped(Number(address), Number(len))) return -EFAULT;
  return {
    address: Number(address), lenBytes: Number(len), chunkSizeBytes, headroomBytes, isUnaligned, txMetadataBytes, hasTxSwCsum: (flags & XDP_UMEM_TX_SW_CSUM) !== 0,
  };
}

/** Packet memory that an AF_XDP application shares with the kernel: equal chunks, each with one owner. */
export class Umem {
  readonly id: number;
  readonly address: number;
  readonly sizeBytes: number;
  readonly chunkSizeBytes: number;
  readonly headroomBytes: number;
  readonly isUnaligned: boolean;
  readonly txMetadataBytes: number;
  readonly hasTxSwCsum: boolean;
  /**
   * Who has each chunk. Unaligned ones are known by the stretch that they begin in, of the largest power of two that is no longer than a chunk: chunks
   * that don't overlap begin in different ones.
   */
  readonly chunks: OwnerLedger;

  /** Who follows the chunks; `undefined` where nobody does, and the application's half of their way is not known. */
  watch: UmemWatch | undefined;

  /** @param id of the host's UMEMs, from 0 on */
  constructor(id: number, reg: UmemReg) {
    this.id = id;
    this.address = reg.address;
    this.sizeBytes = reg.lenBytes;
    this.chunkSizeBytes = reg.chunkSizeBytes;
    this.headroomBytes = reg.headroomBytes;
    this.isUnaligned = reg.isUnaligned;
    this.txMetadataBytes = reg.txMetadataBytes;
    this.hasTxSwCsum = reg.hasTxSwCsum;
    const unitBytes = 2 ** Math.floor(Math.log2(reg.chunkSizeBytes));
    this.chunks = new OwnerLedger('chunk', reg.address, unitBytes, Math.ceil(reg.lenBytes / unitBytes), Owner.application);
  }

  /** Pages of host memory that it locks. */
  get pages(): number {
    return Math.ceil(this.sizeBytes / PAGE_BYTES);
  }

  /** Bytes of packet that one chunk can take. */
  get frameSizeBytes(): number {
    return this.chunkSizeBytes - XDP_PACKET_HEADROOM - this.headroomBytes;
  }

  /** Whether a UMEM offset lies in it. */
  contains(offBytes: number): boolean {
    return offBytes >= 0 && offBytes < this.sizeBytes;
  }

  /** How many chunks each owner has, by `Owner`. */
  ownerCounts(): number[] {
    const counts = Object.keys(Owner).map(() => 0);
    for (const owner of this.chunks.owner) counts[owner]++;
    return counts;
  }

  /** UMEM offset by which the chunk of an address on a ring is known: of unaligned chunks the base, without the offset in the high 16 bits. */
  chunkOf(low: number, high: number): number {
    return this.isUnaligned ? baseOfAddress(low, high) : low + high * 2 ** 32;
  }

  /** The chunk that an entry of FILL means, -1 for none (xp_check_aligned, xp_check_unaligned). */
  fillChunk(low: number, high: number): number {
    if (!this.isUnaligned) return high === 0 && low < this.sizeBytes ? low - (low % this.chunkSizeBytes) : -1;
    const base = baseOfAddress(low, high);
    return base + this.chunkSizeBytes <= this.sizeBytes ? base : -1;
  }

  /**
   * Hands over the chunk in which the UMEM offset lies: for the kernel and drivers; of what the application does the watch knows.
   *
   * @param queue ring on which it lies from then on, in the entry with index `index`; left out: on none
   */
  move(offBytes: number, from: Owner, to: Owner, queue?: XskQueue, index = 0): void {
    if (this.watch === undefined) this.chunks.move(this.address + offBytes, from, to);
    else this.watch.moved(offBytes, from, to, queue, index);
  }
}

/** The offset in a UMEM that an address on a ring points at: base and, of unaligned chunks, the offset in its high 16 bits (xp_unaligned_add_offset_to_addr). */
export function addressToOffset(low: number, high: number, isUnaligned: boolean): number {
  if (!isUnaligned) return low + high * 2 ** 32;
  return baseOfAddress(low, high) + (high >>> (XSK_UNALIGNED_BUF_OFFSET_SHIFT - 32));
}

/** The low 48 bits of an address on a ring (xp_unaligned_extract_addr). */
export function baseOfAddress(low: number, high: number): number {
  return low + (high & 0xffff) * 2 ** 32;
}
