import type { HostMemory } from '../../memory/index.js';
import { IOVA_HIGH } from '../device/iommu.js';
import type { DescriptorWatch } from './descriptorWatch.js';

/**
 * Memory from dma_alloc_coherent, which CPU and device see alike: descriptor rings. Numbers in it are little endian, as for most devices;
 * offsets count bytes from its start.
 */
export class CoherentBlock {
  readonly sizeBytes: number;
  readonly hostAddress: number;
  /** Where the device finds it. */
  readonly iovaLow: number;
  readonly iovaHigh = IOVA_HIGH;
  /** Looks at every access since the block has become a ring of the device. */
  watch: DescriptorWatch | undefined;
  readonly #u32: Uint32Array;

  constructor(memory: HostMemory, hostAddress: number, iovaLow: number, sizeBytes: number) {
    this.hostAddress = hostAddress;
    this.iovaLow = iovaLow;
    this.sizeBytes = sizeBytes;
    this.#u32 = memory.u32;
  }

  /** `le32_to_cpu(READ_ONCE(...))`. */
  read32(offBytes: number): number {
    this.#check(offBytes);
    const value = this.#u32[(this.hostAddress + offBytes) >>> 2];
    this.watch?.afterRead(offBytes, value);
    return value;
  }

  /** `WRITE_ONCE(..., cpu_to_le32(value))`. */
  write32(offBytes: number, value: number): void {
    this.#check(offBytes);
    this.watch?.beforeWrite(offBytes, value);
    this.#u32[(this.hostAddress + offBytes) >>> 2] = value;
    this.watch?.afterWrite(offBytes, value);
  }

  /** `cpu_to_le64`: low word, then high word. */
  write64(offBytes: number, low: number, high: number): void {
    this.write32(offBytes, low);
    this.write32(offBytes + 4, high);
  }

  #check(offBytes: number): void {
    if (offBytes >= 0 && offBytes + 4 <= this.sizeBytes && offBytes % 4 === 0) return;
    throw new RangeError(`CoherentBlock: offset ${offBytes} of a block of ${this.sizeBytes} bytes`);
  }
}
