import { DESC_CSUM, DESC_EOP, DESC_L4_BAD, DESC_MALFORMED, DescriptorBatch } from '../device/batch.js';
import type { RingMemory } from '../device/formats/descriptorFormat.js';
import { explainR8169Tx } from '../device/formats/r8169TxFaults.js';
import type { R8169TxLayout } from '../device/formats/r8169Bits.js';
import { R8169_FS, R8169_LS } from '../device/formats/r8169Bits.js';
import { ParsedFrame, parseFrame } from '../device/parseFrame.js';
import { rxChecksumFlags } from '../device/rxChecksum.js';
import { insertChecksums } from '../device/txChecksum.js';
import type { CoherentBlock } from './coherentBlock.js';
import type { KitParts } from './kitParts.js';
import { readTxContract, TX_CONTRACT_BYTES, XDP_TX_CHECKSUM } from './txContract.js';

const FRAME_BYTES = 16384;

/** Looks at a TX descriptor as the device is about to: does it make sense, and will the frame go out with the checksum that was asked for? */
export class TxJudge {
  readonly #parts: KitParts;
  readonly #layout: R8169TxLayout;
  readonly #ring: RingMemory;
  readonly #batch = new DescriptorBatch(1);
  readonly #frame = new ParsedFrame();
  readonly #copy: number;

  constructor(parts: KitParts, block: CoherentBlock, slots: number) {
    this.#parts = parts;
    this.#layout = parts.config.profile.format.name === 'r8169-v1' ? 'v1' : 'v2';
    this.#ring = { address: block.hostAddress, iovaLow: block.iovaLow, size: slots, state: new Int32Array(8) };
    this.#copy = parts.config.memory.reserve('TX judge', FRAME_BYTES);
  }

  judge(slot: number, opts1: number, opts2: number, index: number): void {
    const { book, mistakes } = this.#parts;
    const packetId = book.packetId(index);
    const explained = (opts1 & (R8169_FS | R8169_LS)) === (R8169_FS | R8169_LS) ? explainR8169Tx(opts1, opts2, this.#layout, 'new') : 'a frame of one buffer needs FirstFrag and LastFrag (opts1 bits 29 and 28)';
    if (explained !== undefined) mistakes.add('descriptor-malformed', packetId, () => `TX descriptor ${slot} of packet ${packetId}: ${explained}; the chip sends the frame broken, or not at all`);
    if (book.metaBytes[index] >= TX_CONTRACT_BYTES) this.#judgeChecksum(slot, index, packetId);
  }

  /** Sends the frame in mind, and looks at what comes out. */
  #judgeChecksum(slot: number, index: number, packetId: number): void {
    const { config, book, mistakes } = this.#parts;
    const { memory } = config;
    const data = book.data[index];
    const lenBytes = book.lenBytes[index];
    const contract = readTxContract(memory.view, data);
    if ((contract.flags & XDP_TX_CHECKSUM) === 0 || lenBytes > FRAME_BYTES) return;
    const copy = this.#copy;
    memory.u8.copyWithin(copy, data, data + lenBytes);
    parseFrame(memory.u8, copy, lenBytes, this.#frame);
    if (this.#frame.l4Start !== contract.csumStart) return;
    const batch = this.#batch;
    config.profile.format.txFetch(memory, this.#ring, slot, 1, batch);
    const flags = batch.flags[0];
    if ((flags & DESC_MALFORMED) !== 0 || (flags & DESC_EOP) === 0) return;
    if ((flags & DESC_CSUM) !== 0) insertChecksums(memory, copy, lenBytes, flags, batch.packetType[0], batch.l3Start[0], batch.csumStart[0], batch.csumOffset[0]);
    if ((rxChecksumFlags(memory, copy, lenBytes, this.#frame) & DESC_L4_BAD) === 0) return;
    mistakes.add('checksum-not-done', packetId, () => {
      const asked = (flags & DESC_CSUM) === 0 ? 'the descriptor asks for none, and the CPU did not compute it' : 'the descriptor asks for another one';
      return `TX descriptor ${slot}: packet ${packetId} asks for a checksum at csum_start ${contract.csumStart} + csum_offset ${contract.csumOffset}, but ${asked}: the frame leaves with a wrong one`;
    });
  }
}
