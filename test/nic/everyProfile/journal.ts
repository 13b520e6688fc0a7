import type { DriverCounters, NicProfile, NicSettings } from '../../../src/nic/index.js';
import { OUTCOMES } from '../../../src/xdp/index.js';

/** A packet's end, as the observer told it. */
export interface JournalEntry {
  readonly packetId: number;
  /** Name of its outcome. */
  readonly outcome: string;
  readonly retval: number;
  readonly queue: number;
  readonly lenBytes: number;
  /** Length on the wire, and as the driver received it. */
  readonly wireBytes: number;
  readonly receivedBytes: number;
  /** First byte of the destination address, and whether all six are 0xff. */
  readonly isMulticast: boolean;
  readonly isBroadcast: boolean;
}

/** A frame of an application that went out. */
export interface SentByApplication {
  readonly queue: number;
  readonly lenBytes: number;
}

/** Outcomes of packets that no driver saw. */
const BEFORE_DRIVER = ['rx_runt', 'rx_over_length', 'rx_address_filter', 'rx_missed', 'rx_dma_error', 'rx_steered_away', 'rx_link_down'];
/** A redirect that had succeeded by then: what was lost is the transmitting device's loss. */
const AFTER_REDIRECT = ['xsk', 'redirect', 'tx_ring_full', 'tx_dma_error'];

/** Counters that follow from the journal alone. Those of checksums and doorbells, for one, don't. */
export type CountedCounters = Pick<
  DriverCounters,
  | 'rxPackets' | 'rxBytes' | 'rxErrors' | 'rxLengthErrors' | 'xdpDrop' | 'xdpPass' | 'xdpTx' | 'xdpTxErrors' | 'xdpRedirect' | 'xdpRedirectErrors'
  | 'xdpAborted' | 'xdpInvalid' | 'xdpExceptions' | 'txPackets' | 'txBytes' | 'txXdpXmit' | 'txXdpXmitErrors' | 'txTimeouts'
>;

/**
 * What the driver of a queue must have counted.
 *
 * @param tracesFailures the driver calls trace_xdp_exception for an XDP_TX or redirect that failed, too, and that is what is counted
 */
export function countersOf({ quirks }: NicProfile, entries: readonly JournalEntry[], sent: readonly SentByApplication[], tracesFailures: boolean): CountedCounters {
  for (const { outcome } of entries) if (!OUTCOMES.some(({ name }) => name === outcome)) throw new Error(`no outcome ${outcome}`);
  const count = (test: (entry: JournalEntry) => boolean): number => entries.filter(test).length;
  const seen = entries.filter(({ outcome }) => !BEFORE_DRIVER.includes(outcome));
  const isRedirect = ({ retval }: JournalEntry): boolean => retval === 4 && quirks.redirectIsInvalid !== true;
  const isSent = ({ outcome }: JournalEntry): boolean => outcome === 'tx' || outcome === 'redirect';
  const aborted = count(({ retval }) => retval === 0);
  const invalid = count((entry) => entry.retval > 4 || (entry.retval === 4 && !isRedirect(entry)));
  const txAll = count(({ retval }) => retval === 3);
  const txSent = count(({ outcome }) => outcome === 'tx');
  const redirected = count((entry) => isRedirect(entry) && AFTER_REDIRECT.includes(entry.outcome));
  const countsAll = quirks.countsFailedTxAsSent === true;
  return {
    rxPackets: seen.length,
    rxBytes: seen.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0),
    rxErrors: 0,
    rxLengthErrors: 0,
    xdpDrop: count(({ outcome }) => outcome === 'xdp_drop'),
    xdpPass: count(({ retval }) => retval === 2),
    xdpTx: countsAll ? txAll : txSent,
    xdpTxErrors: countsAll ? 0 : txAll - txSent,
    xdpRedirect: redirected,
    xdpRedirectErrors: count(isRedirect) - redirected,
    xdpAborted: aborted,
    xdpInvalid: invalid,
    xdpExceptions: aborted + invalid + count(({ outcome }) => outcome === 'program_fault') + (tracesFailures ? txAll - txSent + count(isRedirect) - redirected : 0),
    txPackets: count(isSent) + sent.length,
    txBytes: [...entries.filter(isSent), ...sent].reduce((sum, { lenBytes }) => sum + lenBytes, 0),
    txXdpXmit: count(({ outcome }) => outcome === 'redirect'),
    txTimeouts: 0,
    txXdpXmitErrors: count(({ outcome, retval }) => outcome === 'tx_ring_full' && retval === 4),
  };
}

/** What the hardware must have counted. */
export interface HardwareCounts {
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly rxMulticast: number;
  readonly rxBroadcast: number;
  readonly rxRunts: number;
  readonly rxOverLength: number;
  readonly rxAddressFiltered: number;
  readonly rxMissed: number;
  readonly rxDmaErrors: number;
  readonly rxCrcErrors: number;
  readonly rxSteeredAway: number;
  readonly rxLinkDown: number;
  readonly txPackets: number;
  readonly txBytes: number;
  readonly txDmaErrors: number;
  readonly txMalformed: number;
}

