import type { KitParts } from './kitParts.js';
import { PageStage } from './packetBook.js';

/** How the driver, the CPU, reads and writes packets. Numbers are little endian, as the CPU's are. Every access is checked, and happens all the same. */
export class PacketMemory {
  readonly #parts: KitParts;
  readonly #view: DataView;

  constructor(parts: KitParts) {
    this.#parts = parts;
    this.#view = parts.config.memory.view;
  }

  read8(address: number): number {
    this.#check(address, 1, false);
    return this.#view.getUint8(address);
  }

  read16(address: number): number {
    this.#check(address, 2, false);
    return this.#view.getUint16(address, true);
  }

  read32(address: number): number {
    this.#check(address, 4, false);
    return this.#view.getUint32(address, true);
  }

  write8(address: number, value: number): void {
    this.#check(address, 1, true);
    this.#view.setUint8(address, value);
  }

  write16(address: number, value: number): void {
    this.#check(address, 2, true);
    this.#view.setUint16(address, value, true);
  }

  write32(address: number, value: number): void {
    this.#check(address, 4, true);
    this.#view.setUint32(address, value, true);
  }

  #check(address: number, sizeBytes: number, isWrite: boolean): void {
    const { book, mistakes, config } = this.#parts;
    config.dma.debug.checkCpuAccess(address, sizeBytes, isWrite, mistakes.where);
    if (isWrite) config.dma.debug.noteCpuWrite(address, sizeBytes);
    const index = book.indexOf(address);
    if (index < 0 || (book.stage[index] !== PageStage.judged && book.stage[index] !== PageStage.received)) return;
    const below = book.data[index] - address;
    const metaBytes = book.metaBytes[index];
    if (below <= metaBytes || isWrite) return;
    const packetId = book.packetId(index);
    mistakes.add('metadata-unchecked', packetId, () =>
      `CPU reads ${below} bytes before the data of packet ${packetId}, which has ${metaBytes} bytes of metadata: what stands there is left over from another packet, or is struct xdp_frame`);
  }
}
