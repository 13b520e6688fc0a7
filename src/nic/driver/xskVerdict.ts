import { Owner, PAGE_BYTES } from '../../memory/index.js';
import { contextSharedInfo, fragmentAddress, fragmentCount, fragmentLen, metadataBytes, XDP_MD_DATA, XDP_MD_DATA_END } from '../../vm/index.js';
import { Outcome, XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../xdp/index.js';
import type { SkBuff } from '../../xdp/index.js';
import { NO_VERDICT } from './driverState.js';
import type { DriverState } from './driverState.js';
import { reportEnd } from './packetEnd.js';
import type { QueuePair } from './queuePair.js';
import { traceException } from './xdpException.js';
import type { XskPair } from './xskPair.js';
import { queueChunksTx, queueCopyTx } from './xskXdpTx.js';

/** Does with the packet in the context block, which lies in chunks of a UMEM, what the program said (ice_run_xdp_zc and its kin, 6.18). */
export function carryOutOnChunks(state: DriverState, pair: QueuePair, packetId: number, retval: number): void {
  const { counters } = pair;
  switch (retval) {
    case XDP_PASS:
      counters.xdpPass++;
      passCopy(state, pair, packetId, retval);
      return;
    case XDP_DROP:
      counters.xdpDrop++;
      endChunks(state, pair, packetId, Outcome.xdpDrop, retval);
      return;
    case XDP_TX:
      xdpTx(state, pair, packetId);
      return;
    case XDP_REDIRECT:
      redirect(state, pair, packetId);
      return;
    default:
  }
  counters.xdpExceptions++;
  if (retval === XDP_ABORTED) counters.xdpAborted++;
  else counters.xdpInvalid++;
  traceException(state, retval === XDP_ABORTED ? 'aborted' : 'invalidVerdict', retval);
  fail(state, pair, packetId, retval === XDP_ABORTED ? Outcome.xdpAborted : Outcome.invalidVerdict, retval);
}

/** The packet ends here: it is reported, and its chunks go back to the pool. */
export function endChunks(state: DriverState, pair: QueuePair, packetId: number, outcome: Outcome, retval: number): void {
  reportEnd(state, pair.queue, packetId, outcome, retval);
  pair.xsk!.buffers.freePacket();
}

function fail(state: DriverState, pair: QueuePair, packetId: number, outcome: Outcome, retval: number): void {
  if (state.config.profile.quirks.failedVerdictsPass === true && retval !== NO_VERDICT) passCopy(state, pair, packetId, retval);
  else endChunks(state, pair, packetId, outcome, retval);
}

/** ice_construct_skb_zc: the stack gets a copy, and the chunks are free at once. */
function passCopy(state: DriverState, pair: QueuePair, packetId: number, retval: number): void {
  const skb = copyToSkb(state);
  if (skb === undefined) {
    endChunks(state, pair, packetId, Outcome.skbNoMemory, retval);
    return;
  }
  state.config.core.generic.skbs.setPacket(skb, packetId);
  pair.xsk!.stackSkbs.push(skb);
  pair.counters.stackPackets++;
  endChunks(state, pair, packetId, Outcome.stack, retval);
}

/** Linear part and metadata go into the head, each fragment into a page. */
function copyToSkb({ config }: DriverState): SkBuff | undefined {
  const { memory, allocator, core, vm } = config;
  const { u8, u32 } = memory;
  const { skbs } = core.generic;
  const context = vm.contextAddress;
  const data = u32[(context + XDP_MD_DATA) >>> 2];
  const metaBytes = metadataBytes(u32, context);
  const lenBytes = u32[(context + XDP_MD_DATA_END) >>> 2] - data;
  const skb = skbs.alloc(metaBytes + lenBytes, metaBytes, 'napi');
  if (skb === undefined) return undefined;
  u8.copyWithin(skb.data - metaBytes, data - metaBytes, data);
  skbs.append(skb, data, lenBytes);
  skb.metaBytes = metaBytes;
  const sharedInfo = contextSharedInfo(u32, context);
  for (let i = 0, count = fragmentCount(u32, context); i < count; i++) {
    const page = allocator.alloc(Owner.stack);
    if (page === 0) {
      skbs.free(skb);
      return undefined;
    }
    const bytes = Math.min(fragmentLen(u32, sharedInfo, i), PAGE_BYTES);
    const from = fragmentAddress(u32, sharedInfo, i);
    u8.copyWithin(page, from, from + bytes);
    skbs.addFragment(skb, page, bytes);
  }
  return skb;
}

/** The stack is done with the packets of this poll. */
export function releaseStackSkbs({ config }: DriverState, { stackSkbs }: XskPair): void {
  for (const skb of stackSkbs) config.core.generic.skbs.free(skb);
  stackSkbs.length = 0;
}

function xdpTx(state: DriverState, pair: QueuePair, packetId: number): void {
  const { counters } = pair;
  const outcome = pair.xsk!.support.sendsChunks === true ? queueChunksTx(state, pair, packetId) : queueCopyTx(state, pair, packetId);
  if (outcome === Outcome.tx) {
    counters.xdpTx++;
    return;
  }
  const isUnconverted = outcome === Outcome.txNoHeadroom || outcome === Outcome.redirectCopyFailed;
  traceException(state, isUnconverted ? 'txConversion' : 'txSend', XDP_TX);
  if (outcome === Outcome.txRingFull) counters.xdpTxFull++;
  counters.xdpTxErrors++;
  fail(state, pair, packetId, outcome, XDP_TX);
}

/** A full RX ring ends the work of some drivers until they are woken: what more they took would be lost, too. */
function redirect(state: DriverState, pair: QueuePair, packetId: number): void {
  const { core, program } = state.config;
  const xsk = pair.xsk!;
  if (core.xdpDoRedirect(pair.rxq, program!.id) === 0) {
    pair.counters.xdpRedirect++;
    return;
  }
  const outcome = core.redirectFailure;
  pair.counters.xdpRedirectErrors++;
  traceException(state, 'redirect', XDP_REDIRECT);
  xsk.isStopped = outcome === Outcome.xskRxFull && xsk.support.stopsAtFullRxRing && xsk.pool.usesNeedWakeup;
  fail(state, pair, packetId, outcome, XDP_REDIRECT);
}
