import { EAGAIN } from '../../base/index.js';
import { Owner } from '../../memory/index.js';
import type { TxMetadata, XskSocket } from '../../umem/index.js';
import { TX_XSK_SKB } from '../bufferTags.js';
import { DESC_CSUM } from '../device/batch.js';
import { DMA_TO_DEVICE } from '../dma/direction.js';
import { softwareChecksum } from './checksumRequest.js';
import type { DriverState } from './driverState.js';
import { NO_OFFLOAD } from './txQueue.js';
import type { TxOffload, TxQueue } from './txQueue.js';

/**
 * Copies a packet of an AF_XDP socket into a page of its own (the skb of copy mode) and queues it.
 *
 * @param address host address of the packet in the UMEM, which stays as it is
 * @param metadata its checksum is computed by the NIC or the CPU; by the CPU always, when the UMEM says so (xsk_skb_metadata, net/xdp/xsk.c, 6.18)
 * @returns 0, or -EAGAIN when the ring is full or memory or I/O addresses are short
 */
export function queueSocketPacket(
  { config, checksumOffload }: DriverState,
  tx: TxQueue,
  socket: XskSocket,
  address: number,
  lenBytes: number,
  completionOffBytes: number,
  { csumStart, csumOffset }: Readonly<TxMetadata>,
): number {
  const { memory, allocator, dma, tags } = config;
  if (!tx.hasRoom(1, csumStart < 0 ? 0 : DESC_CSUM)) return -EAGAIN;
  const page = allocator.alloc(Owner.stack);
  if (page === 0) return -EAGAIN;
  memory.u8.copyWithin(page, address, address + lenBytes);
  let offload: Readonly<TxOffload> = NO_OFFLOAD;
  if (csumStart >= 0 && socket.umem.hasTxSwCsum) softwareChecksum(memory, page, lenBytes, csumStart, csumOffset);
  else if (csumStart >= 0) offload = checksumOffload.request(page, lenBytes, csumStart, csumOffset) ?? NO_OFFLOAD;
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
  const record = tx.push(iovaLow, lenBytes, true, offload);
  tx.kind[record] = TX_XSK_SKB;
  tx.buffer[record] = page;
  tx.unmapIovaLow[record] = iovaLow;
  tx.socketId[record] = socket.id;
  tx.completionOffBytes[record] = completionOffBytes;
  return 0;
}
