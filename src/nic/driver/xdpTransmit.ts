import { Owner } from '../../memory/index.js';
import { fragmentAddress, fragmentCount, fragmentLen, metadataBytes, XDP_BUFF_FLAGS, XDP_MD_DATA, XDP_MD_DATA_END } from '../../vm/index.js';
import { convertBuffToFrame, Outcome, sharedInfoAddress } from '../../xdp/index.js';
import { TX_XDP_XMIT } from '../bufferTags.js';
import { DMA_READ } from '../device/iommu.js';
import type { DriverState } from './driverState.js';
import type { QueuePair } from './queuePair.js';

/**
 * Converts the packet in the context block to an xdp_frame and queues all its buffers; on success they belong to the TX ring.
 *
 * @param buffer of the packet's linear part
 * @param kind TX_XDP_TX: the buffers are of the queue's own pool and mapped already. TX_XDP_XMIT: they get mappings of their own
 * @param retval what the program returned
 * @returns Outcome.tx, or why the packet couldn't be queued; then nothing has changed
 */
export function queueXdpFrame(state: DriverState, { tx, rx }: QueuePair, buffer: number, kind: number, retval: number): Outcome {
  const { memory, allocator, iommu, tags, vm } = state.config;
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
  if (kind === TX_XDP_XMIT) {
    for (let i = -1; i < fragments; i++) {
      tx.mappings[i + 1] = iommu.mapPage(ledger.bufferOf(partAddress(u32, data, sharedInfo, i)), DMA_READ);
      if (tx.mappings[i + 1] !== 0) continue;
      while (i-- > -1) iommu.unmapPage(tx.mappings[i + 1]);
      return Outcome.txDmaError;
    }
  }
  tags.send(buffer, kind, retval);
  for (let i = -1; i < fragments; i++) {
    const address = partAddress(u32, data, sharedInfo, i);
    const lenBytes = i < 0 ? dataEnd - data : fragmentLen(u32, sharedInfo, i);
    const part = ledger.bufferOf(address);
    const ownMapping = kind === TX_XDP_XMIT ? tx.mappings[i + 1] : 0;
    const iovaLow = (kind === TX_XDP_XMIT ? ownMapping : rx.buffers.iovaLow(part)) + (address - part);
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

/** Address of a packet's part: -1 for the linear one, else the number of the fragment. */
function partAddress(u32: Uint32Array, data: number, sharedInfo: number, i: number): number {
  return i < 0 ? data : fragmentAddress(u32, sharedInfo, i);
}
