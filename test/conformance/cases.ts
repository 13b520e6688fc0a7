import type { Rng } from '../../src/base/index.js';
import type { TestRunInput } from '../../src/xdp/index.js';
import type { FixturePacket } from '../support/fixtures.js';

/** One packet as it is given to a program. */
export interface Case {
  readonly input: TestRunInput;
  /** Capture, packet number and what was done to the packet. */
  readonly where: string;
}

/** Of a packet that was changed, in messages. */
const SHOWN_BYTES = 64;

const METADATA_BYTES = [0, 4, 32];
const MAX_LINEAR_BYTES = 3520;
const MAX_BYTES = MAX_LINEAR_BYTES + 17 * 4096;
const ETH_HLEN = 14;
const MAC_ADDRESSES_BYTES = 12;

/** Every packet as it is, with each length of metadata before it. */
export function packetCases(packets: readonly FixturePacket[], rng: Rng): Case[] {
  return packets.flatMap((packet) =>
    METADATA_BYTES.map((metaBytes) => ({
      where: `${placeOf(packet)}, ${metaBytes} bytes of metadata`,
      input: { data: joined(randomBytes(rng, metaBytes), packet.data), metaBytes },
    })),
  );
}

/** `count` packets out of these, each damaged in one way or given to the program in an unusual way. */
export function mutatedCases(packets: readonly FixturePacket[], count: number, rng: Rng): Case[] {
  return Array.from({ length: count }, () => {
    const packet = packets[rng.below(packets.length)];
    const [name, mutate] = MUTATIONS[rng.below(MUTATIONS.length)];
    const input = mutate(packet.data, rng);
    const { data, ...rest } = input;
    const start = Buffer.from(data.subarray(0, SHOWN_BYTES)).toString('hex');
    return { where: `${placeOf(packet)}, ${name}: ${data.length} bytes ${start} ${JSON.stringify(rest)}`, input };
  });
}

function placeOf({ capture, number }: FixturePacket): string {
  return `${capture} packet ${number}`;
}

type Mutation = (packet: Uint8Array, rng: Rng) => TestRunInput;

const MUTATIONS: readonly (readonly [name: string, mutate: Mutation])[] = [
  ['truncated', (packet, rng) => ({ data: packet.subarray(0, between(rng, ETH_HLEN, packet.length)) })],
  ['truncated in its headers', (packet, rng) => ({ data: packet.subarray(0, between(rng, ETH_HLEN, Math.min(packet.length, 80))) })],
  ['shorter than an Ethernet header', (packet, rng) => ({ data: packet.subarray(0, rng.below(ETH_HLEN)) })],
  ['bits of its headers flipped', (packet, rng) => ({ data: withFlips(packet, rng, 64) })],
  ['EtherType or IP version changed', (packet, rng) => ({ data: withByte(packet, between(rng, 12, 14), rng) })],
  ['IPv4 length, fragment or protocol changed', (packet, rng) => ({ data: withByte(packet, between(rng, 14, 24), rng) })],
  ['tagged', (packet, rng) => ({ data: tagged(packet, rng) })],
  ['tagged and truncated', (packet, rng) => ({ data: tagged(packet, rng).subarray(0, between(rng, ETH_HLEN, 64)) })],
  ['linear part cut', (packet, rng) => ({ data: packet, dataEnd: rng.below(packet.length + 1) })],
  ['linear part cut in its headers', (packet, rng) => ({ data: packet, dataEnd: rng.below(Math.min(packet.length, 80)) })],
  ['linear part cut, metadata', (packet, rng) => {
    const metaBytes = 4 * rng.below(9);
    return { data: joined(randomBytes(rng, metaBytes), packet), metaBytes, dataEnd: rng.below(metaBytes + packet.length + 1) };
  }],
  ['lengthened', (packet, rng) => ({ data: joined(packet, randomBytes(rng, rng.below(9000))) })],
  ['lengthened to the edge of the linear part', (packet, rng) => ({ data: resized(packet, MAX_LINEAR_BYTES - 2 + rng.below(5)) })],
  ['lengthened to the edge of what fits', (packet, rng) => ({ data: resized(packet, MAX_BYTES - 2 + rng.below(5)) })],
  ['metadata of any length', (packet, rng) => {
    const metaBytes = rng.below(230);
    return { data: joined(randomBytes(rng, metaBytes), packet), metaBytes };
  }],
  ['metadata where a packet should be', (packet, rng) => ({ data: packet.subarray(0, between(rng, ETH_HLEN, 40)), metaBytes: 4 * rng.below(10) })],
  ['headroom full of metadata', (packet, rng) => ({ data: joined(randomBytes(rng, 216), packet), metaBytes: 216 })],
  ['end behind the end', (packet, rng) => ({ data: packet, dataEnd: packet.length + 1 + rng.below(9) })],
  ['little room for output', (packet, rng) => ({ data: packet, dataSizeOut: rng.below(packet.length + 20) })],
  // Between two runs the kernel gives its CPU away, which takes long on a busy machine: most of these are 0 or 1.
  ['run several times', (packet, rng) => ({ data: packet, repeat: rng.below(6) === 0 ? 2 + rng.below(3) : rng.below(2) })],
  ['from loopback', (packet) => ({ data: packet, ingressIfindex: 1 })],
  ['from a queue without interface', (packet, rng) => ({ data: packet, rxQueueIndex: 1 + rng.below(3) })],
];

/** A whole number from `low` to `high`, both included. */
function between(rng: Rng, low: number, high: number): number {
  return low + rng.below(Math.max(1, high - low + 1));
}

function randomBytes(rng: Rng, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => rng.below(256));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

function resized(packet: Uint8Array, length: number): Uint8Array {
  const data = new Uint8Array(length);
  data.set(packet.subarray(0, length));
  return data;
}

function withFlips(packet: Uint8Array, rng: Rng, headerBytes: number): Uint8Array {
  const data = packet.slice();
  for (let left = 1 + rng.below(3); left > 0; left--) data[rng.below(Math.min(headerBytes, data.length))] ^= 1 << rng.below(8);
  return data;
}

function withByte(packet: Uint8Array, at: number, rng: Rng): Uint8Array {
  const data = packet.slice();
  data[at] = rng.below(256);
  return data;
}

/** One 802.1Q or 802.1ad tag more. */
function tagged(packet: Uint8Array, rng: Rng): Uint8Array {
  const tpid = rng.below(2) === 0 ? [0x81, 0x00] : [0x88, 0xa8];
  return joined(packet.subarray(0, MAC_ADDRESSES_BYTES), Uint8Array.from(tpid), randomBytes(rng, 2), packet.subarray(MAC_ADDRESSES_BYTES));
}
