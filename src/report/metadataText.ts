import type { MetadataReport } from './metadataWatcher.js';
import { counted, grouped, printable } from './textTable.js';

/** Packets whose metadata the text shows. */
const SHOWN_PACKETS = 10;

/** What `--meta` found, as a section of the text; none without it. */
export function metadataSection(report: MetadataReport | undefined): string[] {
  if (report === undefined) return [];
  const { contract, size, packets, without, broken_count: broken, broken: kept, first } = report;
  const lines = [`Metadata (struct ${printable(contract)}, ${counted(size, 'byte')}) of ${counted(packets, 'packet')}${without > 0 ? `; ${grouped(without)} without` : ''}`];
  for (const { packet, outcome, message } of kept.slice(0, SHOWN_PACKETS)) lines.push(`  ! packet ${packet} (${outcome}): ${message}`);
  if (broken > SHOWN_PACKETS) lines.push(`  ! and ${grouped(broken - SHOWN_PACKETS)} more`);
  for (const { packet, outcome, values } of first.slice(0, SHOWN_PACKETS)) {
    lines.push(`  packet ${packet} (${outcome}): ${Object.entries(values).map(([name, value]) => `${printable(name)} ${value}`).join(', ')}`);
  }
  if (packets > SHOWN_PACKETS) lines.push(`  and ${grouped(packets - SHOWN_PACKETS)} more${first.length > SHOWN_PACKETS ? ` (--json shows ${packets > first.length ? `the first ${first.length}` : 'them'})` : ''}`);
  return lines;
}
