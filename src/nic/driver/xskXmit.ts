import { Owner } from '../../memory/index.js';
import { XDP_PKT_CONTD, XDP_TX_METADATA, XDP_TXMD_FLAGS_LAUNCH_TIME } from '../../umem/index.js';
import { TX_XSK_CHUNK } from '../bufferTags.js';
import { DMA_BIDIRECTIONAL } from '../dma/direction.js';
import type { DriverState } from './driverState.js';
import { zeroCopyLaunch } from './launchOffload.js';
import type { QueuePair } from './queuePair.js';
import { NO_OFFLOAD } from './txQueue.js';
import type { XskPair } from './xskPair.js';
import { NO_TIMESTAMP } from './xskTxOffload.js';

/**
 * Sends from the TX rings of the sockets on a queue, in its NAPI poll (ice_xmit_zc and its kin, 6.18): the device reads the packets where they lie.
 *
 * @returns false when there may be more than the driver takes in one poll
 */
export function sendFromSockets(state: DriverState, pair: QueuePair): boolean {
  const { core } = state.config;
  const { tx } = pair;
  const xsk = pair.xsk!;
  const { pool, support } = xsk;
  // Before the rings are looked at: what comes later finds the flag.
  if (pool.usesNeedWakeup && (!support.clearsTxNeedWakeup || !tx.isBusy)) pool.setTxNeedWakeup();
  const budget = Math.min(xsk.txBudget, Math.floor(tx.freeSlots / tx.slotsPerBuffer));
  const count = budget <= 0 ? 0 : support.takesBatches ? xsk.tx.takeBatch(budget) : xsk.tx.takeEach(budget);
  if (count > 0) {
    queueDescriptors(state, pair, xsk);
    for (const socket of pool.txSockets) core.readySockets.add(socket);
  }
  if (pool.usesNeedWakeup && support.clearsTxNeedWakeup && tx.isBusy) pool.clearTxNeedWakeup();
  return count < budget || budget <= 0;
}

function queueDescriptors({ config, xskTxOffload }: DriverState, { tx }: QueuePair, { pool, buffers, tx: { descriptors }, support }: XskPair): void {
  const { dma, umems } = config;
  const { umem } = pool;
  const { count, offBytes, chunk, lenBytes, options } = descriptors;
  let segments = 0;
  for (let i = 0; i < count; i++) {
    const address = umem.address + offBytes[i];
    const chunkAddress = umem.address + chunk[i];
    const isFirst = segments++ === 0;
    // Drivers that send one buffer a packet don't look at the bit.
    const isLast = (options[i] & XDP_PKT_CONTD) === 0 || segments === support.maxSegments || i === count - 1;
    let offload = NO_OFFLOAD;
    if (isFirst) {
      xskTxOffload.read(address, lenBytes[i], umem.txMetadataBytes, support.txMetadata);
      const { launchTimeNs, passedOver } = xskTxOffload;
      const isUntimed = launchTimeNs >= 0 && tx.launchTimes === undefined;
      // Without the option nobody has meant what stands there.
      if ((options[i] & XDP_TX_METADATA) !== 0) pool.passOver(isUntimed ? passedOver | XDP_TXMD_FLAGS_LAUNCH_TIME : passedOver);
      offload = launchTimeNs < 0 ? xskTxOffload.offload : zeroCopyLaunch(config, tx, launchTimeNs, xskTxOffload.offload);
    }
    const iovaLow = buffers.iovaLow(address);
    dma.syncForDevice(iovaLow, lenBytes[i], DMA_BIDIRECTIONAL, 'XSK xmit');
    if (isFirst) umems.send(address, TX_XSK_CHUNK, 0, umem.chunks.packetId[umem.chunks.indexOf(chunkAddress)]);
    const record = tx.push(iovaLow, lenBytes[i], isLast, offload);
    tx.kind[record] = TX_XSK_CHUNK;
    tx.buffer[record] = address;
    tx.unmapIovaLow[record] = 0;
    tx.completion[record] = isFirst ? xskTxOffload.timestampAt : NO_TIMESTAMP;
    umem.move(chunk[i], Owner.kernel, Owner.device);
    if (isLast) segments = 0;
  }
}
