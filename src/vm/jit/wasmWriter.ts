// Bytes of WebAssembly (core specification 2.0, chapter 5): just what the translator needs.

/** A growing byte buffer with the number formats of WebAssembly. */
export class WasmWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity = 1024) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written; valid until the next write. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Begins again. */
  clear(): void {
    this.#length = 0;
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  /** Two bytes: most instructions are an opcode and a small index. */
  pair(first: number, second: number): void {
    this.byte(first);
    this.byte(second);
  }

  raw(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** LEB128, unsigned; 0 to 2^32 - 1. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** LEB128, signed, of a number that fits in 32 bits: an i32 constant, or an i64 one. */
  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      const isLast = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
      this.byte(isLast ? low : low | 0x80);
      if (isLast) return;
    }
  }

  /** LEB128, signed, of a 64-bit number given in halves. */
  s64(low: number, high: number): void {
    if (high === low >> 31) {
      this.s32(low);
      return;
    }
    let [rest, top] = [low | 0, high | 0];
    for (;;) {
      const septet = rest & 0x7f;
      rest = (rest >>> 7) | (top << 25);
      top >>= 7;
      const isLast = (rest === 0 && top === 0 && (septet & 0x40) === 0) || (rest === -1 && top === -1 && (septet & 0x40) !== 0);
      this.byte(isLast ? septet : septet | 0x80);
      if (isLast) return;
    }
  }

  /** A name: its length and its bytes. */
  name(text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    this.u32(bytes.length);
    this.raw(bytes);
  }

  #grow(more: number): void {
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

export const I32 = 0x7f;
export const I64 = 0x7e;
const FUNCREF = 0x70;
/** Type of a block that leaves nothing on the stack. */
export const VOID = 0x40;

export interface FunctionType {
  readonly params: readonly number[];
  readonly results: readonly number[];
}

/** One function: its type and the bytes of its body, locals included, `end` excluded. */
export interface WasmFunction {
  readonly typeIndex: number;
  readonly body: Uint8Array;
  /** Under which name the module hands it out. */
  readonly exportName?: string;
}

export interface WasmImport {
  readonly module: string;
  readonly name: string;
  /** Index of a function type, or what else it is. */
  readonly what: number | 'memory' | 'table';
}

/** A section: its number, its size, its contents. */
function section(out: WasmWriter, id: number, write: (contents: WasmWriter) => void): void {
  const contents = new WasmWriter();
  write(contents);
  out.byte(id);
  out.u32(contents.length);
  out.raw(contents.bytes);
}

/** A whole module. Imported functions come first in the numbering of functions. */
export function encodeModule(types: readonly FunctionType[], imports: readonly WasmImport[], functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const out = new WasmWriter(functions.reduce((sum, { body }) => sum + body.length + 16, 1024));
  out.raw(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  section(out, 1, (contents) => {
    contents.u32(types.length);
    for (const { params, results } of types) {
      contents.byte(0x60);
      contents.u32(params.length);
      contents.raw(Uint8Array.from(params));
      contents.u32(results.length);
      contents.raw(Uint8Array.from(results));
    }
  });
  section(out, 2, (contents) => {
    contents.u32(imports.length);
    for (const { module, name, what } of imports) {
      contents.name(module);
      contents.name(name);
      if (what === 'memory') contents.raw(Uint8Array.of(2, 0, 1));
      else if (what === 'table') contents.raw(Uint8Array.of(1, FUNCREF, 0, 0));
      else {
        contents.byte(0);
        contents.u32(what);
      }
    }
  });
  section(out, 3, (contents) => {
    contents.u32(functions.length);
    for (const { typeIndex } of functions) contents.u32(typeIndex);
  });
  const importedCount = imports.filter(({ what }) => typeof what === 'number').length;
  const exported = functions.flatMap(({ exportName }, index) => (exportName === undefined ? [] : [{ exportName, index: importedCount + index }]));
  section(out, 7, (contents) => {
    contents.u32(exported.length);
    for (const { exportName, index } of exported) {
      contents.name(exportName);
      contents.byte(0);
      contents.u32(index);
    }
  });
  section(out, 10, (contents) => {
    contents.u32(functions.length);
    for (const { body } of functions) {
      contents.u32(body.length + 1);
      contents.raw(body);
      contents.byte(0x0b);
    }
  });
  return Uint8Array.from(out.bytes);
}
