import type { NetDifference, NetReport } from './netReport.js';

/** The report for a person, ending with a line break. */
export function netText(report: NetReport): string {
  const { object, program, mode, mtu, kernel, capture, packets, ends, program_runs: runs, counters, excluded } = report;
  const rows: (readonly [string, number, number | null])[] = [
    ['to the stack', ends.simulator.stack, ends.kernel.stack],
    ['back on the wire', ends.simulator.wire, ends.kernel.wire],
    ['dropped', ends.simulator.dropped, ends.kernel.dropped],
    ['program runs', runs.simulator, runs.kernel],
    ['tracepoints compared', report.tracepoints, report.tracepoints],
    ...counters.map(({ name, simulator, kernel: counted }) => [name, simulator, counted] as const),
  ];
  const lines = [
    `${object}, program ${program}, over a veth pair: ${mode}, MTU ${mtu}, kernel ${kernel}`,
    `${capture}: ${packets.sent} packets sent${unsent('too short', packets.too_short)}${unsent('too long for this MTU', packets.too_long)}`,
    ...(packets.unseen === 0 ? [] : [`${packets.unseen} of them with a cut VLAN tag, which no socket can see arrive`]),
    '',
    ...table([['', 'simulator', 'kernel'], ...rows.map((row) => row.map((cell) => String(cell ?? '-')))]),
    '',
    ...excluded.map((part) => `not judged: ${part}`),
    ...differenceLines(report),
  ];
  return `${printable(lines.join('\n'))}\n`;
}

function unsent(why: string, count: number): string {
  return count === 0 ? '' : `, ${count} left out as ${why}`;
}

function differenceLines({ differences, difference_count: count, by_nature: byNature }: NetReport): string[] {
  if (count === 0) return ['no differences: each packet ended on the same side with the same bytes and hit the same tracepoints; maps, variables and counters are equal'];
  const more = count - differences.length;
  return [
    `${count} difference${count === 1 ? '' : 's'}:`,
    ...differences.map(differenceLine),
    ...(more > 0 ? [`  and ${more} more`] : []),
    ...byNature.map((note) => `may differ by nature: ${note}`),
  ];
}

function differenceLine({ packet, part, simulator, kernel }: NetDifference): string {
  return `  ${packet === undefined ? '' : `packet ${packet}, `}${part}: simulator ${simulator}, kernel ${kernel}`;
}

/** First column to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ')}`);
}

/** Names come from files, and a terminal obeys control characters. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '?');
}
