import { RING_STATE_WORDS } from '../device/formats/descriptorFormat.js';
import type { RingMemory } from '../device/formats/descriptorFormat.js';
import type { DmaApi } from '../dma/dmaApi.js';

/**
 * Makes a ring, and takes it away again (dma_alloc_coherent, dma_free_coherent).
 *
 * @param size slots
 * @param bytes all the memory that the format wants for them
 * @throws ProblemError `host-memory-exhausted`, `iommu-full`
 */
export function allocCoherentRing(dma: DmaApi, name: string, size: number, bytes: number): RingMemory {
  const { hostAddress, iovaLow } = dma.allocCoherent(name, bytes);
  return { address: hostAddress, iovaLow, size, state: new Int32Array(RING_STATE_WORDS) };
}

export function freeCoherentRing(dma: DmaApi, ring: RingMemory, bytes: number, site: string): void {
  dma.freeCoherent(bytes, ring.address, ring.iovaLow, site);
}
