import { ETH_HLEN } from '../../vm/index.js';
import { NET_SKB_PAD } from '../../xdp/index.js';
import type { SkbAllocation } from '../../xdp/index.js';

/** How a driver makes the skb of a received packet when no program runs in the driver: plain data (mainline 6.18). */
export interface SkbShape {
  /**
   * `buffer`: the receive buffer becomes the skb's head (build_skb), further buffers of the frame are fragments. `header`: the start of the packet is
   * copied into a new head, and what is left in the buffers becomes fragments.
   */
  readonly how: 'buffer' | 'header';
  /** `buffer`: bytes that the driver leaves before a packet as long as it has no program. */
  readonly bufferHeadroomBytes: number;
  /** Packets up to this length are copied whole into a new head, and the buffer stays with the driver (rx_copybreak). */
  readonly copyBytes: number;
  /** New heads: bytes before the packet, least room for packet, and bytes behind it that nobody needs. */
  readonly headroomBytes: number;
  readonly headBytes: number;
  readonly spareBytes: number;
  readonly allocation: SkbAllocation;
  /** The driver calls skb_record_rx_queue. Without it generic XDP says queue 0, whichever it was. */
  readonly recordsRxQueue: boolean;
}

/** GRO_MAX_HEAD: what napi_get_frags allocates. */
const GRO_MAX_HEAD = 256;

/** napi_alloc_skb leaves NET_SKB_PAD. */
const NEW_HEAD = { headroomBytes: NET_SKB_PAD, headBytes: 0, spareBytes: 0, allocation: 'napi' } as const;

/** build_skb on the receive buffer, and copies of packets up to `copyBytes`. */
export function buildsSkb(bufferHeadroomBytes: number, more: Partial<SkbShape> = {}): SkbShape {
  return { how: 'buffer', bufferHeadroomBytes, copyBytes: 0, ...NEW_HEAD, recordsRxQueue: true, ...more };
}

/** Every packet is copied: the buffers never leave the driver. */
export function copiesPackets(more: Partial<SkbShape> = {}): SkbShape {
  return { how: 'header', bufferHeadroomBytes: 0, copyBytes: Infinity, ...NEW_HEAD, recordsRxQueue: true, ...more };
}

/** napi_get_frags: the buffers are fragments, and GRO pulls the Ethernet header into the head. */
export function addsFragments(more: Partial<SkbShape> = {}): SkbShape {
  return { how: 'header', bufferHeadroomBytes: 0, copyBytes: 0, ...NEW_HEAD, headBytes: GRO_MAX_HEAD, recordsRxQueue: true, ...more };
}

/**
 * veth has no skbs of its own: it hands over those of its peer. Measured are packet sockets: LL_RESERVED_SPACE of 16 bytes, 14 of which the Ethernet
 * header takes again; from a page on, all but that header lies in fragments.
 */
export const peerSkb: SkbShape = {
  how: 'header', bufferHeadroomBytes: 0, copyBytes: 4096 - 16 - 1, headroomBytes: 2, headBytes: 0, spareBytes: ETH_HLEN, allocation: 'kmalloc', recordsRxQueue: false,
};
