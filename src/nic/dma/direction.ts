import { IOMMU_READ, IOMMU_WRITE } from '../device/iommu.js';

/** Who moves data in a mapping: enum dma_data_direction (include/linux/dma-direction.h). */
export const DMA_BIDIRECTIONAL = 0;
/** The CPU writes, the device reads. */
export const DMA_TO_DEVICE = 1;
/** The device writes, the CPU reads. */
export const DMA_FROM_DEVICE = 2;

const NAMES = ['DMA_BIDIRECTIONAL', 'DMA_TO_DEVICE', 'DMA_FROM_DEVICE'];
const PERMISSIONS = [IOMMU_READ | IOMMU_WRITE, IOMMU_READ, IOMMU_WRITE];

/** The direction's name as the kernel spells it. */
export function directionName(direction: number): string {
  return NAMES[direction] ?? `direction ${direction}`;
}

/** What the device may do with pages mapped in this direction (dma_info_to_prot in drivers/iommu/dma-iommu.c). */
export function permissionsOf(direction: number): number {
  const permissions = PERMISSIONS[direction];
  if (permissions === undefined) throw new RangeError(`${direction} is no DMA direction: 0 is DMA_BIDIRECTIONAL, 1 DMA_TO_DEVICE, 2 DMA_FROM_DEVICE`);
  return permissions;
}
