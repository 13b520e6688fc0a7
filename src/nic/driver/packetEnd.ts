import { Owner } from '../../memory/index.js';
import { contextSharedInfo, fragmentAddress, fragmentCount, metadataBytes, packetBytes, XDP_MD_DATA } from '../../vm/index.js';
import { gatherPacket, Outcome } from '../../xdp/index.js';
import { NO_VERDICT } from './driverState.js';
import type { DriverState } from './driverState.js';
import type { QueuePair } from './queuePair.js';

/** Where all bytes of the packet lie side by side, metadata before them: in its buffer, or copied together when it has fragments. */
function linearAddress({ config, gatherBuffer }: DriverState): number {
  const { memory, vm } = config;
  const context = vm.contextAddress;
  if (fragmentCount(memory.u32, context) === 0) return memory.u32[(context + XDP_MD_DATA) >>> 2];
  return gatherPacket(memory, context, gatherBuffer) + metadataBytes(memory.u32, context);
}

/** Tells that the packet in the context block has come to its end. */
export function reportEnd(state: DriverState, queue: number, packetId: number, outcome: Outcome, retval: number): void {
  const { memory, vm, observer } = state.config;
  const context = vm.contextAddress;
  observer.onPacketEnd(packetId, outcome, retval, queue, linearAddress(state), packetBytes(memory.u32, context), metadataBytes(memory.u32, context));
}

/** The packet in the context block ends here: it is reported, and its buffers go straight back to where they came from. */
export function endPacket(state: DriverState, pair: QueuePair, buffer: number, packetId: number, outcome: Outcome, retval: number): void {
  reportEnd(state, pair.queue, packetId, outcome, retval);
  const { memory, allocator, vm } = state.config;
  const { u32 } = memory;
  const count = fragmentCount(u32, vm.contextAddress);
  const { buffers } = pair.rx;
  if (count > 0) {
    const sharedInfo = contextSharedInfo(u32, vm.contextAddress);
    for (let i = 0; i < count; i++) buffers.recycleDirect(allocator.ledger.bufferOf(fragmentAddress(u32, sharedInfo, i)), Owner.driver);
  }
  buffers.recycleDirect(buffer, Owner.driver);
}

/**
 * build_skb: the stack owns the buffers until the end of the poll. Then the packet's reader frees the skb: a process, not softirq, so
 * that they come back by the way that is open to everybody.
 */
export function passToStack(
  state: DriverState, pair: QueuePair, buffer: number, packetId: number, retval: number, outcome: Outcome = Outcome.stack,
): void {
  const { memory, allocator, vm } = state.config;
  const { ledger } = allocator;
  const { u32 } = memory;
  reportEnd(state, pair.queue, packetId, outcome, retval);
  if (outcome === Outcome.stack) pair.counters.stackPackets++;
  pair.rx.buffers.giveUp(buffer);
  ledger.move(buffer, Owner.driver, Owner.stack);
  pair.stackBuffers[pair.stackCount++] = buffer;
  const count = fragmentCount(u32, vm.contextAddress);
  if (count === 0) return;
  const sharedInfo = contextSharedInfo(u32, vm.contextAddress);
  for (let i = 0; i < count; i++) {
    const fragment = ledger.bufferOf(fragmentAddress(u32, sharedInfo, i));
    pair.rx.buffers.giveUp(fragment);
    ledger.move(fragment, Owner.driver, Owner.stack);
    pair.stackBuffers[pair.stackCount++] = fragment;
  }
}

/** The verdict came to nothing: the packet is dropped, or, by some drivers, passed all the same. */
export function failPacket(state: DriverState, pair: QueuePair, buffer: number, packetId: number, outcome: Outcome, retval: number): void {
  if (state.config.profile.quirks.failedVerdictsPass === true && retval !== NO_VERDICT) passToStack(state, pair, buffer, packetId, retval);
  else endPacket(state, pair, buffer, packetId, outcome, retval);
}

/** In place of a packet's number: the buffer carries none, or one whose end the device has told. */
export const NO_PACKET = 0;

/**
 * A buffer comes back whose packet nobody is going to look at: it ends, unless it is the one that the buffer before it carries. Descriptors
 * that make no sense can put several packets into one frame.
 *
 * @param before packet of the buffer before it
 * @returns packet of this one
 */
export function endForeignPacket({ config, pairs }: DriverState, queue: number, buffer: number, before: number, outcome: Outcome): number {
  const { ledger, layout } = pairs[queue].rx;
  const packetId = ledger.packetId[ledger.indexOf(buffer)];
  if (packetId !== NO_PACKET && packetId !== before) config.observer.onPacketEnd(packetId, outcome, NO_VERDICT, queue, buffer + layout.packetOffBytes, 0, 0);
  return packetId;
}

/** The stack is done with the packets of this poll. */
export function releaseStackBuffers(pair: QueuePair): void {
  for (let i = 0; i < pair.stackCount; i++) pair.rx.buffers.recycle(pair.stackBuffers[i], Owner.stack);
  pair.stackCount = 0;
}
