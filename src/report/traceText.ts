import { traceLine, TRACEPOINTS } from '../xdp/index.js';
import { SHOWN_LINES } from './mapText.js';
import { counted, textTable } from './textTable.js';
import type { TraceReport, TracesReport } from './traceReport.js';

const NS_PER_SEC = 1e9;

/** How often each tracepoint was hit, and those that tell of something that failed, in the lines of trace_pipe. The first line is the title. */
export function traceSection({ tracepoints, tracepoint_counts: counts }: TracesReport): string[] {
  const names = Object.keys(counts);
  if (names.length === 0) return [];
  const failed = tracepoints.filter(isFailure);
  const more = failed.length - SHOWN_LINES;
  return [
    `Tracepoints${failed.length === 0 ? '' : ' (of failures: seconds since boot, CPU, line of trace_pipe)'}`,
    ...textTable(names.map((name) => [name, counts[name]])),
    ...failed.slice(0, SHOWN_LINES).map((trace) => `  ${pipeLine(trace)}`),
    ...(more > 0 ? [`  and ${counted(more, 'more failure')} (--json shows all)`] : []),
  ];
}

/** A packet came to nothing, or some of a bulk did. */
function isFailure({ name, fields }: TraceReport): boolean {
  return name === 'xdp_exception' || name === 'xdp_redirect_err' || fields['drops'] > 0 || fields['xdp_drop'] > 0;
}

/** As trace_pipe prints it, with seconds and CPU before. */
export function pipeLine({ name, t_ns: tNs, cpu, fields }: TraceReport): string {
  const index = TRACEPOINTS.findIndex((tracepoint) => tracepoint.name === name);
  const text = traceLine(index, TRACEPOINTS[index].fields.map((field) => fields[field]));
  return `${(tNs / NS_PER_SEC).toFixed(9)} [${String(cpu).padStart(3, '0')}] ${text}`;
}
