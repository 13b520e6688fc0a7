import { decode, layerKey } from '../decode.js';
import type { DecodedPacket, Layer } from '../decode.js';
import type { HeaderName } from '../header.js';
import { ipPacketAfter } from '../ipPacket.js';
import type { IpPacket } from '../ipPacket.js';
import { checkPacketBytes } from '../packetBytes.js';
import { readFields } from './definition.js';
import { DEFINITIONS } from './definitions.js';
import type { DecodedFields, HeaderKey } from './definitions.js';
import { readField } from './fieldTable.js';

/** A header of one kind that was decoded. */
export interface ParsedLayerOf<Name extends HeaderName> {
  readonly name: Name;
  /** The name, or `udp#2` for the second one from the outside. */
  readonly key: HeaderKey<Name>;
  /** Where it begins in the packet. */
  readonly offBytes: number;
  /** With options. */
  readonly lengthBytes: number;
  readonly fields: DecodedFields<Name>;
}

/** A header that was decoded; `name` tells its fields. */
export type ParsedLayer = { [Name in HeaderName]: ParsedLayerOf<Name> }[HeaderName];

/**
 * What is wrong with a packet. `truncated`: a header isn't wholly there. `malformed`: its version or a length in it makes no sense. `too-deep`: more than
 * 64 headers. `missing`: lengths count bytes that the packet doesn't have (of a first fragment the others have them: that is no fault).
 */
export interface PacketFault {
  readonly kind: 'truncated' | 'malformed' | 'too-deep' | 'missing';
  readonly header: HeaderName;
  /** Where the header begins. */
  readonly offBytes: number;
  /** One sentence without a full stop. */
  readonly message: string;
}

/** A packet taken apart: its headers, its payload and its trailer are all of its bytes. */
export interface ParsedPacket {
  /** From Ethernet inwards, through tunnels. */
  readonly layers: readonly ParsedLayer[];
  /** What no header is: data, or what couldn't be taken apart. */
  readonly payload: Uint8Array;
  readonly payloadOffBytes: number;
  /** What the headers' lengths don't count any more. */
  readonly trailer: Uint8Array;
  readonly trailerOffBytes: number;
  /** At most two. */
  readonly faults: readonly PacketFault[];
  /** A header by its name: the outermost one, or with `udp#2` the second one from the outside. */
  layer<Name extends HeaderName>(key: HeaderKey<Name>): ParsedLayerOf<Name> | undefined;
}

/**
 * Takes a packet apart, whatever the bytes are, and looks at 64 headers at most; what is wrong is told in `faults`. Checksums are not looked at: see
 * `checkChecksums`.
 *
 * @throws TypeError for what is no Uint8Array
 * @example
 * const ttl = decodePacket(bytes).layer('ipv4')?.fields.ttl;
 */
export function decodePacket(bytes: Uint8Array): ParsedPacket {
  checkPacketBytes('decodePacket', bytes);
  const packet = decode(bytes, 0, bytes.length);
  const layers = packet.layers.map(({ name, offBytes, lengthBytes }, i) => {
    const fields = readFields(DEFINITIONS[name], bytes, offBytes, lengthBytes, (spec) => readField(bytes, offBytes, spec));
    return { name, key: layerKey(packet.layers, i), offBytes, lengthBytes, fields } as unknown as ParsedLayer;
  });
  return {
    layers,
    payload: bytes.slice(packet.payloadOffBytes, packet.payloadEndBytes),
    payloadOffBytes: packet.payloadOffBytes,
    trailer: bytes.slice(packet.payloadEndBytes),
    trailerOffBytes: packet.payloadEndBytes,
    faults: faultsOf(bytes, packet),
    layer<Name extends HeaderName>(key: HeaderKey<Name>): ParsedLayerOf<Name> | undefined {
      return layers.find((layer) => layer.key === key.replace(/#1$/, '')) as unknown as ParsedLayerOf<Name> | undefined;
    },
  };
}

const FAULT_TEXTS = {
  truncated: 'is not wholly there',
  malformed: 'has a version or a length that makes no sense',
  'too-deep': 'is one header too many to be taken apart',
} as const;

function faultsOf(bytes: Uint8Array, { layers, fault }: DecodedPacket): PacketFault[] {
  const faults: PacketFault[] = [];
  const short = firstShort(bytes, layers);
  if (short !== undefined) {
    const { name, offBytes, missingBytes } = short;
    faults.push({ kind: 'missing', header: name, offBytes, message: `${name} counts ${missingBytes} bytes more than the packet has` });
  }
  if (fault !== undefined) faults.push({ kind: fault.kind, header: fault.name, offBytes: fault.offBytes, message: `${fault.name} ${FAULT_TEXTS[fault.kind]}` });
  return faults;
}

/** The outermost header whose length is too much, unless it is a fragment's. */
function firstShort(bytes: Uint8Array, layers: readonly Layer[]): Layer | undefined {
  let ip: IpPacket | undefined;
  for (const layer of layers) {
    ip = ipPacketAfter(ip, bytes, layer);
    if (layer.missingBytes > 0) return ip?.isFragment === true && layer.name !== 'ipv4' ? undefined : layer;
  }
  return undefined;
}
