import type { OwnerLedger } from '../memory/index.js';
import type { Umem } from '../umem/index.js';
import { BufferTags } from './bufferTags.js';

/** A UMEM whose chunks the device reads and writes, and what the observer knows about them. */
export interface DmaUmem {
  readonly umem: Umem;
  /** Of frames that are sent from it, by the unit of `umem.chunks` that their first byte lies in, and which packets they carry. */
  readonly tags: BufferTags;
  readonly txPacketId: Int32Array;
  /** From the beginning of a chunk to the first byte that the device writes into it. */
  readonly deviceOffBytes: number;
}

/**
 * The UMEMs that are mapped for a device in zero-copy mode: the memory besides pages that its DMA may touch. Knowledge of the observer, as that of the
 * ledgers: it tells which chunk the bytes at an address belong to.
 */
export class DmaUmems {
  /** The ledger of the pages, and of each UMEM that is mapped. */
  readonly ledgers: OwnerLedger[];
  readonly #umems: DmaUmem[] = [];

  constructor(pages: OwnerLedger) {
    this.ledgers = [pages];
  }

  add(umem: Umem, deviceOffBytes: number): void {
    this.ledgers.push(umem.chunks);
    this.#umems.push({ umem, tags: new BufferTags(umem.chunks), txPacketId: new Int32Array(umem.chunks.count), deviceOffBytes });
  }

  remove(umem: Umem): void {
    this.ledgers.splice(this.ledgers.indexOf(umem.chunks), 1);
    this.#umems.splice(this.#umems.findIndex((each) => each.umem === umem), 1);
  }

  /** Notes why the frame that begins at an address is sent, and which packet it carries. */
  send(address: number, kind: number, retval: number, packetId: number): void {
    const { umem, tags, txPacketId } = this.find(address)!;
    tags.send(address, kind, retval);
    txPacketId[umem.chunks.indexOf(address)] = packetId;
  }

  /** Packet (1-based) that the device wrote into the chunk whose headroom begins at this address (xdp->data_hard_start); `undefined` for a page. */
  packetAt(hardStart: number): number | undefined {
    const inUmem = this.find(hardStart);
    if (inUmem === undefined) return undefined;
    const { chunks, headroomBytes } = inUmem.umem;
    return chunks.packetId[chunks.indexOf(hardStart - headroomBytes)];
  }

  /** The UMEM that holds a host address, `undefined` for a page. */
  find(address: number): DmaUmem | undefined {
    const umems = this.#umems;
    for (let i = 0; i < umems.length; i++) {
      const each = umems[i];
      const offBytes = address - each.umem.address;
      if (offBytes >= 0 && offBytes < each.umem.sizeBytes) return each;
    }
    return undefined;
  }
}
