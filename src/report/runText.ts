import type { JsonValue } from '../vm/index.js';
import { OUTCOMES } from '../xdp/index.js';
import type { MapReport } from './mapReport.js';
import type { RunReport } from './runReport.js';
import { counted, textTable } from './textTable.js';

/** Lines of a list (map entries, log) that the text shows; the JSON has more. */
const SHOWN_LINES = 20;

const NS_PER_SEC = 1e9;

/** How headings are set off: bold on a terminal, plain elsewhere. */
export type Heading = (text: string) => string;

/** The report as a person reads it. Sections that have nothing to tell are left out. */
export function runText(report: RunReport, heading: Heading): string {
  const sections: string[][] = [
    intro(report),
    verdicts(report),
    outcomes(report),
    queues(report),
    sockets(report),
    pool(report),
    ...Object.entries(report.maps).map(([name, map]) => mapSection(name, map)),
    variables(report),
    log(report),
    faults(report),
    auditSection(report),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map(([title, ...lines]) => [heading(title), ...lines].join('\n'))
    .join('\n\n')
    .concat('\n');
}

function intro({ object, program, capture, nic, mode, engine, packets, duration_ns: durationNs }: RunReport): string[] {
  const lines = [
    `${object}: ${program} over ${capture}`,
    `  NIC ${nic.profile}, ${counted(nic.queues, 'queue')}, rings RX ${nic.rx_ring} TX ${nic.tx_ring}, MTU ${nic.mtu}, ${mode} mode, ${engine}`,
    `  ${counted(packets.received, 'packet')}, ${packets.bytes} bytes, ${(durationNs / NS_PER_SEC).toFixed(3)} s of virtual time`,
  ];
  if (packets.cut_by_snaplen > 0) {
    lines.push(`  note: the capture holds ${counted(packets.cut_by_snaplen, 'packet')} only in part (snap length); they ran as they are`);
  }
  return lines;
}

function verdicts({ verdicts: counts, packets }: RunReport): string[] {
  const rows = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => [name, count, `${((100 * count) / packets.received).toFixed(1)} %`]);
  return rows.length === 0 ? [] : ['Verdicts', ...textTable(rows)];
}

function outcomes({ outcomes: counts, nic }: RunReport): string[] {
  const rows = OUTCOMES.filter(({ name }) => counts[name] > 0).map(({ name, text }) => [name, counts[name], text]);
  const lines = rows.length === 0 ? [] : ['Where the packets ended', ...textTable(rows)];
  if (counts.rx_over_length > 0) lines.push(`  note: MTU is ${nic.mtu}; --mtu lets longer frames in`);
  return lines;
}

function queues({ rings, counters }: RunReport): string[] {
  const used = rings.filter(({ queue }) => counters[`rx_queue_${queue}_packets`] + counters[`tx_queue_${queue}_packets`] > 0);
  if (used.length === 0) return [];
  const rows = used.map(({ queue, interrupts, polls, tx }) => [
    queue,
    counters[`rx_queue_${queue}_packets`],
    counters[`rx_queue_${queue}_xdp_pass`],
    counters[`rx_queue_${queue}_xdp_drop`],
    counters[`rx_queue_${queue}_xdp_tx`],
    counters[`rx_queue_${queue}_xdp_redirect`],
    counters[`rx_queue_${queue}_xdp_exceptions`],
    tx.sent,
    interrupts,
    polls,
  ]);
  return ['Queues', ...textTable([['queue', 'rx', 'pass', 'drop', 'tx', 'redirect', 'exceptions', 'sent', 'interrupts', 'polls'], ...rows])];
}

function sockets({ xsk }: RunReport): string[] {
  if (xsk.length === 0) return [];
  const rows = xsk.map((socket) => [
    socket.socket, socket.queue, socket.rx_packets, socket.tx_packets, socket.rx_dropped, socket.rx_ring_full, socket.rx_fill_ring_empty_descs, socket.tx_invalid_descs,
  ]);
  return ['AF_XDP sockets', ...textTable([['socket', 'queue', 'rx', 'tx', 'rx_dropped', 'rx_ring_full', 'fill_empty', 'tx_invalid'], ...rows])];
}

function pool({ pool: stats }: RunReport): string[] {
  return [
    'page_pool',
    ...textTable([
      ['alloc', `fast ${stats.alloc_fast}, refill ${stats.alloc_refill}, slow ${stats.alloc_slow}, empty ${stats.alloc_empty}`],
      ['recycle', `cached ${stats.recycle_cached}, ring ${stats.recycle_ring}, cache full ${stats.recycle_cache_full}, ring full ${stats.recycle_ring_full}`],
      ['pages', `${stats.hold} taken, ${stats.release} given back`],
    ]),
  ];
}

function mapSection(name: string, map: MapReport): string[] {
  const total = map.entries.length + map.entries_omitted;
  const isArray = map.type.endsWith('ARRAY');
  const size = isArray ? `${counted(map.entries.length, 'entry').replace('entrys', 'entries')} not zero, of ${total}` : `${total} of ${map.max_entries}`;
  const rows = map.entries.slice(0, SHOWN_LINES).map(({ key, value, values }) => [
    showValue(key, map.key_type),
    '=',
    values === undefined ? showValue(value ?? null, map.value_type) : `${values.map((each) => showValue(each, map.value_type)).join(' | ')}${sumOf(values)}`,
  ]);
  return [`Map ${name} (${map.type}, ${size})`, ...textTable(rows), ...more(map.entries.length)];
}

/** The sum over the CPUs, where values are plain numbers. */
function sumOf(values: readonly JsonValue[]): string {
  if (values.length < 2 || !values.every((value) => typeof value === 'number')) return '';
  return `  (sum ${values.reduce((sum, value) => sum + value, 0)})`;
}

function variables({ variables: values }: RunReport): string[] {
  const rows = Object.entries(values).map(([name, value]) => [name, '=', showValue(value, '')]);
  return rows.length === 0 ? [] : ['Variables', ...textTable(rows)];
}

function log({ log: lines, log_lines: count }: RunReport): string[] {
  if (count === 0) return [];
  const rows = lines.slice(0, SHOWN_LINES).map((line) => `  ${(line.t_ns / NS_PER_SEC).toFixed(9)} [${String(line.cpu).padStart(3, '0')}] ${line.text}`);
  return [`Log (${counted(count, 'line')})`, ...rows, ...more(count)];
}

function faults({ faults: kept, fault_count: count }: RunReport): string[] {
  if (count === 0) return [];
  return [`Faults (${counted(count, 'packet')}; the kernel would refuse this program)`, ...kept.map(({ packet, message }) => `  packet ${packet}: ${message}`)];
}

function auditSection({ audit }: RunReport): string[] {
  const rows = audit.checks.map((check) => [check.ok ? 'ok' : 'FAILED', check.name, check.detail]);
  return [`Audit: ${audit.ok ? 'everything is accounted for' : 'FAILED'}`, ...textTable(rows)];
}

function more(count: number): string[] {
  return count > SHOWN_LINES ? [`  and ${count - SHOWN_LINES} more (--json shows them)`] : [];
}

/** A decoded value: addresses in dotted form, structs as `{a: 1, b: 2}`. */
function showValue(value: JsonValue, type: string): string {
  if (typeof value === 'number' && type === '__be32') return [0, 8, 16, 24].map((shift) => (value >>> shift) & 255).join('.');
  if (value === null || typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return `[${value.map((each) => showValue(each, '')).join(', ')}]`;
  return `{${Object.entries(value).map(([name, each]) => `${name}: ${showValue(each, '')}`).join(', ')}}`;
}
