import { Owner } from '../../memory/index.js';
import { contextSharedInfo, fragmentAddress, fragmentCount, MAX_SKB_FRAGS, XDP_MD_DATA, XDP_MD_DATA_META } from '../../vm/index.js';
import { addFragment, Outcome, prepareXdpBuff, sharedInfoAddress, startFragments, verdictIndex } from '../../xdp/index.js';
import { BATCH_FRAMES, MAX_SEGMENTS, DESC_EOP, DESC_L3_BAD, DESC_L4_BAD, DESC_L4_CHECKED, DESC_RX_ERROR } from '../device/batch.js';
import { NO_VERDICT } from './driverState.js';
import type { DriverState } from './driverState.js';
import { endForeignPacket, endPacket, NO_PACKET, passToStack } from './packetEnd.js';
import type { QueuePair } from './queuePair.js';
import type { RxLayout } from './rxLayout.js';
import { receiveSkb } from './skbReceive.js';
import { carryOut } from './verdict.js';
import { carryOutOnChunks, endChunks } from './xskVerdict.js';

/**
 * Handles finished RX descriptors up to the budget; a frame whose last descriptor lies beyond it waits.
 *
 * @returns descriptors handled, at most the budget; the budget when there may be more
 */
export function cleanRx(state: DriverState, pair: QueuePair, budget: number): number {
  const { vm, scheduler } = state.config;
  const { rx, counters } = pair;
  const { flags, lenBytes } = rx.batch;
  const { environment } = vm;
  environment.tNs = scheduler.nowNs;
  environment.cpu = pair.queue % environment.possibleCpus;
  // A busy poll's budget may be smaller than a frame.
  const limit = budget < MAX_SEGMENTS ? MAX_SEGMENTS : budget < BATCH_FRAMES ? budget : BATCH_FRAMES;
  const seen = rx.poll(limit);
  let slot = rx.nextToClean % rx.ring.size;
  let first = 0;
  for (let i = 0; i < seen; i++) {
    // A frame without end takes as many descriptors as a frame may have at most, and is dropped then.
    if ((flags[i] & DESC_EOP) === 0 && i - first + 1 < MAX_SEGMENTS) continue;
    let frameBytes = 0;
    let isWhole = true;
    for (let segment = first; segment <= i; segment++) {
      frameBytes += lenBytes[segment];
      if (lenBytes[segment] === 0) isWhole = false;
    }
    if (!isWhole || (flags[i] & DESC_RX_ERROR) !== 0) {
      counters.rxErrors++;
      dropFrame(state, pair, slot, i - first + 1);
    } else if ((flags[i] & DESC_EOP) === 0 || !hasSaneLength(rx.layout, lenBytes, first, i) || (i > first && pair.xsk?.takesSegments === false)) {
      counters.rxLengthErrors++;
      dropFrame(state, pair, slot, i - first + 1);
    } else {
      counters.rxPackets++;
      counters.rxBytes += frameBytes;
      if ((flags[i] & (DESC_L3_BAD | DESC_L4_BAD)) !== 0) counters.rxCsumErrors++;
      else if ((flags[i] & DESC_L4_CHECKED) !== 0) counters.rxCsumGood++;
      const { stackPackets } = counters;
      if (state.netdev.genericProgram === undefined) receiveFrame(state, pair, slot, first, i);
      else receiveSkb(state, pair, slot, first, i);
      if (counters.stackPackets !== stackPackets) counters.stackBytes += frameBytes;
    }
    slot += i + 1 - first;
    if (slot >= rx.ring.size) slot -= rx.ring.size;
    first = i + 1;
    if (pair.xsk?.isStopped === true) {
      rx.unpoll(first);
      rx.nextToClean += first;
      return Math.min(first, budget);
    }
  }
  rx.nextToClean += first;
  if (seen === limit && first > 0) return budget;
  // What is left has no end, which only a broken device leaves behind. It is no work: counted as such, it would be polled for ever.
  return first < budget ? first : budget;
}

/** What the device wrote back must fit into the buffers: a driver that trusts a length reads and hands over foreign memory. */
function hasSaneLength(layout: RxLayout, lenBytes: Int32Array, first: number, last: number): boolean {
  if (last - first > MAX_SKB_FRAGS || lenBytes[first] > layout.packetBytes) return false;
  for (let segment = first + 1; segment <= last; segment++) if (lenBytes[segment] > layout.deviceBytes) return false;
  return true;
}

