/** Room to begin with; both are doubled when they don't suffice. */
const FIRST_FRAMES = 64;
const FIRST_BYTES = 64 * 128;

/** Frames on their way, first in first out: a ring of records and a ring of bytes, in typed arrays, so that a frame costs no object. */
export class FrameQueue {
  /** Frames in it. */
  count = 0;
  /** Bytes of memory that the frames in it take. */
  usedBytes = 0;
  #head = 0;
  #arrivalNs = new Float64Array(FIRST_FRAMES);
  #sentNs = new Float64Array(FIRST_FRAMES);
  #packetId = new Int32Array(FIRST_FRAMES);
  #hops = new Int32Array(FIRST_FRAMES);
  #lenBytes = new Int32Array(FIRST_FRAMES);
  #keptBytes = new Int32Array(FIRST_FRAMES);
  #offBytes = new Int32Array(FIRST_FRAMES);
  #u8 = new Uint8Array(FIRST_BYTES);
  /** Where the next frame goes. */
  #endBytes = 0;

  /**
   * Appends a frame.
   *
   * @param arrivalNs when it is there
   * @param sentNs when it was handed over
   * @param u8 memory in which its bytes lie at `address`
   * @param lenBytes its length; only `keptBytes` of it are kept
   */
  push(arrivalNs: number, sentNs: number, packetId: number, hops: number, u8: Uint8Array, address: number, lenBytes: number, keptBytes: number): void {
    if (this.count === this.#packetId.length) this.#growRecords();
    const offBytes = this.#roomFor(keptBytes);
    const at = this.#at(this.count++);
    this.#arrivalNs[at] = arrivalNs;
    this.#sentNs[at] = sentNs;
    this.#packetId[at] = packetId;
    this.#hops[at] = hops;
    this.#lenBytes[at] = lenBytes;
    this.#keptBytes[at] = keptBytes;
    this.#offBytes[at] = offBytes;
    this.#u8.set(u8.subarray(address, address + keptBytes), offBytes);
    this.#endBytes = offBytes + keptBytes;
    this.usedBytes += keptBytes;
  }

  /** Arrival of the first frame, Infinity when there is none. */
  get firstArrivalNs(): number {
    return this.count === 0 ? Infinity : this.#arrivalNs[this.#head];
  }

  get firstSentNs(): number {
    return this.#sentNs[this.#head];
  }

  get firstPacketId(): number {
    return this.#packetId[this.#head];
  }

  get firstHops(): number {
    return this.#hops[this.#head];
  }

  get firstLenBytes(): number {
    return this.#lenBytes[this.#head];
  }

  /** Copies the bytes of the first frame to `address`. */
  copyFirst(u8: Uint8Array, address: number): void {
    const offBytes = this.#offBytes[this.#head];
    u8.set(this.#u8.subarray(offBytes, offBytes + this.#keptBytes[this.#head]), address);
  }

  /** Takes the first frame out. */
  shift(): void {
    this.usedBytes -= this.#keptBytes[this.#head];
    this.#head = (this.#head + 1) & (this.#packetId.length - 1);
    this.count--;
    if (this.count === 0) this.#endBytes = 0;
  }

  #at(index: number): number {
    return (this.#head + index) & (this.#packetId.length - 1);
  }

  /** Where `keptBytes` in a row are free. */
  #roomFor(keptBytes: number): number {
    for (;;) {
      if (this.count === 0) {
        if (keptBytes <= this.#u8.length) return 0;
      } else {
        const first = this.#offBytes[this.#head];
        const last = this.#offBytes[this.#at(this.count - 1)];
        // Frames lie from `first` upwards, and, when that has come to the end, go on from 0.
        const isWrapped = last < first;
        if (!isWrapped && this.#endBytes + keptBytes <= this.#u8.length) return this.#endBytes;
        if (!isWrapped && keptBytes < first) return 0;
        if (isWrapped && this.#endBytes + keptBytes < first) return this.#endBytes;
      }
      this.#growBytes();
    }
  }

  #growRecords(): void {
    const order = Array.from({ length: this.count }, (_, i) => this.#at(i));
    const larger = <T extends Float64Array | Int32Array>(old: T, fresh: T): T => {
      order.forEach((at, i) => (fresh[i] = old[at]));
      return fresh;
    };
    const size = this.#packetId.length * 2;
    this.#arrivalNs = larger(this.#arrivalNs, new Float64Array(size));
    this.#sentNs = larger(this.#sentNs, new Float64Array(size));
    this.#packetId = larger(this.#packetId, new Int32Array(size));
    this.#hops = larger(this.#hops, new Int32Array(size));
    this.#lenBytes = larger(this.#lenBytes, new Int32Array(size));
    this.#keptBytes = larger(this.#keptBytes, new Int32Array(size));
    this.#offBytes = larger(this.#offBytes, new Int32Array(size));
    this.#head = 0;
  }

  /** Twice the bytes, and the frames side by side from 0 on. */
  #growBytes(): void {
    const fresh = new Uint8Array(this.#u8.length * 2);
    let end = 0;
    for (let i = 0; i < this.count; i++) {
      const at = this.#at(i);
      const from = this.#offBytes[at];
      fresh.set(this.#u8.subarray(from, from + this.#keptBytes[at]), end);
      this.#offBytes[at] = end;
      end += this.#keptBytes[at];
    }
    this.#u8 = fresh;
    this.#endBytes = end;
  }
}
