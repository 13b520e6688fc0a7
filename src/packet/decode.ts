import { arpHeader } from './arp.js';
import { ethernetHeader } from './ethernet.js';
import { geneveHeader } from './geneve.js';
import { greHeader } from './gre.js';
import type { Header, HeaderName } from './header.js';
import { icmpHeader, icmpv6Header } from './icmp.js';
import { ipv4Header } from './ipv4.js';
import { authenticationHeader, ipv6FragmentHeader, ipv6Header, ipv6OptionsHeader } from './ipv6.js';
import { mplsHeader } from './mpls.js';
import { sctpChunkHeader, sctpHeader } from './sctp.js';
import { tcpHeader } from './tcp.js';
import { udpHeader } from './udp.js';
import { vlanHeader } from './vlan.js';
import { vxlanHeader } from './vxlan.js';

/** A new header is one file and one line here. */
const HEADERS: Readonly<Record<HeaderName, Header>> = {
  eth: ethernetHeader,
  vlan: vlanHeader,
  arp: arpHeader,
  ipv4: ipv4Header,
  ipv6: ipv6Header,
  hopopts: ipv6OptionsHeader,
  routing: ipv6OptionsHeader,
  fragment: ipv6FragmentHeader,
  dstopts: ipv6OptionsHeader,
  ah: authenticationHeader,
  tcp: tcpHeader,
  udp: udpHeader,
  icmp: icmpHeader,
  icmpv6: icmpv6Header,
  sctp: sctpHeader,
  chunk: sctpChunkHeader,
  gre: greHeader,
  vxlan: vxlanHeader,
  geneve: geneveHeader,
  mpls: mplsHeader,
};

/** Headers that are taken apart at most: nobody nests deeper, and whoever does can't make decoding slow. */
export const MAX_LAYERS = 64;

/** A header that is wholly there. */
export interface Layer {
  readonly name: HeaderName;
  /** Where it begins in the buffer. */
  readonly offBytes: number;
  /** With options. */
  readonly lengthBytes: number;
  /** Where in the buffer its payload ends, as its own length field and those before it say; at most the end of the packet. */
  readonly endBytes: number;
  /** Bytes that those lengths count but the packet doesn't have. */
  readonly missingBytes: number;
}

/** Why decoding stopped before the payload. */
export interface DecodeFault {
  readonly kind: 'truncated' | 'malformed' | 'too-deep';
  /** The header that couldn't be or wasn't taken apart, and where it begins in the buffer. */
  readonly name: HeaderName;
  readonly offBytes: number;
}

/** A packet taken apart. All offsets count in the buffer that was handed in. */
export interface DecodedPacket {
  /** The headers from Ethernet inwards. */
  readonly layers: readonly Layer[];
  readonly fault: DecodeFault | undefined;
  /** First byte behind the last header of `layers`. */
  readonly payloadOffBytes: number;
  /** First byte that the headers' lengths don't count any more (Ethernet padding), at most the end of the packet. */
  readonly payloadEndBytes: number;
  /** Bytes that the headers' lengths count but the packet doesn't have: it was cut, or a length lies. */
  readonly missingBytes: number;
}

/**
 * Takes a frame apart from its Ethernet header inwards, through tunnels too. It never throws on what the bytes say and looks at none outside
 * of the packet: a header that isn't wholly there, whose lengths make no sense, or that is one too many (`MAX_LAYERS`) becomes `fault`.
 *
 * @param bytes buffer that holds the packet
 * @param offBytes where it begins
 * @param lengthBytes its length
 * @example
 * const { layers, fault } = decode(data, 0, data.length);
 * layers.map(({ name }) => name); // ['eth', 'ipv4', 'udp']
 */
