import { fail, ok } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import type { ByteSink } from './byteSink.js';

/** Bytes collected before the sink gets them; more than the longest record with all its options. */
const BUFFER_BYTES = 1 << 19;

/** A typed array's `set` needs a fresh view of the packet, which costs more than copying this many bytes word by word. */
const SHORT_COPY_BYTES = 256;

const textEncoder = new TextEncoder();

/** What a closed capture writer tells. */
export interface CaptureTotals {
  readonly packets: number;
  /** Length of the capture. */
  readonly bytes: number;
}

/**
 * The output side of the capture writers: one buffer that is flushed to the sink when full.
 *
 * A writer calls `reserve`, then writes its record through `view` from `posBytes` on and moves `posBytes` behind it. The first failure of
 * the sink is kept; what comes later is dropped, and `close` tells the failure.
 */
export class OutputBuffer {
  problem: Problem | undefined;
  readonly view: DataView;
  /** Where the next record begins in `view`. */
  posBytes = 0;

  readonly #data = new Uint8Array(BUFFER_BYTES);
  readonly #sink: ByteSink;
  #flushedBytes = 0;
  #closed = false;
  /** The buffer that the last packet came from, and a view of it: callers hand in the same one again and again. */
  #source: Uint8Array = this.#data;
  #sourceView = new DataView<ArrayBufferLike>(this.#data.buffer);

  constructor(sink: ByteSink) {
    this.#sink = sink;
    this.view = new DataView(this.#data.buffer);
  }

  /** Makes room for `lengthBytes`, the greatest length that the next record can have. It may change `posBytes`. */
  reserve(lengthBytes: number): void {
    if (this.#closed) throw new Error('capture writer: written to after close()');
    if (this.posBytes + lengthBytes <= BUFFER_BYTES) return;
    if (lengthBytes > BUFFER_BYTES) throw new RangeError(`OutputBuffer.reserve: ${lengthBytes} bytes is more than the buffer has`);
    this.#flush();
  }

  /** Copies a packet to `atBytes`. */
  copy(atBytes: number, source: Uint8Array, offBytes: number, lengthBytes: number): void {
    const data = this.#data;
    if (lengthBytes > SHORT_COPY_BYTES) {
      data.set(source.subarray(offBytes, offBytes + lengthBytes), atBytes);
      return;
    }
    const from = this.#viewOf(source);
    const to = this.view;
    const wordBytes = lengthBytes & ~3;
    let i = 0;
    for (; i < wordBytes; i += 4) to.setInt32(atBytes + i, from.getInt32(offBytes + i, true), true);
    for (; i < lengthBytes; i++) data[atBytes + i] = source[offBytes + i]!;
  }

  /** Writes text as UTF-8 to `atBytes`, cut at a whole character if it takes more than `mostBytes`; the bytes that it took. */
  text(atBytes: number, text: string, mostBytes: number): number {
    return textEncoder.encodeInto(text, this.#data.subarray(atBytes, atBytes + mostBytes)).written;
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

  #viewOf(source: Uint8Array): DataView {
    if (source !== this.#source) {
      this.#source = source;
      this.#sourceView = new DataView(source.buffer, source.byteOffset, source.byteLength);
    }
    return this.#sourceView;
  }

  #flush(): void {
    if (this.problem === undefined) this.problem = this.#sink.write(this.#data, this.posBytes);
    this.#flushedBytes += this.posBytes;
    this.posBytes = 0;
  }
}
