import * as fc from 'fast-check';
import { decodePacket } from '../../packet/index.js';
import { checkSize } from './options.js';
import { packetBytes } from './packets.js';
import type { PacketOptions } from './packets.js';

/** What was done to a packet. */
export type Mutation =
  /** Cut after so many bytes. */
  | { readonly what: 'truncate'; readonly lenBytes: number }
  /** One byte replaced. */
  | { readonly what: 'byte'; readonly offBytes: number; readonly value: number }
  /** A length, count, version or offset of a header replaced. */
  | { readonly what: 'field'; readonly field: string; readonly value: number }
  /** Bytes behind the end. */
  | { readonly what: 'append'; readonly bytes: Uint8Array };

/** A packet that was well-formed once. */
export interface MutatedPacket {
  readonly data: Uint8Array;
  /** The packet before. */
  readonly original: Uint8Array;
  readonly mutations: readonly Mutation[];
}

/** Fields that tell a parser how to go on: where programs go wrong. Bytes of their headers, and their widths. */
const STRUCTURAL: Readonly<Record<string, readonly (readonly [name: string, offBytes: number, bits: 8 | 16])[]>> = {
  eth: [['type', 12, 16]],
  vlan: [['type', 2, 16]],
  ipv4: [['versionIhl', 0, 8], ['totalLength', 2, 16], ['fragment', 6, 16], ['protocol', 9, 8]],
  ipv6: [['version', 0, 8], ['payloadLength', 4, 16], ['nextHeader', 6, 8]],
  tcp: [['dataOffset', 12, 8]],
  udp: [['length', 4, 16]],
  arp: [['plen', 5, 8]],
};

/** Values that are off by one, zero, or as large as can be. */
const SPECIAL = [0, 1, 2, 4, 5, 14, 19, 20, 21, 40, 60, 0x0800, 0x86dd, 0x8100, 0x45, 0x4f, 0x60, 0xff, 0xffff];

/**
 * A packet of which something is wrong: cut short, bytes replaced, lengths that lie, bytes behind the end. Shrinks to few mutations of a plain packet; it may be
 * malformed at the end, too, which is what it is for. 14 bytes are always left, as no NIC and no test run takes fewer.
 *
 * @throws Error as `packet`
 * @example
 * fc.assert(fc.property(mutatedPacket(), ({ data }) => program.testRun({ data }).fault === undefined));
 */
export function mutatedPacket(options: PacketOptions = {}): fc.Arbitrary<MutatedPacket> {
  return packetBytes(options).chain((original) =>
    fc.array(mutationOf(original), { minLength: 1, maxLength: 3 }).map((mutations) => ({ original, mutations, data: mutations.reduce(mutate, original) })));
}

/**
 * Any bytes that a NIC may receive: 14 to `maxBytes`.
 *
 * @throws Error `arbitrary-options` for fewer bytes than an Ethernet header has
 * @example
 * fc.assert(fc.property(anyFrame(), (bytes) => program.testRun({ data: bytes }).verdict !== 'fault'));
 */
export function anyFrame(maxBytes = 128): fc.Arbitrary<Uint8Array> {
  checkSize('anyFrame(maxBytes)', maxBytes, 14, 65536);
  return fc.uint8Array({ minLength: 14, maxLength: maxBytes });
}

function mutationOf(packet: Uint8Array): fc.Arbitrary<Mutation> {
  const byte = fc.record({ what: fc.constant('byte' as const), offBytes: fc.integer({ min: 0, max: packet.length - 1 }), value: fc.integer({ min: 0, max: 255 }) });
  const truncate = fc.record({ what: fc.constant('truncate' as const), lenBytes: fc.integer({ min: 14, max: packet.length }) });
  const append = fc.record({ what: fc.constant('append' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }) });
  const fields = structuralFields(packet);
  if (fields.length === 0) return fc.oneof(truncate, byte, append);
  const field = fc.record({ what: fc.constant('field' as const), field: fc.constantFrom(...fields.keys()).map((i) => fields[i].key), value: fc.constantFrom(...SPECIAL) });
  return fc.oneof(field, truncate, byte, append);
}

interface StructuralField {
  readonly key: string;
  readonly offBytes: number;
  readonly bits: 8 | 16;
}

function structuralFields(packet: Uint8Array): StructuralField[] {
  return decodePacket(packet).layers.flatMap(({ name, key, offBytes }) =>
    (STRUCTURAL[name] ?? []).map(([field, at, bits]) => ({ key: `${key}.${field}`, offBytes: offBytes + at, bits })).filter((each) => each.offBytes + each.bits / 8 <= packet.length));
}

function mutate(packet: Uint8Array, mutation: Mutation): Uint8Array {
  switch (mutation.what) {
    case 'truncate':
      return packet.slice(0, Math.max(14, mutation.lenBytes));
    case 'append':
      return Uint8Array.from([...packet, ...mutation.bytes]);
    case 'byte': {
      const copy = packet.slice();
      if (mutation.offBytes < copy.length) copy[mutation.offBytes] = mutation.value;
      return copy;
    }
    default: {
      const copy = packet.slice();
      const field = structuralFields(packet).find(({ key }) => key === mutation.field);
      if (field === undefined) return copy;
      const view = new DataView(copy.buffer);
      if (field.bits === 8) view.setUint8(field.offBytes, mutation.value & 0xff);
      else view.setUint16(field.offBytes, mutation.value);
      return copy;
    }
  }
}