/** A frame that the driver doesn't look at. */
function dropFrame(state: DriverState, pair: QueuePair, firstSlot: number, segments: number): void {
  const { rx } = pair;
  let packetId = NO_PACKET;
  for (let segment = 0; segment < segments; segment++) {
    const buffer = rx.buffer[(firstSlot + segment) % rx.ring.size];
    packetId = endForeignPacket(state, pair.queue, buffer, packetId, Outcome.rxError);
    rx.buffers.recycleDirect(buffer, Owner.device);
  }
}

/** One frame, descriptors `first` to `last` of the batch: xdp_buff, program, verdict. */
function receiveFrame(state: DriverState, pair: QueuePair, firstSlot: number, first: number, last: number): void {
  const { memory, profile, vm, program, observer } = state.config;
  const { u32 } = memory;
  const { rx, xsk } = pair;
  const { ledger } = rx;
  const { hardStartOffBytes, packetOffBytes, deviceOffBytes, frameSizeBytes } = rx.layout;
  const context = vm.contextAddress;
  const buffer = rx.buffer[firstSlot];
  ledger.move(buffer, Owner.device, Owner.driver);
  const packetId = ledger.packetId[ledger.indexOf(buffer)];
  const hardStart = buffer + hardStartOffBytes;
  xsk?.buffers.startPacket(buffer);
  prepareXdpBuff(u32, context, pair.rxq, hardStart, frameSizeBytes, packetOffBytes - hardStartOffBytes, rx.batch.lenBytes[first]);
  if (!profile.xdp.hasMetadata) u32[(context + XDP_MD_DATA_META) >>> 2] = u32[(context + XDP_MD_DATA) >>> 2] + 1;
  if (last > first) {
    const sharedInfo = sharedInfoAddress(hardStart, frameSizeBytes);
    startFragments(u32, context, sharedInfo);
    let glued = packetId;
    for (let segment = first + 1; segment <= last; segment++) {
      const fragment = rx.buffer[(firstSlot + segment - first) % rx.ring.size];
      ledger.move(fragment, Owner.device, Owner.driver);
      glued = endForeignPacket(state, pair.queue, fragment, glued, Outcome.rxError);
      xsk?.buffers.addPart(fragment);
      addFragment(u32, sharedInfo, fragment + deviceOffBytes, rx.batch.lenBytes[segment]);
    }
  }
  if (program === undefined) {
    passToStack(state, pair, buffer, packetId, NO_VERDICT);
    return;
  }
  if (state.wantsRxHints) profile.readRxHints(vm.rxHints, rx.batch, first, memory.u8, buffer + packetOffBytes, state.config.hintOffloads);
  ledger.move(buffer, Owner.driver, Owner.program);
  const fault = vm.run(program.address);
  ledger.move(buffer, Owner.program, Owner.driver);
  if (last > first && xsk !== undefined) xsk.buffers.dropEmptied(u32, context);
  else if (last > first) recycleEmptiedFragments(state, pair, firstSlot, last - first);
  if (fault !== 0) {
    observer.onFault(packetId);
    pair.counters.xdpExceptions++;
    if (xsk !== undefined) endChunks(state, pair, packetId, Outcome.programFault, NO_VERDICT);
    else endPacket(state, pair, buffer, packetId, Outcome.programFault, NO_VERDICT);
    return;
  }
  const { retval } = vm;
  state.verdicts[verdictIndex(retval)]++;
  if (xsk === undefined) carryOut(state, pair, buffer, packetId, retval);
  else carryOutOnChunks(state, pair, packetId, retval);
}

/**
 * Fragments that the program emptied go back to the pool at once: bpf_xdp_adjust_tail takes them from the end, bpf_xdp_pull_data from the
 * start, so those that are left stand side by side.
 */
function recycleEmptiedFragments({ config }: DriverState, { rx }: QueuePair, firstSlot: number, fragments: number): void {
  const { u32 } = config.memory;
  const context = config.vm.contextAddress;
  const kept = fragmentCount(u32, context);
  const firstKept = kept === 0 ? 0 : config.allocator.ledger.bufferOf(fragmentAddress(u32, contextSharedInfo(u32, context), 0));
  let left = kept;
  for (let i = 1; i <= fragments; i++) {
    const buffer = rx.buffer[(firstSlot + i) % rx.ring.size];
    const isKept = left > 0 && (left < kept || buffer === firstKept);
    if (isKept) left--;
    else rx.buffers.recycleDirect(buffer, Owner.driver);
  }
}
