import {
  TRACE_BULK_TX, TRACE_CPUMAP_ENQUEUE, TRACE_CPUMAP_KTHREAD, TRACE_DEVMAP_XMIT, TRACE_EXCEPTION, TRACE_REDIRECT, TRACE_REDIRECT_ERR, TRACEPOINTS, XDP_REDIRECT, XDP_TX,
} from '../xdp/index.js';
import type { XdpTracer } from '../xdp/index.js';
import { NO_PACKET } from './packetWatcher.js';
import type { PacketWatcher } from './packetWatcher.js';

/** Records that are kept; more are only counted. */
const KEPT_RECORDS = 10_000;

/** A tracepoint was hit. */
export interface TraceRecord {
  /** Index in TRACEPOINTS. */
  readonly tracepoint: number;
  readonly tNs: number;
  readonly cpu: number;
  /** Number of the packet in the capture, from 1; NO_PACKET where a bulk of them is told of. */
  readonly packetId: number;
  /** Values in the order of the tracepoint's `fields`. */
  readonly fields: readonly number[];
}

/** Where a host stands: what is asked when a tracepoint is hit. */
export interface TraceMoment {
  readonly tNs: number;
  readonly cpu: number;
  /** The packet that is worked on, NO_PACKET for none. */
  readonly packetId: number;
}

/** Listens to all tracepoints of XDP: counts, and keeps the first records. */
export class TraceLog implements XdpTracer {
  /** How often each was hit, by index in TRACEPOINTS. */
  readonly counts = new Float64Array(TRACEPOINTS.length);
  readonly #kept: TraceRecord[] = [];
  readonly #moment: TraceMoment;
  readonly #audience: { readonly watcher: PacketWatcher };

  /** @param audience whose present watcher hears every record, also those that are only counted */
  constructor(moment: TraceMoment, audience: { readonly watcher: PacketWatcher } = { watcher: {} }) {
    this.#moment = moment;
    this.#audience = audience;
  }

  get kept(): readonly TraceRecord[] {
    return this.#kept;
  }

  xdpException(ifindex: number, progId: number, act: number): void {
    if (this.#hit(TRACE_EXCEPTION)) this.#add(TRACE_EXCEPTION, this.#moment.packetId, [progId, act, ifindex]);
  }

  xdpBulkTx(ifindex: number, sent: number, drops: number, err: number): void {
    if (this.#hit(TRACE_BULK_TX)) this.#add(TRACE_BULK_TX, NO_PACKET, [ifindex, XDP_TX, drops, sent, err]);
  }

  xdpRedirect(ifindex: number, progId: number, err: number, toIfindex: number, mapId: number, mapIndex: number): void {
    const tracepoint = err === 0 ? TRACE_REDIRECT : TRACE_REDIRECT_ERR;
    if (this.#hit(tracepoint)) this.#add(tracepoint, this.#moment.packetId, [progId, XDP_REDIRECT, ifindex, err, toIfindex, mapId, mapIndex | 0]);
  }

  xdpDevmapXmit(fromIfindex: number, toIfindex: number, sent: number, drops: number, err: number): void {
    if (this.#hit(TRACE_DEVMAP_XMIT)) this.#add(TRACE_DEVMAP_XMIT, NO_PACKET, [fromIfindex, XDP_REDIRECT, toIfindex, drops, sent, err]);
  }

  xdpCpumapEnqueue(mapId: number, cpu: number, processed: number, drops: number, toCpu: number): void {
    if (this.#hit(TRACE_CPUMAP_ENQUEUE)) this.#add(TRACE_CPUMAP_ENQUEUE, NO_PACKET, [mapId, XDP_REDIRECT, cpu, drops, processed, toCpu]);
  }

  xdpCpumapKthread(mapId: number, cpu: number, processed: number, drops: number, sched: number, pass: number, drop: number, redirect: number): void {
    if (this.#hit(TRACE_CPUMAP_KTHREAD)) this.#add(TRACE_CPUMAP_KTHREAD, NO_PACKET, [mapId, XDP_REDIRECT, cpu, drops, processed, sched, pass, drop, redirect]);
  }

  /** @returns whether anybody wants the record: when not, none is made */
  #hit(tracepoint: number): boolean {
    this.counts[tracepoint]++;
    return this.#kept.length < KEPT_RECORDS || this.#audience.watcher.onTrace !== undefined;
  }

  #add(tracepoint: number, packetId: number, fields: readonly number[]): void {
    const { tNs, cpu } = this.#moment;
    const record = { tracepoint, tNs, cpu, packetId, fields };
    if (this.#kept.length < KEPT_RECORDS) this.#kept.push(record);
    this.#audience.watcher.onTrace?.(record);
  }
}
