import { ProblemError } from '../../base/index.js';
import { PAGE_BYTES } from '../../memory/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { RingMemory } from '../device/formats/descriptorFormat.js';
import type { Iommu } from '../device/iommu.js';

/** A descriptor ring in host memory, and the low word of the I/O address at which the device sees it. */
export interface CoherentRing {
  readonly ring: RingMemory;
  readonly iovaLow: number;
}

/**
 * Makes a ring and maps it for the device in both directions (dma_alloc_coherent).
 *
 * @param size descriptors, a power of two
 * @throws ProblemError `host-memory-exhausted`, `iommu-full`
 */
export function allocCoherentRing(memory: HostMemory, iommu: Iommu, name: string, size: number, descriptorBytes: number): CoherentRing {
  const bytes = size * descriptorBytes;
  const address = memory.reserve(name, bytes, PAGE_BYTES);
  const iovaLow = iommu.mapCoherent(address, bytes);
  if (iovaLow === 0) {
    throw new ProblemError({ code: 'iommu-full', message: `no I/O addresses are left for ${name}`, hint: 'use fewer queues or smaller rings' });
  }
  return { ring: { address, size }, iovaLow };
}
