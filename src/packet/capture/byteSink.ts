import { closeSync, openSync, writeSync } from 'node:fs';
import { fail, ok } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';

/** Where a capture writer puts its bytes, in large pieces. */
export interface ByteSink {
  /** Takes the first `lengthBytes` of `bytes`, which the caller reuses afterwards; a Problem when they can't be stored. */
  write(bytes: Uint8Array, lengthBytes: number): Problem | undefined;
  /** There will be no more. */
  close(): Problem | undefined;
}

/**
 * Writes to a file, synchronously.
 *
 * @example
 * const writer = new PcapWriter(unwrap(FileSink.create('out.pcap')));
 * writer.writePacket(data, 0, data.length, 1, 0);
 * unwrap(writer.close()).packets; // 1
 */
export class FileSink implements ByteSink {
  readonly #path: string;
  readonly #fd: number;

  private constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  /** Creates or empties the file. Problem: `capture-unwritable`. */
  static create(path: string): Result<FileSink> {
    try {
      return ok(new FileSink(path, openSync(path, 'w')));
    } catch (error) {
      return fail(unwritable(path, error as Error));
    }
  }

  write(bytes: Uint8Array, lengthBytes: number): Problem | undefined {
    try {
      for (let doneBytes = 0; doneBytes < lengthBytes; ) doneBytes += writeSync(this.#fd, bytes, doneBytes, lengthBytes - doneBytes);
      return undefined;
    } catch (error) {
      return unwritable(this.#path, error as Error);
    }
  }

  close(): Problem | undefined {
    try {
      closeSync(this.#fd);
      return undefined;
    } catch (error) {
      return unwritable(this.#path, error as Error);
    }
  }
}

/**
 * Keeps everything in memory: for tests, and for small captures that never become files.
 *
 * @example
 * const sink = new MemorySink();
 * const writer = new PcapWriter(sink);
 * writer.writePacket(data, 0, data.length, 1, 0);
 * unwrap(writer.close());
 * sink.bytes().length; // 100
 */
export class MemorySink implements ByteSink {
  readonly #pieces: Uint8Array[] = [];

  write(bytes: Uint8Array, lengthBytes: number): Problem | undefined {
    this.#pieces.push(bytes.slice(0, lengthBytes));
    return undefined;
  }

  close(): Problem | undefined {
    return undefined;
  }

  /** All that was written; complete once the writer is closed. */
  bytes(): Uint8Array {
    const all = new Uint8Array(this.#pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
    let offBytes = 0;
    for (const piece of this.#pieces) {
      all.set(piece, offBytes);
      offBytes += piece.byteLength;
    }
    return all;
  }
}

function unwritable(path: string, error: Error): Problem {
  return {
    code: 'capture-unwritable',
    message: `capture can't be written: ${error.message}`,
    where: path,
    hint: 'check the folder, its permissions and the free space',
  };
}
