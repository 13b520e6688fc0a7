import type { HostMemory } from '../../memory/index.js';
import { IOVA_HIGH } from '../device/iommu.js';
import type { DescriptorWatch } from './descriptorWatch.js';
import { describeNumber } from './mistakes.js';
import type { DriverMistakes } from './mistakes.js';

/**
 * Memory from dma_alloc_coherent, which CPU and device see alike: descriptor rings. Numbers in it are little endian, as for most devices;
 * offsets count bytes from its start. What lies outside reads as ones.
 */
export class CoherentBlock {
  readonly sizeBytes: number;
  readonly hostAddress: number;
  /** Where the device finds it. */
  readonly iovaLow: number;
  readonly iovaHigh = IOVA_HIGH;
  /** Looks at every access since the block has become a ring of the device. */
  watch: DescriptorWatch | undefined;
  /** dma_free_coherent was called. */
  isFreed = false;
  readonly #u32: Uint32Array;
  readonly #mistakes: DriverMistakes;

  constructor(memory: HostMemory, hostAddress: number, iovaLow: number, sizeBytes: number, mistakes: DriverMistakes) {
    this.hostAddress = hostAddress;
    this.iovaLow = iovaLow;
    this.sizeBytes = sizeBytes;
    this.#u32 = memory.u32;
    this.#mistakes = mistakes;
  }

  /** `le32_to_cpu(READ_ONCE(...))`. */
  read32(offBytes: number): number {
    if (!this.#check(offBytes)) return 0xffffffff;
    const value = this.#u32[(this.hostAddress + offBytes) >>> 2];
    this.watch?.afterRead(offBytes, value);
    return value;
  }

  /** `WRITE_ONCE(..., cpu_to_le32(value))`. */
  write32(offBytes: number, value: number): void {
    if (!this.#check(offBytes)) return;
    this.watch?.beforeWrite(offBytes, value);
    this.#u32[(this.hostAddress + offBytes) >>> 2] = value;
    this.watch?.afterWrite(offBytes, value);
  }

  /** `cpu_to_le64`: low word, then high word. */
  write64(offBytes: number, low: number, high: number): void {
    this.write32(offBytes, low);
    this.write32(offBytes + 4, high);
  }

  #check(offBytes: number): boolean {
    if (Number.isInteger(offBytes) && offBytes >= 0 && offBytes + 4 <= this.sizeBytes && offBytes % 4 === 0 && !this.isFreed) return true;
    this.#mistakes.add('bad-access', 0, () =>
      `4 bytes at offset ${typeof offBytes === 'number' ? offBytes : describeNumber(offBytes)} of ${this.isFreed ? 'coherent memory that was freed' : `a block of ${this.sizeBytes} bytes of coherent memory`}`);
    return false;
  }
}
