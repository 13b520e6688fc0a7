import { Owner, pageOf } from '../../memory/index.js';
import type { HostMemory, PageAllocator } from '../../memory/index.js';
import { fragmentAddress, fragmentCount, fragmentLen, metadataBytes, XDP_BUFF_FLAGS, XDP_MD_DATA, XDP_MD_DATA_END } from '../../vm/index.js';
import { convertBuffToFrame, Outcome, sharedInfoAddress } from '../../xdp/index.js';
import { DMA_READ } from '../device/iommu.js';
import type { Iommu } from '../device/iommu.js';
import type { QueuePair } from './queuePair.js';
import { TX_XDP_XMIT } from './txQueue.js';

/** What sending needs of its host. */
export interface TransmitParts {
  readonly memory: HostMemory;
  readonly allocator: PageAllocator;
  readonly iommu: Iommu;
}

/**
 * Converts the packet in the context block to an xdp_frame and queues all its buffers; on success they belong to the TX ring.
 *
 * @param page page of the packet's linear part
 * @param kind TX_XDP_TX: the pages are of the queue's own pool and mapped already. TX_XDP_XMIT: they get mappings of their own
 * @param retval what the program returned
 * @returns Outcome.tx, or why the packet couldn't be queued; then nothing has changed
 */
export function queueXdpFrame(
  { memory, allocator, iommu }: TransmitParts,
  { tx, rx }: QueuePair,
  context: number,
  page: number,
  frameSizeBytes: number,
  kind: number,
  retval: number,
): Outcome {
  const { u32 } = memory;
  const word = context >>> 2;
  const data = u32[word + XDP_MD_DATA / 4];
  const dataEnd = u32[word + XDP_MD_DATA_END / 4];
  const fragments = fragmentCount(u32, context);
  if (tx.free < fragments + 1) {
    tx.fullCount++;
    return Outcome.txRingFull;
  }
  if (!convertToFrame(u32, context, page, frameSizeBytes)) return Outcome.txNoHeadroom;
  const sharedInfo = sharedInfoAddress(page, frameSizeBytes);
  if (kind === TX_XDP_XMIT) {
    for (let i = -1; i < fragments; i++) {
      tx.mappings[i + 1] = iommu.mapPage(pageOf(bufferAddress(u32, data, sharedInfo, i)), DMA_READ);
      if (tx.mappings[i + 1] !== 0) continue;
      while (i-- > -1) iommu.unmapPage(tx.mappings[i + 1]);
      return Outcome.txDmaError;
    }
  }
  for (let i = -1; i < fragments; i++) {
    const address = bufferAddress(u32, data, sharedInfo, i);
    const lenBytes = i < 0 ? dataEnd - data : fragmentLen(u32, sharedInfo, i);
    const buffer = pageOf(address);
    const ownMapping = kind === TX_XDP_XMIT ? tx.mappings[i + 1] : 0;
    const iovaLow = (kind === TX_XDP_XMIT ? ownMapping : rx.pool.iovaLow(buffer)) + (address - buffer);
    const slot = tx.push(iovaLow, lenBytes, i === fragments - 1);
    allocator.ledger.move(buffer, Owner.driver, Owner.txRing);
    tx.kind[slot] = kind;
    tx.page[slot] = buffer;
    tx.unmapIovaLow[slot] = ownMapping;
    tx.retval[slot] = retval;
  }
  return Outcome.tx;
}

/** Writes the xdp_frame of the packet in the context block at the start of its page; false when there is no room for it. */
export function convertToFrame(u32: Uint32Array, context: number, page: number, frameSizeBytes: number): boolean {
  const word = context >>> 2;
  const data = u32[word + XDP_MD_DATA / 4];
  const dataMeta = data - metadataBytes(u32, context);
  return convertBuffToFrame(u32, page, frameSizeBytes, dataMeta, data, u32[word + XDP_MD_DATA_END / 4], u32[word + XDP_BUFF_FLAGS / 4]);
}

/** Address of a packet's buffer: -1 for the linear part, else the number of the fragment. */
function bufferAddress(u32: Uint32Array, data: number, sharedInfo: number, i: number): number {
  return i < 0 ? data : fragmentAddress(u32, sharedInfo, i);
}
