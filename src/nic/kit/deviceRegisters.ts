import { IOVA_HIGH } from '../device/iommu.js';
import { decodeIntrMitigate, R8169_BASE_NS } from '../device/moderationR8169.js';
import { R8169_DESCRIPTOR_BYTES } from '../device/formats/r8169Bits.js';
import type { NicDevice } from '../device/nicDevice.js';
import type { CoherentBlock } from './coherentBlock.js';
import { DescriptorWatch } from './descriptorWatch.js';
import type { KitParts } from './kitParts.js';
import { describeNumber } from './mistakes.js';
import { TxJudge } from './txJudge.js';

// Registers of the Realtek family (drivers/net/ethernet/realtek/r8169_main.c, enum rtl_registers, Linux 6.18).
export const TxDescStartAddrLow = 0x20;
export const TxDescStartAddrHigh = 0x24;
export const ChipCmd = 0x37;
export const TxPoll = 0x38;
export const IntrMask = 0x3c;
export const IntrStatus = 0x3e;
export const TxConfig = 0x40;
export const RxConfig = 0x44;
export const RxMaxSize = 0xda;
export const CPlusCmd = 0xe0;
export const IntrMitigateRegister = 0xe2;
export const RxDescAddrLow = 0xe4;
export const RxDescAddrHigh = 0xe8;

export const CmdTxEnb = 0x04;
export const CmdRxEnb = 0x08;
export const CmdReset = 0x10;
/** TxPoll: look at the normal priority ring. */
export const NPQ = 0x40;

/** Bits of IntrMask and IntrStatus. */
export const RxOK = 0x01;
export const RxErr = 0x02;
export const TxOK = 0x04;
export const TxErr = 0x08;
export const RxOverflow = 0x10;

const FILE_BYTES = 256;
const QUEUE = 0;

/**
 * The register file of a Realtek NIC, as a driver maps it (`ioremap`). Rings, doorbell, interrupt mask, status and moderation (at 1000 Mbit/s)
 * are wired to the device; the others keep what was written to them. What lies outside reads as ones.
 */
export class DeviceRegisters {
  rx: DescriptorWatch | undefined;
  tx: DescriptorWatch | undefined;
  txJudge: TxJudge | undefined;
  readonly #parts: KitParts;
  readonly #blocks: readonly CoherentBlock[];
  readonly #file = new DataView(new ArrayBuffer(FILE_BYTES));
  #device: NicDevice | undefined;

  /** @param blocks coherent memory of the driver, where its rings lie */
  constructor(parts: KitParts, blocks: readonly CoherentBlock[]) {
    this.#parts = parts;
    this.#blocks = blocks;
  }

  read8(offset: number): number {
    return this.#check(offset, 1) ? this.#file.getUint8(offset) : 0xff;
  }

  read16(offset: number): number {
    return this.#check(offset, 2) ? this.#file.getUint16(offset, true) : 0xffff;
  }

  read32(offset: number): number {
    return this.#check(offset, 4) ? this.#file.getUint32(offset, true) : 0xffffffff;
  }