export function hardwareOf(entries: readonly JournalEntry[], sent: readonly SentByApplication[]): HardwareCounts {
  const of = (name: string): number => entries.filter(({ outcome }) => outcome === name).length;
  const seen = entries.filter(({ outcome }) => !BEFORE_DRIVER.includes(outcome));
  const accepted = entries.filter(({ outcome }) => outcome !== 'rx_runt' && outcome !== 'rx_over_length');
  const out = [...entries.filter(({ outcome }) => outcome === 'tx' || outcome === 'redirect'), ...sent];
  return {
    rxPackets: seen.length,
    rxBytes: seen.reduce((sum, { wireBytes }) => sum + wireBytes, 0),
    rxMulticast: accepted.filter(({ isMulticast, isBroadcast }) => isMulticast && !isBroadcast).length,
    rxBroadcast: accepted.filter(({ isBroadcast }) => isBroadcast).length,
    rxRunts: of('rx_runt'),
    rxOverLength: of('rx_over_length'),
    rxAddressFiltered: 0,
    rxMissed: of('rx_missed'),
    rxDmaErrors: 0,
    rxCrcErrors: 0,
    rxSteeredAway: 0,
    rxLinkDown: 0,
    txPackets: out.length,
    txBytes: out.reduce((sum, { lenBytes }) => sum + lenBytes, 0),
    txDmaErrors: 0,
    txMalformed: 0,
  };
}

type OfQueue = (queue: CountedCounters, txFull: number) => number;

/** Names of `ethtool -S` that a profile shows of all queues, or, with an N, of each. */
const OF_QUEUES: Readonly<Record<string, OfQueue>> = {
  rx_queue_N_packets: (queue) => queue.rxPackets,
  rx_queue_N_bytes: (queue) => queue.rxBytes,
  tx_queue_N_packets: (queue) => queue.txPackets,
  tx_queue_N_bytes: (queue) => queue.txBytes,
  queue_N_rx_cnt: (queue) => queue.rxPackets,
  queue_N_rx_bytes: (queue) => queue.rxBytes,
  queue_N_tx_cnt: (queue) => queue.txPackets,
  queue_N_tx_bytes: (queue) => queue.txBytes,
  queue_N_rx_xdp_drop: (queue) => queue.xdpDrop,
  queue_N_rx_xdp_pass: (queue) => queue.xdpPass,
  queue_N_rx_xdp_tx: (queue) => queue.xdpTx,
  queue_N_rx_xdp_invalid: (queue) => queue.xdpInvalid,
  queue_N_rx_xdp_redirect: (queue) => queue.xdpRedirect,
  queue_N_rx_xdp_aborted: (queue) => queue.xdpAborted + queue.xdpRedirectErrors + queue.xdpTxErrors,
  'rx-N.packets': (queue) => queue.rxPackets,
  'rx-N.bytes': (queue) => queue.rxBytes,
  'tx-N.packets': (queue) => queue.txPackets,
  'tx-N.bytes': (queue) => queue.txBytes,
  'rxqN: frames': (queue) => queue.rxPackets,
  'rxqN: bytes': (queue) => queue.rxBytes,
  'txqN: frames': (queue) => queue.txPackets,
  'txqN: bytes': (queue) => queue.txBytes,
  rvec_N_rx_pkts: (queue) => queue.rxPackets,
  rvec_N_tx_pkts: (queue) => queue.txPackets,
  rxq_N_pkts: (queue) => queue.rxPackets,
  rxq_N_bytes: (queue) => queue.rxBytes,
  txq_N_pkts: (queue) => queue.txPackets,
  txq_N_bytes: (queue) => queue.txBytes,
  rxN_xdp_drop: allDropped,
  rxN_xdp_redirect: (queue) => queue.xdpRedirect,
  rxN_xdp_redirect_fail: (queue) => queue.xdpRedirectErrors,
  rxN_xdp_tx: (queue) => queue.xdpTx,
  rxN_xdp_tx_xmit: (queue) => queue.xdpTx,
  rxN_xdp_tx_full: (_, txFull) => txFull,
  txN_xdp_xmit: (queue) => queue.txXdpXmit,
  txN_xdp_full: (queue) => queue.txXdpXmitErrors,
  rx_queue_N_xdp_packets: (queue) => queue.rxPackets,
  rx_queue_N_xdp_bytes: (queue) => queue.rxBytes - 14 * queue.rxPackets,
  rx_queue_N_xdp_redirect: (queue) => queue.xdpRedirect,
  rx_queue_N_xdp_redirects: (queue) => queue.xdpRedirect + queue.xdpRedirectErrors,
  tx_queue_N_xdp_xmit: (queue) => queue.txXdpXmit,
  tx_queue_N_xdp_xmit_errors: (queue) => queue.txXdpXmitErrors,
  tx_queue_N_xdp_tx_drops: (queue, txFull) => txFull + queue.txXdpXmitErrors,
  rx_xdp_redirect: (queue) => queue.xdpRedirect,
  rx_xdp_redirect_fail: (queue) => queue.xdpRedirectErrors,
  rx_xdp_pass: (queue) => queue.xdpPass,
  rx_xdp_tx: (queue) => queue.xdpTx,
  rx_xdp_tx_xmit: (queue) => queue.xdpTx,
  rx_xdp_tx_errors: (queue) => queue.xdpTxErrors,
  rx_xdp_tx_full: (_, txFull) => txFull,
  tx_xdp_xmit: (queue) => queue.txXdpXmit,
  tx_xdp_xmit_errors: (queue) => queue.txXdpXmitErrors,
};

