import type { ChecksumReport } from './checksumWatcher.js';
import { counted, grouped, printable, textTable } from './textTable.js';

/** Wrong checksums that the text shows. */
const SHOWN_WRONG = 10;

/** What `--verify-checksums` found, as a section of the text; none without it. */
export function checksumSection(report: ChecksumReport | undefined): string[] {
  if (report === undefined) return [];
  const { packets, valid, absent, unverifiable, wrong_on_arrival: onArrival, wrong_count: count, wrong } = report;
  const rows: (string | number)[][] = [['right', valid]];
  if (absent > 0) rows.push(['absent', absent, 'UDP over IPv4 without a checksum']);
  if (unverifiable > 0) rows.push(['unknown', unverifiable, 'fragments, and packets that are cut']);
  if (onArrival > 0) rows.push(['wrong before', onArrival, 'of packets that arrived with a wrong one: captured where they were sent, before the NIC had put it in?']);
  if (count > 0) rows.push(['! wrong', count]);
  const lines = wrong.slice(0, SHOWN_WRONG).map(
    ({ packet, outcome, field, at, found, expected }) => `  packet ${packet} (${outcome}): ${printable(field)} at byte ${at} is ${found}, should be ${expected}`,
  );
  if (count > lines.length) lines.push(`  and ${grouped(count - lines.length)} more${wrong.length > lines.length ? ` (--json shows ${count > wrong.length ? `the first ${wrong.length}` : 'them'})` : ''}`);
  return [`Checksums of ${counted(packets, 'packet')} that went on`, ...textTable(rows), ...lines];
}
