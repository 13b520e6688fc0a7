import type { OwnerLedger } from '../memory/index.js';

/** What a TX ring entry holds, which decides how its buffer goes back. */
export const TX_NONE = 0;
/** Buffer of our own pool, sent by XDP_TX. */
export const TX_XDP_TX = 1;
/** Buffer of some receive queue of the host, sent by ndo_xdp_xmit; mapped for this transmission only, as the driver can't know where a frame comes from. */
export const TX_XDP_XMIT = 2;
/** Page with a copy of an AF_XDP socket's packet (the skb of copy mode). */
export const TX_XSK_SKB = 3;
/** Page with a copy of a frame, made for a broadcast or of a packet that lay in a chunk of a UMEM, and sent by ndo_xdp_xmit. */
export const TX_XDP_CLONE = 4;
/** Part of an skb that the stack sends: XDP_TX and redirects of generic XDP. The buffer is known by where the packet's bytes begin. */
export const TX_SKB = 5;
/** Page with a copy of a received packet that lay in a chunk of a UMEM, sent by XDP_TX. */
export const TX_XDP_TX_COPY = 6;
/** Chunk of a UMEM that an AF_XDP socket sends in zero-copy mode. The buffer is known by where the packet's bytes begin. */
export const TX_XSK_CHUNK = 7;
/** Chunk of a UMEM with a received packet, sent by XDP_TX as it is. */
export const TX_XDP_TX_CHUNK = 8;
/** Page with a frame of zeros, which no packet is in: igc puts it before a frame that waits for the next cycle of launch times. */
export const TX_EMPTY = 9;

/**
 * What the observer knows about each buffer, besides its owner and packet: nothing that device or driver could see. It follows a frame from
 * the program to the wire, whoever wrote the driver.
 */
export class BufferTags {
  /** TX_*: why the buffer is on its way out. */
  readonly kind: Uint8Array;
  /** What the program returned for the packet. */
  readonly retval: Uint32Array;
  /** Host address at which the device wrote the first byte of packet, 0 when it wrote none. */
  readonly payload: Uint32Array;
  readonly #ledger: OwnerLedger;

  constructor(ledger: OwnerLedger) {
    this.#ledger = ledger;
    this.kind = new Uint8Array(ledger.count);
    this.retval = new Uint32Array(ledger.count);
    this.payload = new Uint32Array(ledger.count);
  }

  /** Notes why the buffer at this address is being sent. */
  send(address: number, kind: number, retval: number): void {
    const index = this.#ledger.indexOf(address);
    this.kind[index] = kind;
    this.retval[index] = retval;
  }
}
