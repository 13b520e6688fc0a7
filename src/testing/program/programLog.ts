import { AYA_LOGS, decodeAyaLog } from '../../aya/index.js';
import type { AyaLogRecord } from '../../aya/index.js';
import { mapTypeName } from '../../vm/index.js';
import type { BpfMap } from '../../vm/index.js';

/** A line that a program wrote. */
export interface LogLine {
  /** bpf_printk, or aya-log. */
  readonly from: 'bpf_printk' | 'aya-log';
  /** As the program has it, without the time or the CPU. */
  readonly text: string;
  /** aya-log: `error`, `warn`, `info`, `debug`, `trace`; else empty. */
  readonly level: string;
  /** Clock of the program, ns since boot. */
  readonly tNs: number;
}

/** What a program sent to user space through a RINGBUF or PERF_EVENT_ARRAY that is not aya-log's. */
export interface ProgramEvent {
  readonly map: string;
  readonly bytes: Uint8Array;
}

/** The line of aya-log in a record of a ring; `undefined` when it is something else. */
export function ayaLine({ spec: { name, type } }: BpfMap, bytes: Uint8Array): AyaLogRecord | undefined {
  return name === AYA_LOGS ? decodeAyaLog(bytes, mapTypeName(type) === 'RINGBUF') : undefined;
}

/** Kept lines and events; the oldest go first. */
const KEPT = 10_000;

/**
 * Lines and events of a program, in their order.
 *
 * @example
 * program.log.text.at(-1); // 'ipv4: 192.0.2.1 > 192.0.2.2'
 * program.log.clear();
 */
export class ProgramLog {
  readonly #lines: LogLine[] = [];
  readonly #events: ProgramEvent[] = [];
  readonly #nowNs: () => number;
  /** Lines that are not kept any more. */
  #dropped = 0;

  /** Made by `loadProgram`. */
  constructor(nowNs: () => number) {
    this.#nowNs = nowNs;
  }

  /** All lines that are kept, the last 10,000. */
  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** The text of each line. */
  get text(): readonly string[] {
    return this.#lines.map(({ text }) => text);
  }

  /** Events of maps that are no log, the last 10,000. */
  get events(): readonly ProgramEvent[] {
    return this.#events;
  }

  /** Forgets all. */
  clear(): void {
    this.#dropped += this.#lines.length;
    this.#lines.length = 0;
    this.#events.length = 0;
  }

  /** How many lines there have been: for `since`. */
  get lineCount(): number {
    return this.#dropped + this.#lines.length;
  }

  /** Lines since `lineCount` gave this. */
  since(count: number): readonly LogLine[] {
    return this.#lines.slice(Math.max(0, count - this.#dropped));
  }

  /** A line of bpf_printk. */
  addPrintk(text: string): void {
    this.#add({ from: 'bpf_printk', text, level: '', tNs: this.#nowNs() });
  }

  /** A record of a ring: a line of aya-log, or an event. */
  addEvent(map: BpfMap, bytes: Uint8Array): void {
    const line = ayaLine(map, bytes);
    if (line !== undefined) {
      this.#add({ from: 'aya-log', text: line.message, level: line.levelName.toLowerCase(), tNs: this.#nowNs() });
      return;
    }
    this.#events.push({ map: map.spec.name, bytes: bytes.slice() });
    if (this.#events.length > KEPT) this.#events.shift();
  }

  #add(line: LogLine): void {
    this.#lines.push(line);
    if (this.#lines.length <= KEPT) return;
    this.#lines.shift();
    this.#dropped++;
  }
}
