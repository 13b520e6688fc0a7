import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { OUTCOMES } from '../xdp/index.js';
import { chainSection } from './chainReport.js';
import { eventSections } from './eventText.js';
import { mapSections, SHOWN_LINES } from './mapText.js';
import type { Heading } from './runText.js';
import type { JournalEntry } from './scenarioJournal.js';
import type { HostNicReport, HostReport, LinkReport, ScenarioReport } from './scenarioReport.js';
import { counted, grouped, printable, textTable } from './textTable.js';
import { traceSection } from './traceText.js';
import { findingsSection, ringSections, socketSection } from './xskText.js';

const NS_PER_SEC = 1e9;

/** Rates from the largest unit down. */
const RATE_UNITS = [[1e9, 'Gbit/s'], [1e6, 'Mbit/s'], [1e3, 'kbit/s'], [1, 'bit/s']] as const;
const TIME_UNITS = [[1e9, 's'], [1e6, 'ms'], [1e3, 'us'], [1, 'ns']] as const;

/** The report as a person reads it. Sections that have nothing to tell are left out. */
export function scenarioText(report: ScenarioReport, heading: Heading): string {
  const sections = [intro(report), ...report.hosts.flatMap(hostSections), ...ringSections(report.rings_at ?? []), links(report), audit(report)];
  return sections
    .filter((lines) => lines.length > 0)
    .map(([title, ...lines]) => [heading(title), ...lines].join('\n'))
    .join('\n\n')
    .concat('\n');
}

function intro({ scenario, hosts, links: directions, packets, seed, duration_ns: durationNs }: ScenarioReport): string[] {
  return [
    `${printable(scenario)}: ${counted(hosts.length, 'host')}, ${counted(directions.length / 2, 'link')}`,
    `  ${counted(packets.received, 'packet')} of captures, ${counted(packets.bytes, 'byte')}, ${(durationNs / NS_PER_SEC).toFixed(3)} s of virtual time, seed ${seed}`,
  ];
}

function hostSections(host: HostReport): string[][] {
  const { name, packets, cpus, network_missed: missed } = host;
  const note = missed.length === 0 ? [] : [`  note: ${missed.join(', ')} found nothing, as the host has no network; describe one as "network" (docs/network.md)`];
  return [
    [`Host ${name}: ${counted(packets.received, 'packet')}, ${counted(cpus, 'CPU')}`, ...nicTable(host.nics), ...note, ...unusedObjects(host)],
    faults(host),
    outcomes(host),
    ...host.objects.map((object) => chainSection(object.chain).map((line, i) => (i === 0 ? `${line}, on ${name}` : line))),
    ...host.objects.flatMap((object) => mapSections(object.maps)).map(([title, ...lines]) => [`${title} of ${name}`, ...lines]),
    ...eventSections(host).map(([title, ...lines]) => [`${title} on ${name}`, ...lines]),
    traceSection(host).map((line, i) => (i === 0 ? `${line} on ${name}` : line)),
    ...host.nics.map((nic) => socketSection(nic.xsk, ` of ${name}.${nic.name}`)),
    findingsSection(host.xsk_findings, ` on ${name}`),
    log(host),
  ];
}

/** An object does nothing by being there: a forgotten `xdp` looks like a program that passes everything. */
function unusedObjects({ objects, nics }: HostReport): string[] {
  return objects
    .filter(({ name }) => !nics.some(({ xdp }) => xdp?.object === name))
    .map(({ name }) => `  note: no NIC runs a program of object ${printable(name)}; say so in "xdp" of a NIC: {"object": ${JSON.stringify(printable(name))}}`);
}

function nicTable(nics: readonly HostNicReport[]): string[] {
  const verdicts = (counts: HostNicReport['verdicts']): string => Object.entries(counts).filter(([, count]) => count > 0).map(([verdict, count]) => `${verdict} ${grouped(count)}`).join(', ');
  const rows = nics.map(({ name, profile, xdp, received, sent, verdicts: counts }) => [
    name, profile, xdp === null ? 'no program' : `${printable(xdp.program)} (${xdp.mode})`, received.packets, sent.packets, verdicts(counts),
  ]);
  return textTable([['NIC', 'profile', 'program', 'received', 'sent', 'verdicts'], ...rows]);
}

function faults({ name, faults: kept, fault_count: count }: HostReport): string[] {
  if (count === 0) return [];
  const lines = kept.slice(0, SHOWN_LINES).map(({ packet, message }) => `  packet ${packet}: ${printable(message)}`);
  if (count > lines.length) lines.push(`  and ${grouped(count - lines.length)} more`);
  return [`FAULTS of programs on ${name} at ${counted(count, 'packet')}`, ...lines];
}

