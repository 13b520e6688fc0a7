import { arpHeader } from './arp.js';
import { ethernetHeader } from './ethernet.js';
import type { Header, HeaderName } from './header.js';
import { icmpHeader, icmpv6Header } from './icmp.js';
import { ipv4Header } from './ipv4.js';
import { authenticationHeader, ipv6FragmentHeader, ipv6Header, ipv6OptionsHeader } from './ipv6.js';
import { tcpHeader } from './tcp.js';
import { udpHeader } from './udp.js';
import { vlanHeader } from './vlan.js';

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
};

/** A header that is wholly there. */
export interface Layer {
  readonly name: HeaderName;
  /** Where it begins in the buffer. */
  readonly offBytes: number;
  /** With options. */
  readonly lengthBytes: number;
}

/** Why decoding stopped before the payload. */
export interface DecodeFault {
  readonly kind: 'truncated' | 'malformed';
  /** The header that couldn't be taken apart, and where it begins in the buffer. */
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
 * Takes a frame apart from its Ethernet header inwards. It never throws on what the bytes say and looks at none outside
 * of the packet: a header that isn't wholly there, or whose lengths make no sense, becomes `fault`.
 *
 * @param bytes buffer that holds the packet
 * @param offBytes where it begins
 * @param lengthBytes its length
 */
export function decode(bytes: Uint8Array, offBytes: number, lengthBytes: number): DecodedPacket {
  const layers: Layer[] = [];
  let fault: DecodeFault | undefined;
  let at = offBytes;
  let end = offBytes + lengthBytes;
  let missingBytes = 0;
  let name: HeaderName | undefined = 'eth';
  while (name !== undefined) {
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
    layers.push({ name, offBytes: at, lengthBytes: headerBytes });
    name = header.next(bytes, at);
    at += headerBytes;
  }
  return { layers, fault, payloadOffBytes: at, payloadEndBytes: end, missingBytes };
}

/** The innermost layer of that name; `undefined` when the packet has none. */
export function layerOf(packet: DecodedPacket, name: HeaderName): Layer | undefined {
  return packet.layers.findLast((layer) => layer.name === name);
}

/**
 * Names the header field that holds a byte of a packet, for packet diffs: `eth.dst`, `ipv4.ttl`, `vlan2.tci` (second tag), `tcp.options+3`,
 * `payload+12`, `trailer+0` (Ethernet padding), `udp+5` (in a header that is truncated or malformed), `end+2` (behind the packet).
 *
 * @param bytes the packet, from its beginning
 * @param lengthBytes its length
 * @param offsetBytes the byte to name, from 0
 */
export function fieldAt(bytes: Uint8Array, lengthBytes: number, offsetBytes: number): string {
  if (offsetBytes >= lengthBytes) return `end+${offsetBytes - lengthBytes}`;
  const packet = decode(bytes, 0, lengthBytes);
  const index = packet.layers.findIndex((layer) => offsetBytes < layer.offBytes + layer.lengthBytes);
  if (index >= 0) {
    const layer = packet.layers[index]!;
    const header = HEADERS[layer.name];
    const nth = packet.layers.slice(0, index + 1).filter((other) => other.name === layer.name).length;
    const prefix = nth === 1 ? layer.name : `${layer.name}${nth}`;
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
