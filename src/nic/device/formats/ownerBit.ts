import type { HostMemory } from '../../../memory/index.js';
import type { RingMemory } from './descriptorFormat.js';

/** Where every descriptor of a ring tells whose it is: a word with a bit that changes hands. */
export interface OwnerBit {
  /** 32-bit words of a descriptor, and which of them has the bits. */
  readonly words: number;
  readonly word: number;
  /** The bit, and what of it is set while the descriptor is the device's: `bit` (OWN) or 0 (DONE). */
  readonly bit: number;
  readonly ofDevice: number;
  /** Set in the last descriptor of a frame. */
  readonly last: number;
}

/** Slots from `head` on that are the device's, at most `limit` and the ring. */
export function ownedByDevice({ u32 }: HostMemory, ring: RingMemory, head: number, limit: number, { words, word, bit, ofDevice }: OwnerBit): number {
  const base = (ring.address >>> 2) + word;
  const most = limit < ring.size ? limit : ring.size;
  let slot = head % ring.size;
  let count = 0;
  while (count < most && ((u32[base + slot * words] ^ ofDevice) & bit) === 0) {
    count++;
    if (++slot === ring.size) slot = 0;
  }
  return count;
}

/** Slots from `first` on that the device has given back, at most `limit`, up to the last whole frame among them. */
export function givenBack({ u32 }: HostMemory, ring: RingMemory, first: number, limit: number, { words, word, bit, ofDevice, last }: OwnerBit): number {
  const base = (ring.address >>> 2) + word;
  let slot = first % ring.size;
  let whole = 0;
  for (let count = 1; count <= limit; count++) {
    const status = u32[base + slot * words];
    if (((status ^ ofDevice) & bit) === 0) break;
    if ((status & last) !== 0) whole = count;
    if (++slot === ring.size) slot = 0;
  }
  return whole;
}

/** The device gives `slots` slots back, and leaves the other bits as they are. */
export function giveBack({ u32 }: HostMemory, ring: RingMemory, first: number, slots: number, { words, word, bit, ofDevice }: OwnerBit): void {
  const base = (ring.address >>> 2) + word;
  const ofDriver = ofDevice ^ bit;
  let slot = first % ring.size;
  for (let i = 0; i < slots; i++) {
    u32[base + slot * words] = (u32[base + slot * words] & ~bit) | ofDriver;
    if (++slot === ring.size) slot = 0;
  }
}
