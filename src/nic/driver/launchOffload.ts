import { Owner } from '../../memory/index.js';
import { TX_EMPTY } from '../bufferTags.js';
import { DESC_LAUNCH, DESC_LAUNCH_FIRST } from '../device/batch.js';
import { DMA_TO_DEVICE } from '../dma/direction.js';
import type { DriverConfig } from './driverState.js';
import { EMPTY_FRAME_SLOTS } from './launchTimes.js';
import { NO_OFFLOAD } from './txQueue.js';
import type { TxOffload, TxQueue } from './txQueue.js';

/** IGC_EMPTY_FRAME_SIZE. */
const EMPTY_FRAME_BYTES = 60;
const EMPTY_FRAME: Readonly<TxOffload> = { ...NO_OFFLOAD, flags: DESC_LAUNCH };

/**
 * What a frame of a socket in zero-copy mode asks for with its launch time, which is passed over by other queues than those that are set up for it, and
 * where an empty frame must go first and can't (igc_xsk_request_launch_time, 6.18). To be called before the frame is queued; good until the next call.
 */
export function zeroCopyLaunch(config: DriverConfig, tx: TxQueue, launchTimeNs: number, offload: Readonly<TxOffload>): Readonly<TxOffload> {
  const { launchTimes } = tx;
  if (launchTimes === undefined) return offload;
  launchTimes.plan(launchTimeNs, config.scheduler.nowNs);
  if (launchTimes.needsEmptyFrame && !queueEmptyFrame(config, tx)) return offload;
  return withLaunch(tx, offload, launchTimes.offsetNs, launchTimes.opensCycle);
}

/**
 * Room for an skb of so many buffers: in a queue with launch times also for the context descriptor that each skb gets, and for an empty frame before it
 * (igc_xmit_frame_ring keeps 5 slots free besides the buffers, 6.18).
 */
export function hasRoomForSkb(tx: TxQueue, buffers: number, offloadFlags: number): boolean {
  if (tx.launchTimes === undefined) return tx.hasRoom(buffers, offloadFlags);
  return tx.hasRoom(buffers, offloadFlags | DESC_LAUNCH, EMPTY_FRAME_SLOTS);
}

/**
 * The same as `zeroCopyLaunch` for an skb, which always has a time in such a queue: 0 if nobody asked for one (igc_xmit_frame_ring, 6.18). Where an empty frame can't go first,
 * it leaves in its turn.
 */
export function skbLaunch(config: DriverConfig, tx: TxQueue, tstampNs: number, offload: Readonly<TxOffload>): Readonly<TxOffload> {
  const { launchTimes } = tx;
  if (launchTimes === undefined) return offload;
  launchTimes.plan(tstampNs, config.scheduler.nowNs);
  const { offsetNs, opensCycle, needsEmptyFrame } = launchTimes;
  return withLaunch(tx, offload, needsEmptyFrame && !queueEmptyFrame(config, tx) ? 0 : offsetNs, opensCycle);
}

/** What a frame asks for besides, with its launch time, in the queue's own object: a frame costs none. */
function withLaunch({ launchOffload }: TxQueue, { flags, packetType, l3Start, csumStart, csumOffset, vlanTci }: Readonly<TxOffload>, launchNs: number, opensCycle: boolean): Readonly<TxOffload> {
  launchOffload.flags = flags | DESC_LAUNCH | (opensCycle ? DESC_LAUNCH_FIRST : 0);
  launchOffload.packetType = packetType;
  launchOffload.l3Start = l3Start;
  launchOffload.csumStart = csumStart;
  launchOffload.csumOffset = csumOffset;
  launchOffload.vlanTci = vlanTci;
  launchOffload.launchNs = launchNs;
  return launchOffload;
}

/**
 * Queues the frame of zeros that igc puts before one that is to open the next cycle (igc_insert_empty_frame). It goes out on the wire.
 *
 * @returns false when there is no room, no memory or no I/O address
 */
function queueEmptyFrame(config: DriverConfig, tx: TxQueue): boolean {
  const { allocator, memory, dma, tags } = config;
  if (tx.freeSlots < EMPTY_FRAME_SLOTS) return false;
  const page = allocator.alloc(Owner.stack);
  if (page === 0) return false;
  memory.u8.fill(0, page, page + EMPTY_FRAME_BYTES);
  const mapping = dma.mapSingle(page, EMPTY_FRAME_BYTES, DMA_TO_DEVICE, 'empty frame');
  if (dma.mappingError(mapping)) {
    allocator.free(page, Owner.stack);
    return false;
  }
  const { ledger } = allocator;
  ledger.packetId[ledger.indexOf(page)] = 0;
  tags.send(page, TX_EMPTY, 0);
  allocator.movePage(page, Owner.stack, Owner.txRing);
  const record = tx.push(mapping, EMPTY_FRAME_BYTES, true, EMPTY_FRAME);
  tx.kind[record] = TX_EMPTY;
  tx.buffer[record] = page;
  tx.unmapIovaLow[record] = mapping;
  return true;
}
