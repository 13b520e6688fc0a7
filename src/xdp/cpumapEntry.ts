import { PtrRing } from '../memory/index.js';

/** Frames that a bulk queue holds before the next one empties it, and that a thread takes off its ring at a time (CPU_MAP_BULK_SIZE, CPUMAP_BATCH). */
export const CPU_MAP_BULK_SIZE = 8;
export const CPUMAP_BATCH = 8;

/** Frames on their way from one CPU to one entry (struct xdp_bulk_queue, kernel/bpf/cpumap.c, 6.18). */
export class CpumapBulk {
  readonly entry: CpumapEntry;
  readonly frames = new Uint32Array(CPU_MAP_BULK_SIZE);
  count = 0;
  /** On the flush list of its CPU. */
  isListed = false;

  constructor(entry: CpumapEntry) {
    this.entry = entry;
  }
}

/** An entry of a CPUMAP: the queue to a CPU, and the thread that serves it there (struct bpf_cpu_map_entry, kernel/bpf/cpumap.c, 6.18). */
export class CpumapEntry {
  readonly mapId: number;
  readonly cpu: number;
  /** `CpuMap.entryNumber`. */
  readonly number: number;
  /** Id of its program, 0 for none. */
  readonly programId: number;
  /** Addresses of frames, and heads of skbs with the lowest bit set. */
  readonly ring: PtrRing;
  /** The thread waits to be woken. */
  isAsleep = true;
  /** It was woken for its next round, and doesn't just go on. */
  hasSlept = true;
  readonly #bulks: (CpumapBulk | undefined)[] = [];

  /** @param queueSize frames and skbs that the ring takes */
  constructor(mapId: number, cpu: number, number: number, queueSize: number, programId: number) {
    this.mapId = mapId;
    this.cpu = cpu;
    this.number = number;
    this.programId = programId;
    this.ring = new PtrRing(queueSize);
  }

  /** The bulk queue of a CPU to this entry. */
  bulk(cpu: number): CpumapBulk {
    return (this.#bulks[cpu] ??= new CpumapBulk(this));
  }
}
