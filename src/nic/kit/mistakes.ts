/** What each mistake leads to on a real machine is said by its message; how it is mended, by its hint here. */
export const DRIVER_MISTAKES = {
  'page-leaked': 'give every page back exactly once, whatever the verdict: page_pool_recycle_direct() for XDP_DROP, XDP_ABORTED, unknown verdicts and every failure',
  'skb-not-recycled': 'call skb_mark_for_recycle() on an skb whose page belongs to a page_pool, before napi_gro_receive()',
  'missing-dma-rmb': 'call dma_rmb() after OWN was seen clear and before anything else of the descriptor or the packet is read',
  'missing-dma-wmb': 'write address and opts2 first, then dma_wmb(), then opts1 with OWN',
  'descriptor-written-after-own': 'write opts1 with OWN last of all, after dma_wmb(): from then on the descriptor is the device\'s',
  'ring-end-missing': 'keep RingEnd (opts1 bit 30) set in the last descriptor of a ring, in every write of it: the device has no other way to find the end',
  'returned-while-sending': 'free a TX buffer only after OWN of its descriptor was seen clear',
  'unmap-of-pool-page': 'leave the mapping alone: the page_pool unmaps its pages itself. Unmap only what ndo_xdp_xmit mapped',
  'headroom-too-small': 'begin the packet XDP_PACKET_HEADROOM (256) bytes behind the start of its page: xdp_prepare_buff(xdp, page, XDP_PACKET_HEADROOM, len, true)',
  'data-not-where-written': 'put page_pool_get_dma_addr(page) + headroom into the descriptor, with the same headroom that xdp_prepare_buff() gets',
  'frame-size-wrong': 'pass the size of the whole buffer to xdp_init_buff(): PAGE_SIZE for a page; the device may write up to 320 bytes (skb_shared_info) before its end',
  'metadata-unchecked': 'ask first: xdpf->metasize >= sizeof(contract), or xdp->data - xdp->data_meta before the conversion',
  'descriptor-malformed': 'look at the chip\'s TX layout (r8169Bits.ts); v1 keeps the checksum bits in opts1, v2 in opts2',
  'checksum-not-done': 'csum_start counts from the start of the frame, csum_offset from csum_start; let the CPU do what the chip can\'t (frames below 60 bytes, other offsets)',
  'redirect-not-flushed': 'call xdp_do_flush() once at the end of the poll when there was an XDP_REDIRECT',
  'doorbell-missing': 'write NPQ to TxPoll once after the last TX descriptor of a poll, and at the end of ndo_xdp_xmit with XDP_XMIT_FLUSH',
  'poll-ended-early': 'take every finished descriptor up to the budget: a verdict ends the handling of its packet (break, continue), never the loop (return)',
  'work-not-counted': 'return the number of received packets, every verdict counted',
  'poll-not-completed': 'call napi_complete_done() when less than the budget was done, and enable the interrupt if it says so',
  'interrupt-left-off': 'write IntrMask at the end of ndo_open, and again after napi_complete_done() returned true',
  'receiver-off': 'write the addresses of the rings, then CmdRxEnb and CmdTxEnb to ChipCmd, in ndo_open',
  'transmitter-off': 'write the address of the TX ring, then CmdTxEnb with CmdRxEnb to ChipCmd, in ndo_open',
  'ring-left-empty': 'give the RX ring new pages in every poll, after or while its packets are taken',
  'length-wrong': 'take the length from opts1, bits 13 to 0, and subtract 4: the chip counts the frame check sequence in',
  'pool-not-destroyed': 'call page_pool_destroy() at the end of ndo_stop, after all pages went back',
  'not-a-page': 'pass the page that page_pool_dev_alloc_pages() gave, not an address inside of it',
  'bad-access': 'compute addresses and offsets as integers, and stay inside of the page, the ring or the registers: on a real machine this is an oops, or somebody else\'s memory',
  'ring-not-mapped': 'write the address that dma_alloc_coherent() gave into the ring\'s registers, upper half first, before ChipCmd enables the ring',
  'coherent-not-allocated': 'give dma_free_coherent() each block once, and only what dma_alloc_coherent() gave',
  'packet-outside-page': 'check the length in the descriptor, and take data, data_end and frame_sz from page, headroom and length: xdp_init_buff(), then xdp_prepare_buff()',
  'poll-without-end': 'call napi_schedule() in the interrupt handler only, and return the whole budget only when so many packets were handled',
  'poll-result-wrong': 'return how many received packets were handled: an integer from 0 to the budget',
  'xmit-result-wrong': 'return how many of the frames were queued: an integer from 0 to their count, or a negative errno for none',
  'napi-disabled-in-poll': 'call napi_disable() in ndo_stop, never in the poll, whose end it waits for',
  'napi-enabled-twice': 'call napi_enable() once in ndo_open, and again only after napi_disable()',
  'interrupt-ignored': 'mask the interrupt, call napi_schedule() and acknowledge IntrStatus in the handler, after napi_enable() in ndo_open',
} as const;

export type DriverMistakeCode = keyof typeof DRIVER_MISTAKES;

/** One mistake of a driver, for a person. */
export interface DriverMistake {
  /** A key of DRIVER_MISTAKES; for what other checkers found, theirs. */
  readonly code: string;
  /** What ran: `NAPI poll`, `interrupt handler`, `ndo_xdp_xmit`. */
  readonly where: string;
  /** What happened and what it does, without a full stop at its end. */
  readonly message: string;
  readonly hint: string;
  /** Packet (1-based) that it happened to, 0 for none. */
  readonly packetId: number;
}

/** Mistakes of one kind that are kept; more are only counted. */
const KEPT_PER_CODE = 4;

/** What the kit noticed. Mistakes never throw: the machine goes on as a real one would. */
export class DriverMistakes {
  readonly list: DriverMistake[] = [];
  count = 0;
  /** What runs at this moment. */
  where = 'probe';
  readonly #counts = new Map<DriverMistakeCode, number>();

  /** @param message is called only for mistakes that are kept */
  add(code: DriverMistakeCode, packetId: number, message: () => string): void {
    this.count++;
    const seen = this.#counts.get(code) ?? 0;
    this.#counts.set(code, seen + 1);
    if (seen < KEPT_PER_CODE) this.list.push({ code, where: this.where, message: message(), hint: DRIVER_MISTAKES[code], packetId });
  }

  /** How often this happened. */
  countOf(code: DriverMistakeCode): number {
    return this.#counts.get(code) ?? 0;
  }
}

/** What a driver gave for a number: `0x1f00`, or `NaN`, `undefined`, `a string`. */
export function describeNumber(value: unknown): string {
  if (typeof value !== 'number') return value === undefined || value === null ? String(value) : `a ${typeof value}`;
  return Number.isInteger(value) && value >= 0 ? `0x${value.toString(16)}` : String(value);
}
