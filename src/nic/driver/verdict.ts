import { Outcome, XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../xdp/index.js';
import type { DriverState } from './driverState.js';
import { endPacket, failPacket, passToStack } from './packetEnd.js';
import type { QueuePair } from './queuePair.js';
import { redirect } from './redirect.js';
import { traceException } from './xdpException.js';
import { queueXdpTx } from './xdpTransmit.js';

/** Does with the packet in the context block what the program said. */
export function carryOut(state: DriverState, pair: QueuePair, buffer: number, packetId: number, retval: number): void {
  const { counters } = pair;
  switch (retval) {
    case XDP_PASS:
      counters.xdpPass++;
      passToStack(state, pair, buffer, packetId, retval);
      return;
    case XDP_DROP:
      counters.xdpDrop++;
      endPacket(state, pair, buffer, packetId, Outcome.xdpDrop, retval);
      return;
    case XDP_TX:
      xdpTx(state, pair, buffer, packetId);
      return;
    case XDP_REDIRECT:
      if (state.config.profile.quirks.redirectIsInvalid === true) break;
      redirect(state, pair, buffer, packetId);
      return;
    default:
  }
  counters.xdpExceptions++;
  if (retval === XDP_ABORTED) counters.xdpAborted++;
  else counters.xdpInvalid++;
  traceException(state, retval === XDP_ABORTED ? 'aborted' : 'invalidVerdict', retval);
  failPacket(state, pair, buffer, packetId, retval === XDP_ABORTED ? Outcome.xdpAborted : Outcome.invalidVerdict, retval);
}

function xdpTx(state: DriverState, pair: QueuePair, buffer: number, packetId: number): void {
  const { counters } = pair;
  const outcome = queueXdpTx(state, pair, buffer);
  if (outcome !== Outcome.txNoHeadroom && outcome !== Outcome.txChecksumRefused) pair.xdpTxBulk?.add(outcome);
  if (outcome === Outcome.tx) {
    counters.xdpTx++;
    return;
  }
  traceException(state, outcome === Outcome.txNoHeadroom ? 'txConversion' : 'txSend', XDP_TX);
  if (outcome === Outcome.txRingFull || outcome === Outcome.txTooLong) counters.xdpTxFull++;
  if (state.config.profile.quirks.countsFailedTxAsSent === true && outcome !== Outcome.txNoHeadroom) counters.xdpTx++;
  else counters.xdpTxErrors++;
  failPacket(state, pair, buffer, packetId, outcome, XDP_TX);
}
