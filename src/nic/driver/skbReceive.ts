import { Owner } from '../../memory/index.js';
import { ETH_HLEN, MAX_SKB_FRAGS } from '../../vm/index.js';
import { ethTypeTrans, Outcome } from '../../xdp/index.js';
import type { SkBuff } from '../../xdp/index.js';
import { DESC_VLAN } from '../device/batch.js';
import { NO_VERDICT } from './driverState.js';
import type { DriverState } from './driverState.js';
import { endForeignPacket } from './packetEnd.js';
import type { QueuePair } from './queuePair.js';

/**
 * One frame, descriptors `first` to `last` of the batch, for a driver that runs no program: it makes an skb, in the way of its profile, and hands it to
 * the stack, where generic XDP waits (napi_gro_receive; with a generic program GRO merges nothing).
 */
export function receiveSkb(state: DriverState, pair: QueuePair, firstSlot: number, first: number, last: number): void {
  const { memory, allocator, core, profile, observer } = state.config;
  const { rx, queue } = pair;
  const { batch } = rx;
  const { ledger } = allocator;
  const buffer = rx.buffer[firstSlot];
  const packetId = ledger.packetId[ledger.indexOf(buffer)];
  let lenBytes = 0;
  let glued = packetId;
  for (let segment = first; segment <= last; segment++) {
    const part = partBuffer(pair, firstSlot, segment - first);
    ledger.move(part, Owner.device, Owner.driver);
    if (segment > first) glued = endForeignPacket(state, queue, part, glued, Outcome.rxError);
    lenBytes += batch.lenBytes[segment];
  }
  const skb = makeSkb(state, pair, firstSlot, first, last, lenBytes);
  if (skb === undefined) {
    observer.onPacketEnd(packetId, Outcome.skbNoMemory, NO_VERDICT, queue, buffer + state.layout.packetOffBytes, batch.lenBytes[first], 0);
    for (let segment = first; segment <= last; segment++) rx.buffers.recycleDirect(partBuffer(pair, firstSlot, segment - first), Owner.driver);
    return;
  }
  core.generic.skbs.setPacket(skb, packetId);
  skb.origin = state.netdev;
  skb.ifindex = state.netdev.ifindex;
  skb.arrivalQueue = queue;
  if (profile.skb.recordsRxQueue) skb.rxQueue = queue;
  if ((batch.flags[first] & DESC_VLAN) !== 0) skb.vlanTci = batch.vlanTci[first];
  ethTypeTrans(memory.u8, skb, state.netdev.address);
  pair.counters.stackPackets++;
  core.generic.receive(skb);
}

function partBuffer({ rx }: QueuePair, firstSlot: number, segment: number): number {
  return rx.buffer[(firstSlot + segment) % rx.ring.size];
}

/** The skb; `undefined` when there is no memory for it, and then the buffers are still the driver's. */
function makeSkb(state: DriverState, pair: QueuePair, firstSlot: number, first: number, last: number, lenBytes: number): SkBuff | undefined {
  const { core, profile, allocator } = state.config;
  const { skbs } = core.generic;
  const { packetOffBytes, deviceOffBytes, frameSizeBytes } = state.layout;
  const { buffers, batch } = pair.rx;
  const { how, copyBytes, headroomBytes, headBytes, spareBytes, allocation } = profile.skb;
  const { ledger } = allocator;
  const buffer = pair.rx.buffer[firstSlot];
  const isCopied = lenBytes <= copyBytes || last - first >= MAX_SKB_FRAGS;
  if (how === 'buffer' && !isCopied) {
    buffers.giveUp(buffer);
    const skb = skbs.build(buffer, frameSizeBytes, buffers, packetOffBytes, batch.lenBytes[first]);
    for (let segment = first + 1; segment <= last; segment++) {
      const part = partBuffer(pair, firstSlot, segment - first);
      buffers.giveUp(part);
      ledger.move(part, Owner.driver, Owner.stack);
      skbs.addFragment(skb, part + deviceOffBytes, batch.lenBytes[segment], buffers);
    }
    return skb;
  }
  const inHead = isCopied ? lenBytes : ETH_HLEN;
  const skb = skbs.alloc(headroomBytes + Math.max(inHead, headBytes) + spareBytes, headroomBytes, allocation);
  if (skb === undefined) return undefined;
  let left = inHead;
  for (let segment = first; segment <= last; segment++) {
    const part = partBuffer(pair, firstSlot, segment - first);
    const address = part + (segment === first ? packetOffBytes : deviceOffBytes);
    const partBytes = batch.lenBytes[segment];
    const copied = Math.min(left, partBytes);
    if (copied > 0) skbs.append(skb, address, copied);
    left -= copied;
    if (copied === partBytes) {
      buffers.recycleDirect(part, Owner.driver);
      continue;
    }
    buffers.giveUp(part);
    ledger.move(part, Owner.driver, Owner.stack);
    skbs.addFragment(skb, address + copied, partBytes - copied, buffers);
  }
  return skb;
}
