/**
 * A set of packets in constant memory: how many there are, and a sum over their mixed ids. Two tallies are equal when the same
 * packets were added, in any order; one packet twice and another one never shows in the sum.
 */
export class PacketTally {
  count = 0;
  #sum = 0;

  add(packetId: number): void {
    this.count++;
    const mixed = Math.imul(packetId ^ (packetId >>> 16), 0x45d9f3b);
    this.#sum = (this.#sum + Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b)) | 0;
  }

  equals(other: PacketTally): boolean {
    return this.count === other.count && this.#sum === other.#sum;
  }
}
