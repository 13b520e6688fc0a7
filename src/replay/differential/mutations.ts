import type { CorpusPacket } from './corpus.js';
import type { Draw } from './draw.js';

/** A change of a packet, in place of what a network would hardly ever send. */
export interface Mutation {
  /** What was done, for a reader of the report. */
  readonly name: string;
  /** @returns a new packet, or a part of the old one; never writes to it */
  readonly apply: (packet: Uint8Array, draw: Draw, packets: readonly CorpusPacket[]) => Uint8Array;
}

const ETH_HLEN = 14;
const MAC_ADDRESSES_BYTES = 12;
/** Ethernet, two VLAN tags, IPv6 and TCP end here. */
const HEADERS_BYTES = 82;
/** Longest packet that is made. */
export const MAX_PACKET_BYTES = 9000;

/** Lengths around the bounds of headers, of the smallest and the usual frames, of the linear part of BPF_PROG_TEST_RUN, and of jumbo frames. */
const EDGES_BYTES: readonly number[] = [
  13, 14, 15, 17, 18, 19, 21, 22, 33, 34, 35, 41, 42, 43, 53, 54, 55, 59, 60, 61, 64, 74, 1513, 1514, 1518, 3519, 3520, 3521, 4095, 4096, 4097, 7616, 9000,
];

const TPIDS: readonly number[] = [0x8100, 0x88a8, 0x9100];
/** Words that fields of headers are compared with: EtherTypes, ports, flags, and the ends of the range. */
const WORDS: readonly number[] = [
  0x0000, 0x0001, 0xffff, 0xfffe, 0x8000, 0x7fff, 0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x4500, 0x4600, 0x4f00, 0x6000, 0x2000, 0x4000, 0x1fff, 53, 80, 443, 1500,
];

export const MUTATIONS: readonly Mutation[] = [
  { name: 'truncated', apply: (packet, draw) => packet.subarray(0, draw.between(ETH_HLEN, packet.length)) },
  { name: 'truncated in its headers', apply: (packet, draw) => packet.subarray(0, draw.between(ETH_HLEN, Math.min(packet.length, HEADERS_BYTES))) },
  { name: 'cut to an edge', apply: (packet, draw) => resized(packet, draw.oneOf(EDGES_BYTES.filter((edge) => edge < 1600))) },
  { name: 'header bits flipped', apply: flipBits },
  { name: 'header byte replaced', apply: (packet, draw) => withBytes(packet, headerOffset(packet, draw), [draw.below(256)]) },
  { name: 'header word replaced', apply: replaceWord },
  { name: 'EtherType replaced', apply: (packet, draw) => withWord(packet, MAC_ADDRESSES_BYTES, draw.oneOf(WORDS)) },
  { name: 'IPv4 header length, total length, fragment, TTL or protocol replaced', apply: replaceIpv4Field },
  { name: 'tagged', apply: pushTags },
  { name: 'headers of another packet', apply: spliceHeaders },
  { name: 'resized to an edge', apply: (packet, draw) => resized(packet, draw.oneOf(EDGES_BYTES)) },
  { name: 'lengthened', apply: lengthen },
  { name: 'random bytes', apply: (_, draw) => draw.bytes(draw.between(0, 200)) },
];

function headerOffset(packet: Uint8Array, draw: Draw): number {
  return draw.below(Math.max(1, Math.min(packet.length, HEADERS_BYTES)));
}

function flipBits(packet: Uint8Array, draw: Draw): Uint8Array {
  const copy = packet.slice();
  for (let left = draw.between(1, 3); left > 0; left--) copy[headerOffset(packet, draw)] ^= 1 << draw.below(8);
  return copy;
}

function replaceWord(packet: Uint8Array, draw: Draw): Uint8Array {
  const word = draw.oneIn(3) ? draw.below(0x10000) : draw.oneOf(WORDS);
  return withWord(packet, headerOffset(packet, draw) & ~1, word);
}

/** Offsets in an untagged IPv4 packet of version and IHL, total length, flags and fragment offset, TTL, protocol. */
const IPV4_OFFSETS: readonly number[] = [14, 16, 17, 20, 21, 22, 23];

function replaceIpv4Field(packet: Uint8Array, draw: Draw): Uint8Array {
  const at = draw.oneOf(IPV4_OFFSETS);
  // A version that is none ends most programs at once: mostly the length alone changes.
  return withBytes(packet, at, [at === 14 && !draw.oneIn(4) ? 0x40 | draw.below(16) : draw.below(256)]);
}

function pushTags(packet: Uint8Array, draw: Draw): Uint8Array {
  if (packet.length < MAC_ADDRESSES_BYTES) return packet;
  const count = draw.between(1, 3);
  const tagged = new Uint8Array(packet.length + 4 * count);
  tagged.set(packet.subarray(0, MAC_ADDRESSES_BYTES));
  for (let i = 0; i < count; i++) {
    const tpid = draw.oneOf(TPIDS);
    const tci = draw.below(0x10000);
    tagged.set([tpid >> 8, tpid & 0xff, tci >> 8, tci & 0xff], MAC_ADDRESSES_BYTES + 4 * i);
  }
  tagged.set(packet.subarray(MAC_ADDRESSES_BYTES), MAC_ADDRESSES_BYTES + 4 * count);
  return tagged;
}

function spliceHeaders(packet: Uint8Array, draw: Draw, packets: readonly CorpusPacket[]): Uint8Array {
  const other = draw.oneOf(packets).data;
  const copy = packet.slice();
  copy.set(other.subarray(0, Math.min(draw.below(HEADERS_BYTES), copy.length)));
  return copy;
}

function lengthen(packet: Uint8Array, draw: Draw): Uint8Array {
  const room = Math.max(0, MAX_PACKET_BYTES - packet.length);
  const more = draw.bytes(draw.oneIn(4) ? draw.below(room + 1) : draw.below(Math.min(room, 300) + 1));
  const copy = new Uint8Array(packet.length + more.length);
  copy.set(packet);
  copy.set(more, packet.length);
  return copy;
}

/** Cut, or filled up with zeros. */
function resized(packet: Uint8Array, length: number): Uint8Array {
  if (length <= packet.length) return packet.subarray(0, length);
  const copy = new Uint8Array(length);
  copy.set(packet);
  return copy;
}

function withWord(packet: Uint8Array, at: number, word: number): Uint8Array {
  return withBytes(packet, at, [word >> 8, word & 0xff]);
}

/** What would lie behind the end is left out. */
function withBytes(packet: Uint8Array, at: number, bytes: readonly number[]): Uint8Array {
  const copy = packet.slice();
  bytes.forEach((byte, i) => {
    if (at + i < copy.length) copy[at + i] = byte;
  });
  return copy;
}
