import type { EventCountReport, EventReport, EventsReport } from './eventReport.js';
import { SHOWN_LINES } from './mapText.js';
import { counted, grouped, printable } from './textTable.js';
import { shortText } from './valueText.js';

const NS_PER_SEC = 1e9;

/** A section for each map that something went through. A section's first line is its title. */
export function eventSections({ events, event_counts: counts }: EventsReport): string[][] {
  return Object.entries(counts).map(([map, count]) => eventSection(map, count, events.filter((event) => event.map === map)));
}

function eventSection(map: string, { type, count, bytes }: EventCountReport, kept: readonly EventReport[]): string[] {
  const isAyaLog = kept.some(({ aya }) => aya !== undefined);
  const what = isAyaLog ? 'seconds since boot, CPU, level, target, text' : 'packet, seconds since boot, CPU, content';
  const title = isAyaLog
    ? `aya-log (${counted(count, 'line')} through ${printable(map)}: ${what})`
    : `Events of ${printable(map)} (${type}, ${counted(count, 'event')}, ${counted(bytes, 'byte')}: ${what})`;
  const rows = kept.slice(0, SHOWN_LINES).map((event) => `  ${isAyaLog ? ayaLine(event) : eventLine(event)}`);
  const more = count - rows.length;
  const shown = kept.length === count ? 'them' : `the first ${grouped(kept.length)}`;
  return [title, ...rows, ...(more > 0 ? [`  and ${grouped(more)} more (--json shows ${shown})`] : [])];
}

function stamp({ t_ns: tNs, cpu }: EventReport): string {
  return `${(tNs / NS_PER_SEC).toFixed(9)} [${String(cpu).padStart(3, '0')}]`;
}

function eventLine(event: EventReport): string {
  const content = event.value === undefined ? shortText(event.bytes) : shortText(event.value);
  const rest = event.rest === undefined ? '' : ` + ${shortText(event.rest)}`;
  return `packet ${event.packet}  ${stamp(event)} ${content}${rest}`;
}

/** As env_logger writes it, and the place behind. */
function ayaLine(event: EventReport): string {
  if (event.aya === undefined) return `${stamp(event)} no record of aya-log: ${shortText(event.bytes)}`;
  const { level, target, message, file, line } = event.aya;
  return `${stamp(event)} ${level.padEnd(5)} ${printable(target)}: ${printable(message)} (${printable(file)}:${line})`;
}
