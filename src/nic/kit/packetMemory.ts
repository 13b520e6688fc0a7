import type { KitParts } from './kitParts.js';
import { describeNumber } from './mistakes.js';
import { PageStage } from './packetBook.js';

/**
 * How the driver, the CPU, reads and writes packets. Numbers are little endian, as the CPU's are. Every access is checked, and happens
 * all the same if it is to a page; any other reads as ones.
 */
export class PacketMemory {
  readonly #parts: KitParts;
  readonly #view: DataView;

  constructor(parts: KitParts) {
    this.#parts = parts;
    this.#view = parts.config.memory.view;
  }

  read8(address: number): number {
    return this.#check(address, 1, false) ? this.#view.getUint8(address) : 0xff;
  }

  read16(address: number): number {
    return this.#check(address, 2, false) ? this.#view.getUint16(address, true) : 0xffff;
  }

  read32(address: number): number {
    return this.#check(address, 4, false) ? this.#view.getUint32(address, true) : 0xffffffff;
  }

  write8(address: number, value: number): void {
    if (this.#check(address, 1, true)) this.#view.setUint8(address, value);
  }

  write16(address: number, value: number): void {
    if (this.#check(address, 2, true)) this.#view.setUint16(address, value, true);
  }

  write32(address: number, value: number): void {
    if (this.#check(address, 4, true)) this.#view.setUint32(address, value, true);
  }

  /** Whether there is memory for packets; all other mistakes are only noted. */
  #check(address: number, sizeBytes: number, isWrite: boolean): boolean {
    const { book, mistakes, config } = this.#parts;
    const index = book.indexOf(address);
    if (index < 0 || book.indexOf(address + sizeBytes - 1) < 0) {
      mistakes.add('bad-access', 0, () => `CPU ${isWrite ? 'writes' : 'reads'} ${sizeBytes} bytes at ${describeNumber(address)}, where no page for packets is`);
      return false;
    }
    config.dma.debug.checkCpuAccess(address, sizeBytes, isWrite, mistakes.where);
    if (isWrite) config.dma.debug.noteCpuWrite(address, sizeBytes);
    if (book.stage[index] !== PageStage.judged && book.stage[index] !== PageStage.received) return true;
    const below = book.data[index] - address;
    const metaBytes = book.metaBytes[index];
    if (below <= metaBytes || isWrite) return true;
    const packetId = book.packetId(index);
    mistakes.add('metadata-unchecked', packetId, () =>
      `CPU reads ${below} bytes before the data of packet ${packetId}, which has ${metaBytes} bytes of metadata: what stands there is left over from another packet, or is struct xdp_frame`);
    return true;
  }
}
