import { timeText } from '../umem/index.js';
import { counted, grouped, printable, textTable } from './textTable.js';
import type { RingEntryReport, RingsAtReport, RingStateReport, SocketRingsReport, XskFindingReport, XskReport, XskRingReport } from './xskReport.js';

/** Entries of a ring, and findings, that the text shows. */
const SHOWN_ENTRIES = 16;
const SHOWN_FINDINGS = 20;

/** How the sockets of a NIC are bound, and what they counted; empty without sockets. */
export function socketSection(sockets: readonly XskReport[], where = ''): string[] {
  if (sockets.length === 0) return [];
  const use = ({ used, size }: XskRingReport): string => `${used}/${size}`;
  const header = ['socket', 'queue', 'rx', 'tx', 'rx_dropped', 'rx_full', 'fill_empty', 'tx_invalid', 'FILL', 'RX', 'TX', 'COMPLETION'];
  const rows = sockets.map(({ socket, queue, rx_packets: rx, tx_packets: tx, rx_dropped: dropped, rx_ring_full: full, rx_fill_ring_empty_descs: empty, tx_invalid_descs: invalid, rings }) => [
    socket, queue, rx, tx, dropped, full, empty, invalid, use(rings.fill), use(rings.rx), use(rings.tx), use(rings.completion),
  ]);
  return [`AF_XDP sockets${where} (${sockets[0]!.application}; rings as the run left them)`, ...bindingLines(sockets), ...textTable([header, ...rows])];
}

/** One line for all of them, as they are mostly bound alike. */
function bindingLines(sockets: readonly XskReport[]): string[] {
  const bound = sockets.map(({ socket, mode, need_wakeup: needWakeup, frames, frame_size: bytes }) => ({ socket, text: `${mode}, need_wakeup ${needWakeup ? 'on' : 'off'}, ${counted(frames, 'frame')} of ${grouped(bytes)} bytes` }));
  const texts = [...new Set(bound.map(({ text }) => text))];
  return texts.map((text) => {
    const alike = bound.filter((each) => each.text === text);
    return `  bound${texts.length === 1 ? '' : ` (${alike.map(({ socket }) => socket).join(', ')})`}: ${text}${alike.length === 1 ? '' : ' each'}`;
  });
}

/** What AF_XDP applications did wrong or left undone; empty when there is nothing to tell. What all sockets do alike is mended once. */
export function findingsSection(findings: readonly XskFindingReport[], where = ''): string[] {
  if (findings.length === 0) return [];
  const ordered = [...findings.filter(({ severity }) => severity === 'mistake'), ...findings.filter(({ severity }) => severity !== 'mistake')].slice(0, SHOWN_FINDINGS);
  const kindOf = ({ code, hint }: XskFindingReport): string => `${code} ${hint}`;
  const kinds = [...new Set(ordered.map(kindOf))].map((kind) => ordered.filter((finding) => kindOf(finding) === kind));
  const lines = kinds.flatMap((group) => [...group.flatMap(findingLines), `    to mend it: ${printable(group[0]!.hint)}`]);
  if (findings.length > SHOWN_FINDINGS) lines.push(`  and ${grouped(findings.length - SHOWN_FINDINGS)} more (--json shows them)`);
  return [`What the AF_XDP applications did wrong or left undone${where} (docs/af-xdp.md)`, ...lines];
}

function findingLines({ code, severity, socket, count, message, history }: XskFindingReport): string[] {
  const line = `  ${severity === 'mistake' ? 'MISTAKE' : 'warning'} ${code}, socket ${socket}${count === 1 ? '' : `, ${grouped(count)} times`}: ${printable(message)}`;
  return history === '' ? [line] : [line, `    ${printable(history)}`];
}

/** The rings of all sockets at the moments that were asked for, a section each. */
export function ringSections(moments: readonly RingsAtReport[]): string[][] {
  return moments.map(({ at, t_ns: tNs, note, sockets }) => [`AF_XDP rings at ${at} (as of ${timeText(tNs)})`, ...(note === '' ? [] : [`  ${note}`]), ...sockets.flatMap(socketLines)]);
}

function socketLines({ host, nic, socket, queue, state, mode, rings, chunks, kernel_free: free, kernel_in_flight: inFlight }: SocketRingsReport): string[] {
  const owners = Object.entries(chunks).map(([owner, count]) => `${owner} ${grouped(count)}`);
  const held = free + inFlight === 0 ? '' : ` (kernel: ${grouped(free)} unused, ${grouped(inFlight)} on their way out)`;
  return [
    `  ${host === undefined ? '' : `${host}.${nic ?? ''}, `}socket ${socket}, queue ${queue}, ${state}, ${mode}; chunks: ${owners.length === 0 ? 'no UMEM' : owners.join(', ')}${held}`,
    ...rings.flatMap((ring) => ringLines(ring)),
  ];
}

function ringLines({ ring, size, producer, consumer, cached_producer: cachedProducer, cached_consumer: cachedConsumer, used, flags, entries, entries_omitted: omitted }: RingStateReport): string[] {
  const state = used > size ? `indices that make no sense (${grouped(used)} of ${grouped(size)})` : `${grouped(used)} of ${grouped(size)}`;
  const head = `    ${ring}: ${state}, producer ${producer}, consumer ${consumer}; the kernel knows ${cachedProducer} and ${cachedConsumer}${flags.length === 0 ? '' : `; ${flags.join(', ')}`}`;
  const shown = entries.slice(0, SHOWN_ENTRIES);
  const rest = entries.length - shown.length + omitted;
  return [head, ...textTable(shown.map(entryRow)).map((line) => `    ${line}`), ...(rest === 0 ? [] : [`      and ${grouped(rest)} more`])];
}

function entryRow({ index, slot, address, len, options = [], chunk, owner, packet, note }: RingEntryReport): string[] {
  return [
    `[${slot}]`,
    `index ${index}`,
    `address ${address}`,
    ...(len === undefined ? [] : [[`${grouped(len)} bytes`, ...options].join(' ')]),
    chunk < 0 ? 'no chunk' : `chunk ${chunk}`,
    [owner, ...(packet === 0 ? [] : [`packet ${packet}`]), ...(note === '' ? [] : [note])].join(', '),
  ];
}
