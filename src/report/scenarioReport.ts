import { nicStatistics } from '../nic/index.js';
import type { Host, HostNic, LinkCounters, LinkSettings, LoadedScenario, RunResult, ScenarioFile, ScenarioResult } from '../sim/index.js';
import type { JsonValue } from '../vm/index.js';
import { OUTCOMES } from '../xdp/index.js';
import { chainReport } from './chainReport.js';
import type { ChainLinkReport } from './chainReport.js';
import { eventsReport } from './eventReport.js';
import type { EventsReport } from './eventReport.js';
import { mapReports, variableReports } from './mapReport.js';
import type { MapReport } from './mapReport.js';
import { faultReport, genericCounters, nicFaultReport, poolReport, queuesOf, ringReport, verdictCounts } from './runReport.js';
import type { FaultReport, NicFaultReport, PoolReport, RingReport, RunReport } from './runReport.js';
import type { ScenarioRingsAt } from './ringsAt.js';
import type { JournalEntry, ScenarioJournal } from './scenarioJournal.js';
import { tracesReport } from './traceReport.js';
import type { TracesReport } from './traceReport.js';
import { findingReports, mistakeReason, xskReport } from './xskReport.js';
import type { RingsAtReport, XskFindingReport, XskReport } from './xskReport.js';

/** Result of `sim scenario`, as `--json` prints it; docs/scenario.md explains every field. */
export interface ScenarioReport {
  readonly schema: 1;
  readonly scenario: string;
  readonly seed: number;
  readonly duration_ns: number;
  /** Packets of the captures. */
  readonly packets: { readonly received: number; readonly bytes: number };
  /** Where packets ended, over all hosts: a packet that goes from host to host is one on each of them. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly hosts: readonly HostReport[];
  /** Only with `--rings-at`. */
  readonly rings_at?: readonly RingsAtReport[];
  /** Each direction by itself. */
  readonly links: readonly LinkReport[];
  readonly audit: { readonly ok: boolean; readonly checks: RunReport['audit']['checks'] };
  /** The way of the first packets; `journal_entries` counts all of it. */
  readonly journal: readonly JournalEntry[];
  readonly journal_entries: number;
}

export interface HostReport extends EventsReport, TracesReport {
  readonly name: string;
  readonly cpus: number;
  readonly engine: string;
  /** What arrived at its NICs. */
  readonly packets: { readonly received: number; readonly bytes: number; readonly cut_by_snaplen: number };
  readonly outcomes: Readonly<Record<string, number>>;
  readonly nics: readonly HostNicReport[];
  readonly objects: readonly ObjectReport[];
  /** Helpers and kfuncs that were asked about a network although the host has none: they found nothing. */
  readonly network_missed: readonly string[];
  readonly log: RunReport['log'];
  readonly log_lines: number;
  /** What its AF_XDP applications did wrong or left undone, the first 200. */
  readonly xsk_findings: readonly XskFindingReport[];
  readonly faults: readonly FaultReport[];
  readonly fault_count: number;
  readonly audit: RunReport['audit'];
}

export interface HostNicReport {
  readonly name: string;
  readonly ifindex: number;
  readonly profile: string;
  readonly queues: number;
  readonly mtu: number;
  /** `null` without a program. */
  readonly xdp: { readonly object: string; readonly program: string; readonly mode: string; readonly frags: boolean } | null;
  readonly received: { readonly packets: number; readonly bytes: number };
  readonly sent: { readonly packets: number; readonly bytes: number };
  readonly verdicts: Readonly<Record<string, number>>;
  readonly counters: Readonly<Record<string, number>>;
  readonly ethtool: Readonly<Record<string, number>>;
  readonly nic_faults?: NicFaultReport;
  readonly rings: readonly RingReport[];
  readonly pool: PoolReport;
  readonly xsk: readonly XskReport[];
}

export interface ObjectReport {
  readonly name: string;
  /** The programs of a dispatcher's chain, in their order; only with one. */
  readonly chain?: readonly ChainLinkReport[];
  readonly maps: Readonly<Record<string, MapReport>>;
  readonly variables: Readonly<Record<string, JsonValue>>;
  readonly variables_omitted: number;
}

export interface LinkReport {
  /** `HOST.NIC > HOST.NIC`. */
  readonly link: string;
  readonly rate_bits_per_s: number;
  readonly delay_ns: number;
  readonly loss: number;
  /** `null` for any number of waiting frames. */
  readonly queue_frames: number | null;
  readonly frames: number;
  readonly bytes: number;
  readonly delivered: number;
  readonly lost: number;
  readonly queue_full: number;
  readonly hop_limit: number;
}

/** What was seen of a scenario, and what its hosts don't know. */
export interface ScenarioObservations {
  readonly journal: ScenarioJournal;
  readonly ringsAt: ScenarioRingsAt | undefined;
  /** Of `loadScenario`. */
  readonly chains: LoadedScenario['chains'];
}

