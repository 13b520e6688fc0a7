import { EAGAIN, EBUSY } from '../../base/index.js';
import { Owner } from '../../memory/index.js';
import type { XdpSock, XskPacket } from '../../umem/index.js';
import { ETH_HLEN } from '../../vm/index.js';
import { TX_XSK_SKB } from '../bufferTags.js';
import { DESC_CSUM } from '../device/batch.js';
import { DMA_TO_DEVICE } from '../dma/direction.js';
import { softwareChecksum } from './checksumRequest.js';
import type { DriverState } from './driverState.js';
import { NO_OFFLOAD } from './txQueue.js';
import type { TxOffload, TxQueue } from './txQueue.js';

const VLAN_HLEN = 4;

/** The record is not the last one of its packet, which completes it. */
export const NO_COMPLETION = -1;

/**
 * __dev_direct_xmit of a packet of an AF_XDP socket in copy mode: copies each part into a page of its own (the skb) and queues them.
 *
 * @returns 0; -EBUSY for what is dropped: the device is down, or it is a veth and the frame has no Ethernet header or is longer than its MTU (measured on
 * 6.18); -EAGAIN when the ring is full or memory or I/O addresses are short
 */
export function queueSocketPacket(state: DriverState, tx: TxQueue, socket: XdpSock, packet: XskPacket): number {
  const { config, checksumOffload } = state;
  const { memory, allocator, dma, tags, peer, mtu } = config;
  const { partCount, lenBytes, partAddress, partBytes } = packet;
  const { csumStart, csumOffset } = packet.metadata;
  if (!state.isOpen) return -EBUSY;
  if (peer !== undefined && (lenBytes < ETH_HLEN || lenBytes > mtu + ETH_HLEN + VLAN_HLEN)) return -EBUSY;
  if (!tx.hasRoom(partCount, csumStart < 0 ? 0 : DESC_CSUM)) return -EAGAIN;
  const pages: number[] = [];
  const giveUp = (): number => {
    pages.forEach((page, part) => {
      if (part < mapped) dma.unmap(tx.mappings[part], partBytes[part], DMA_TO_DEVICE, 'skb xmit');
      allocator.free(page, Owner.stack);
    });
    return -EAGAIN;
  };
  let mapped = 0;
  for (let part = 0; part < partCount; part++) {
    const page = allocator.alloc(Owner.stack);
    if (page === 0) return giveUp();
    memory.u8.copyWithin(page, partAddress[part], partAddress[part] + partBytes[part]);
    pages.push(page);
  }
  let offload: Readonly<TxOffload> = NO_OFFLOAD;
  if (csumStart >= 0) {
    // XDP_UMEM_TX_SW_CSUM: the kernel sums when the skb has its first part only (xsk_build_skb, 6.18; measured).
    if (socket.umem?.hasTxSwCsum === true) softwareChecksum(memory, pages[0], partBytes[0], csumStart, csumOffset);
    // A veth takes every request (NETIF_F_HW_CSUM) and hands it on with the skb; nobody has summed when the peer's program runs (measured).
    else if (peer === undefined && partCount > 1) sumByCpu(state, pages, packet);
    else if (peer === undefined) offload = checksumOffload.request(pages[0], lenBytes, csumStart, csumOffset) ?? NO_OFFLOAD;
  }
  for (; mapped < partCount; mapped++) {
    tx.mappings[mapped] = dma.mapSingle(pages[mapped], partBytes[mapped], DMA_TO_DEVICE, 'skb xmit');
    if (dma.mappingError(tx.mappings[mapped])) return giveUp();
  }
  const { ledger } = allocator;
  ledger.packetId[ledger.indexOf(pages[0])] = packet.packetId;
  tags.send(pages[0], TX_XSK_SKB, 0);
  for (let part = 0; part < partCount; part++) {
    allocator.movePage(pages[part], Owner.stack, Owner.txRing);
    const record = tx.push(tx.mappings[part], partBytes[part], part === partCount - 1, offload);
    tx.kind[record] = TX_XSK_SKB;
    tx.buffer[record] = pages[part];
    tx.unmapIovaLow[record] = tx.mappings[part];
    tx.socketId[record] = socket.id;
    tx.completion[record] = part === partCount - 1 ? packet.completion : NO_COMPLETION;
  }
  return 0;
}

/** skb_checksum_help: the CPU computes the checksum in the copy, whatever parts it lies in. */
function sumByCpu({ config, gatherBuffer }: DriverState, pages: readonly number[], { partBytes, lenBytes, metadata }: XskPacket): void {
  const { memory } = config;
  const { csumStart, csumOffset } = metadata;
  const whole = pages.length === 1 ? pages[0] : gatherBuffer;
  const copyAll = (isThere: boolean): void => {
    let at = gatherBuffer;
    pages.forEach((page, part) => {
      if (isThere) memory.u8.copyWithin(page, at, at + partBytes[part]);
      else memory.u8.copyWithin(at, page, page + partBytes[part]);
      at += partBytes[part];
    });
  };
  if (whole === gatherBuffer) copyAll(false);
  softwareChecksum(memory, whole, lenBytes, csumStart, csumOffset);
  if (whole === gatherBuffer) copyAll(true);
}
