import type { RawRing } from './rawRing.js';

/** What an application writes before a packet: struct xsk_tx_metadata. */
export interface TxMetadataWords {
  readonly flags: number;
  readonly csumStart: number;
  readonly csumOffset: number;
}

/** A UMEM address: chunk and offset in it, both taken modulo what there is; or anything, as 64 bits. */
export type AddressChoice = { readonly chunk: number; readonly offBytes: number } | { readonly low: number; readonly high: number };

export interface TxChoice {
  readonly address: AddressChoice;
  readonly len: number;
  readonly options: number;
  readonly metadata?: TxMetadataWords | undefined;
}

/** On which end of the wire, 0 or 1, and which socket there: the first one if there is only one. */
interface Place {
  readonly end: number;
  readonly isSecond?: boolean | undefined;
}

/** One thing that an application, its neighbour or the administrator does. */
export type XskOperation = Place & (
  /** Entries on FILL, and `extra` more that nobody wrote. */
  | { readonly kind: 'fill'; readonly entries: readonly AddressChoice[]; readonly extra: number }
  /** Descriptors on TX, and `extra` more that nobody wrote. */
  | { readonly kind: 'queue'; readonly descs: readonly TxChoice[]; readonly extra: number }
  /** Entries of RX or COMPLETION are released: so many if they are there, and `extra` more. */
  | { readonly kind: 'consume'; readonly ring: 'rx' | 'completion'; readonly count: number; readonly extra: number }
  | { readonly kind: 'sendto' | 'recvfrom'; readonly flags: number }
  | { readonly kind: 'poll'; readonly events: number }
  /** Another socket sends a frame out of this end. */
  | { readonly kind: 'frame'; readonly lenBytes: number; readonly seed: number }
  | { readonly kind: 'link'; readonly isUp: boolean }
  /** The socket is put into the XSKMAP of its end. */
  | { readonly kind: 'attach' }
);

/** Releases entries as an application does, or too many. */
export function release(ring: RawRing, count: number, extra: number): void {
  const there = (ring.producer - ring.consumer) >>> 0;
  ring.consumer = (ring.consumer + Math.min(count, there) + extra) >>> 0;
}
