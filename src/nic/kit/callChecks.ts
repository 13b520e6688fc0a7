import { PAGE_BYTES } from '../../memory/index.js';
import { XDP_PACKET_HEADROOM } from '../../xdp/index.js';
import type { KitParts } from './kitParts.js';
import { describeNumber } from './mistakes.js';
import { PageStage } from './packetBook.js';
import type { XdpBuff } from './xdpObjects.js';

/** What a driver gives to the kernel's functions: pages, ranges, packets and xdp_buffs. A mistake is noted; the caller leaves out what it can't do. */
export class CallChecks {
  readonly #parts: KitParts;

  constructor(parts: KitParts) {
    this.#parts = parts;
  }

  /** Number of the page that begins here, -1 when none does. */
  indexOf(page: number): number {
    const { book, mistakes } = this.#parts;
    const index = book.indexOf(page);
    if (index >= 0 && page % PAGE_BYTES === 0) return index;
    mistakes.add('not-a-page', 0, () => `${describeNumber(page)} is not the start of a page`);
    return -1;
  }

  /** A range that the DMA API can be asked about; whether it is mapped is for that to say. */
  isRange(call: string, address: number, sizeBytes: number): boolean {
    if (isU32(address) && isU32(sizeBytes) && (sizeBytes > 0 || call !== 'dma_map_single')) return true;
    this.#parts.mistakes.add('bad-access', 0, () => `${call}() of ${typeof sizeBytes === 'number' ? sizeBytes : describeNumber(sizeBytes)} bytes at ${describeNumber(address)}`);
    return false;
  }

  /** Metadata, data and their end are in order, and within the page. */
  isPacketInside(call: string, index: number, page: number, dataMeta: number, data: number, dataEnd: number, frameSizeBytes: number): boolean {
    const areIntegers = Number.isInteger(dataMeta) && Number.isInteger(data) && Number.isInteger(dataEnd) && Number.isInteger(frameSizeBytes);
    if (areIntegers && page <= dataMeta && dataMeta <= data && data <= dataEnd && dataEnd <= page + frameSizeBytes && frameSizeBytes <= PAGE_BYTES) return true;
    const { book, mistakes } = this.#parts;
    mistakes.add('packet-outside-page', book.packetId(index), () =>
      `${call}() with data ${data - page} and data_end ${dataEnd - page} bytes behind the start of the page, metadata at ${dataMeta - page} and frame_sz ${String(frameSizeBytes)}: that isn't a packet in a page of ${PAGE_BYTES} bytes, and nothing is done with it`);
    return false;
  }

  /** What an xdp_buff says of a packet, before the program sees it. */
  checkBuff(xdp: XdpBuff, index: number): void {
    const { book, mistakes, config, barriers } = this.#parts;
    const packetId = book.packetId(index);
    const headroom = xdp.data - xdp.data_hard_start;
    const payload = config.tags.payload[index];
    if (barriers.isReadPending) {
      barriers.isReadPending = false;
      mistakes.add('missing-dma-rmb', packetId, () => `packet ${packetId} is read after OWN without dma_rmb() in between: the CPU may have read it before the device wrote it`);
    }
    if (headroom < XDP_PACKET_HEADROOM) {
      mistakes.add('headroom-too-small', packetId, () =>
        `packet ${packetId} begins ${headroom} bytes behind the start of its page: programs that grow packets and xdp_convert_buff_to_frame() need XDP_PACKET_HEADROOM, 256 bytes`);
    }
    if (payload !== 0 && xdp.data !== payload) {
      mistakes.add('data-not-where-written', packetId, () =>
        `xdp->data of packet ${packetId} is ${headroom} bytes behind the start of its page, but the device wrote the packet ${payload - xdp.data_hard_start} bytes behind it: the program sees other bytes than those of the packet`);
    }
    if (xdp.frame_sz !== PAGE_BYTES) {
      mistakes.add('frame-size-wrong', packetId, () => `xdp->frame_sz of packet ${packetId} is ${xdp.frame_sz}, but its buffer is a page: bpf_xdp_adjust_tail() would run out of it, or fail`);
    }
    const lenBytes = xdp.data_end - xdp.data;
    const receivedBytes = book.receivedBytes[index];
    if (book.stage[index] === PageStage.received && lenBytes !== receivedBytes) {
      mistakes.add('length-wrong', packetId, () => `the xdp_buff of packet ${packetId} has ${lenBytes} bytes, but by its descriptor the packet has ${receivedBytes}, without the FCS: the program sees too ${lenBytes > receivedBytes ? 'much' : 'little'}`);
    }
    if (book.stage[index] === PageStage.received) config.dma.debug.checkCpuAccess(xdp.data, xdp.data_end - xdp.data, false, 'bpf_prog_run_xdp');
  }
}

function isU32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
}
