import type { RunResult } from '../sim/index.js';
import { TRACEPOINTS } from '../xdp/index.js';

/** One hit of a tracepoint of XDP. */
export interface TraceReport {
  readonly name: string;
  /** Number of the packet in the capture, from 1; 0 for a tracepoint that tells of a bulk of packets. */
  readonly packet: number;
  readonly t_ns: number;
  readonly cpu: number;
  /** The members of the kernel's record, in their order. */
  readonly fields: Readonly<Record<string, number>>;
}

/** The tracepoints of XDP that were hit. */
export interface TracesReport {
  readonly tracepoints: readonly TraceReport[];
  /** All hits, by tracepoint; those that nothing hit are left out. */
  readonly tracepoint_counts: Readonly<Record<string, number>>;
}

export function tracesReport({ traces, traceCounts }: RunResult): TracesReport {
  return {
    tracepoints: traces.map(({ tracepoint, packetId, tNs, cpu, fields }) => {
      const { name, fields: names } = TRACEPOINTS[tracepoint];
      return { name, packet: packetId, t_ns: tNs, cpu, fields: Object.fromEntries(names.map((field, i) => [field, fields[i]])) };
    }),
    tracepoint_counts: Object.fromEntries(TRACEPOINTS.flatMap(({ name }, i) => (traceCounts[i] > 0 ? [[name, traceCounts[i]]] : []))),
  };
}
