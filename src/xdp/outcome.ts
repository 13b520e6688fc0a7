/**
 * Where a received packet ended. Each packet ends exactly once; the audit proves that the sum of all outcomes is the number
 * of packets on the wire. Adding an outcome is one row here.
 */
export interface OutcomeSpec {
  readonly code: number;
  /** Key in JSON. */
  readonly name: string;
  /** What happened and why, for a person. */
  readonly text: string;
  /** True when the packet went on its way, false when it was lost. */
  readonly delivered: boolean;
}

export const Outcome = {
  stack: 0,
  tx: 1,
  xsk: 2,
  redirect: 3,
  xdpDrop: 4,
  xdpAborted: 5,
  invalidVerdict: 6,
  programFault: 7,
  macRunt: 8,
  macOverLength: 9,
  macAddress: 10,
  rxMissed: 11,
  dmaError: 12,
  txRingFull: 13,
  txNoHeadroom: 14,
  xskTooLong: 15,
  xskFillEmpty: 16,
  xskRxFull: 17,
  xskWrongQueue: 18,
  redirectNoTarget: 19,
  redirectNoHelper: 20,
  redirectTooLong: 21,
  xskNotBound: 22,
  txDmaError: 23,
  cpumap: 24,
  cpumapDrop: 25,
  devmapDrop: 26,
  redirectNotSimulated: 27,
  redirectNoReceiver: 28,
  redirectLoop: 29,
  entryProgramFault: 30,
  rxError: 31,
  rxSteered: 32,
  rxLinkDown: 33,
  rxStranded: 34,
  txStalled: 35,
  redirectNotSupported: 36,
  redirectDeviceDown: 37,
  redirectCopyFailed: 38,
  redirectXmitFailed: 39,
  skbNoMemory: 40,
  cpumapFull: 41,
  txChecksumRefused: 42,
  txTooLong: 43,
} as const;

export type Outcome = (typeof Outcome)[keyof typeof Outcome];

