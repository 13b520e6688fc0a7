import { closeSync, readSync } from 'node:fs';
import { systemReason } from '../../base/index.js';

/** Bytes of a capture that one look can cover: the longest block that a reader asks for, twice. */
export const WINDOW_SIZE_BYTES = 1 << 20;

/**
 * A forward-only window over a file, or over bytes that are in memory already.
 *
 * The reader looks at `data`/`view` from `posBytes` up to `endBytes` and moves `posBytes` itself. A file is read in large pieces
 * into one buffer that is never replaced, so memory stays the same whatever the length of the file.
 */
export class ByteWindow {
  readonly data: Uint8Array;
  readonly view: DataView;
  /** Index in `data` of the next byte to look at. */
  posBytes = 0;
  /** Index in `data` behind the last byte that is there. */
  endBytes: number;
  /** Text of the operating system's error when a read failed (which isn't the same as the end of the file). */
  readError: string | undefined;
  /** Offset in the file of `data[0]`. */
  #baseBytes = 0;
  #fd: number;

  private constructor(data: Uint8Array, endBytes: number, fd: number) {
    this.data = data;
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.endBytes = endBytes;
    this.#fd = fd;
  }

  /** Over an open regular file; the window owns the descriptor from now on. */
  static overFile(fd: number): ByteWindow {
    return new ByteWindow(new Uint8Array(WINDOW_SIZE_BYTES), 0, fd);
  }

  /** Over bytes in memory, which aren't copied. */
  static overBytes(bytes: Uint8Array): ByteWindow {
    return new ByteWindow(bytes, bytes.byteLength, -1);
  }

  /** Offset in the file of the next byte to look at. */
  get fileOffsetBytes(): number {
    return this.#baseBytes + this.posBytes;
  }

  /** Bytes at hand from `posBytes`; after an `ensure` that failed, all that the file has left. */
  get availableBytes(): number {
    return this.endBytes - this.posBytes;
  }

  /**
   * Whether `needBytes` bytes (at most `WINDOW_SIZE_BYTES`) lie ahead, after reading more if necessary. It may move what is in
   * `data`: take `posBytes` again afterwards.
   */
  ensure(needBytes: number): boolean {
    return this.endBytes - this.posBytes >= needBytes || this.#fill(needBytes);
  }

  /** Steps over `countBytes` bytes without reading them; whether they were there shows at the next `ensure`. */
  skip(countBytes: number): void {
    const availableBytes = this.endBytes - this.posBytes;
    if (countBytes <= availableBytes || this.#fd < 0) {
      this.posBytes += Math.min(countBytes, availableBytes);
      return;
    }
    this.#baseBytes += this.posBytes + countBytes;
    this.posBytes = 0;
    this.endBytes = 0;
  }

  /** Gives the descriptor back; there is nothing more to read afterwards. May be called twice. */
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    this.posBytes = this.endBytes;
  }

  #fill(needBytes: number): boolean {
    if (this.#fd < 0) return false;
    if (needBytes > this.data.byteLength) throw new RangeError(`ByteWindow.ensure: ${needBytes} bytes is more than the window has`);
    this.data.copyWithin(0, this.posBytes, this.endBytes);
    this.#baseBytes += this.posBytes;
    this.endBytes -= this.posBytes;
    this.posBytes = 0;
    while (this.endBytes < needBytes) {
      let gotBytes: number;
      try {
        gotBytes = readSync(this.#fd, this.data, this.endBytes, this.data.byteLength - this.endBytes, this.#baseBytes + this.endBytes);
      } catch (error) {
        this.readError = systemReason(error);
        return false;
      }
      if (gotBytes === 0) return false;
      this.endBytes += gotBytes;
    }
    return true;
  }
}
