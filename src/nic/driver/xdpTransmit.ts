import { EINVAL, ENETDOWN } from '../../base/index.js';
import { Owner } from '../../memory/index.js';
import { convertContextToFrame, frameBytes, frameFragments, framePartAddress, framePartBytes, mostForwardedBytes, Outcome, XDP_REDIRECT, XDP_TX, XDP_XMIT_FLUSH } from '../../xdp/index.js';
import { DESC_CSUM } from '../device/batch.js';
import { TX_XDP_CLONE, TX_XDP_TX, TX_XDP_XMIT } from '../bufferTags.js';
import { DMA_BIDIRECTIONAL, DMA_TO_DEVICE } from '../dma/direction.js';
import type { DriverState } from './driverState.js';
import type { QueuePair } from './queuePair.js';
import { NO_OFFLOAD } from './txQueue.js';
import type { TxOffload } from './txQueue.js';

/**
 * XDP_TX: converts the packet in the context block to an xdp_frame and queues all its buffers; on success they belong to the TX ring.
 *
 * @param buffer of the packet's linear part
 * @returns Outcome.tx, or why the packet couldn't be queued; then its buffers are still the driver's
 */
export function queueXdpTx(state: DriverState, pair: QueuePair, buffer: number): Outcome {
  const { memory, vm, ifindex, profile, mtu } = state.config;
  const { u32 } = memory;
  const { txChecksum } = state;
  if (!convertContextToFrame(u32, vm.contextAddress, pair.rx.buffers.memType, ifindex)) return Outcome.txNoHeadroom;
  const failure = pair.xdpTxBulk?.makeRoom();
  if (failure !== undefined) return failure;
  if (profile.peerChecksLength === true && frameBytes(u32, buffer) > mostForwardedBytes(mtu)) return Outcome.txTooLong;
  if (!hasRoom(pair, frameFragments(u32, buffer), txChecksum === undefined ? 0 : DESC_CSUM)) return Outcome.txRingFull;
  const offload = txChecksum === undefined ? NO_OFFLOAD : txChecksum.request(pair.counters);
  if (offload === undefined) return Outcome.txChecksumRefused;
  const needsMapping = state.rxDirection !== DMA_BIDIRECTIONAL;
  if (needsMapping && !mapFrame(state, pair, buffer)) return Outcome.txDmaError;
  pushFrame(state, pair, buffer, TX_XDP_TX, needsMapping, offload);
  return Outcome.tx;
}

/**
 * ndo_xdp_xmit: queues frames that were redirected to this device, wherever they come from, on the queue of the CPU that runs. The driver can't know how they
 * are mapped, so each gets a mapping of its own (ixgbe_xdp_xmit, i40e_xdp_xmit, 6.18: those that find no room or no mapping end the bulk).
 *
 * @returns frames that were queued, or a negated errno
 */
export function queueXdpFrames(state: DriverState, pair: QueuePair, frames: Uint32Array, count: number, flags: number): number {
  if ((flags & ~XDP_XMIT_FLUSH) !== 0) return -EINVAL;
  if (!state.isOpen) return -ENETDOWN;
  const { memory, core } = state.config;
  const { counters } = pair;
  let sent = 0;
  for (; sent < count; sent++) {
    const frame = frames[sent];
    if (!hasRoom(pair, frameFragments(memory.u32, frame), 0)) {
      state.xmitFailure = Outcome.txRingFull;
      break;
    }
    if (!mapFrame(state, pair, frame)) {
      state.xmitFailure = Outcome.txDmaError;
      break;
    }
    pushFrame(state, pair, frame, core.memory.hasOwnPage(frame) ? TX_XDP_CLONE : TX_XDP_XMIT, true, NO_OFFLOAD);
  }
  counters.txXdpXmit += sent;
  counters.txXdpXmitErrors += count - sent;
  return sent;
}

/** Whether the ring takes a frame of so many fragments, with these offloads (DESC_*); if not, that is counted. */
function hasRoom({ tx }: QueuePair, fragments: number, offloadFlags: number): boolean {
  if (tx.hasRoom(fragments + 1, offloadFlags)) return true;
  tx.fullCount++;
  return false;
}

/** Maps all parts of a frame, into `tx.mappings`; false when one can't be mapped, and then none is. */
function mapFrame({ config }: DriverState, { tx }: QueuePair, frame: number): boolean {
  const { memory, dma } = config;
  const { u32 } = memory;
  const fragments = frameFragments(u32, frame);
  for (let i = -1; i < fragments; i++) {
    tx.mappings[i + 1] = dma.mapSingle(framePartAddress(u32, frame, i), framePartBytes(u32, frame, i), DMA_TO_DEVICE, 'XDP xmit');
    if (!dma.mappingError(tx.mappings[i + 1])) continue;
    while (i-- > -1) dma.unmap(tx.mappings[i + 1], framePartBytes(u32, frame, i), DMA_TO_DEVICE, 'XDP xmit');
    return false;
  }
  return true;
}

/**
 * Puts all parts of a frame on the ring.
 *
 * @param kind TX_XDP_TX: the buffers are of the queue's own pool and the driver's; else the core's
 * @param isMapped they have mappings of their own, in `tx.mappings`; else the pool's is used
 */
function pushFrame(state: DriverState, { tx, rx }: QueuePair, frame: number, kind: number, isMapped: boolean, offload: Readonly<TxOffload>): void {
  const { memory, allocator, core, dma, tags } = state.config;
  const { u32 } = memory;
  const { ledger } = allocator;
  const fragments = frameFragments(u32, frame);
  tags.send(frame, kind, kind === TX_XDP_TX ? XDP_TX : XDP_REDIRECT);
  for (let i = -1; i < fragments; i++) {
    const address = framePartAddress(u32, frame, i);
    const lenBytes = framePartBytes(u32, frame, i);
    // A clone lies in a page, whatever the size of the ledger's buffers.
    const part = i < 0 ? frame : ledger.bufferOf(address);
    const iovaLow = isMapped ? tx.mappings[i + 1] : rx.buffers.iovaLow(part) + (address - part);
    if (!isMapped) dma.syncForDevice(iovaLow, lenBytes, DMA_BIDIRECTIONAL, 'XDP_TX');
    const record = tx.push(iovaLow, lenBytes, i === fragments - 1, offload);
    if (kind === TX_XDP_TX) {
      rx.buffers.giveUp(part);
      ledger.move(part, Owner.driver, Owner.txRing);
    } else {
      core.memory.moveBuffer(part, Owner.redirect, Owner.txRing);
    }
    tx.kind[record] = kind;
    tx.buffer[record] = part;
    tx.unmapIovaLow[record] = isMapped ? iovaLow : 0;
  }
}
