import { nicStatistics } from '../nic/index.js';
import type { DeviceFaults, DriverCounters, Nic, PagePoolStats } from '../nic/index.js';
import type { FaultRecord, RunResult, Simulation } from '../sim/index.js';
import type { JsonValue } from '../vm/index.js';
import { OUTCOMES, VERDICT_OTHER, verdictName } from '../xdp/index.js';
import type { ChainLink } from '../xdp/index.js';
import { chainReport } from './chainReport.js';
import type { ChainLinkReport } from './chainReport.js';
import type { ChecksumReport } from './checksumWatcher.js';
import { eventsReport } from './eventReport.js';
import type { EventCountReport, EventReport, EventTypes } from './eventReport.js';
import { mapReports, variableReports } from './mapReport.js';
import type { MetadataReport } from './metadataWatcher.js';
import type { MapReport } from './mapReport.js';
import { counted } from './textTable.js';
import { tracesReport } from './traceReport.js';
import type { TraceReport } from './traceReport.js';
import { findingReports, mistakeReason, xskReport } from './xskReport.js';
import type { RingsAtReport, XskFindingReport, XskReport } from './xskReport.js';

/**
 * Result of `sim run`, as `--json` prints it. `docs/report.md` explains every field. A change that removes or renames a field
 * raises `schema`.
 */
/** Faults that were injected into the NIC. */
export interface NicFaultReport {
  readonly injected: Readonly<Record<string, number>>;
  /** After flipped descriptors: frames that were no packets, packets that no driver saw, transfers into buffers that were taken back already. */
  readonly phantom_frames: number;
  readonly swallowed_packets: number;
  readonly stray_writes: number;
}

export interface RunReport {
  readonly schema: 1;
  readonly object: string;
  readonly program: string;
  /** The programs of a dispatcher's chain, in their order; only with one. */
  readonly chain?: readonly ChainLinkReport[];
  /** Whether the program takes packets of several buffers: `SEC("xdp.frags")`. */
  readonly frags: boolean;
  readonly capture: string;
  readonly seed: number;
  readonly engine: string;
  /** Linux release whose rules held. */
  readonly kernel: string;
  readonly mode: string;
  readonly cpus: number;
  readonly nic: NicReport;
  readonly packets: {
    readonly received: number;
    readonly bytes: number;
    readonly cut_by_snaplen: number;
    /** Bytes of the longest frame among `outcomes.rx_over_length`, 0 for none. */
    readonly longest_over_length: number;
  };
  /** Virtual time from the first packet to the last event, ns. */
  readonly duration_ns: number;
  /** What the program returned: the five names and `other`. */
  readonly verdicts: Readonly<Record<string, number>>;
  /** Where each packet ended; the sum is `packets.received`. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly counters: Readonly<Record<string, number>>;
  /** `ethtool -S` under the names of the NIC's driver. */
  readonly ethtool: Readonly<Record<string, number>>;
  /** How often each kind of fault of the plan struck; only with `--fault`. */
  readonly nic_faults?: NicFaultReport;
  readonly rings: readonly RingReport[];
  readonly pool: PoolReport;
  readonly xsk: readonly XskReport[];
  /** What the AF_XDP applications did wrong or left undone, the first 200. */
  readonly xsk_findings: readonly XskFindingReport[];
  /** Only with `--rings-at`. */
  readonly rings_at?: readonly RingsAtReport[];
  readonly maps: Readonly<Record<string, MapReport>>;
  readonly variables: Readonly<Record<string, JsonValue>>;
  /** Variables that there was no room for. */
  readonly variables_omitted: number;
  /** Helpers and kfuncs that were asked about a network although there was no `--network`: they found nothing. */
  readonly network_missed: readonly string[];
  readonly log: readonly { readonly t_ns: number; readonly cpu: number; readonly text: string }[];
  /** Log lines in all; `log` holds the first thousand. */
  readonly log_lines: number;
  /** What programs sent through RINGBUFs and PERF_EVENT_ARRAYs: the first ten thousand, and four megabytes at most. */
  readonly events: readonly EventReport[];
  /** All of it, by map. */
  readonly event_counts: Readonly<Record<string, EventCountReport>>;
  /** Hits of XDP's tracepoints, the first ten thousand. */
  readonly tracepoints: readonly TraceReport[];
  /** All of them, by tracepoint. */
  readonly tracepoint_counts: Readonly<Record<string, number>>;
  readonly faults: readonly FaultReport[];
  readonly fault_count: number;
  /** Only with `--meta`. */
  readonly metadata?: MetadataReport;
  /** Only with `--verify-checksums`. */
  readonly checksums?: ChecksumReport;
  readonly audit: {
    readonly ok: boolean;
    readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
    readonly pages: Readonly<Record<string, number>>;
    readonly chunks: Readonly<Record<string, number>>;
  };
}

