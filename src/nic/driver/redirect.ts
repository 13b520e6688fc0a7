import { XDP_REDIRECT } from '../../xdp/index.js';
import type { DriverState } from './driverState.js';
import { failPacket } from './packetEnd.js';
import type { QueuePair } from './queuePair.js';
import { traceException } from './xdpException.js';

/** Carries out a redirect of the packet in the context block; when it can't be, the packet is still the driver's. */
export function redirect(state: DriverState, pair: QueuePair, buffer: number, packetId: number): void {
  const { core, program } = state.config;
  if (core.xdpDoRedirect(pair.rxq, program!.id) === 0) {
    pair.counters.xdpRedirect++;
    return;
  }
  pair.counters.xdpRedirectErrors++;
  traceException(state, 'redirect', XDP_REDIRECT);
  failPacket(state, pair, buffer, packetId, core.redirectFailure, XDP_REDIRECT);
}
