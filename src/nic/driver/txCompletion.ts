import { Owner } from '../../memory/index.js';
import { Outcome, xdpFrameData } from '../../xdp/index.js';
import { TX_NONE, TX_XDP_TX, TX_XDP_XMIT, TX_XSK_SKB } from '../bufferTags.js';
import { DMA_TO_DEVICE } from '../dma/direction.js';
import type { DriverState } from './driverState.js';
import type { QueuePair } from './queuePair.js';

/**
 * Gives back what the device has sent, each buffer by the path that its kind needs: those of the queue's own pool directly into its
 * cache, as this is their own NAPI context (xdp_return_frame_rx_napi; for redirected ones page_pool_napi_local finds out the same, 6.18);
 * pages of socket packets to the page allocator, with an entry on the COMPLETION ring.
 *
 * @returns slots that are free again
 */
export function cleanTx(state: DriverState, pair: QueuePair): number {
  const { allocator, dma, targets } = state.config;
  const { tx, rx, counters } = pair;
  const slots = tx.completed();
  const end = tx.nextToClean + slots;
  while (tx.nextToClean < end) {
    const record = tx.cleanRecord & tx.recordMask;
    const buffer = tx.buffer[record];
    const ownMapping = tx.unmapIovaLow[record];
    if (ownMapping !== 0) dma.unmap(ownMapping, tx.lenBytes[record], DMA_TO_DEVICE, 'TX completion');
    reportIfLost(state, pair, buffer);
    switch (tx.kind[record]) {
      case TX_XDP_TX:
      case TX_XDP_XMIT:
        rx.buffers.recycleDirect(buffer, Owner.txRing);
        break;
      case TX_XSK_SKB: {
        allocator.free(buffer, Owner.txRing);
        const socket = targets.sockets[tx.socketId[record]];
        socket.complete(tx.completionOffBytes[record]);
        state.readySockets.add(socket);
        break;
      }
      default:
        throw new Error(`cleanTx: TX record ${record} completed, but holds nothing`);
    }
    if (tx.frameSlots[record] > 0) {
      counters.txPackets++;
      tx.frames++;
    }
    counters.txBytes += tx.lenBytes[record];
    tx.release(record);
  }
  if (slots > 0 && pair.waitingSocket !== undefined) {
    state.readySockets.add(pair.waitingSocket);
    pair.waitingSocket = undefined;
  }
  return slots;
}

/** A frame that comes back without having been on the wire was lost in the device. */
function reportIfLost({ config }: DriverState, { queue }: QueuePair, buffer: number): void {
  const { allocator, tags, memory, observer } = config;
  const { ledger } = allocator;
  const index = ledger.indexOf(buffer);
  const kind = tags.kind[index];
  if (kind === TX_NONE) return;
  tags.kind[index] = TX_NONE;
  if (kind === TX_XSK_SKB) return;
  const { address, lenBytes } = xdpFrameData(memory.u32, buffer);
  observer.onPacketEnd(ledger.packetId[index], Outcome.txDmaError, tags.retval[index], queue, address, lenBytes, 0);
}
