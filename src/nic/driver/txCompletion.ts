import { Owner } from '../../memory/index.js';
import { writeTxTimestamp } from '../../umem/index.js';
import { Outcome, xdpFrameData } from '../../xdp/index.js';
import { TX_EMPTY, TX_NONE, TX_SKB, TX_XDP_CLONE, TX_XDP_TX, TX_XDP_TX_CHUNK, TX_XDP_TX_COPY, TX_XDP_XMIT, TX_XSK_CHUNK, TX_XSK_SKB } from '../bufferTags.js';
import { DMA_TO_DEVICE } from '../dma/direction.js';
import type { DriverConfig, DriverState } from './driverState.js';
import type { QueuePair } from './queuePair.js';
import { NO_COMPLETION } from './xskTransmit.js';
import { NO_TIMESTAMP } from './xskTxOffload.js';

/**
 * Gives back what the device has sent, each buffer by the path that its kind needs: those of the queue's own pool directly into its
 * cache, as this is their own NAPI context (xdp_return_frame_rx_napi; for redirected ones page_pool_napi_local finds out the same, 6.18);
 * those of other queues and NICs to where they came from, by the way that is open to everybody (xdp_return_frame); pages of socket packets
 * to the page allocator, with an entry on the COMPLETION ring.
 *
 * @returns slots that are free again
 */
export function cleanTx(state: DriverState, pair: QueuePair): number {
  const { tx, counters } = pair;
  const slots = tx.completed();
  const end = tx.nextToClean + slots;
  let hasXdpTx = false;
  let hasXdpXmit = false;
  let socketDescriptors = 0;
  while (tx.nextToClean < end) {
    const record = tx.cleanRecord & tx.recordMask;
    const kind = tx.kind[record];
    const isXdp = kind !== TX_XSK_SKB && kind !== TX_SKB && kind !== TX_XSK_CHUNK && kind !== TX_EMPTY;
    if (kind === TX_XDP_TX || kind === TX_XDP_TX_COPY || kind === TX_XDP_TX_CHUNK) hasXdpTx = true;
    else if (isXdp) hasXdpXmit = true;
    reportIfLost(state, pair, record, Outcome.txDmaError);
    if (kind === TX_XSK_CHUNK) {
      writeTimestamp(state, pair, record);
      socketDescriptors++;
    } else giveBack(state, pair, record, true);
    if (tx.frameSlots[record] > 0) {
      counters.txPackets++;
      if (isXdp) counters.txXdpPackets++;
      tx.frames++;
    }
    counters.txBytes += tx.lenBytes[record];
    if (isXdp) counters.txXdpBytes += tx.lenBytes[record];
    tx.release(record);
  }
  if (hasXdpTx) counters.xdpTxCompletions++;
  if (hasXdpXmit) counters.txXdpXmitCompletions++;
  completeDescriptors(state, pair, socketDescriptors);
  if (slots > 0) wakeWaitingSocket(state, pair);
  return slots;
}

/**
 * Takes back all that is on the TX ring, sent or not, when the queue is reset or shut down (igb_clean_tx_ring): frames that were on the wire
 * are sent, whether or not the driver knew; the others are lost, in the device if it is done with their descriptors.
 */
export function reclaimTx(state: DriverState, pair: QueuePair): void {
  const { tx } = pair;
  const doneSlots = tx.nextToClean + tx.completed();
  let socketDescriptors = 0;
  while (tx.cleanRecord !== tx.nextRecord) {
    const record = tx.cleanRecord & tx.recordMask;
    reportIfLost(state, pair, record, tx.nextToClean < doneSlots ? Outcome.txDmaError : Outcome.txStalled);
    if (tx.kind[record] === TX_XSK_CHUNK) socketDescriptors++;
    else giveBack(state, pair, record, false);
    tx.release(record);
  }
  completeDescriptors(state, pair, socketDescriptors);
  wakeWaitingSocket(state, pair);
}

/** xsk_tx_completed for descriptors of sockets in zero-copy mode, sent or not. */
function completeDescriptors({ config }: DriverState, { xsk }: QueuePair, count: number): void {
  if (count === 0) return;
  xsk!.tx.completed(count);
  for (const socket of xsk!.pool.txSockets) config.core.readySockets.add(socket);
}

