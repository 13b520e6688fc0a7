import { Owner } from '../../memory/index.js';
import { contextSharedInfo, fragmentAddress, fragmentCount, fragmentLen, XDP_MD_DATA, XDP_MD_DATA_END } from '../../vm/index.js';
import { convertZeroCopyToFrame, frameData, frameLinearBytes, Outcome, XDP_TX } from '../../xdp/index.js';
import { TX_XDP_TX_CHUNK, TX_XDP_TX_COPY } from '../bufferTags.js';
import { DMA_BIDIRECTIONAL, DMA_TO_DEVICE } from '../dma/direction.js';
import type { DriverState } from './driverState.js';
import type { QueuePair } from './queuePair.js';

/**
 * XDP_TX of a packet in a chunk by drivers that make a frame of every packet (ixgbe, i40e, mlx5 …, 6.18): a copy in a page of its own is sent, and the chunk
 * goes back to its pool.
 *
 * @returns Outcome.tx, or why the packet couldn't be queued; then nothing has changed
 */
export function queueCopyTx(state: DriverState, pair: QueuePair, packetId: number): Outcome {
  const { memory, allocator, dma, vm, ifindex, tags } = state.config;
  const { u32 } = memory;
  const { tx, xsk } = pair;
  if (!tx.hasRoom(1)) {
    tx.fullCount++;
    return Outcome.txRingFull;
  }
  const page = allocator.alloc(Owner.driver);
  if (page === 0) return Outcome.redirectCopyFailed;
  if (!convertZeroCopyToFrame(memory, vm.contextAddress, page, ifindex)) {
    allocator.free(page, Owner.driver);
    return Outcome.txNoHeadroom;
  }
  const lenBytes = frameLinearBytes(u32, page);
  const iovaLow = dma.mapSingle(frameData(u32, page), lenBytes, DMA_TO_DEVICE, 'XDP_TX of a copy');
  if (dma.mappingError(iovaLow)) {
    allocator.free(page, Owner.driver);
    return Outcome.txDmaError;
  }
  allocator.ledger.packetId[allocator.ledger.indexOf(page)] = packetId;
  tags.send(page, TX_XDP_TX_COPY, XDP_TX);
  allocator.movePage(page, Owner.driver, Owner.txRing);
  const record = tx.push(iovaLow, lenBytes, true);
  tx.kind[record] = TX_XDP_TX_COPY;
  tx.buffer[record] = page;
  tx.unmapIovaLow[record] = iovaLow;
  xsk!.buffers.freePacket();
  return Outcome.tx;
}

/** The same by ice (ice_xmit_xdp_tx_zc), which sends the chunks of the packet as they lie, and frees them when they were sent. */
export function queueChunksTx({ config }: DriverState, { tx, xsk }: QueuePair, packetId: number): Outcome {
  const { memory, dma, vm, umems } = config;
  const { u32 } = memory;
  const { buffers } = xsk!;
  const context = vm.contextAddress;
  const fragments = fragmentCount(u32, context);
  if (!tx.hasRoom(fragments + 1)) {
    tx.fullCount++;
    return Outcome.txRingFull;
  }
  const sharedInfo = contextSharedInfo(u32, context);
  const data = u32[(context + XDP_MD_DATA) >>> 2];
  umems.send(data, TX_XDP_TX_CHUNK, XDP_TX, packetId);
  for (let i = -1; i < fragments; i++) {
    const address = i < 0 ? data : fragmentAddress(u32, sharedInfo, i);
    const lenBytes = i < 0 ? u32[(context + XDP_MD_DATA_END) >>> 2] - data : fragmentLen(u32, sharedInfo, i);
    const chunk = buffers.part(i + 1);
    const iovaLow = buffers.iovaLow(address);
    dma.syncForDevice(iovaLow, lenBytes, DMA_BIDIRECTIONAL, 'XDP_TX of a chunk');
    const record = tx.push(iovaLow, lenBytes, i === fragments - 1);
    tx.kind[record] = TX_XDP_TX_CHUNK;
    tx.buffer[record] = chunk;
    tx.unmapIovaLow[record] = 0;
    tx.completion[record] = i < 0 ? data : 0;
    buffers.owners.move(chunk, Owner.driver, Owner.txRing);
  }
  buffers.sendPacket();
  return Outcome.tx;
}
