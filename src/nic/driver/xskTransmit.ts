import { EAGAIN, EBUSY } from '../../base/index.js';
import { Owner } from '../../memory/index.js';
import { XDP_TXMD_FLAGS_LAUNCH_TIME } from '../../umem/index.js';
import type { XdpSock, XskPacket } from '../../umem/index.js';
import { ETH_HLEN } from '../../vm/index.js';
import { mostForwardedBytes } from '../../xdp/index.js';
import { TX_XSK_SKB } from '../bufferTags.js';
import { DESC_CSUM } from '../device/batch.js';
import { DMA_TO_DEVICE } from '../dma/direction.js';
import { hasRoomForSkb, skbLaunch } from './launchOffload.js';
import { softwareChecksum } from './checksumRequest.js';
import type { DriverState } from './driverState.js';
import { NO_OFFLOAD } from './txQueue.js';
import type { TxOffload, TxQueue } from './txQueue.js';

/** The record is not the last one of its packet, which completes it. */
export const NO_COMPLETION = -1;

/**
 * __dev_direct_xmit of a packet of an AF_XDP socket in copy mode: copies each part into a page of its own (the skb) and queues them.
 *
 * @returns 0; -EBUSY for what is dropped: the device is down, or it is a veth and the frame has no Ethernet header or is longer than its MTU (measured on
 * 6.18); -EAGAIN when the ring is full or memory or I/O addresses are short
 */
export function queueSocketPacket(state: DriverState, tx: TxQueue, socket: XdpSock, packet: XskPacket): number {
  const { profile, mtu } = state.config;
  const { partCount, lenBytes, metadata } = packet;
  if (!state.isOpen) return -EBUSY;
  if (profile.peerChecksLength === true && (lenBytes < ETH_HLEN || lenBytes > mostForwardedBytes(mtu))) return -EBUSY;
  if (!hasRoomForSkb(tx, partCount, metadata.csumStart < 0 ? 0 : DESC_CSUM)) return -EAGAIN;
  if (!copyParts(state, tx, packet)) return -EAGAIN;
  const offload = dealWithChecksum(state, tx, socket, packet);
  if (!mapParts(state, tx, packet)) return -EAGAIN;
  if (metadata.launchTimeNs >= 0 && tx.launchTimes === undefined) socket.pool!.passOver(XDP_TXMD_FLAGS_LAUNCH_TIME);
  // xsk_skb_metadata writes the time into the skb, skb->tstamp.
  pushParts(state, tx, socket, packet, skbLaunch(state.config, tx, Math.max(0, metadata.launchTimeNs), offload));
  return 0;
}

/** Copies each part into a page of `tx.pages`; false when memory is short, and then no page is taken. */
function copyParts(state: DriverState, tx: TxQueue, { partCount, partAddress, partBytes }: XskPacket): boolean {
  const { memory, allocator } = state.config;
  for (let part = 0; part < partCount; part++) {
    const page = allocator.alloc(Owner.stack);
    if (page === 0) {
      freePages(state, tx, part);
      return false;
    }
    memory.u8.copyWithin(page, partAddress[part], partAddress[part] + partBytes[part]);
    tx.pages[part] = page;
  }
  return true;
}

/** Maps each page, into `tx.mappings`; false when one can't be mapped, and then none is, and the pages are free. */
function mapParts(state: DriverState, tx: TxQueue, { partCount, partBytes }: XskPacket): boolean {
  const { dma } = state.config;
  const { mappings, pages } = tx;
  for (let part = 0; part < partCount; part++) {
    mappings[part] = dma.mapSingle(pages[part], partBytes[part], DMA_TO_DEVICE, 'skb xmit');
    if (!dma.mappingError(mappings[part])) continue;
    for (let mapped = 0; mapped < part; mapped++) dma.unmap(mappings[mapped], partBytes[mapped], DMA_TO_DEVICE, 'skb xmit');
    freePages(state, tx, partCount);
    return false;
  }
  return true;
}

function freePages({ config }: DriverState, { pages }: TxQueue, count: number): void {
  for (let part = 0; part < count; part++) config.allocator.free(pages[part], Owner.stack);
}

/** The checksum that the metadata asks for: computed in the copy, or what the device is to be asked. */
function dealWithChecksum(state: DriverState, tx: TxQueue, { umem }: XdpSock, packet: XskPacket): Readonly<TxOffload> {
  const { memory, peer } = state.config;
  const { partCount, partBytes, lenBytes } = packet;
  const { csumStart, csumOffset } = packet.metadata;
  if (csumStart < 0) return NO_OFFLOAD;
  if (umem?.hasTxSwCsum === true) {
    // XDP_UMEM_TX_SW_CSUM: the kernel sums when the skb has its first part only (xsk_build_skb, 6.18; measured).
    softwareChecksum(memory, tx.pages[0], partBytes[0], csumStart, csumOffset);
    return NO_OFFLOAD;
  }
  // A veth takes every request (NETIF_F_HW_CSUM) and hands it on with the skb; nobody has summed when the peer's program runs (measured).
  if (peer !== undefined) return NO_OFFLOAD;
  if (partCount === 1) return state.checksumOffload.request(tx.pages[0], lenBytes, csumStart, csumOffset) ?? NO_OFFLOAD;
  sumByCpu(state, tx, packet);
  return NO_OFFLOAD;
}

/** skb_checksum_help on a packet in several pages, which are put together for it. */
function sumByCpu({ config, gatherBuffer }: DriverState, { pages }: TxQueue, { partCount, partBytes, lenBytes, metadata }: XskPacket): void {
  const { memory } = config;
  const { u8 } = memory;
  for (let part = 0, at = gatherBuffer; part < partCount; at += partBytes[part++]) u8.copyWithin(at, pages[part], pages[part] + partBytes[part]);
  softwareChecksum(memory, gatherBuffer, lenBytes, metadata.csumStart, metadata.csumOffset);
  for (let part = 0, at = gatherBuffer; part < partCount; at += partBytes[part++]) u8.copyWithin(pages[part], at, at + partBytes[part]);
}

function pushParts({ config }: DriverState, tx: TxQueue, socket: XdpSock, { partCount, partBytes, packetId, completion }: XskPacket, offload: Readonly<TxOffload>): void {
  const { allocator, tags } = config;
  const { ledger } = allocator;
  const { mappings, pages } = tx;
  ledger.packetId[ledger.indexOf(pages[0])] = packetId;
  tags.send(pages[0], TX_XSK_SKB, 0);
  for (let part = 0; part < partCount; part++) {
    const isLast = part === partCount - 1;
    allocator.movePage(pages[part], Owner.stack, Owner.txRing);
    const record = tx.push(mappings[part], partBytes[part], isLast, offload);
    tx.kind[record] = TX_XSK_SKB;
    tx.buffer[record] = pages[part];
    tx.unmapIovaLow[record] = mappings[part];
    tx.socketId[record] = socket.id;
    tx.completion[record] = isLast ? completion : NO_COMPLETION;
  }
}
