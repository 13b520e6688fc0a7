import { fstatSync } from 'node:fs';
import { ok } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import type { LoadedObject } from '../../vm/index.js';
import { TRACE_EXCEPTION, TRACE_REDIRECT, TRACE_REDIRECT_ERR, traceLine } from '../../xdp/index.js';
import type { KernelBpf } from '../kernelBpf.js';
import type { KernelProgram } from '../kernelObject.js';
import { KernelTracer } from './kernelTracer.js';
import type { DifferenceList } from './netReport.js';
import type { VethEnd } from './vethPair.js';

/** Tracepoints that tell of one packet each. Those that tell of bulks can't be compared: here the kernel gets one packet at a time. */
const COMPARED: readonly number[] = [TRACE_EXCEPTION, TRACE_REDIRECT, TRACE_REDIRECT_ERR];

/** A hit of a tracepoint on either side. */
export interface TraceHit {
  readonly tracepoint: number;
  readonly fields: readonly number[];
}

/** Names of programs and maps by their ids, which are not the same on both sides. */
interface Names {
  readonly programs: ReadonlyMap<number, string>;
  readonly maps: ReadonlyMap<number, string>;
}

/** Holds the tracepoints that a packet hit in the simulator against those that it hit in the kernel. */
export class TraceTwin {
  readonly #tracer: KernelTracer;
  readonly #simulated: Names;
  readonly #real: Names;
  /** Of packets that the kernel has not been compared for yet, by number. */
  readonly #simulator = new Map<number, string[]>();
  readonly #kernel = new Map<number, { readonly packetNumber: number; readonly lines: readonly string[] }>();
  /** Hits that were compared. */
  compared = 0;

  private constructor(tracer: KernelTracer, simulated: Names, real: Names) {
    this.#tracer = tracer;
    this.#simulated = simulated;
    this.#real = real;
  }

  /** Listens to the kernel from now on. Problems: those of `KernelTracer.open`. */
  static open(kernel: KernelBpf, end: VethEnd, program: KernelProgram, loaded: LoadedObject): Result<TraceTwin> {
    const tracer = KernelTracer.open(kernel, { namespaces: [fstatSync(end.namespace.fd).ino], mapIds: [] });
    if (!tracer.ok) return tracer;
    const { object } = program;
    const loadedPrograms = object.spec.programs.flatMap(({ name }) => {
      const found = object.loadedProgram(name);
      return found === undefined ? [] : [[kernel.programId(found.fd), name] as const];
    });
    return ok(new TraceTwin(
      tracer.value,
      { programs: new Map(loaded.programs.map(({ id, spec }) => [id, spec.name])), maps: new Map([...loaded.maps.values()].map(({ id, spec }) => [id, spec.name])) },
      { programs: new Map(loadedPrograms), maps: new Map([...object.maps].map(([name, { fd }]) => [kernel.programId(fd), name])) },
    ));
  }

  /** The simulator hit a tracepoint while it worked on a packet. */
  noteSimulated(packetId: number, hit: TraceHit): void {
    if (!COMPARED.includes(hit.tracepoint)) return;
    const lines = this.#simulator.get(packetId);
    if (lines === undefined) this.#simulator.set(packetId, [lineOf(hit, this.#simulated)]);
    else lines.push(lineOf(hit, this.#simulated));
  }

  /** The kernel is done with a packet. */
  takeKernel(packetId: number, packetNumber: number): void {
    const lines = this.#tracer.take().filter(({ tracepoint }) => COMPARED.includes(tracepoint)).map((hit) => lineOf(hit, this.#real));
    this.#kernel.set(packetId, { packetNumber, lines });
  }

  /** Compares what is known of the packets before this one: a tracepoint may be hit after the end of its packet, but not after the next one's. */
  compareBefore(packetId: number, differences: DifferenceList): void {
    for (const [id, { packetNumber, lines }] of this.#kernel) {
      if (id >= packetId) continue;
      this.#kernel.delete(id);
      const own = this.#simulator.get(id) ?? [];
      this.#simulator.delete(id);
      for (let i = 0; i < Math.max(own.length, lines.length); i++) {
        this.compared++;
        if (own[i] !== lines[i]) differences.add({ packet: packetNumber, part: 'tracepoint', simulator: own[i] ?? 'none', kernel: lines[i] ?? 'none' });
      }
    }
  }

  close(): void {
    this.#tracer.close();
  }
}

/** The line of trace_pipe with names for ids. */
function lineOf({ tracepoint, fields }: TraceHit, { programs, maps }: Names): string {
  return traceLine(tracepoint, fields).replace(/\b(prog|map)_id=(\d+)/g, (_, kind: string, id: string) => `${kind}_id=${(kind === 'prog' ? programs : maps).get(Number(id)) ?? id}`);
}
