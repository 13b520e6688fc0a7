import { fail, ok } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import type { ByteSink } from './byteSink.js';

/** Bytes collected before the sink gets them; more than the longest record with all its options. */
const BUFFER_BYTES = 1 << 19;

/** A typed array's `set` needs a view of the packet, which costs more than copying this many bytes one by one. */
const SHORT_COPY_BYTES = 128;

const textEncoder = new TextEncoder();

/** What a closed capture writer tells. */
export interface CaptureTotals {
  readonly packets: number;
  /** Length of the capture. */
  readonly bytes: number;
}

/**
 * The little-endian output side of the capture writers: one buffer, filled by `u16`, `u32`, `bytes`, ... and flushed to the sink when
 * full. The first failure of the sink is kept; what comes later is dropped, and `close` tells the failure.
 */
export class OutputBuffer {
  problem: Problem | undefined;
  readonly #sink: ByteSink;
  readonly #data = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#data.buffer);
  #posBytes = 0;
  #flushedBytes = 0;
  #closed = false;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** Makes room for `lengthBytes`; to be called before each record, with its greatest possible length. */
  reserve(lengthBytes: number): void {
    if (this.#closed) throw new Error('capture writer: written to after close()');
    if (this.#posBytes + lengthBytes <= BUFFER_BYTES) return;
    if (lengthBytes > BUFFER_BYTES) throw new RangeError(`OutputBuffer.reserve: ${lengthBytes} bytes is more than the buffer has`);
    this.#flush();
  }

  /** Where the next byte goes in the buffer; for `patchU32`, before the next `reserve`. */
  get posBytes(): number {
    return this.#posBytes;
  }

  u16(value: number): void {
    this.#view.setUint16(this.#posBytes, value, true);
    this.#posBytes += 2;
  }

  u32(value: number): void {
    this.#view.setUint32(this.#posBytes, value, true);
    this.#posBytes += 4;
  }

  /** A non-negative safe integer as 64 bits. */
  u64(value: number): void {
    this.u32(value % 2 ** 32);
    this.u32(Math.floor(value / 2 ** 32));
  }

  u8(value: number): void {
    this.#data[this.#posBytes++] = value;
  }

  bytes(source: Uint8Array, offBytes: number, lengthBytes: number): void {
    const data = this.#data;
    const at = this.#posBytes;
    if (lengthBytes <= SHORT_COPY_BYTES) {
      for (let i = 0; i < lengthBytes; i++) data[at + i] = source[offBytes + i]!;
    } else {
      data.set(source.subarray(offBytes, offBytes + lengthBytes), at);
    }
    this.#posBytes = at + lengthBytes;
  }

  /** Text as UTF-8, cut at a whole character if it takes more than `mostBytes`; the bytes that it took. */
  text(text: string, mostBytes: number): number {
    const { written } = textEncoder.encodeInto(text, this.#data.subarray(this.#posBytes, this.#posBytes + mostBytes));
    this.#posBytes += written;
    return written;
  }

  /** Zero bytes up to the next multiple of 4, counted from a record of `lengthBytes` so far. */
  padTo4(lengthBytes: number): void {
    for (let i = lengthBytes; (i & 3) !== 0; i++) this.u8(0);
  }

  patchU16(posBytes: number, value: number): void {
    this.#view.setUint16(posBytes, value, true);
  }

  patchU32(posBytes: number, value: number): void {
    this.#view.setUint32(posBytes, value, true);
  }

  /** Hands everything to the sink and closes it; the first failure, if there was one. A second call gives the same answer. */
  close(packets: number): Result<CaptureTotals> {
    if (!this.#closed) {
      this.#flush();
      this.#closed = true;
      const problem = this.#sink.close();
      this.problem ??= problem;
    }
    return this.problem === undefined ? ok({ packets, bytes: this.#flushedBytes }) : fail(this.problem);
  }

  #flush(): void {
    if (this.problem === undefined) this.problem = this.#sink.write(this.#data, this.#posBytes);
    this.#flushedBytes += this.#posBytes;
    this.#posBytes = 0;
  }
}