function outcomes({ name, outcomes: counts }: HostReport): string[] {
  const found = OUTCOMES.filter((outcome) => counts[outcome.name] > 0);
  return found.length === 0 ? [] : [`Where the packets of ${name} ended`, ...textTable(found.map((outcome) => [outcome.name, counts[outcome.name], outcome.text]))];
}

function log({ name, log: lines, log_lines: count }: HostReport): string[] {
  if (count === 0) return [];
  const rows = lines.slice(0, SHOWN_LINES).map((line) => `  ${(line.t_ns / NS_PER_SEC).toFixed(9)} [${String(line.cpu).padStart(3, '0')}] ${printable(line.text)}`);
  return [`Log of ${name} (${counted(count, 'line')}: seconds since boot, CPU, text)`, ...rows, ...(count > rows.length ? [`  and ${grouped(count - rows.length)} more`] : [])];
}

function links({ links: directions }: ScenarioReport): string[] {
  if (directions.length === 0) return [];
  const rows = directions.map((each) => [each.link, likeness(each), each.frames, each.delivered, each.lost, each.queue_full, each.hop_limit]);
  return ['Links', ...textTable([['', 'rate, delay, loss', 'sent', 'delivered', 'lost', 'queue_full', 'hop_limit'], ...rows])];
}

function likeness({ rate_bits_per_s: rate, delay_ns: delay, loss }: LinkReport): string {
  return [rate === 0 ? 'no limit' : inUnits(rate, RATE_UNITS), delay === 0 ? 'no delay' : inUnits(delay, TIME_UNITS), loss === 0 ? 'no loss' : `${loss * 100} %`].join(', ');
}

function inUnits(value: number, units: readonly (readonly [number, string])[]): string {
  const [size, unit] = units.find(([each]) => value >= each) ?? [1, ''];
  return `${value / size} ${unit}`;
}

/** Checks that passed are counted, those that failed are told. */
function audit({ hosts, audit: between }: ScenarioReport): string[] {
  const all = [...hosts.flatMap(({ name, audit: { checks } }) => checks.map((check) => ({ ...check, name: `${name}: ${check.name}` }))), ...between.checks];
  const failed = all.filter(({ ok }) => !ok);
  const passed = `  ${counted(all.length - failed.length, 'check')} of ${counted(hosts.length, 'host')} and ${counted(between.checks.length / 2, 'link')} passed`;
  return [`Audit: ${failed.length === 0 ? 'everything is accounted for' : 'FAILED'}`, passed, ...textTable(failed.map(({ name, detail }) => ['FAILED', name, detail]))];
}

/** The way of one packet of a capture, and of all that came of it: a line a step. Problem: `unknown-packet`. */
export function packetWay({ journal, journal_entries: count, hosts }: ScenarioReport, packetId: number): Result<string[]> {
  const family = new Set([packetId]);
  const steps: string[] = [];
  for (const entry of journal) {
    if (!family.has(entry.packet)) continue;
    if (entry.event === 'link' && entry.arrived_as !== 0) family.add(entry.arrived_as);
    steps.push(stepLine(entry));
  }
  if (steps.length === 0) {
    const packets = hosts.reduce((sum, host) => sum + host.packets.received, 0);
    const unknown = (message: string, hint: string): Result<never> => fail({ code: 'unknown-packet', where: '--packet', message, hint });
    if (packetId <= packets) return unknown(`the journal does not hold the way of packet ${packetId}, but the first ${counted(journal.length, 'step')} of others`, 'run the scenario anew for this packet');
    return unknown(`there is no packet ${packetId}: ${counted(packets, 'packet')} arrived at NICs`, packets === 0 ? 'let a capture arrive' : `use a number from 1 to ${packets}`);
  }
  if (count > journal.length) steps.push(`  and further: the journal holds the first ${grouped(journal.length)} of ${counted(count, 'step')}`);
  return ok([`The way of packet ${packetId} (seconds since boot, step)`, ...steps]);
}

function stepLine(entry: JournalEntry): string {
  const time = `  ${(entry.t_ns / NS_PER_SEC).toFixed(9)}`;
  if (entry.event === 'end') return `${time}  packet ${entry.packet} on ${entry.host}, in by ${entry.nic}: ${entry.verdict === null ? '' : `${entry.verdict}, `}${entry.outcome}`;
  if (entry.fate !== 'delivered') return `${time}  packet ${entry.packet} over ${entry.link}: ${entry.fate}`;
  return `${time}  packet ${entry.packet} over ${entry.link}, in ${grouped(Math.round(entry.t_ns - entry.sent_ns))} ns: there as packet ${entry.arrived_as}`;
}
