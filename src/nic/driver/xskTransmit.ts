import { EAGAIN } from '../../base/index.js';
import { Owner } from '../../memory/index.js';
import type { XskSocket } from '../../umem/index.js';
import { DMA_READ } from '../device/iommu.js';
import { TX_XSK_SKB } from './txQueue.js';
import type { TxQueue } from './txQueue.js';
import type { TransmitParts } from './xdpTransmit.js';

/**
 * Copies a packet of an AF_XDP socket into a page of its own (the skb of copy mode) and queues it.
 *
 * @param address host address of the packet in the UMEM
 * @returns 0, or -EAGAIN when the ring is full or memory or I/O addresses are short
 */
export function queueSocketPacket(
  { memory, allocator, iommu }: TransmitParts,
  tx: TxQueue,
  socket: XskSocket,
  address: number,
  lenBytes: number,
  completionOffBytes: number,
): number {
  if (tx.free < 1) return -EAGAIN;
  const page = allocator.alloc(Owner.stack);
  if (page === 0) return -EAGAIN;
  const iovaLow = iommu.mapPage(page, DMA_READ);
  if (iovaLow === 0) {
    allocator.free(page, Owner.stack);
    return -EAGAIN;
  }
  memory.u8.copyWithin(page, address, address + lenBytes);
  const { ledger } = allocator;
  const { chunks } = socket.umem;
  ledger.packetId[ledger.indexOf(page)] = chunks.packetId[chunks.indexOf(address)];
  ledger.move(page, Owner.stack, Owner.txRing);
  const slot = tx.push(iovaLow, lenBytes, true);
  tx.kind[slot] = TX_XSK_SKB;
  tx.page[slot] = page;
  tx.unmapIovaLow[slot] = iovaLow;
  tx.socketId[slot] = socket.id;
  tx.completionOffBytes[slot] = completionOffBytes;
  return 0;
}