/** xsk_tx_metadata_complete: when the device sent the frame, by its clock. */
function writeTimestamp({ config, txTimestamp }: DriverState, { tx, queue }: QueuePair, record: number): void {
  const at = tx.completion[record] >>> 0;
  if (at !== NO_TIMESTAMP) writeTxTimestamp(config.memory.view, at, txTimestamp(queue, tx.nextToClean + tx.frameSlots[record] - 1));
}

/** @param isPolling this is the NAPI context of the queue */
function giveBack(state: DriverState, { tx, rx, rxq, xsk }: QueuePair, record: number, isPolling: boolean): void {
  const { allocator, dma, core } = state.config;
  const buffer = tx.buffer[record];
  const ownMapping = tx.unmapIovaLow[record];
  if (ownMapping !== 0) dma.unmap(ownMapping, tx.lenBytes[record], DMA_TO_DEVICE, 'TX completion');
  switch (tx.kind[record]) {
    case TX_XDP_XMIT:
    case TX_XDP_CLONE:
      core.memory.returnBuffer(buffer, Owner.txRing, isPolling && core.memory.memIdOf(buffer) === rxq.memId);
      break;
    case TX_XDP_TX:
      if (isPolling) rx.buffers.recycleDirect(buffer, Owner.txRing);
      else rx.buffers.recycle(buffer, Owner.txRing);
      break;
    case TX_XDP_TX_COPY:
    case TX_EMPTY:
      allocator.free(buffer, Owner.txRing);
      break;
    case TX_XDP_TX_CHUNK:
      xsk!.buffers.recycle(buffer, Owner.txRing);
      break;
    case TX_SKB: {
      const skb = tx.skb[record];
      if (skb !== undefined) core.generic.skbs.free(skb, Owner.txRing);
      break;
    }
    case TX_XSK_SKB: {
      allocator.free(buffer, Owner.txRing);
      if (tx.completion[record] === NO_COMPLETION) break;
      const socket = core.sockets[tx.socketId[record]];
      socket.pool?.completePacket(tx.completion[record], state.config.scheduler.nowNs);
      core.readySockets.add(socket);
      break;
    }
    default:
      throw new Error(`TX record ${record} comes back, but holds nothing`);
  }
}

function wakeWaitingSocket({ config }: DriverState, pair: QueuePair): void {
  if (pair.waitingSocket === undefined) return;
  config.core.readySockets.add(pair.waitingSocket);
  pair.waitingSocket = undefined;
}

/** A frame that comes back without having been on the wire was lost in the device. */
function reportIfLost({ config }: DriverState, { queue, tx }: QueuePair, record: number, outcome: Outcome): void {
  const buffer = tx.buffer[record];
  if (tx.kind[record] === TX_XSK_CHUNK) return;
  if (tx.kind[record] === TX_XDP_TX_CHUNK) {
    reportChunkIfLost(config, queue, tx.completion[record] >>> 0, tx.lenBytes[record], outcome);
    return;
  }
  const { allocator, core, tags, memory, observer } = config;
  const { ledger } = allocator;
  const index = ledger.indexOf(buffer);
  const kind = tags.kind[index];
  if (kind === TX_NONE) return;
  tags.kind[index] = TX_NONE;
  if (kind === TX_XSK_SKB || kind === TX_EMPTY) return;
  if (kind === TX_SKB) {
    const { skbs } = core.generic;
    const skb = skbs.takeSent(buffer)!;
    skbs.reportEndAt(skb, outcome, queue, skbs.linearAddress(skb), skb.lenBytes, 0);
    return;
  }
  const { address, lenBytes } = xdpFrameData(memory.u32, buffer);
  if (kind !== TX_XDP_TX && kind !== TX_XDP_TX_COPY) core.endSentFrame(buffer, outcome, queue, address, lenBytes);
  else observer.onPacketEnd(ledger.packetId[index], outcome, tags.retval[index], queue, address, lenBytes, 0);
}

/** The same for a packet in a chunk of a UMEM. @param address of its first byte, 0 for chunks behind the first */
function reportChunkIfLost({ umems, observer }: DriverConfig, queue: number, address: number, lenBytes: number, outcome: Outcome): void {
  const inUmem = address === 0 ? undefined : umems.find(address);
  if (inUmem === undefined) return;
  const { umem, tags, txPacketId } = inUmem;
  const index = umem.chunks.indexOf(address);
  if (tags.kind[index] === TX_NONE) return;
  tags.kind[index] = TX_NONE;
  observer.onPacketEnd(txPacketId[index], outcome, tags.retval[index], queue, address, lenBytes, 0);
}