/** How the NIC was set up. */
export interface NicReport {
  readonly profile: string;
  readonly queues: number;
  /** Descriptors of each ring. */
  readonly rx_ring: number;
  readonly tx_ring: number;
  readonly mtu: number;
  /** Interrupt moderation, microseconds. */
  readonly rx_usecs: number;
}

/** The rings of one queue and the interrupts and polls that served them. */
export interface RingReport {
  readonly queue: number;
  readonly rx: { readonly size: number; readonly alloc_failed: number };
  readonly tx: { readonly size: number; readonly sent: number; readonly full: number };
  readonly interrupts: number;
  readonly polls: number;
}

export interface PoolReport extends PagePoolStats {
  /** Pages taken from and given back to the page allocator, the shutdown included. */
  readonly hold: number;
  readonly release: number;
}

/** Why the program was stopped at one packet. */
export interface FaultReport {
  /** Number of the packet in the capture, from 1. */
  readonly packet: number;
  /** Stable, e.g. `bad-access`. */
  readonly name: string;
  readonly program: string;
  /** Index of the instruction in the program, and its text. */
  readonly insn: number;
  readonly insn_text: string;
  /** `file:line`, empty when the object has no line information. */
  readonly source: string;
  /** Address in hexadecimal and where it lies, in words; both empty for faults that concern no address. */
  readonly address: string;
  readonly region: string;
  /** r0 to r10 before the instruction, hexadecimal. */
  readonly registers: readonly string[];
  /** Everything in one line. */
  readonly message: string;
}

/** What a report tells that the simulation doesn't know. */
export interface RunNames {
  readonly capture: string;
  readonly seed: number;
  readonly engine: string;
  readonly kernel: string;
  readonly mode: string;
  readonly cpus: number;
  /** Application on the AF_XDP sockets; matters only when there are any. */
  readonly xskApplication: string;
  /** Bytes of the longest frame that the MAC found too long, 0 for none. */
  readonly longestOverLength: number;
  /** Whether there was a network around the host. */
  readonly hasNetwork: boolean;
  /** Types of events, see `eventTypes`. */
  readonly eventTypes: EventTypes;
  /** The programs of a chain, in their order; `undefined` without one. */
  readonly chain?: readonly ChainLink[] | undefined;
  /** What was found by reading metadata; `undefined` when nobody read it. */
  readonly metadata?: MetadataReport | undefined;
  /** The rings of the sockets at some moments; `undefined` when nobody asked. */
  readonly ringsAt?: readonly RingsAtReport[] | undefined;
  /** What was found by looking at checksums; `undefined` when nobody looked. */
  readonly checksums?: ChecksumReport | undefined;
}

