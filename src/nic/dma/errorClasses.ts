/** A kind of mistake with DMA, what it does on a real machine and how it is mended. */
export interface DmaErrorClass {
  /** 1 to 20 are the classes of the kernel's checker (kernel/dma/debug.c, 6.1 to 6.18), the others are this simulator's. */
  readonly number: number;
  readonly key: string;
  readonly what: string;
  readonly hint: string;
}

/** All classes, by key. */
export const DMA_ERRORS = {
  unmapOfError: {
    number: 1, key: 'unmap-of-error',
    what: 'unmaps DMA_MAPPING_ERROR, the address of a mapping that failed',
    hint: 'ask dma_mapping_error() after mapping, and forget the buffer when it says so',
  },
  unmapOfUnmapped: {
    number: 2, key: 'unmap-of-unmapped',
    what: 'unmaps an I/O address at which no mapping begins',
    hint: 'unmap each mapping once, with the very address that mapping gave',
  },
  unmapSize: {
    number: 3, key: 'unmap-size',
    what: 'unmaps with another size than it mapped',
    hint: 'remember the size of the mapping (dma_unmap_len) instead of the length of the packet',
  },
  unmapFunction: {
    number: 4, key: 'unmap-function',
    what: 'unmaps with a function of another family than it mapped with',
    hint: 'pair dma_map_single/page, dma_map_sg, dma_alloc_coherent and dma_map_resource each with its own counterpart',
  },
  coherentAddress: {
    number: 5, key: 'coherent-address',
    what: 'frees coherent memory with another CPU address than it got',
    hint: 'keep CPU address and I/O address of a ring together',
  },
  unmapEntries: {
    number: 6, key: 'unmap-sg-entries',
    what: 'unmaps a scatter list with another number of entries than it mapped',
    hint: 'pass the number that was passed to dma_map_sg(), not the one that it returned',
  },
  unmapDirection: {
    number: 7, key: 'unmap-direction',
    what: 'unmaps in another direction than it mapped',
    hint: 'use the direction of the mapping; it decides which cache operations happen',
  },
  errorUnchecked: {
    number: 8, key: 'mapping-error-unchecked',
    what: 'unmaps a mapping for which dma_mapping_error() was never asked',
    hint: 'ask dma_mapping_error() after each mapping, before the device learns the address',
  },
  stackMemory: {
    number: 9, key: 'map-of-stack',
    what: 'maps memory of a stack',
    hint: 'map memory from kmalloc() or alloc_page(): the stack ends with the function, and may be vmalloc memory',
  },
  kernelText: {
    number: 10, key: 'map-of-text',
    what: 'maps program text or constants',
    hint: 'copy the constants into memory from kmalloc() and map that',
  },
  invalidMemory: {
    number: 11, key: 'map-of-invalid-memory',
    what: 'maps memory that is vmalloc memory or none at all; the mapping is refused',
    hint: 'map memory whose pages lie side by side in the linear mapping: kmalloc(), alloc_page()',
  },
  syncOfUnmapped: {
    number: 12, key: 'sync-of-unmapped',
    what: 'syncs an I/O address that is not mapped',
    hint: 'sync before unmapping, not after it',
  },
  syncRange: {
    number: 13, key: 'sync-outside-mapping',
    what: 'syncs bytes outside of the mapping',
    hint: 'sync from the address of the mapping plus the offset, no further than its size',
  },
  syncDirection: {
    number: 14, key: 'sync-direction',
    what: 'syncs in another direction than it mapped',
    hint: 'use the direction of the mapping, or map DMA_BIDIRECTIONAL',
  },
  syncReadOnlyForCpu: {
    number: 15, key: 'sync-read-only-for-cpu',
    what: 'syncs for the CPU what the device only reads',
    hint: 'a DMA_TO_DEVICE mapping has nothing new for the CPU; map DMA_FROM_DEVICE or DMA_BIDIRECTIONAL if the device writes',
  },
  syncWriteOnlyForDevice: {
    number: 16, key: 'sync-write-only-for-device',
    what: 'syncs for the device what the device only writes',
    hint: 'map DMA_BIDIRECTIONAL when the same buffer is sent too (XDP_TX)',
  },
  syncEntries: {
    number: 17, key: 'sync-sg-entries',
    what: 'syncs a scatter list with another number of entries than it mapped',
    hint: 'pass the number that was passed to dma_map_sg()',
  },
  segmentLimit: {
    number: 18, key: 'sg-segment-limit',
    what: 'maps a scatter entry beyond the limits of the device',
    hint: 'split the entry, or tell the limits with dma_set_max_seg_size() and dma_set_seg_boundary()',
  },
  pendingMappings: {
    number: 19, key: 'pending-mappings',
    what: 'has mappings left when the driver lets go of the device',
    hint: 'unmap every buffer on the rings, and free the rings, before the driver is unbound',
  },
  overlap: {
    number: 20, key: 'overlapping-mappings',
    what: 'maps cache lines that another mapping already gives to the device for writing',
    hint: 'give every mapping cache lines of its own, or map the page once and share the mapping',
  },
  cpuAccess: {
    number: 21, key: 'cpu-access-without-sync',
    what: 'the CPU touches bytes that the device owns',
    hint: 'call dma_sync_single_for_cpu() for all bytes that are touched first; on a non-coherent machine the CPU sees old bytes else',
  },
  deviceAccess: {
    number: 22, key: 'device-access-without-sync',
    what: 'the device is given bytes that the CPU owns',
    hint: 'call dma_sync_single_for_device() for all bytes that were touched first; on a non-coherent machine what the CPU wrote is still in its cache else',
  },
  freedWhileMapped: {
    number: 23, key: 'freed-while-mapped',
    what: 'frees memory that the device can still reach',
    hint: 'unmap first, then free: the device may write into whatever the memory becomes next',
  },
} as const satisfies Record<string, DmaErrorClass>;

/** Numbers of classes are below it. */
export const DMA_ERROR_NUMBERS = 24;