  write8(offset: number, value: number): void {
    if (!this.#check(offset, 1)) return;
    if (offset === TxPoll) {
      if ((value & NPQ) !== 0) this.#ringDoorbell(value);
      return;
    }
    const before = this.#file.getUint8(offset);
    this.#file.setUint8(offset, value);
    if (offset === ChipCmd) this.#command(before, value);
  }

  write16(offset: number, value: number): void {
    if (!this.#check(offset, 2)) return;
    if (offset === IntrStatus) {
      // Writing 1 clears.
      this.#file.setUint16(offset, this.#file.getUint16(offset, true) & ~value, true);
      this.#dev.interrupt(QUEUE).acknowledge();
      return;
    }
    this.#file.setUint16(offset, value, true);
    if (offset === IntrMask) {
      const line = this.#dev.interrupt(QUEUE);
      if (value === 0) line.mask();
      else line.unmask();
    } else if (offset === IntrMitigateRegister) {
      // The scale stands in CPlusCmd[1:0], which is written before.
      this.#dev.interrupt(QUEUE).moderate(decodeIntrMitigate({ register: value, scale: this.read16(CPlusCmd) & 3 }, R8169_BASE_NS.rtl8168[1000]));
    }
  }

  write32(offset: number, value: number): void {
    if (!this.#check(offset, 4)) return;
    this.#file.setUint32(offset, value, true);
  }

  // ── for the kit, not for drivers ──

  /** The interrupt is on. */
  get isInterruptEnabled(): boolean {
    return this.read16(IntrMask) !== 0;
  }

  /** Power on: interrupts are off. */
  connect(device: NicDevice): void {
    this.#device = device;
    device.interrupt(QUEUE).mask();
  }

  /** The device raises its interrupt. */
  raise(): void {
    this.#file.setUint16(IntrStatus, this.read16(IntrStatus) | RxOK | TxOK, true);
  }

  get #dev(): NicDevice {
    if (this.#device === undefined) throw new Error('DeviceRegisters: there is no device yet; a driver touches registers in open() at the earliest');
    return this.#device;
  }

  #ringDoorbell(value: number): void {
    if (this.tx?.isEnabled !== true) {
      this.#parts.mistakes.add('transmitter-off', 0, () => 'NPQ is written to TxPoll while the transmitter is off, as ChipCmd has no CmdTxEnb: nothing is sent, and the TX ring fills up');
    }
    this.tx?.ring();
    this.#dev.txDoorbell(QUEUE, value);
  }

  #command(before: number, value: number): void {
    const started = value & ~before;
    if ((started & CmdRxEnb) !== 0) {
      const block = this.#ringAt(RxDescAddrLow);
      if (block === undefined) return;
      if (this.rx === undefined || block.watch !== this.rx) this.rx = new DescriptorWatch(this.#parts, block, undefined);
      block.watch = this.rx;
      this.rx.isEnabled = true;
      this.#dev.configureRx(QUEUE, IOVA_HIGH, block.iovaLow, this.rx.slots, Math.max(1, this.read16(RxMaxSize)));
    }
    if ((started & CmdTxEnb) !== 0) {
      const block = this.#ringAt(TxDescStartAddrLow);
      if (block === undefined) return;
      const slots = Math.floor(block.sizeBytes / R8169_DESCRIPTOR_BYTES);
      if (this.tx === undefined || block.watch !== this.tx) {
        this.txJudge = new TxJudge(this.#parts, block, slots);
        this.tx = new DescriptorWatch(this.#parts, block, this.txJudge);
      }
      block.watch = this.tx;
      this.tx.isEnabled = true;
      this.#dev.configureTx(QUEUE, IOVA_HIGH, block.iovaLow, slots);
    }
    if ((value & CmdRxEnb) === 0) this.rx?.disable();
    if ((value & CmdTxEnb) === 0) this.tx?.disable();
    if ((value & CmdReset) !== 0) this.#file.setUint8(ChipCmd, value & ~CmdReset);
  }

  /** The coherent memory whose I/O address stands in a pair of registers; without it the device would fetch descriptors from nowhere, and stays off. */
  #ringAt(low: number): CoherentBlock | undefined {
    const iovaLow = this.read32(low);
    const block = this.#blocks.find((each) => each.iovaLow === iovaLow && each.sizeBytes >= R8169_DESCRIPTOR_BYTES);
    if (block === undefined) {
      const name = low === RxDescAddrLow ? 'RxDescAddr (0xe4)' : 'TxDescStartAddr (0x20)';
      this.#parts.mistakes.add('ring-not-mapped', 0, () => `ChipCmd enables a ring, but ${name} holds ${iovaLow.toString(16)}, where no memory of dma_alloc_coherent begins that holds a descriptor: the device would read descriptors from nowhere`);
    }
    return block;
  }

  #check(offset: number, sizeBytes: number): boolean {
    if (Number.isInteger(offset) && offset >= 0 && offset + sizeBytes <= FILE_BYTES) return true;
    this.#parts.mistakes.add('bad-access', 0, () => `${sizeBytes} bytes at ${describeNumber(offset)} of the registers, which are ${FILE_BYTES} bytes`);
    return false;
  }
}