export function decode(bytes: Uint8Array, offBytes: number, lengthBytes: number): DecodedPacket {
  const layers: Layer[] = [];
  let fault: DecodeFault | undefined;
  let at = offBytes;
  let end = offBytes + lengthBytes;
  let missingBytes = 0;
  let name: HeaderName | undefined = 'eth';
  while (name !== undefined) {
    if (layers.length === MAX_LAYERS) {
      fault = { kind: 'too-deep', name, offBytes: at };
      break;
    }
    const header: Header = HEADERS[name];
    if (end - at < header.minBytes) {
      fault = { kind: 'truncated', name, offBytes: at };
      break;
    }
    const headerBytes = header.lengthBytes(bytes, at);
    if (headerBytes < header.minBytes) {
      fault = { kind: 'malformed', name, offBytes: at };
      break;
    }
    const statedEnd = header.payloadEnd?.(bytes, at);
    if (statedEnd !== undefined) {
      missingBytes = Math.max(missingBytes, statedEnd - end);
      end = Math.min(end, statedEnd);
    }
    if (end - at < headerBytes) {
      fault = { kind: 'truncated', name, offBytes: at };
      break;
    }
    layers.push({ name, offBytes: at, lengthBytes: headerBytes, endBytes: end, missingBytes });
    name = header.next(bytes, at, end);
    at += headerBytes;
  }
  return { layers, fault, payloadOffBytes: at, payloadEndBytes: end, missingBytes };
}

/**
 * The innermost layer of that name; `undefined` when the packet has none.
 *
 * @example
 * layerOf(decode(data, 0, data.length), 'udp')?.offBytes; // 34
 */
export function layerOf(packet: DecodedPacket, name: HeaderName): Layer | undefined {
  return packet.layers.findLast((layer) => layer.name === name);
}

/**
 * What a header is called among others of its name: `udp`, `udp#2` for the second one from the outside.
 *
 * @example
 * layerKey(decode(data, 0, data.length).layers, 1); // 'ipv4'
 */
export function layerKey(layers: readonly { readonly name: HeaderName }[], index: number): string {
  const { name } = layers[index]!;
  let nth = 1;
  for (let i = 0; i < index; i++) if (layers[i]!.name === name) nth++;
  return nth === 1 ? name : `${name}#${nth}`;
}

/**
 * Names the header field that holds a byte of a packet, for packet diffs: `eth.dst`, `ipv4.ttl`, `vlan#2.tci` (second tag), `udp#2.length` (in a tunnel), `tcp.options+3`,
 * `payload+12`, `trailer+0` (Ethernet padding), `udp+5` (in a header that is truncated or malformed), `end+2` (behind the packet).
 *
 * @param bytes the packet, from its beginning
 * @param lengthBytes its length
 * @param offsetBytes the byte to name, from 0
 * @example
 * fieldAt(data, data.length, 37); // 'udp.dst_port'
 */
export function fieldAt(bytes: Uint8Array, lengthBytes: number, offsetBytes: number): string {
  if (offsetBytes >= lengthBytes) return `end+${offsetBytes - lengthBytes}`;
  const packet = decode(bytes, 0, lengthBytes);
  const index = packet.layers.findIndex((layer) => offsetBytes < layer.offBytes + layer.lengthBytes);
  if (index >= 0) {
    const layer = packet.layers[index]!;
    const header = HEADERS[layer.name];
    const prefix = layerKey(packet.layers, index);
    const inHeader = offsetBytes - layer.offBytes;
    const fields = header.fields(bytes, layer.offBytes);
    const found = fields.find((f) => inHeader >= f.offBytes && inHeader < f.offBytes + f.lengthBytes);
    if (found !== undefined) return `${prefix}.${found.name}`;
    const last = fields.at(-1)!;
    return `${prefix}.${header.rest}+${inHeader - last.offBytes - last.lengthBytes}`;
  }
  if (offsetBytes >= packet.payloadEndBytes) return `trailer+${offsetBytes - packet.payloadEndBytes}`;
  const { fault } = packet;
  if (fault !== undefined) return `${fault.name}+${offsetBytes - fault.offBytes}`;
  return `payload+${offsetBytes - packet.payloadOffBytes}`;
}
