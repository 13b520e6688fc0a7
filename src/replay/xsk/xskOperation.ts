import type { RingView } from './ringView.js';

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

/** One thing that an application, its neighbour or the administrator does. `end` is 0 or 1. */
export type XskOperation =
  /** Entries on FILL, and `extra` more that nobody wrote. */
  | { readonly kind: 'fill'; readonly end: number; readonly entries: readonly AddressChoice[]; readonly extra: number }
  /** Descriptors on TX, and `extra` more that nobody wrote. */
  | { readonly kind: 'queue'; readonly end: number; readonly descs: readonly TxChoice[]; readonly extra: number }
  /** Entries of RX or COMPLETION are released: so many if they are there, and `extra` more. */
  | { readonly kind: 'consume'; readonly end: number; readonly ring: 'rx' | 'completion'; readonly count: number; readonly extra: number }
  | { readonly kind: 'sendto' | 'recvfrom'; readonly end: number; readonly flags: number }
  | { readonly kind: 'poll'; readonly end: number; readonly events: number }
  /** Another socket sends a frame out of this end. */
  | { readonly kind: 'frame'; readonly end: number; readonly lenBytes: number; readonly seed: number }
  | { readonly kind: 'link'; readonly end: number; readonly isUp: boolean };

/** Releases entries as an application does, or too many. */
export function release(ring: RingView, count: number, extra: number): void {
  const there = (ring.producer - ring.consumer) >>> 0;
  ring.consumer = (ring.consumer + Math.min(count, there) + extra) >>> 0;
}
