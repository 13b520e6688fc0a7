import type { EntryView, RingView, SocketView, XdpSock, XdpStatistics, XskFinding } from '../umem/index.js';

/** One AF_XDP socket: how it was bound, and the counters of `struct xdp_statistics`. */
export interface XskReport extends XdpStatistics {
  readonly socket: number;
  readonly queue: number;
  /** What the application does: a name of `--xsk`. */
  readonly application: string;
  /** As it is bound, whatever was asked for: `copy` or `zero-copy`. */
  readonly mode: SocketView['mode'];
  /** XDP_USE_NEED_WAKEUP. */
  readonly need_wakeup: boolean;
  /** Chunks of its UMEM, and bytes of each. */
  readonly frames: number;
  readonly frame_size: number;
  readonly rx_packets: number;
  readonly rx_bytes: number;
  readonly tx_packets: number;
  /** Its rings as the run left them. */
  readonly rings: Readonly<Record<'rx' | 'tx' | 'fill' | 'completion', XskRingReport>>;
}

/** Entries of a ring, and those that were produced and not consumed yet. */
export interface XskRingReport {
  readonly size: number;
  readonly used: number;
}

/** One thing that an AF_XDP application did wrong or left undone. */
export interface XskFindingReport {
  /** Stable, e.g. `double-submission`; docs/af-xdp.md lists them. */
  readonly code: string;
  /** `mistake`: against the rules of AF_XDP; `warning`: packets are lost or stand still for want of something. */
  readonly severity: string;
  readonly socket: number;
  readonly queue: number;
  /** `RX`, `TX`, `FILL`, `COMPLETION`, or empty. */
  readonly ring: string;
  readonly count: number;
  /** Virtual time of the first one, ns. */
  readonly first_ns: number;
  readonly message: string;
  readonly hint: string;
  /** Who had the first chunk when; empty where no chunk is concerned. */
  readonly history: string;
}

/** What was seen: the rings at that moment; those that the end left, as the time lies behind it; nothing, as there is no such packet or no socket. */
export type RingsAtStatus = 'seen' | 'after-end' | 'no-packet' | 'no-sockets';

/** The rings of all sockets at one moment. */
export interface RingsAtReport {
  /** As it was asked for: `1.5ms`, `packet:12`. */
  readonly at: string;
  /** Virtual time of the last event before it, ns. */
  readonly t_ns: number;
  readonly status: RingsAtStatus;
  /** The status in words, empty when all is as it was asked for. */
  readonly note: string;
  /** Empty where nothing was to be seen. */
  readonly sockets: readonly SocketRingsReport[];
}

export interface SocketRingsReport {
  /** In a scenario: where the socket is. */
  readonly host?: string;
  readonly nic?: string;
  readonly socket: number;
  readonly ifindex: number;
  readonly queue: number;
  readonly state: string;
  readonly mode: string;
  readonly rings: readonly RingStateReport[];
  /** Chunks of the UMEM by owner; of those of the kernel, how many it holds unused and on their way out. */
  readonly chunks: Readonly<Record<string, number>>;
  readonly kernel_free: number;
  readonly kernel_in_flight: number;
}

export interface RingStateReport {
  readonly ring: string;
  readonly size: number;
  readonly producer: number;
  readonly consumer: number;
  /** What the kernel remembers of both. */
  readonly cached_producer: number;
  readonly cached_consumer: number;
  /** Produced and not consumed, by the indices in memory. */
  readonly used: number;
  readonly flags: readonly string[];
  readonly entries: readonly RingEntryReport[];
  readonly entries_omitted: number;
}

export interface RingEntryReport {
  readonly index: number;
  readonly slot: number;
  readonly address: string;
  /** RX and TX only. */
  readonly len?: number;
  readonly options?: readonly string[];
  readonly chunk: number;
  readonly owner: string;
  readonly packet: number;
  readonly note: string;
}

/** More findings than these are left out. */
const KEPT_FINDINGS = 200;

export function xskReport(socket: XdpSock, application: string): XskReport {
  const { umem, pool } = socket;
  const ring = (queue: { readonly ring: XskRingReport } | undefined): XskRingReport => ({ size: queue?.ring.size ?? 0, used: queue?.ring.used ?? 0 });
  return {
    socket: socket.id,
    queue: socket.queueId,
    application,
    mode: socket.isZeroCopy ? 'zero-copy' : 'copy',
    need_wakeup: pool?.usesNeedWakeup ?? false,
    frames: umem === undefined ? 0 : Math.floor(umem.sizeBytes / umem.chunkSizeBytes),
    frame_size: umem?.chunkSizeBytes ?? 0,
    rx_packets: socket.rxPackets,
    rx_bytes: socket.rxBytes,
    tx_packets: socket.txPackets,
    ...socket.statistics,
    rings: { rx: ring(socket.rx), tx: ring(socket.tx), fill: ring(pool?.fill), completion: ring(pool?.completion) },
  };
}

export function findingReports(findings: readonly XskFinding[]): XskFindingReport[] {
  return findings.slice(0, KEPT_FINDINGS).map(({ code, severity, socket, queue, ring, count, firstNs, message, hint, history }) => ({
    code, severity, socket, queue, ring: ring ?? '', count, first_ns: firstNs, message, hint, history,
  }));
}

export function socketRingsReport({ socket, ifindex, queue, state, mode, rings, chunks, kernelFree, kernelInFlight }: SocketView): SocketRingsReport {
  return { socket, ifindex, queue, state, mode, rings: rings.map(ringState), chunks, kernel_free: kernelFree, kernel_in_flight: kernelInFlight };
}

function ringState({ kind, size, producer, consumer, cachedProducer, cachedConsumer, used, flags, entries, omitted }: RingView): RingStateReport {
  return { ring: kind, size, producer, consumer, cached_producer: cachedProducer, cached_consumer: cachedConsumer, used, flags, entries: entries.map(ringEntry), entries_omitted: omitted };
}

function ringEntry({ index, slot, address, lenBytes, options, chunk, owner, packet, note }: EntryView): RingEntryReport {
  return { index, slot, address, ...(lenBytes === undefined ? {} : { len: lenBytes }), ...(options === undefined ? {} : { options }), chunk, owner, packet, note };
}

/** Mistakes among findings, as a reason why a run is not clean; `undefined` when there are none. */
export function mistakeReason(findings: readonly XskFindingReport[]): string | undefined {
  const mistakes = findings.filter(({ severity }) => severity === 'mistake');
  if (mistakes.length === 0) return undefined;
  return `an AF_XDP application broke the rules: ${mistakes[0].message}${mistakes.length === 1 ? '' : `, and ${mistakes.length - 1} more`}`;
}
