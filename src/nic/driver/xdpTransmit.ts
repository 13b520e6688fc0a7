import { Owner, pageOf } from '../../memory/index.js';
import type { HostMemory, PageAllocator } from '../../memory/index.js';
import { XDP_BUFF_FLAGS, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_DATA_META } from '../../vm/index.js';
import { convertBuffToFrame, fragmentAddress, fragmentCount, fragmentLen, Outcome, sharedInfoAddress } from '../../xdp/index.js';
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
 * @returns Outcome.tx, or why the packet couldn't be queued
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
  const dataMeta = u32[word + XDP_MD_DATA_META / 4];
  const fragments = fragmentCount(u32, context);
  if (tx.free < fragments + 1) return Outcome.txRingFull;
  if (!convertBuffToFrame(u32, page, frameSizeBytes, dataMeta, data, dataEnd, u32[word + XDP_BUFF_FLAGS / 4])) return Outcome.txNoHeadroom;
  const sharedInfo = sharedInfoAddress(page, frameSizeBytes);
  for (let i = -1; i < fragments; i++) {
    const address = i < 0 ? data : fragmentAddress(u32, sharedInfo, i);
    const lenBytes = i < 0 ? dataEnd - data : fragmentLen(u32, sharedInfo, i);
    const buffer = pageOf(address);
    const ownMapping = kind === TX_XDP_XMIT ? iommu.mapPage(buffer, DMA_READ) : 0;
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
