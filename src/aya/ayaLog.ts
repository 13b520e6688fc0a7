import { AyaHint, formatArgument, formatBytes, utf8 } from './argument.js';

/** A line that `info!` and the like of the Rust crate aya-log-ebpf wrote. */
export interface AyaLogRecord {
  /** 1 ERROR to 5 TRACE. */
  readonly level: number;
  readonly levelName: string;
  /** `target: "..."` of the statement, else its module. */
  readonly target: string;
  readonly module: string;
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** The map that the records go through. */
export const AYA_LOGS = 'AYA_LOGS';

const LEVELS = ['', 'ERROR', 'WARN', 'INFO', 'DEBUG', 'TRACE'];

// Tags of the header, in the order in which they stand: from 0 on (aya-log-ebpf 0.2), or from 1 on (0.1).
const TARGET = 0;
const LEVEL = 1;
const MODULE = 2;
const FILE = 3;
const LINE = 4;
const ARGUMENT_COUNT = 5;

/** Tag of an argument that says how the next one is shown. */
const DISPLAY_HINT = 0;

/**
 * Reads a record of aya-log-ebpf. All numbers are little endian, nothing is aligned.
 *
 *     0.2, RINGBUF:           u16 bytes of the record, these two included | header | arguments | whatever fills the ring's record
 *     0.1, PERF_EVENT_ARRAY:                                                header | arguments | what fills the event
 *
 *     header      target, level (u8), module, file, line (u32), number of arguments (u32, in 0.1 u64): a field each
 *     arguments   pieces of text and values, a field each; before a value a field with its hint
 *     field       u8 tag | u16 length | as many bytes
 *
 * @param isSized the record begins with its length: it came through a RINGBUF
 * @returns `undefined` when the bytes are no such record: nothing in them is trusted
 */
export function decodeAyaLog(bytes: Uint8Array, isSized: boolean): AyaLogRecord | undefined {
  const fields = fieldsOf(bytes, isSized);
  if (fields === undefined) return undefined;
  const firstTag = fields.peekTag();
  if (firstTag !== 0 && firstTag !== 1) return undefined;
  const target = fields.take(firstTag + TARGET);
  const level = numberOf(fields.take(firstTag + LEVEL), 1);
  const module = fields.take(firstTag + MODULE);
  const file = fields.take(firstTag + FILE);
  const line = numberOf(fields.take(firstTag + LINE), 4);
  const count = numberOf(fields.take(firstTag + ARGUMENT_COUNT), 4, 8);
  const levelName = LEVELS[level ?? 0] ?? '';
  if (target === undefined || module === undefined || file === undefined || line === undefined || count === undefined || levelName === '') return undefined;
  const message = messageOf(fields, count);
  if (message === undefined) return undefined;
  return { level: level!, levelName, target: utf8(target), module: utf8(module), file: utf8(file), line, message };
}

/** The whole of a message; `undefined` when it has fewer fields than it says. */
function messageOf(fields: FieldReader, count: number): string | undefined {
  let message = '';
  let hint: number = AyaHint.none;
  for (let i = 0; i < count; i++) {
    const tag = fields.peekTag();
    const value = tag === undefined ? undefined : fields.take(tag);
    if (tag === undefined || value === undefined) return undefined;
    if (tag === DISPLAY_HINT) {
      if (value.length !== 1) return undefined;
      hint = value[0]!;
      continue;
    }
    message += formatArgument(tag, hint, value) ?? formatBytes(value);
    hint = AyaHint.none;
  }
  return message;
}

function fieldsOf(bytes: Uint8Array, isSized: boolean): FieldReader | undefined {
  if (!isSized) return new FieldReader(bytes);
  const sizeBytes = bytes.length < 2 ? 0 : bytes[0]! | (bytes[1]! << 8);
  return sizeBytes < 2 || sizeBytes > bytes.length ? undefined : new FieldReader(bytes.subarray(2, sizeBytes));
}

class FieldReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Tag of the next field; `undefined` at the end. */
  peekTag(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** Content of the next field; `undefined` when that has another tag or goes beyond the end. */
  take(tag: number): Uint8Array | undefined {
    const start = this.#at + 3;
    if (this.peekTag() !== tag || start > this.#bytes.length) return undefined;
    const end = start + (this.#bytes[this.#at + 1]! | (this.#bytes[this.#at + 2]! << 8));
    if (end > this.#bytes.length) return undefined;
    this.#at = end;
    return this.#bytes.subarray(start, end);
  }
}

/** An unsigned number of one of these sizes, `undefined` for another size and beyond 2^53. */
function numberOf(bytes: Uint8Array | undefined, ...sizes: readonly number[]): number | undefined {
  if (bytes === undefined || !sizes.includes(bytes.length)) return undefined;
  const value = bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
  return Number.isSafeInteger(value) ? value : undefined;
}
