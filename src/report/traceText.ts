import { traceLine, TRACEPOINTS } from '../xdp/index.js';
import { SHOWN_LINES } from './mapText.js';
import { counted, grouped } from './textTable.js';
import type { TraceReport, TracesReport } from './traceReport.js';

const NS_PER_SEC = 1e9;

/** What was traced, in the lines of trace_pipe. The first line is the title. */
export function traceSection({ tracepoints, tracepoint_counts: counts }: TracesReport): string[] {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (total === 0) return [];
  const kinds = Object.entries(counts).map(([name, count]) => `${name} ${grouped(count)}`).join(', ');
  const rows = tracepoints.slice(0, SHOWN_LINES).map((trace) => `  ${line(trace)}`);
  const more = total - rows.length;
  const shown = tracepoints.length === total ? 'them' : `the first ${grouped(tracepoints.length)}`;
  return [`Tracepoints (${kinds}: seconds, CPU, line of trace_pipe)`, ...rows, ...(more > 0 ? [`  and ${counted(more, 'more hit')} (--json shows ${shown})`] : [])];
}

function line({ name, t_ns: tNs, cpu, fields }: TraceReport): string {
  const index = TRACEPOINTS.findIndex((tracepoint) => tracepoint.name === name);
  const text = traceLine(index, TRACEPOINTS[index].fields.map((field) => fields[field]));
  return `${(tNs / NS_PER_SEC).toFixed(9)} [${String(cpu).padStart(3, '0')}] ${text}`;
}
