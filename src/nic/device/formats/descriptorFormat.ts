import type { HostMemory } from '../../../memory/index.js';
import type { DescriptorBatch } from '../batch.js';

/** A ring of descriptors in host memory: `size` is a power of two, `first` in the calls below is an index that may run beyond it. */
export interface RingMemory {
  readonly address: number;
  readonly size: number;
}

/**
 * A descriptor format: how device and driver read and write descriptors in host memory, bit for bit.
 *
 * Every call handles a run of descriptors, so that the choice of the format costs once per batch. `batch` arrays are indexed from 0.
 */
export interface DescriptorFormat {
  readonly name: string;
  readonly descriptorBytes: number;

  /** Driver: gives `batch.count` empty buffers (iova, lenBytes) to the device, from descriptor `first` on. */
  rxPost(memory: HostMemory, ring: RingMemory, first: number, batch: DescriptorBatch): void;
  /** Device: reads `count` posted descriptors into `batch` (iova, lenBytes). */
  rxFetch(memory: HostMemory, ring: RingMemory, first: number, count: number, batch: DescriptorBatch): void;
  /** Device: writes back `batch.count` descriptors (lenBytes, flags, rssHash, rssType, timestampNs); the ownership bit goes last. */
  rxWriteBack(memory: HostMemory, ring: RingMemory, first: number, batch: DescriptorBatch): void;
  /** Driver: reads finished descriptors into `batch` (lenBytes, flags, rssHash, rssType, timestampNs), at most `limit`; gives their number. */
  rxPoll(memory: HostMemory, ring: RingMemory, first: number, limit: number, batch: DescriptorBatch): number;

  /** Driver: queues `batch.count` buffers (iova, lenBytes, DESC_EOP). */
  txPost(memory: HostMemory, ring: RingMemory, first: number, batch: DescriptorBatch): void;
  /** Device: reads `count` queued descriptors into `batch`. */
  txFetch(memory: HostMemory, ring: RingMemory, first: number, count: number, batch: DescriptorBatch): void;
  /** Device: marks `count` descriptors as done. */
  txWriteBack(memory: HostMemory, ring: RingMemory, first: number, count: number): void;
  /** Driver: how many descriptors from `first` on are done, at most `limit`. */
  txPoll(memory: HostMemory, ring: RingMemory, first: number, limit: number): number;
}
