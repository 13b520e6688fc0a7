import { EINVAL, EOPNOTSUPP } from '../base/index.js';
import {
  ADDRESS_BYTES, SOL_XDP, XDP_DESC_BYTES, XDP_MMAP_OFFSETS, XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING, XDP_RX_RING, XDP_TX_RING, XDP_UMEM_COMPLETION_RING,
  XDP_UMEM_FILL_RING, XDP_UMEM_PGOFF_COMPLETION_RING, XDP_UMEM_PGOFF_FILL_RING,
} from '../umem/index.js';
import type { Mapping, RingKind, XskSyscalls } from '../umem/index.js';
import { whyNoField, whyNoMapping, whyNoRing } from './whyRefused.js';
import { refused } from './xskProblem.js';
import type { XskRefusal, XskResult } from './xskProblem.js';

/** struct xdp_ring_offset: where things are in a mapped ring, bytes. */
export interface RingOffsets {
  readonly producer: number;
  readonly consumer: number;
  readonly desc: number;
  readonly flags: number;
}

/** A ring of the kernel's in the application's memory. */
export interface MappedRing {
  readonly mapping: Mapping;
  readonly offsets: RingOffsets;
  /** Entries, a power of two. */
  readonly size: number;
}

/** A socket that is being set up; `where` names it in problems. */
export interface SocketInMaking {
  readonly syscalls: XskSyscalls;
  readonly fd: number;
  readonly where: string;
}

const RINGS: Readonly<Record<RingKind, { readonly option: number; readonly optionName: string; readonly pgoff: number; readonly entryBytes: number; readonly offsetsAt: number }>> = {
  RX: { option: XDP_RX_RING, optionName: 'XDP_RX_RING', pgoff: XDP_PGOFF_RX_RING, entryBytes: XDP_DESC_BYTES, offsetsAt: 0 },
  TX: { option: XDP_TX_RING, optionName: 'XDP_TX_RING', pgoff: XDP_PGOFF_TX_RING, entryBytes: XDP_DESC_BYTES, offsetsAt: 32 },
  FILL: { option: XDP_UMEM_FILL_RING, optionName: 'XDP_UMEM_FILL_RING', pgoff: XDP_UMEM_PGOFF_FILL_RING, entryBytes: ADDRESS_BYTES, offsetsAt: 64 },
  COMPLETION: { option: XDP_UMEM_COMPLETION_RING, optionName: 'XDP_UMEM_COMPLETION_RING', pgoff: XDP_UMEM_PGOFF_COMPLETION_RING, entryBytes: ADDRESS_BYTES, offsetsAt: 96 },
};

/** Bytes of struct xdp_mmap_offsets: four times struct xdp_ring_offset. */
const MMAP_OFFSETS_BYTES = 128;

/**
 * Makes a ring on a socket that is not bound yet.
 *
 * @param hasBefore an attempt before this one made it
 */
export function makeRing({ syscalls, fd, where }: SocketInMaking, kind: RingKind, size: number, hasBefore = false): XskRefusal | undefined {
  const { option, optionName } = RINGS[kind];
  const tooWide = whyNoField({ [`${kind} ring size`]: size });
  if (tooWide !== undefined) return refused(where, `setsockopt(${optionName})`, -EINVAL, tooWide);
  const result = syscalls.setsockopt(fd, SOL_XDP, option, new Uint8Array(Uint32Array.of(size).buffer));
  return result < 0 ? refused(where, `setsockopt(${optionName})`, result, whyNoRing(-result, kind, size, hasBefore)) : undefined;
}

/** Maps a ring that `makeRing` made. */
export function mapRing({ syscalls, fd, where }: SocketInMaking, kind: RingKind, size: number): XskResult<MappedRing> {
  const { pgoff, entryBytes, offsetsAt } = RINGS[kind];
  const offsets = ringOffsets(syscalls, fd, offsetsAt);
  if (typeof offsets === 'number') return refused(where, 'getsockopt(XDP_MMAP_OFFSETS)', offsets, whyNoMapping(-offsets));
  const mapping = syscalls.mmap(fd, offsets.desc + size * entryBytes, pgoff);
  if (typeof mapping === 'number') return refused(where, `mmap(${kind})`, mapping, whyNoMapping(-mapping));
  return { ok: true, value: { mapping, offsets, size } };
}

/**
 * Asks where indices and entries of a ring are.
 *
 *     0 producer u64   8 consumer u64   16 desc u64   24 flags u64
 *
 * @param offsetsAt of the ring in struct xdp_mmap_offsets
 * @returns -EOPNOTSUPP from kernels before 5.4, whose rings have no flags, or what getsockopt says
 */
function ringOffsets(syscalls: XskSyscalls, fd: number, offsetsAt: number): RingOffsets | number {
  const bytes = new Uint8Array(MMAP_OFFSETS_BYTES);
  const length = syscalls.getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, bytes);
  if (length < 0) return length;
  if (length < MMAP_OFFSETS_BYTES) return -EOPNOTSUPP;
  const view = new DataView(bytes.buffer, offsetsAt);
  const field = (at: number): number => Number(view.getBigUint64(at, true));
  return { producer: field(0), consumer: field(8), desc: field(16), flags: field(24) };
}