/** Gathers the report of a finished run. Equal runs give equal reports: nothing in it comes from a real clock. */
export function runReport(simulation: Simulation, result: RunResult, names: RunNames): RunReport {
  const { nic, loaded, program } = simulation;
  const { settings } = nic;
  const variables = variableReports(loaded);
  return {
    schema: 1,
    object: loaded.spec.name,
    program: program.spec.name,
    ...(names.chain === undefined ? {} : { chain: chainReport(loaded, names.chain) }),
    frags: program.spec.frags,
    capture: names.capture,
    seed: names.seed,
    engine: names.engine,
    kernel: names.kernel,
    mode: names.mode,
    cpus: names.cpus,
    nic: {
      profile: settings.profile.name,
      queues: settings.queues,
      rx_ring: settings.rxRingSize,
      tx_ring: settings.txRingSize,
      mtu: settings.mtu,
      rx_usecs: settings.interruptDelayNs === undefined ? settings.profile.moderation.rxUsecs : settings.interruptDelayNs / 1000,
    },
    packets: { received: result.packetsReceived, bytes: result.bytesReceived, cut_by_snaplen: result.cutPackets, longest_over_length: names.longestOverLength },
    duration_ns: result.durationNs,
    verdicts: verdictCounts(nic),
    outcomes: Object.fromEntries(OUTCOMES.map(({ code, name }) => [name, result.outcomes[code]])),
    counters: genericCounters(nic),
    ethtool: Object.fromEntries(nicStatistics(nic)),
    ...(nic.faults === undefined ? {} : { nic_faults: nicFaultReport(nic.faults) }),
    rings: queuesOf(nic).map((queue) => ringReport(nic, queue)),
    pool: poolReport(nic),
    xsk: simulation.sockets.map((socket) => xskReport(socket, names.xskApplication)),
    xsk_findings: findingReports(result.xskFindings),
    ...(names.ringsAt === undefined ? {} : { rings_at: names.ringsAt }),
    maps: mapReports(loaded),
    variables: variables.values,
    variables_omitted: variables.omitted,
    network_missed: names.hasNetwork ? [] : [...simulation.vm.network.asked].sort(),
    log: result.log.map(({ tNs, cpu, text }) => ({ t_ns: tNs, cpu, text })),
    log_lines: result.logLineCount,
    ...eventsReport(result, loaded, names.eventTypes),
    ...tracesReport(result),
    faults: result.faults.map(faultReport),
    fault_count: result.faultCount,
    ...(names.metadata === undefined ? {} : { metadata: names.metadata }),
    ...(names.checksums === undefined ? {} : { checksums: names.checksums }),
    audit: result.audit,
  };
}

/** Why a run is not clean, in one sentence for a log. */
export function runVerdict({ fault_count: faults, audit, checksums, metadata, xsk_findings: findings }: RunReport): string {
  const reasons = audit.checks.filter((check) => !check.ok).map(({ name, detail }) => `the audit of ${name} failed: ${detail}`);
  if (metadata !== undefined && metadata.broken_count > 0) reasons.unshift(`the metadata of ${counted(metadata.broken_count, 'packet')} breaks the contract`);
  if (checksums !== undefined && checksums.wrong_count > 0) reasons.unshift(`${counted(checksums.wrong_count, 'checksum')} of packets that went on ${checksums.wrong_count === 1 ? 'is' : 'are'} wrong`);
  const mistake = mistakeReason(findings);
  if (mistake !== undefined) reasons.unshift(mistake);
  if (faults > 0) reasons.unshift(`the program was stopped by a fault at ${counted(faults, 'packet')}`);
  return reasons.length === 0 ? 'everything is fine' : `FAILED: ${reasons.join('; ')}`;
}

/** True when the run shows nothing that must be mended: the audit balances, the program did nothing forbidden, no checksum became wrong, metadata is as agreed, and no AF_XDP application broke the rules. */
export function isClean(report: RunReport): boolean {
  const isAsAgreed = (report.checksums?.wrong_count ?? 0) === 0 && (report.metadata?.broken_count ?? 0) === 0 && mistakeReason(report.xsk_findings) === undefined;
  return report.audit.ok && report.fault_count === 0 && isAsAgreed;
}

export function queuesOf(nic: Nic): number[] {
  return Array.from({ length: nic.settings.queues }, (_, queue) => queue);
}

