import { ProblemError } from '../../base/index.js';
import { PAGE_BYTES } from '../../memory/index.js';
import type { HostMemory } from '../../memory/index.js';
import { RING_STATE_WORDS } from '../device/formats/descriptorFormat.js';
import type { RingMemory } from '../device/formats/descriptorFormat.js';
import type { Iommu } from '../device/iommu.js';

/**
 * Makes a ring and maps it for the device in both directions (dma_alloc_coherent).
 *
 * @param size slots
 * @param bytes all the memory that the format wants for them
 * @throws ProblemError `host-memory-exhausted`, `iommu-full`
 */
export function allocCoherentRing(memory: HostMemory, iommu: Iommu, name: string, size: number, bytes: number): RingMemory {
  const address = memory.reserve(name, bytes, PAGE_BYTES);
  const iovaLow = iommu.mapCoherent(address, bytes);
  if (iovaLow === 0) {
    throw new ProblemError({ code: 'iommu-full', message: `no I/O addresses are left for ${name}`, hint: 'use fewer queues or smaller rings' });
  }
  return { address, iovaLow, size, state: new Int32Array(RING_STATE_WORDS) };
}
