import { FAULT_KINDS, findProfile, maxFrameBytes } from '../nic/index.js';
import { CONFIG_VARIABLE, Outcome, OUTCOMES, VERDICTS_VARIABLE } from '../xdp/index.js';
import { ETH_HLEN } from '../vm/index.js';
import { chainSection } from './chainReport.js';
import { checksumSection } from './checksumText.js';
import { eventSections } from './eventText.js';
import { mapSections, SHOWN_LINES } from './mapText.js';
import type { FaultReport, RunReport } from './runReport.js';
import { metadataSection } from './metadataText.js';
import { counted, grouped, printable, textTable } from './textTable.js';
import { traceSection } from './traceText.js';
import { shortText } from './valueText.js';
import { findingsSection, ringSections, socketSection } from './xskText.js';

const NS_PER_SEC = 1e9;

/** Packet numbers that a line lists. */
const SHOWN_NUMBERS = 8;

/** Format strings that libbpf's bpf_printk puts into `.rodata`: nobody looks for them among the variables. */
const PRINTK_FORMAT = /\.____fmt(\.\d+)?$/;

/** What the chain's own section tells. */
const DISPATCHER_VARIABLES = [CONFIG_VARIABLE, VERDICTS_VARIABLE];

/** Checks of the audit of which there is one for each socket. */
const SOCKET_CHECK = /^chunks of socket \d+$/;

/** How headings are set off: bold on a terminal, plain elsewhere. */
export type Heading = (text: string) => string;