export function verdictCounts(nic: Nic): Record<string, number> {
  const counts: Record<string, number> = {};
  (nic.offload ?? nic.driver).verdicts.forEach((count, verdict) => {
    counts[verdict === VERDICT_OTHER ? 'other' : verdictName(verdict)] = count;
  });
  return counts;
}

/** The same for every NIC: hardware counters, then the driver's per queue. */
export function genericCounters(nic: Nic): Record<string, number> {
  const hw = nic.device.counters;
  const counters: Record<string, number> = {
    rx_packets: hw.rxPackets,
    rx_bytes: hw.rxBytes,
    tx_packets: hw.txPackets,
    tx_bytes: hw.txBytes,
    rx_runt_errors: hw.rxRunts,
    rx_over_length_errors: hw.rxOverLength,
    rx_address_filtered: hw.rxAddressFiltered,
    rx_missed_errors: hw.rxMissed,
    rx_dma_errors: hw.rxDmaErrors,
  };
  const names: readonly [string, keyof DriverCounters][] = [
    ['rx_queue_N_packets', 'rxPackets'],
    ['rx_queue_N_bytes', 'rxBytes'],
    ['rx_queue_N_errors', 'rxErrors'],
    ['rx_queue_N_xdp_drop', 'xdpDrop'],
    ['rx_queue_N_xdp_pass', 'xdpPass'],
    ['rx_queue_N_xdp_tx', 'xdpTx'],
    ['rx_queue_N_xdp_tx_errors', 'xdpTxErrors'],
    ['rx_queue_N_xdp_redirect', 'xdpRedirect'],
    ['rx_queue_N_xdp_redirect_errors', 'xdpRedirectErrors'],
    ['rx_queue_N_xdp_exceptions', 'xdpExceptions'],
    ['tx_queue_N_packets', 'txPackets'],
    ['tx_queue_N_bytes', 'txBytes'],
    ['tx_queue_N_xdp_xmit', 'txXdpXmit'],
    ['tx_queue_N_xdp_xmit_errors', 'txXdpXmitErrors'],
  ];
  for (const queue of queuesOf(nic)) {
    const driver = nic.driver.counters(queue);
    for (const [name, field] of names) counters[name.replace('N', String(queue))] = driver[field];
  }
  return counters;
}

export function nicFaultReport(faults: DeviceFaults): NicFaultReport {
  const { injected, phantomFrames, swallowedPackets, strayWrites } = faults.counts();
  return { injected: injected as Record<string, number>, phantom_frames: phantomFrames, swallowed_packets: swallowedPackets, stray_writes: strayWrites };
}

export function ringReport(nic: Nic, queue: number): RingReport {
  const use = nic.driver.ringUse(queue);
  return {
    queue,
    rx: { size: use.rxSize, alloc_failed: use.rxAllocFailed },
    tx: { size: use.txSize, sent: use.txFrames, full: use.txFull },
    interrupts: nic.device.interrupt(queue).raisedCount,
    polls: nic.driver.counters(queue).polls,
  };
}

export function faultReport({ packetId, fault }: FaultRecord): FaultReport {
  const { name, program, insnIndex, insn, source, region, address, registers, message } = fault;
  return {
    packet: packetId,
    name,
    program,
    insn: insnIndex,
    insn_text: insn,
    source: source === undefined ? '' : `${source.file}:${source.line}`,
    address: region === '' ? '' : `0x${address.toString(16)}`,
    region,
    registers: registers.map((value) => `0x${value.toString(16)}`),
    message,
  };
}

export function poolReport(nic: Nic): PoolReport {
  const total: Record<string, number> = {};
  const add = (name: string, count: number): void => {
    total[name] = (total[name] ?? 0) + count;
  };
  for (const queue of queuesOf(nic)) {
    const { stats, holdCount, releaseCount } = nic.driver.bufferUse(queue);
    for (const [name, count] of Object.entries(stats)) add(name, count);
    add('hold', holdCount);
    add('release', releaseCount);
  }
  return total as unknown as PoolReport;
}
