import { Owner } from '../../memory/index.js';
import type { XskSocket } from '../../umem/index.js';
import type { QueuePair } from './queuePair.js';
import { TX_NONE, TX_XDP_TX, TX_XDP_XMIT, TX_XSK_SKB } from './txQueue.js';
import type { TransmitParts } from './xdpTransmit.js';

/**
 * Gives back what the device has sent, each buffer by the path that its kind needs: pages of the queue's own pool directly into its
 * cache, as this is their own NAPI context (xdp_return_frame_rx_napi; for redirected ones page_pool_napi_local finds out the same, 6.18);
 * pages of socket packets to the page allocator, with an entry on the COMPLETION ring.
 *
 * @param sockets by id
 * @param onCompleted called for each packet of a socket
 * @returns descriptors that are free again
 */
export function cleanTx(
  { allocator, iommu }: TransmitParts,
  { tx, rx, counters }: QueuePair,
  sockets: readonly XskSocket[],
  onCompleted: (socket: XskSocket) => void,
): number {
  const mask = tx.ring.size - 1;
  const completed = tx.completed();
  for (let left = completed; left > 0; left--) {
    const slot = tx.nextToClean & mask;
    const page = tx.page[slot];
    const ownMapping = tx.unmapIovaLow[slot];
    if (ownMapping !== 0) iommu.unmapPage(ownMapping);
    switch (tx.kind[slot]) {
      case TX_XDP_TX:
      case TX_XDP_XMIT:
        rx.pool.recycleDirect(page, Owner.txRing);
        break;
      case TX_XSK_SKB: {
        allocator.free(page, Owner.txRing);
        const socket = sockets[tx.socketId[slot]];
        socket.complete(tx.completionOffBytes[slot]);
        onCompleted(socket);
        break;
      }
      default:
        throw new Error(`cleanTx: TX slot ${slot} completed, but holds nothing`);
    }
    if (tx.isLast[slot] === 1) counters.txPackets++;
    counters.txBytes += tx.lenBytes[slot];
    tx.kind[slot] = TX_NONE;
    tx.nextToClean = (tx.nextToClean + 1) | 0;
  }
  return completed;
}
