import { ProblemError } from '../../base/index.js';

/** Longest name that is believed; the kernel's own limit (KSYM_NAME_LEN) is 512, mangled Rust names are longer. */
const MAX_NAME_BYTES = 4096;
/** Source text is cut here; it is only shown. */
const MAX_TEXT_BYTES = 1024;
/** Bytes that one table may decode in all, so that overlapping strings can't be multiplied. */
const DECODE_BUDGET_BYTES = 64 << 20;

// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/;
// eslint-disable-next-line no-control-regex
const CONTROL_EXCEPT_TAB = /[\u0000-\u0008\u000a-\u001f\u007f]/g;

/** NUL-terminated strings of an ELF string table or of the string section of BTF; offsets are not trusted. */
export class StringTable {
  readonly #bytes: Buffer;
  readonly #kind: 'elf' | 'btf';
  readonly #where: string;
  readonly #names = new Map<number, string>();
  readonly #texts = new Map<number, string>();
  readonly #lastNul: number;
  #budgetBytes = DECODE_BUDGET_BYTES;

  /** @param where object and section, for messages */
  constructor(bytes: Uint8Array, kind: 'elf' | 'btf', where: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#lastNul = this.#bytes.lastIndexOf(0);
    this.#kind = kind;
    this.#where = where;
  }

  /** The name at an offset. Throws a `ProblemError` when there is no such string, or when it can't be a name. */
  name(offBytes: number): string {
    const known = this.#names.get(offBytes);
    if (known !== undefined) return known;
    const end = this.#endWithin(offBytes, MAX_NAME_BYTES);
    if (end === undefined) throw this.#problem(`the name at string offset ${offBytes} is longer than ${MAX_NAME_BYTES} bytes`);
    const name = this.#decode(offBytes, end);
    if (CONTROL.test(name)) throw this.#problem(`the name at string offset ${offBytes} holds control characters`);
    this.#names.set(offBytes, name);
    return name;
  }

  /** The text at an offset, cut at 1024 bytes, control characters other than tabs blanked. Throws as `name` does when there is none. */
  text(offBytes: number): string {
    const known = this.#texts.get(offBytes);
    if (known !== undefined) return known;
    const end = this.#endWithin(offBytes, MAX_TEXT_BYTES) ?? offBytes + MAX_TEXT_BYTES;
    const text = this.#decode(offBytes, end).replace(CONTROL_EXCEPT_TAB, ' ');
    this.#texts.set(offBytes, text);
    return text;
  }

  /** End of the string at an offset; `undefined` when it is longer than `maxBytes`, which is as far as we look. */
  #endWithin(offBytes: number, maxBytes: number): number | undefined {
    const size = this.#bytes.length;
    if (offBytes >= size) throw this.#problem(`string offset ${offBytes} is outside the table of ${size} bytes`);
    if (offBytes > this.#lastNul) throw this.#problem(`the string at offset ${offBytes} has no end`);
    const length = this.#bytes.subarray(offBytes, offBytes + maxBytes + 1).indexOf(0);
    return length < 0 ? undefined : offBytes + length;
  }

  #decode(startBytes: number, endBytes: number): string {
    this.#budgetBytes -= endBytes - startBytes;
    if (this.#budgetBytes < 0) throw this.#problem('overlapping strings add up to more than 64 MiB');
    return this.#bytes.toString('utf8', startBytes, endBytes);
  }

  #problem(message: string): ProblemError {
    return new ProblemError({ code: `${this.#kind}-bad-string`, message, where: this.#where, hint: 'the file is damaged; compile it again' });
  }
}