const ROWS: readonly (readonly [Outcome, string, string, boolean])[] = [
  [Outcome.stack, 'stack', 'passed to the network stack', true],
  [Outcome.tx, 'tx', 'sent back out of the same port by XDP_TX', true],
  [Outcome.xsk, 'xsk', 'delivered to an AF_XDP socket', true],
  [Outcome.redirect, 'redirect', 'sent out of a device by XDP_REDIRECT', true],
  [Outcome.xdpDrop, 'xdp_drop', 'dropped by the program', false],
  [Outcome.xdpAborted, 'xdp_aborted', 'aborted by the program: an exception, the packet is dropped', false],
  [Outcome.invalidVerdict, 'xdp_invalid_verdict', 'dropped, as the program returned a number that is no XDP action', false],
  [Outcome.programFault, 'program_fault', "dropped, as the program was stopped: it did what the kernel's verifier forbids, or ran out of its instruction budget", false],
  [Outcome.macRunt, 'rx_runt', 'dropped by the MAC: shorter than an Ethernet header', false],
  [Outcome.macOverLength, 'rx_over_length', 'dropped by the MAC: longer than the MTU allows', false],
  [Outcome.macAddress, 'rx_address_filter', 'dropped by the MAC: addressed to somebody else', false],
  [Outcome.rxMissed, 'rx_missed', 'dropped by the NIC: no free RX descriptor', false],
  [Outcome.dmaError, 'rx_dma_error', 'dropped by the NIC: the IOMMU refused the DMA', false],
  [Outcome.txRingFull, 'tx_ring_full', 'XDP_TX or redirect found the TX ring full', false],
  [Outcome.txNoHeadroom, 'tx_no_headroom', 'no room for struct xdp_frame before the packet', false],
  [Outcome.xskTooLong, 'xsk_too_long', 'longer than a chunk of the UMEM (ENOSPC)', false],
  [Outcome.xskFillEmpty, 'xsk_fill_empty', 'the socket had no buffer on its FILL ring (ENOMEM)', false],
  [Outcome.xskRxFull, 'xsk_rx_full', "the socket's RX ring was full (ENOBUFS)", false],
  [Outcome.xskWrongQueue, 'xsk_wrong_queue', 'the socket is bound to another queue (EINVAL): use ctx->rx_queue_index', false],
  [Outcome.redirectNoTarget, 'redirect_no_target', 'redirected to an interface that does not exist (EINVAL)', false],
  [Outcome.redirectNoHelper, 'redirect_no_helper', 'XDP_REDIRECT returned without a call of a redirect helper (EBADRQC)', false],
  [Outcome.redirectTooLong, 'redirect_too_long', "longer than the target's MTU allows (EMSGSIZE)", false],
  [Outcome.xskNotBound, 'xsk_not_bound', 'redirected to a socket that is not there (ENXIO)', false],
  [Outcome.txDmaError, 'tx_dma_error', 'lost on the TX ring: the IOMMU refused the DMA', false],
  [Outcome.cpumap, 'cpumap', 'handed over to a CPU of a CPUMAP, and passed to the network stack there', true],
  [Outcome.cpumapDrop, 'cpumap_drop', 'dropped by the program of a CPUMAP entry: it returned neither XDP_PASS nor XDP_REDIRECT', false],
  [Outcome.devmapDrop, 'devmap_drop', 'dropped by the program of a DEVMAP entry: it did not return XDP_PASS', false],
  [Outcome.redirectNotSimulated, 'redirect_not_simulated', 'redirected by a DEVMAP to interfaces that this host does not have: Linux would not have let them into the map', false],
  [Outcome.redirectNoReceiver, 'redirect_no_receiver', 'broadcast to a DEVMAP in which no device takes the packet', false],
  [Outcome.redirectLoop, 'redirect_loop', "handed over from CPU to CPU without end: the programs of a CPUMAP's entries redirect to a CPUMAP", false],
  [Outcome.entryProgramFault, 'entry_program_fault', "dropped, as the program of a DEVMAP or CPUMAP entry was stopped: it did what the kernel's verifier forbids, or ran out of its instruction budget", false],
  [Outcome.rxError, 'rx_error', 'damaged: the MAC dropped it by its CRC, or the driver, as the device had marked it or written a length back that makes no sense', false],
  [Outcome.rxSteered, 'rx_steered_away', 'dropped by the NIC: a flow rule discards it', false],
  [Outcome.rxLinkDown, 'rx_link_down', 'lost on the wire: the link was down', false],
  [Outcome.rxStranded, 'rx_stranded', 'in the RX ring when the device was shut down: no poll came for it', false],
  [Outcome.txStalled, 'tx_stalled', 'on the TX ring, not sent yet, when the device was shut down or its queue was reset', false],
  [Outcome.redirectNotSupported, 'redirect_not_supported', 'redirected to a device that takes no XDP frames, or none in several buffers (EOPNOTSUPP)', false],
  [Outcome.redirectDeviceDown, 'redirect_device_down', 'redirected to a device that is down (ENETDOWN)', false],
  [Outcome.redirectCopyFailed, 'redirect_copy_failed', 'redirected or sent back, but it could not be copied, for a broadcast or out of a chunk of a UMEM: no memory, or longer than a page with its headroom', false],
  [Outcome.redirectXmitFailed, 'redirect_xmit_failed', "refused by the target's driver (ndo_xdp_xmit) when the bulk was sent", false],
  [Outcome.skbNoMemory, 'skb_no_memory', 'no memory for an skb, or for the room around the packet that generic XDP needs', false],
  [Outcome.cpumapFull, 'cpumap_full', 'the queue of a CPUMAP entry was full (ENOSPC)', false],
  [Outcome.txChecksumRefused, 'tx_checksum_refused', 'XDP_TX asked for a checksum that nobody can compute: behind the frame, or of a frame of several buffers', false],
  [Outcome.txTooLong, 'tx_too_long', "sent, but longer than the MTU of a veth's peer allows, or behind such a frame in a bulk of XDP_TX", false],
];

/** All outcomes; the index is the code. */
export const OUTCOMES: readonly OutcomeSpec[] = ROWS.map(([code, name, text, delivered]) => ({ code, name, text, delivered }));
