import { Owner } from '../../memory/index.js';
import { fragmentAddress, fragmentCount, fragmentLen, metadataBytes, XDP_BUFF_FLAGS, XDP_MD_DATA, XDP_MD_DATA_END } from '../../vm/index.js';
import { convertBuffToFrame, Outcome, sharedInfoAddress } from '../../xdp/index.js';
import { TX_XDP_TX } from '../bufferTags.js';
import { DMA_BIDIRECTIONAL, DMA_TO_DEVICE } from '../dma/direction.js';
import type { DriverState } from './driverState.js';
import type { QueuePair } from './queuePair.js';

/**
 * Converts the packet in the context block to an xdp_frame and queues all its buffers; on success they belong to the TX ring.
 *
 * @param buffer of the packet's linear part
 * @param kind TX_XDP_TX: the buffers are of the queue's own pool, and mapped already if in both directions. TX_XDP_XMIT: they get mappings of
 * their own, as the driver can't know where a frame comes from
 * @param retval what the program returned
 * @returns Outcome.tx, or why the packet couldn't be queued; then nothing has changed
 */
export function queueXdpFrame(state: DriverState, { tx, rx }: QueuePair, buffer: number, kind: number, retval: number): Outcome {
  const { memory, allocator, dma, tags, vm } = state.config;
  const needsMapping = kind !== TX_XDP_TX || state.rxDirection !== DMA_BIDIRECTIONAL;
  const { ledger } = allocator;
  const { u32 } = memory;
  const context = vm.contextAddress;
  const word = context >>> 2;
  const data = u32[word + XDP_MD_DATA / 4];
  const dataEnd = u32[word + XDP_MD_DATA_END / 4];
  const fragments = fragmentCount(u32, context);
  if (!tx.hasRoom(fragments + 1)) {
    tx.fullCount++;
    return Outcome.txRingFull;
  }
  if (!convertToFrame(state, buffer)) return Outcome.txNoHeadroom;
  const sharedInfo = sharedInfoAddress(buffer, state.layout.frameSizeBytes);
  if (needsMapping) {
    for (let i = -1; i < fragments; i++) {
      tx.mappings[i + 1] = dma.mapSingle(partAddress(u32, data, sharedInfo, i), partBytes(u32, data, dataEnd, sharedInfo, i), DMA_TO_DEVICE, 'XDP xmit');
      if (!dma.mappingError(tx.mappings[i + 1])) continue;
      while (i-- > -1) dma.unmap(tx.mappings[i + 1], partBytes(u32, data, dataEnd, sharedInfo, i), DMA_TO_DEVICE, 'XDP xmit');
      return Outcome.txDmaError;
    }
  }
  tags.send(buffer, kind, retval);
  for (let i = -1; i < fragments; i++) {
    const address = partAddress(u32, data, sharedInfo, i);
    const lenBytes = partBytes(u32, data, dataEnd, sharedInfo, i);
    const part = ledger.bufferOf(address);
    const ownMapping = needsMapping ? tx.mappings[i + 1] : 0;
    const iovaLow = needsMapping ? ownMapping : rx.buffers.iovaLow(part) + (address - part);
    if (!needsMapping) dma.syncForDevice(iovaLow, lenBytes, DMA_BIDIRECTIONAL, 'XDP_TX');
    const record = tx.push(iovaLow, lenBytes, i === fragments - 1);
    rx.buffers.giveUp(part);
    ledger.move(part, Owner.driver, Owner.txRing);
    tx.kind[record] = kind;
    tx.buffer[record] = part;
    tx.unmapIovaLow[record] = ownMapping;
  }
  return Outcome.tx;
}

/** Writes the xdp_frame of the packet in the context block at the start of its buffer; false when there is no room for it. */
export function convertToFrame({ config, layout }: DriverState, buffer: number): boolean {
  const { u32 } = config.memory;
  const context = config.vm.contextAddress;
  const word = context >>> 2;
  const data = u32[word + XDP_MD_DATA / 4];
  const dataMeta = data - metadataBytes(u32, context);
  return convertBuffToFrame(u32, buffer, layout.frameSizeBytes, dataMeta, data, u32[word + XDP_MD_DATA_END / 4], u32[word + XDP_BUFF_FLAGS / 4]);
}

/** Length of a packet's part. */
function partBytes(u32: Uint32Array, data: number, dataEnd: number, sharedInfo: number, i: number): number {
  return i < 0 ? dataEnd - data : fragmentLen(u32, sharedInfo, i);
}

/** Address of a packet's part: -1 for the linear one, else the number of the fragment. */
function partAddress(u32: Uint32Array, data: number, sharedInfo: number, i: number): number {
  return i < 0 ? data : fragmentAddress(u32, sharedInfo, i);
}
