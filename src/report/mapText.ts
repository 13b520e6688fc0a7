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
  if (empty.length > 0) sections.push(['Maps without contents', ...textTable(empty.map(([name, map]) => [printable(name), map.type, emptiness(map)]))]);
  return sections;
}

function emptiness({ type, max_entries: size, entries_zero: zero, entries_omitted: omitted }: MapReport): string {
  // What goes through these is an event, not an entry.
  if (type.endsWith('RINGBUF')) return counted(size, 'byte');
  if (type === 'PERF_EVENT_ARRAY') return counted(size, 'slot');
  return `${grouped(size)} entries, ${use(zero, omitted)}`;
}

function use(zero: number, omitted: number): string {
  if (omitted > 0) return `${grouped(omitted)} too large to show`;
  return zero > 0 ? 'all zero' : 'none in use';
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
  return [title, ...textTable(rows), ...moreLines(map)];
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
  const fill = `${grouped(entries.length + omitted)} of ${grouped(size)}`;
  switch (type) {
    case 'ARRAY':
    case 'PERCPU_ARRAY': return `${fill} not zero`;
    case 'PROG_ARRAY':
    case 'ARRAY_OF_MAPS':
    case 'DEVMAP':
    case 'CPUMAP':
    case 'XSKMAP': return `${fill} slots filled`;
    default: return `${fill} entries`;
  }
}

function moreLines({ entries, entries_omitted: omitted }: MapReport): string[] {
  const more = entries.length + omitted - Math.min(entries.length, SHOWN_LINES);
  if (more === 0) return [];
  return [`  and ${counted(more, 'more entry', 'more entries')} (--json shows ${omitted > 0 ? `the first ${grouped(entries.length)}` : 'them'})`];
}

function keyText({ key }: MapReportEntry): string {
  return shortText(key);
}

/** True for a value in which nothing is set. */
function isZero(value: JsonValue): boolean {
  if (value === null || typeof value !== 'object') return value === 0 || value === false || value === '' || value === '0.0.0.0' || value === '0x0';
  return Object.values(value).every(isZero);
}