/** The report as a person reads it. Sections that have nothing to tell are left out. */
export function runText(report: RunReport, heading: Heading): string {
  const sections: string[][] = [
    intro(report),
    faults(report),
    verdicts(report),
    chainSection(report.chain),
    outcomes(report),
    checksumSection(report.checksums),
    metadataSection(report.metadata),
    queues(report),
    rings(report),
    nicFaults(report),
    sockets(report),
    findingsSection(report.xsk_findings),
    ...ringSections(report.rings_at ?? []),
    pool(report),
    ...mapSections(report.maps),
    variables(report),
    ...eventSections(report),
    traceSection(report),
    log(report),
    auditSection(report),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map(([title, ...lines]) => [heading(title), ...lines].join('\n'))
    .join('\n\n')
    .concat('\n');
}

function intro({ object, program, capture, nic, cpus, mode, engine, seed, packets, network_missed: missed, duration_ns: durationNs }: RunReport): string[] {
  const lines = [
    `${printable(object)}: ${printable(program)} over ${printable(capture)}`,
    `  ${counted(packets.received, 'packet')}, ${counted(packets.bytes, 'byte')}, ${(durationNs / NS_PER_SEC).toFixed(3)} s of virtual time`,
    `  NIC ${nic.profile}, ${mode} mode, MTU ${nic.mtu}, ${counted(nic.queues, 'queue')}, ${counted(cpus, 'CPU')}, ${engine}, seed ${seed}`,
  ];
  if (packets.cut_by_snaplen > 0) {
    const are = packets.cut_by_snaplen === 1 ? 'packet is' : 'packets are';
    lines.push(`  note: ${grouped(packets.cut_by_snaplen)} ${are} cut in the capture (tcpdump -s); the program saw only what is there`);
  }
  if (missed.length > 0) lines.push(`  note: ${missed.join(', ')} found nothing, as there is no network; describe one with --network (docs/network.md)`);
  return lines;
}

/** The same fault at the same instruction is told once. */
function faults({ faults: kept, fault_count: count }: RunReport): string[] {
  if (count === 0) return [];
  const kinds = new Map<string, FaultReport[]>();
  for (const fault of kept) {
    const kind = `${fault.program} ${fault.insn} ${fault.name}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), fault]);
  }
  const lines = [...kinds.values()].flatMap(([first, ...others]) => [
    `  packet ${first.packet}: ${printable(first.message)}`,
    ...(others.length === 0 ? [] : [`    likewise ${others.length === 1 ? 'packet' : 'packets'} ${shortList(others.map(({ packet }) => packet))}`]),
  ]);
  if (count > kept.length) lines.push(`  and ${counted(count - kept.length, 'more packet')}; only the first ${kept.length} faults are kept`);
  if (kept.some(({ name }) => name === 'instruction-budget')) lines.push('  note: --budget lets a packet cost more instructions; a loop without end needs mending');
  if (kept.some(({ name }) => name !== 'instruction-budget')) lines.push('  The kernel would refuse to load this program.');
  return [`FAULTS at ${counted(count, 'packet')}`, ...lines];
}

function shortList(numbers: readonly number[]): string {
  return `${numbers.slice(0, SHOWN_NUMBERS).join(', ')}${numbers.length > SHOWN_NUMBERS ? ` and ${numbers.length - SHOWN_NUMBERS} more` : ''}`;
}

/** Shares are of the packets that the program ran on, faults included. */
function verdicts({ verdicts: counts, outcomes: ends, packets }: RunReport): string[] {
  const ranOn = Object.values(counts).reduce((sum, count) => sum + count, ends.program_fault);
  const rows = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => [name, count, `${((100 * count) / ranOn).toFixed(1).padStart(5)} %`]);
  const title = ranOn === packets.received ? 'Verdicts' : `Verdicts (the program ran on ${grouped(ranOn)} of ${counted(packets.received, 'packet')})`;
  return rows.length === 0 ? [] : [title, ...textTable(rows)];
}

/** What is lost without the program having said so stands apart. */
function outcomes(report: RunReport): string[] {
  const { outcomes: counts, nic } = report;
  const found = OUTCOMES.filter(({ name }) => counts[name] > 0);
  const isWanted = ({ code, delivered }: (typeof found)[number]): boolean => delivered || code === Outcome.xdpDrop;
  const row = ({ name, text }: (typeof found)[number], mark: string): (string | number)[] => [`${mark}${name}`, counts[name], text];
  const lost = found.filter((outcome) => !isWanted(outcome));
  const mark = lost.length === 0 ? '' : '  ';
  const rows = [...found.filter(isWanted).map((outcome) => row(outcome, mark)), ...lost.map((outcome) => row(outcome, '! '))];
  const lines = rows.length === 0 ? [] : ['Where the packets ended', ...textTable(rows)];
  if (counts.rx_over_length > 0) lines.push(...overLengthNotes(report));
  if (counts.rx_missed > 0) lines.push(missedNote(report));
  if (counts.tx_ring_full > 0) lines.push(`  note: TX rings have ${nic.tx_ring} descriptors; --tx-ring gives them more`);
  return lines;
}

/** In zero-copy mode the descriptors of a queue wait for chunks, and more of them do not help. */
function missedNote({ nic, xsk, xsk_findings: findings }: RunReport): string {
  const isStarved = findings.some(({ code, socket }) => code === 'fill-starvation' && xsk.some((each) => each.socket === socket && each.mode === 'zero-copy'));
  return isStarved
    ? '  note: in zero-copy mode a queue receives into chunks of FILL alone, and had none (fill-starvation, below)'
    : `  note: RX rings have ${nic.rx_ring} descriptors; --rx-ring gives them more`;
}

/** Which MTU would let the longest frame in; what to do when none would. */
function overLengthNotes({ nic, packets, frags }: RunReport): string[] {
  const longest = packets.longest_over_length;
  const profile = findProfile(nic.profile);
  if (profile === undefined) throw new Error(`runText: no NIC profile ${nic.profile}`);
  const found = `  note: the MTU is ${nic.mtu}, and the longest frame had ${grouped(longest)} bytes`;
  if (longest > maxFrameBytes(profile.mtu.max)) {
    return [
      `${found}, more than any MTU of this NIC allows (at most ${profile.mtu.max}):`,
      '    offloads merged frames before they were captured; capture again after',
      '    ethtool -K IF tso off gso off gro off, at both ends',
    ];
  }
  const mtuMaxOneBuffer = profile.xdp.mtuMaxLinear;
  const needsFrags = longest > maxFrameBytes(mtuMaxOneBuffer) && !frags;
  // The MTU that a person would set leaves VLAN tags out, as long as there is room for them.
  const mtu = Math.min(longest - ETH_HLEN, frags || needsFrags ? profile.mtu.max : mtuMaxOneBuffer);
  return [`${found}; --mtu ${mtu} lets it in${needsFrags ? `, but above ${mtuMaxOneBuffer} the program must be in SEC("xdp.frags")` : ''}`];
}

/** What the program decided on each queue, as the driver counts it. */
function queues({ rings: all, counters }: RunReport): string[] {
  const rows = all
    .map(({ queue }) => ['packets', 'xdp_pass', 'xdp_drop', 'xdp_tx', 'xdp_redirect', 'xdp_exceptions'].map((name) => counters[`rx_queue_${queue}_${name}`]))
    .map((counts, queue) => [queue, ...counts])
    .filter(([, packets]) => packets > 0);
  return rows.length === 0 ? [] : ['Queues', ...textTable([['queue', 'rx', 'pass', 'drop', 'tx', 'redirect', 'exceptions'], ...rows])];
}

/** What was made to go wrong, and how often it did. */
function nicFaults({ nic_faults: found }: RunReport): string[] {
  if (found === undefined) return [];
  const rows = FAULT_KINDS.filter(({ kind }) => found.injected[kind] !== undefined).map(({ kind, text }) => [kind, found.injected[kind], text]);
  return rows.length === 0 ? [] : ['Faults of the NIC', ...textTable(rows)];
}

function rings({ rings: all, nic, counters }: RunReport): string[] {
  const used = all.filter(({ queue, tx }) => counters[`rx_queue_${queue}_packets`] + tx.sent > 0);
  if (used.length === 0) return [];
  const rows = used.map(({ queue, rx, tx, interrupts, polls }) => [queue, interrupts, polls, rx.alloc_failed, tx.sent, tx.full]);
  const title = `Rings (each queue: RX ${grouped(nic.rx_ring)} and TX ${grouped(nic.tx_ring)} descriptors)`;
  return [title, ...textTable([['queue', 'interrupts', 'polls', 'rx_no_page', 'tx_sent', 'tx_full'], ...rows])];
}

function sockets({ xsk, maps }: RunReport): string[] {
  const notes = Object.entries(maps)
    .filter(([, map]) => map.type === 'XSKMAP' && map.max_entries < xsk.length)
    .map(([name, map]) => `  note: map ${printable(name)} has ${counted(map.max_entries, 'slot')} for ${xsk.length} sockets; raise max_entries, or use fewer --queues`);
  return [...socketSection(xsk), ...notes];
}

function pool({ pool: stats }: RunReport): string[] {
  const list = (counts: Readonly<Record<string, number>>): string => Object.entries(counts).map(([name, count]) => `${name} ${grouped(count)}`).join(', ');
  return [
    'page_pool',
    ...textTable([
      ['alloc', list({ fast: stats.alloc_fast, refill: stats.alloc_refill, slow: stats.alloc_slow, empty: stats.alloc_empty })],
      ['recycle', list({ cached: stats.recycle_cached, ring: stats.recycle_ring, 'cache full': stats.recycle_cache_full, 'ring full': stats.recycle_ring_full })],
      ['pages', `${grouped(stats.hold)} taken, ${grouped(stats.release)} given back`],
    ]),
  ];
}

function variables({ variables: values, variables_omitted: omitted }: RunReport): string[] {
  const shown = Object.entries(values).filter(([name]) => !PRINTK_FORMAT.test(name) && !DISPATCHER_VARIABLES.includes(name));
  const rows = shown.map(([name, value]) => [printable(name), '=', shortText(value)]);
  if (rows.length + omitted === 0) return [];
  return ['Variables', ...textTable(rows), ...(omitted > 0 ? [`  and ${grouped(omitted)} more that are too large to show`] : [])];
}

function log({ log: lines, log_lines: count }: RunReport): string[] {
  if (count === 0) return [];
  const rows = lines.slice(0, SHOWN_LINES).map((line) => `  ${(line.t_ns / NS_PER_SEC).toFixed(9)} [${String(line.cpu).padStart(3, '0')}] ${printable(line.text)}`);
  const rest = count > SHOWN_LINES ? [`  and ${grouped(count - SHOWN_LINES)} more (--json shows ${count > lines.length ? `the first ${grouped(lines.length)}` : 'them'})`] : [];
  return [`Log (${counted(count, 'line')}: seconds since boot, CPU, text)`, ...rows, ...rest];
}

/** The checks of all sockets are one line when they passed. */
function auditSection({ audit }: RunReport): string[] {
  const ofSockets = audit.checks.filter(({ name }) => SOCKET_CHECK.test(name));
  const isTogether = ofSockets.length > 1 && ofSockets.every(({ ok }) => ok);
  const rows = audit.checks.filter((check) => !isTogether || !ofSockets.includes(check)).map(({ ok, name, detail }) => [ok ? 'ok' : 'FAILED', name, detail]);
  if (isTogether) {
    const owners = Object.entries(audit.chunks).map(([owner, count]) => `${owner} ${grouped(count)}`);
    rows.push(['ok', `chunks of ${ofSockets.length} sockets`, `all accounted for: ${owners.join(', ')}`]);
  }
  return [`Audit: ${audit.ok ? 'everything is accounted for' : 'FAILED'}`, ...textTable(rows)];
}
