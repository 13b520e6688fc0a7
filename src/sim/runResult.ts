import type { XskFinding } from '../umem/index.js';
import type { Fault } from '../vm/index.js';
import type { AuditReport } from './audit.js';
import type { EventCount, ProgramEvent } from './programEvents.js';
import type { TraceRecord } from './traceLog.js';

export interface LogLine {
  readonly tNs: number;
  readonly cpu: number;
  readonly text: string;
}

export interface FaultRecord {
  /** NO_PACKET when it was the callback of a timer. */
  readonly packetId: number;
  readonly fault: Fault;
}

/** What a run found on one host. */
export interface RunResult {
  readonly packetsReceived: number;
  readonly bytesReceived: number;
  readonly cutPackets: number;
  /** Virtual time from the first to the last event, ns. */
  readonly durationNs: number;
  /** Packets by outcome; the index is the code of OUTCOMES. */
  readonly outcomes: Float64Array;
  readonly applicationFrames: number;
  readonly log: readonly LogLine[];
  readonly logLineCount: number;
  /** The first of what programs sent to user space; `eventCounts` counts all of it, by map. */
  readonly events: readonly ProgramEvent[];
  readonly eventCounts: readonly EventCount[];
  /** The first hits of tracepoints of XDP; `traceCounts` counts all, by index in TRACEPOINTS. */
  readonly traces: readonly TraceRecord[];
  readonly traceCounts: Float64Array;
  readonly faults: readonly FaultRecord[];
  readonly faultCount: number;
  /** What AF_XDP applications did wrong or left undone. */
  readonly xskFindings: readonly XskFinding[];
  readonly audit: AuditReport;
}