const OF_HARDWARE: Readonly<Record<string, keyof HardwareCounts>> = {
  ...named('rxPackets', 'rx_packets_phy', 'rx_good_frames', 'good_frames_received', 'dev_rx_pkts', 'rx_frames', 'rx_pkts_nic'),
  ...named('rxBytes', 'rx_bytes_phy', 'good_octets_received', 'dev_rx_bytes', 'rx_bytes_nic', 'rx_bytes.nic', 'port.rx_bytes', 'rx_long_byte_count'),
  ...named('txPackets', 'tx_packets_phy', 'tx_good_frames', 'good_frames_sent', 'dev_tx_pkts', 'tx_frames', 'tx_pkts_nic'),
  ...named('txBytes', 'tx_bytes_phy', 'good_octets_sent', 'dev_tx_bytes', 'tx_bytes_nic', 'tx_bytes.nic', 'port.tx_bytes'),
  ...named('rxMissed', 'rx_missed', 'rx_missed_errors', 'rx_no_buffer_count', 'rx_out_of_buffer', 'port.rx_dropped', 'rx_dropped.nic', 'dev_rx_discards', 'rx_drops', 'rx_discard', 'rx_overflow', 'rx_total_ring_discards'),
  ...named('rxMulticast', 'multicast', 'rx_multicast', 'rx_multicast_phy', 'port.rx_multicast', 'multicast_frames_received', 'dev_rx_mc_pkts', 'rx_mcast_frames'),
  ...named('rxBroadcast', 'broadcast', 'rx_broadcast', 'rx_broadcast_phy', 'port.rx_broadcast', 'broadcast_frames_received', 'dev_rx_bc_pkts', 'rx_bcast_frames'),
  ...named('rxRunts', 'rx_short_length_errors', 'port.rx_undersize', 'rx_undersize.nic', 'undersize_received', 'rx_undersize_pkts_phy', 'rx_undrsz_frames', 'rx_short_errors'),
  ...named('rxOverLength', 'rx_long_length_errors', 'port.rx_oversize', 'rx_oversize.nic', 'oversize_received', 'rx_oversize_pkts_phy', 'rx_oversz_frames', 'rx_long_errors'),
  ...named('rxCrcErrors', 'rx_crc_errors', 'rx_fcs_err_frames', 'bad_crc_event', 'rx_fcs_errors', 'rx_crc_errors_phy'),
};

/** mlx5 and mlx4 count what they drop for another reason with what the program drops; each in its own way. */
const OF_PROFILE: Readonly<Record<string, Readonly<Record<string, OfQueue>>>> = {
  mlx4: { rxN_xdp_drop: droppedByVerdict, rx_xdp_drop: droppedByVerdict },
  mlx5: { rx_xdp_drop: allDropped, tx_xdp_full: (queue) => queue.txXdpXmitErrors },
  mvneta: { rx_xdp_drop: droppedByVerdict },
  mvpp2: { rx_xdp_drop: droppedByVerdict },
  mtk_eth_soc: { rx_xdp_drop: (queue) => droppedByVerdict(queue) + queue.xdpRedirectErrors },
};

function named(counter: keyof HardwareCounts, ...names: string[]): Record<string, keyof HardwareCounts> {
  return Object.fromEntries(names.map((name) => [name, counter]));
}

function droppedByVerdict({ xdpDrop, xdpExceptions }: CountedCounters): number {
  return xdpDrop + xdpExceptions;
}

function allDropped(queue: CountedCounters): number {
  return droppedByVerdict(queue) + queue.xdpTxErrors + queue.xdpRedirectErrors;
}

/** The value that `ethtool -S` must show under a name; `undefined` when the journal can't tell. */
export function statisticOf(name: string, { profile }: NicSettings, queues: readonly CountedCounters[], txFull: readonly number[], hardware: HardwareCounts): number | undefined {
  const [number] = /\d+/.exec(name) ?? [];
  const template = number === undefined ? name : name.replace(number, 'N');
  const ofQueue = OF_PROFILE[profile.name]?.[template] ?? OF_QUEUES[template];
  if (ofQueue !== undefined && template !== name) return ofQueue(queues[Number(number)], txFull[Number(number)]);
  const register = OF_HARDWARE[name];
  if (register !== undefined) return hardware[register];
  return ofQueue && queues.reduce((sum, queue, i) => sum + ofQueue(queue, txFull[i]), 0);
}
