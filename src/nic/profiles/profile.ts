import type { RxHints } from '../../vm/index.js';
import type { DescriptorBatch } from '../device/batch.js';
import type { DescriptorFormat } from '../device/formats/descriptorFormat.js';

/** What a NIC and its driver can do: plain data, one file a NIC. */
export interface NicProfile {
  readonly name: string;
  /** One sentence for `--help`. */
  readonly description: string;
  readonly format: DescriptorFormat;
  readonly queuesMax: number;
  /** Entries of an RX or TX ring: powers of two. */
  readonly ringMin: number;
  readonly ringMax: number;
  readonly ringDefault: number;
  readonly mtuMin: number;
  readonly mtuMax: number;
  /** Bytes before the packet, and size of the buffer with headroom and tailroom. */
  readonly headroomBytes: number;
  readonly frameSizeBytes: number;
  /** True when packets of several buffers reach `xdp.frags` programs. */
  readonly hasMultiBuffer: boolean;
  /** Pages in a page_pool's ring. */
  readonly poolRingSize: number;
  /** What its driver tells programs about packets: fills in `hints` for the frame at `address` whose first descriptor is `index` of the batch. */
  readonly readRxHints: (hints: RxHints, batch: DescriptorBatch, index: number, u8: Uint8Array, address: number) => void;
}
