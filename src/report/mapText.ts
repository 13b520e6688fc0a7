import type { JsonValue } from '../vm/index.js';
import type { MapReport, MapReportEntry } from './mapReport.js';
import { counted, grouped, printable, textTable } from './textTable.js';
import { shortText } from './valueText.js';

/** Lines of a list (map entries, log) that the text shows; the JSON has more. */
export const SHOWN_LINES = 20;

/** The maps that hold something, a section each, and one section that names the others. A section's first line is its title. */
export function mapSections(maps: Readonly<Record<string, MapReport>>): string[][] {
  const filled = Object.entries(maps).filter(([, map]) => map.entries.length > 0);
  const empty = Object.entries(maps).filter(([, map]) => map.entries.length === 0);
  const sections = filled.map(([name, map]) => mapSection(name, map));
  if (empty.length > 0) sections.push(['Maps without contents', ...textTable(empty.map(([name, map]) => [printable(name), map.type, `${grouped(map.max_entries)} entries, ${emptiness(map)}`]))]);
  return sections;
}

function emptiness({ type, entries_omitted: omitted }: MapReport): string {
  if (type.endsWith('ARRAY') && omitted > 0) return 'all zero';
  return omitted > 0 ? 'too large to show' : 'none in use';
}

function mapSection(name: string, map: MapReport): string[] {
  const { entries } = map;
  const shown = entries.slice(0, SHOWN_LINES);
  const cpuCount = entries[0].values?.length ?? 0;
  const cpuLines = shown.flatMap(({ values }) => values ?? []).filter((value) => !isZero(value)).length;
  // With many CPUs their sums say more than a screen full of shares.
  const isSumOnly = cpuCount > 0 && entries[0].sum !== undefined && shown.length + cpuLines > SHOWN_LINES;
  const rows = shown.flatMap((entry) => (entry.values === undefined ? [[keyText(entry), '=', shortText(entry.value ?? null)]] : perCpuRows(entry, entry.values, isSumOnly)));
  const title = `Map ${printable(name)} (${map.type}, ${fillOf(map)}${isSumOnly ? `; sums of ${cpuCount} CPUs, --json has each` : ''})`;
  return [title, ...textTable(rows), ...moreLines(entries.length, map.entries_omitted, map)];
}

/** The sum, and below it what each CPU that has anything gave to it. */
function perCpuRows(entry: MapReportEntry, values: readonly JsonValue[], isSumOnly: boolean): string[][] {
  const rows = [[keyText(entry), '=', entry.sum === undefined ? '' : shortText(entry.sum)]];
  if (!isSumOnly) {
    values.forEach((value, cpu) => {
      if (!isZero(value)) rows.push([`  CPU ${cpu}`, ':', shortText(value)]);
    });
  }
  return rows;
}

/** How full the map is. */
function fillOf({ type, entries, entries_omitted: omitted, max_entries: size }: MapReport): string {
  switch (type) {
    case 'ARRAY':
    case 'PERCPU_ARRAY': return `${grouped(entries.length)} of ${grouped(size)} not zero`;
    case 'PROG_ARRAY':
    case 'XSKMAP': return `${grouped(entries.length + omitted)} of ${grouped(size)} slots filled`;
    default: return `${grouped(entries.length + omitted)} of ${grouped(size)} entries`;
  }
}

function moreLines(kept: number, omitted: number, { type }: MapReport): string[] {
  if (kept <= SHOWN_LINES) return [];
  const isCut = omitted > 0 && !type.endsWith('ARRAY');
  return [`  and ${counted(kept - SHOWN_LINES, 'more entry', 'more entries')} (--json shows ${isCut ? `${grouped(kept)} in all` : 'them'})`];
}

function keyText({ key }: MapReportEntry): string {
  return shortText(key);
}

/** True for a value in which nothing is set. */
function isZero(value: JsonValue): boolean {
  if (value === null || typeof value !== 'object') return value === 0 || value === false || value === '' || value === '0.0.0.0' || value === '0x0';
  return Object.values(value).every(isZero);
}
