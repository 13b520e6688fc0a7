import type { Result } from '../base/index.js';
import type { WireBatch } from '../nic/index.js';

/** Room for one frame on the wire. What is longer is cut here; the MAC drops it anyway, by its length. */
export const WIRE_SLOT_BYTES = 16384;

/** What frames arrive from at a NIC: a capture that is played, or a link. */
export interface WireSource {
  /** Arrival of the next frame, virtual ns; Infinity when there is none. */
  readonly nextNs: number;
  /** Puts the frames that arrive until `untilNs` into the batch, in their order, at most BATCH_FRAMES; their bytes lie in memory of the NIC's host. */
  take(untilNs: number, batch: WireBatch): Result<void>;
}

/** What a NIC sends to. */
export interface WireSink {
  /** The frame's bytes lie at `address` in memory of the NIC's host, and must be read during the call. */
  send(packetId: number, address: number, lenBytes: number): void;
}
