/**
 * Which packets a device has received, and which have ended. A flipped bit in a descriptor can tear a frame in two, glue two together or
 * invent some, and driver and program can't know: here somebody does, so that each packet has one end in the report all the same.
 */
export class PacketFates {
  /** Frames that the driver saw and that had never been packets of their own. */
  phantoms = 0;
  readonly #open = new Set<number>();

  /** The packet arrived. */
  begin(packetId: number): void {
    this.#open.add(packetId);
  }

  /** The packet ended; false when it had ended before, or never was one. */
  end(packetId: number): boolean {
    const isFirst = this.#open.delete(packetId);
    if (!isFirst) this.phantoms++;
    return isFirst;
  }

  /** Packets that haven't ended. */
  open(): readonly number[] {
    return [...this.#open];
  }
}
