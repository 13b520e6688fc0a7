import { EAGAIN } from '../../base/index.js';
import { Owner } from '../../memory/index.js';
import type { XskSocket } from '../../umem/index.js';
import { TX_XSK_SKB } from '../bufferTags.js';
import { DMA_TO_DEVICE } from '../dma/direction.js';
import type { DriverConfig } from './driverState.js';
import type { TxQueue } from './txQueue.js';

/**
 * Copies a packet of an AF_XDP socket into a page of its own (the skb of copy mode) and queues it.
 *
 * @param address host address of the packet in the UMEM
 * @returns 0, or -EAGAIN when the ring is full or memory or I/O addresses are short
 */
export function queueSocketPacket(
  { memory, allocator, dma, tags }: DriverConfig,
  tx: TxQueue,
  socket: XskSocket,
  address: number,
  lenBytes: number,
  completionOffBytes: number,
): number {
  if (!tx.hasRoom(1)) return -EAGAIN;
  const page = allocator.alloc(Owner.stack);
  if (page === 0) return -EAGAIN;
  memory.u8.copyWithin(page, address, address + lenBytes);
  const iovaLow = dma.mapSingle(page, lenBytes, DMA_TO_DEVICE, 'skb xmit');
  if (dma.mappingError(iovaLow)) {
    allocator.free(page, Owner.stack);
    return -EAGAIN;
  }
  const { ledger } = allocator;
  const { chunks } = socket.umem;
  ledger.packetId[ledger.indexOf(page)] = chunks.packetId[chunks.indexOf(address)];
  tags.send(page, TX_XSK_SKB, 0);
  allocator.movePage(page, Owner.stack, Owner.txRing);
  const record = tx.push(iovaLow, lenBytes, true);
  tx.kind[record] = TX_XSK_SKB;
  tx.buffer[record] = page;
  tx.unmapIovaLow[record] = iovaLow;
  tx.socketId[record] = socket.id;
  tx.completionOffBytes[record] = completionOffBytes;
  return 0;
}
