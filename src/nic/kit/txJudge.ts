import { DESC_CSUM, DESC_MALFORMED, DescriptorBatch } from '../device/batch.js';
import { RING_STATE_WORDS } from '../device/formats/descriptorFormat.js';
import type { RingMemory } from '../device/formats/descriptorFormat.js';
import { R8169_FS, R8169_LS } from '../device/formats/r8169Bits.js';
import type { R8169TxLayout } from '../device/formats/r8169Bits.js';
import { explainR8169Tx } from '../device/formats/r8169TxFaults.js';
import { ParsedFrame } from '../device/parseFrame.js';
import { insertChecksums, insertPartialChecksum, insertProtocolChecksum, isFieldInside } from '../device/txChecksum.js';
import { CHECKSUM_PROTOCOL, requestChecksum } from '../driver/checksumRequest.js';
import type { CoherentBlock } from './coherentBlock.js';
import type { KitParts } from './kitParts.js';
import { readTxContract, TX_CONTRACT_BYTES, XDP_TX_CHECKSUM } from '../driver/txContract.js';

const FRAME_BYTES = 16384;

/** Looks at a TX descriptor as the device is about to: does it make sense, and will the frame go out with the checksum that was asked for? */
export class TxJudge {
  readonly #parts: KitParts;
  readonly #layout: R8169TxLayout;
  readonly #ring: RingMemory;
  readonly #batch = new DescriptorBatch(1);
  readonly #frame = new ParsedFrame();
  readonly #copy: number;
  /** What the CPU would have put into the field of each page's packet. */
  readonly #partial: Uint16Array;

  constructor(parts: KitParts, block: CoherentBlock, slots: number) {
    this.#parts = parts;
    this.#layout = parts.config.profile.format.name === 'r8169-v1' ? 'v1' : 'v2';
    this.#ring = { address: block.hostAddress, iovaLow: block.iovaLow, size: slots, state: new Int32Array(RING_STATE_WORDS) };
    this.#copy = parts.config.memory.reserve('TX judge', FRAME_BYTES);
    this.#partial = new Uint16Array(parts.book.stage.length);
  }

  judge(slot: number, opts1: number, opts2: number, index: number): void {
    const { book, mistakes } = this.#parts;
    const packetId = book.packetId(index);
    const explained = (opts1 & (R8169_FS | R8169_LS)) === (R8169_FS | R8169_LS) ? explainR8169Tx(opts1, opts2, this.#layout, 'new') : 'a frame of one buffer needs FirstFrag and LastFrag (opts1 bits 29 and 28)';
    if (explained !== undefined) mistakes.add('descriptor-malformed', packetId, () => `TX descriptor ${slot} of packet ${packetId}: ${explained}; the chip sends the frame broken, or not at all`);
    if (book.metaBytes[index] >= TX_CONTRACT_BYTES) this.#judgeChecksum(slot, index, packetId);
  }

  /** The program has spoken: what a checksum by the CPU would be, if the packet asks for one. Only now the field holds what the program left there. */
  notePartialChecksum(index: number): void {
    const { config, book } = this.#parts;
    const { memory } = config;
    const data = book.data[index];
    const lenBytes = book.lenBytes[index];
    const { flags, csumStart, csumOffset } = readTxContract(memory.view, data);
    if ((flags & XDP_TX_CHECKSUM) === 0 || lenBytes > FRAME_BYTES || !isFieldInside(lenBytes, csumStart, csumOffset)) return;
    memory.u8.copyWithin(this.#copy, data, data + lenBytes);
    insertPartialChecksum(memory, this.#copy, lenBytes, csumStart, csumOffset);
    this.#partial[index] = this.#field(csumStart + csumOffset);
  }

  /** Sends the frame in mind, and looks at what comes out. What the device makes of offsets that don't fit the headers isn't judged. */
  #judgeChecksum(slot: number, index: number, packetId: number): void {
    const { config, book, mistakes } = this.#parts;
    const { memory } = config;
    const data = book.data[index];
    const lenBytes = book.lenBytes[index];
    const { flags: asked, csumStart, csumOffset } = readTxContract(memory.view, data);
    if ((asked & XDP_TX_CHECKSUM) === 0 || lenBytes > FRAME_BYTES) return;
    if (requestChecksum(memory.u8, data, lenBytes, csumStart, csumOffset, this.#frame) !== CHECKSUM_PROTOCOL) return;
    const batch = this.#batch;
    config.profile.format.txFetch(memory, this.#ring, slot, 1, batch);
    const flags = batch.flags[0];
    if ((flags & DESC_MALFORMED) !== 0) return;
    const copy = this.#copy;
    const at = csumStart + csumOffset;
    memory.u8.copyWithin(copy, data, data + lenBytes);
    if ((flags & DESC_CSUM) !== 0) insertChecksums(memory, copy, lenBytes, flags, batch.packetType[0], batch.l3Start[0], batch.csumStart[0], batch.csumOffset[0]);
    const found = this.#field(at);
    insertProtocolChecksum(memory, copy, lenBytes, this.#frame.packetType, this.#frame.l3Start, csumStart);
    if (found === this.#field(at) || found === this.#partial[index]) return;
    mistakes.add('checksum-not-done', packetId, () => {
      const what = (flags & DESC_CSUM) === 0 ? 'the descriptor asks for none, and the CPU did not compute it' : `the descriptor asks for one with the transport header at ${batch.csumStart[0]}`;
      return `TX descriptor ${slot}: packet ${packetId} asks for a checksum at csum_start ${csumStart} + csum_offset ${csumOffset}, but ${what}: the frame leaves with a wrong one`;
    });
  }

  #field(offBytes: number): number {
    const { u8 } = this.#parts.config.memory;
    return (u8[this.#copy + offBytes] << 8) | u8[this.#copy + offBytes + 1];
  }
}