/** Gathers the report of a finished scenario. Equal runs give equal reports. */
export function scenarioReport(name: string, file: ScenarioFile, result: ScenarioResult, { journal, ringsAt, chains }: ScenarioObservations): ScenarioReport {
  const arrived = result.hosts.reduce((sum, { result: { packetsReceived } }) => sum + packetsReceived, 0);
  return {
    schema: 1,
    scenario: name,
    seed: file.seed,
    duration_ns: result.durationNs,
    packets: { received: result.packets, bytes: result.bytes },
    outcomes: outcomesOf((code) => result.hosts.reduce((sum, { result: { outcomes } }) => sum + outcomes[code], 0)),
    hosts: result.hosts.map(({ host, result: found }, i) => hostReport(host, found, file.hosts[i], chains)),
    ...(ringsAt === undefined ? {} : { rings_at: ringsAt.finish(arrived) }),
    links: result.links.map(linkReport),
    audit: result.linkAudit,
    journal: journal.entries,
    journal_entries: journal.count,
  };
}

/** True when nothing must be mended: everything is accounted for, and no program and no AF_XDP application did what it must not. */
export function isScenarioClean({ hosts, audit }: ScenarioReport): boolean {
  return audit.ok && hosts.every((host) => host.audit.ok && host.fault_count === 0 && mistakeReason(host.xsk_findings) === undefined);
}

/** Why a scenario is not clean, in one sentence for a log. */
export function scenarioVerdict({ hosts, audit }: ScenarioReport): string {
  const reasons = hosts.flatMap((host) => [
    ...(host.fault_count > 0 ? [`a program on ${host.name} was stopped by a fault at ${host.fault_count} packets`] : []),
    ...(mistakeReason(host.xsk_findings) === undefined ? [] : [`${mistakeReason(host.xsk_findings)} on ${host.name}`]),
    ...host.audit.checks.filter(({ ok }) => !ok).map(({ name, detail }) => `the audit of ${name} on ${host.name} failed: ${detail}`),
  ]);
  reasons.push(...audit.checks.filter(({ ok }) => !ok).map(({ name, detail }) => `the audit of ${name} failed: ${detail}`));
  return reasons.length === 0 ? 'everything is fine' : `FAILED: ${reasons.join('; ')}`;
}

function outcomesOf(count: (code: number) => number): Record<string, number> {
  return Object.fromEntries(OUTCOMES.map(({ code, name }) => [name, count(code)]));
}

function hostReport(host: Host, result: RunResult, { cpus, engine, nics, network }: ScenarioFile['hosts'][number], chains: LoadedScenario['chains']): HostReport {
  const first = [...host.objects.values()][0];
  return {
    name: host.name,
    cpus,
    engine,
    packets: { received: result.packetsReceived, bytes: result.bytesReceived, cut_by_snaplen: result.cutPackets },
    outcomes: outcomesOf((code) => result.outcomes[code]),
    nics: host.nics.map((port, i) => nicReportOf(port, nics[i])),
    objects: [...host.objects].map(([name, loaded]) => {
      const { values, omitted } = variableReports(loaded);
      const chain = chains.get(`${host.name}.${name}`);
      return { name, ...(chain === undefined ? {} : { chain: chainReport(loaded, chain) }), maps: mapReports(loaded), variables: values, variables_omitted: omitted };
    }),
    network_missed: network === undefined ? [...host.vm.network.asked].sort() : [],
    log: result.log.map(({ tNs, cpu, text }) => ({ t_ns: tNs, cpu, text })),
    log_lines: result.logLineCount,
    xsk_findings: findingReports(result.xskFindings),
    ...(first === undefined ? { events: [], event_counts: {} } : eventsReport(result, first, new Map())),
    ...tracesReport(result),
    faults: result.faults.map(faultReport),
    fault_count: result.faultCount,
    audit: result.audit,
  };
}

function nicReportOf({ name, nic, program, packets, bytes, sockets }: HostNic, { xdp, xsk }: ScenarioFile['hosts'][number]['nics'][number]): HostNicReport {
  const { settings, device } = nic;
  const { txPackets, txBytes } = device.counters;
  return {
    name,
    ifindex: settings.ifindex,
    profile: settings.profile.name,
    queues: settings.queues,
    mtu: settings.mtu,
    xdp: program === undefined || xdp === undefined ? null : { object: xdp.object, program: program.spec.name, mode: settings.xdpMode ?? 'native', frags: program.spec.frags },
    received: { packets, bytes },
    sent: { packets: txPackets, bytes: txBytes },
    verdicts: verdictCounts(nic),
    counters: genericCounters(nic),
    ethtool: Object.fromEntries(nicStatistics(nic)),
    ...(nic.faults === undefined ? {} : { nic_faults: nicFaultReport(nic.faults) }),
    rings: queuesOf(nic).map((queue) => ringReport(nic, queue)),
    pool: poolReport(nic),
    xsk: sockets.map((socket) => xskReport(socket, xsk?.name ?? '')),
  };
}

function linkReport({ name, settings, counters }: { readonly name: string; readonly settings: LinkSettings; readonly counters: LinkCounters }): LinkReport {
  const { frames, bytes, delivered, lost, queueFull, hopLimit } = counters;
  return {
    link: name, rate_bits_per_s: settings.rateBitsPerS, delay_ns: settings.delayNs, loss: settings.loss, queue_frames: settings.queueFrames ?? null,
    frames, bytes, delivered, lost, queue_full: queueFull, hop_limit: hopLimit,
  };
}
