import { Owner } from '../../memory/index.js';
import { mostForwardedBytes, Outcome, skbFragments, skbPartAddress, skbPartBytes } from '../../xdp/index.js';
import type { SkBuff } from '../../xdp/index.js';
import { TX_SKB } from '../bufferTags.js';
import { DMA_TO_DEVICE } from '../dma/direction.js';
import type { DriverConfig } from './driverState.js';
import { hasRoomForSkb, skbLaunch } from './launchOffload.js';
import { NO_OFFLOAD } from './txQueue.js';
import type { TxOffload, TxQueue } from './txQueue.js';

/**
 * ndo_start_xmit: maps the parts of an skb and queues them; from then on it is the ring's, and completion frees it. A tag that the device had stripped it
 * inserts again, where it can. One whose mapping fails is dropped, as drivers do, and counts as taken; so is one that the peer of a veth finds too long.
 *
 * @returns false when there is no room: nothing has changed
 */
export function queueSkb(config: DriverConfig, tx: TxQueue, skb: SkBuff): boolean {
  const { memory, allocator, dma, tags, core, profile, mtu } = config;
  const { skbs } = core.generic;
  const { u32 } = memory;
  const { ledger } = allocator;
  const fragments = skbFragments(u32, skb);
  const offload = skb.vlanTci >= 0 && profile.offloads.txVlanInsert ? insertTag(tx, skb.vlanTci) : NO_OFFLOAD;
  if (profile.peerChecksLength === true && skb.lenBytes > mostForwardedBytes(mtu)) {
    skbs.drop(skb, Outcome.txTooLong);
    return true;
  }
  if (!hasRoomForSkb(tx, fragments + 1, offload.flags)) {
    tx.fullCount++;
    return false;
  }
  for (let part = -1; part < fragments; part++) {
    tx.mappings[part + 1] = dma.mapSingle(skbPartAddress(u32, skb, part), skbPartBytes(u32, skb, part), DMA_TO_DEVICE, 'skb xmit');
    if (!dma.mappingError(tx.mappings[part + 1])) continue;
    while (part-- > -1) dma.unmap(tx.mappings[part + 1], skbPartBytes(u32, skb, part), DMA_TO_DEVICE, 'skb xmit');
    skbs.drop(skb, Outcome.txDmaError);
    return true;
  }
  // The packet is known by where its bytes begin, which need not be the first page of the head.
  tags.send(skb.data, TX_SKB, skb.retval);
  ledger.packetId[ledger.indexOf(skb.data)] = skb.packetId;
  skbs.startSending(skb);
  skbs.move(skb, Owner.stack, Owner.txRing);
  // Nobody has written a time into it.
  const asked = skbLaunch(config, tx, 0, offload);
  for (let part = -1; part < fragments; part++) {
    const isLast = part === fragments - 1;
    const record = tx.push(tx.mappings[part + 1], skbPartBytes(u32, skb, part), isLast, asked);
    tx.kind[record] = TX_SKB;
    tx.buffer[record] = skbPartAddress(u32, skb, part);
    tx.unmapIovaLow[record] = tx.mappings[part + 1];
    tx.skb[record] = isLast ? skb : undefined;
  }
  return true;
}

function insertTag({ vlanOffload }: TxQueue, vlanTci: number): Readonly<TxOffload> {
  vlanOffload.vlanTci = vlanTci;
  return vlanOffload;
}
