import { XDP_PKT_CONTD } from '../../src/umem/index.js';

/** Sizes of the selftest, bytes. */
export const MIN_PACKET = 64;
export const JUMBO = 9000;
export const LARGE_FRAME = 3072;
/** Longer than any chunk and than any Ethernet frame. */
export const INVALID_LENGTH = 9001;
export const DEFAULT_PACKETS = 4096;
/** The selftest sends 4096 of 9000 bytes, too: fewer show the same in less time. */
export const JUMBO_PACKETS = 512;
/** So many of them, in buffers of 2048 bytes, are less than the 256 descriptors of the smallest RX ring: they all arrive at the same moment. */
export const JUMBO_BATCH = 32;

const ETH_HLEN = 14;

/** One descriptor on the TX ring. */
export interface Part {
  /** UMEM offset where it begins; left out: the beginning of the sender's next buffer. */
  readonly addr?: number;
  readonly len: number;
  /** Besides XDP_PKT_CONTD, which all but the last part of a packet have. */
  readonly options?: number;
  /** The kernel finds fault with this descriptor. */
  readonly isBad?: boolean;
}

/** A packet as the sender writes it on its TX ring, and what is to become of it. */
export interface Packet {
  /** Tells it from others: its bytes are made of it. */
  readonly number: number;
  readonly parts: readonly Part[];
  /** It reaches the receiver, if the program there lets it. */
  readonly isValid: boolean;
  /** Its last part says that it goes on. */
  readonly isOpen?: boolean;
  /** Last bit of its destination address. */
  readonly destination?: number;
}

export const lengthOf = ({ parts }: Packet): number => parts.reduce((sum, { len }) => sum + len, 0);

export function optionsOf({ parts, isOpen = false }: Packet, part: number): number {
  const isContinued = part < parts.length - 1 || isOpen;
  return (parts[part].options ?? 0) | (isContinued ? XDP_PKT_CONTD : 0);
}

/** A packet of `lenBytes`, in as many parts as it takes if a chunk holds `chunkBytes`. */
export function packet(number: number, lenBytes: number, chunkBytes: number): Packet {
  const parts: Part[] = [];
  for (let at = 0; at < lenBytes; at += chunkBytes) parts.push({ len: Math.min(chunkBytes, lenBytes - at) });
  return { number, parts, isValid: true };
}

/** `count` packets, numbered from 0. */
export function packets(count: number, lenBytes = MIN_PACKET, chunkBytes = 4096): Packet[] {
  return Array.from({ length: count }, (_, number) => packet(number, lenBytes, chunkBytes));
}

/** Each second packet, from the one numbered 1 on, becomes what `other` makes of it. */
export function replaceOdd(stream: readonly Packet[], other: (packet: Packet) => Packet): Packet[] {
  return stream.map((each) => (each.number % 2 === 1 ? other(each) : each));
}

/**
 * Byte `at` of packet `number`: an Ethernet header, then 32-bit words, big endian, with the packet's number in the upper half and the word's in the lower.
 *
 *     0 destination 02:00:00:00:00:0d   6 source 02:00:00:00:01:00   12 EtherType 88b5 (IEEE 802, local experiments)
 */
export function packetBytes({ number, destination = 0 }: Packet, lenBytes: number): Uint8Array {
  const bytes = new Uint8Array(lenBytes);
  bytes.set([2, 0, 0, 0, 0, destination, 2, 0, 0, 0, 1, 0, 0x88, 0xb5].slice(0, lenBytes));
  for (let at = ETH_HLEN; at < lenBytes; at++) {
    const word = ((number & 0xffff) << 16) | (((at - ETH_HLEN) >> 2) & 0xffff);
    bytes[at] = word >>> (24 - 8 * ((at - ETH_HLEN) & 3));
  }
  return bytes;
}
