import { ARP_OPER_OFF, ARP_REPLY, ARP_REQUEST, ARP_SHA_OFF, ARP_SPA_OFF, ARP_TPA_OFF, isArpForIpv4 } from './arp.js';
import { decode } from './decode.js';
import type { DecodedPacket, Layer } from './decode.js';
import { ETH_DST_OFF, ETH_HEADER_BYTES, ETH_SRC_OFF, ETH_TYPE_OFF, ETHERTYPE_MIN, formatMac } from './ethernet.js';
import { GENEVE_VNI_OFF } from './geneve.js';
import { u16, u32 } from './header.js';
import type { HeaderName } from './header.js';
import {
  ICMP_CODE_OFF, ICMP_ECHO_ID_OFF, ICMP_ECHO_SEQ_OFF, ICMP_TYPE_OFF, icmpTypeName, icmpv6TypeName, isIcmpEcho, isIcmpv6Echo,
  isNeighborMessage, ND_TARGET_OFF,
} from './icmp.js';
import { protocolName } from './ipProtocol.js';
import { checkPacketBytes } from './packetBytes.js';
import { formatIpv4, IPV4_DST_OFF, IPV4_PROTOCOL_OFF, IPV4_SRC_OFF, ipv4FragmentOffset, isIpv4Fragment } from './ipv4.js';
import { formatIpv6, IPV6_DST_OFF, IPV6_NEXT_HEADER_OFF, IPV6_SRC_OFF, ipv6FragmentOffset } from './ipv6.js';
import { MPLS_LABEL_SHIFT } from './mpls.js';
import { sctpChunkName } from './sctp.js';
import {
  formatTcpFlags, TCP_ACK, TCP_ACK_OFF, TCP_FLAGS_OFF, TCP_SEQ_OFF, TCP_WINDOW_OFF,
} from './tcp.js';
import { UDP_DST_PORT_OFF, UDP_SRC_PORT_OFF } from './udp.js';
import { VLAN_PCP_SHIFT, VLAN_TCI_OFF, VLAN_VID_MASK } from './vlan.js';
import { VXLAN_VNI_OFF } from './vxlan.js';

/** Headers up to and including those of a tunnel: what is inside of it makes another part. */
interface Part {
  readonly layers: readonly Layer[];
  readonly isLast: boolean;
}

/**
 * A packet in one line for people, in the manner of tcpdump: `IPv4 10.0.0.1:5353 > 10.0.0.2:53 UDP 42` (42 bytes of payload). What is in a
 * tunnel follows after a colon. Lengths are those that the headers state; a packet that has less says so at the end.
 *
 * @example
 * summarize(data, 0, data.length); // 'IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5'
 */
export function summarize(bytes: Uint8Array, offBytes: number, lengthBytes: number): string {
  const packet = decode(bytes, offBytes, lengthBytes);
  const texts = partsOf(packet).map((part) => `${part.layers.map((layer) => tagText(bytes, layer)).join('')}${bodyText(bytes, packet, part)}`);
  return `${texts.join(': ')}${endText(bytes, packet, lengthBytes)}`;
}

/**
 * `summarize` for a packet that has its bytes for itself.
 *
 * @throws TypeError for what is no Uint8Array
 * @example
 * console.log(describePacket(bytes)); // IPv4 10.0.0.1:5353 > 10.0.0.2:53 UDP 42
 */
export function describePacket(bytes: Uint8Array): string {
  checkPacketBytes('describePacket', bytes);
  return summarize(bytes, 0, bytes.length);
}

/** Always one at least. A part has at most one header of IP. */
function partsOf({ layers }: DecodedPacket): Part[] {
  const starts = [0];
  let hasIp = false;
  for (const [i, { name }] of layers.entries()) {
    const isIp = name === 'ipv4' || name === 'ipv6';
    if (i > 0 && (name === 'eth' || (hasIp && (isIp || name === 'mpls') && starts.at(-1) !== i))) {
      starts.push(i);
      hasIp = false;
    }
    hasIp ||= isIp;
  }
  return starts.map((start, i) => ({ layers: layers.slice(start, starts[i + 1]), isLast: i === starts.length - 1 }));
}

/** VLAN tags and MPLS labels, which stand before what they tag. */
function tagText(bytes: Uint8Array, { name, offBytes }: Layer): string {
  if (name === 'mpls') return `MPLS ${u32(bytes, offBytes) >>> MPLS_LABEL_SHIFT} `;
  if (name !== 'vlan') return '';
  const tci = u16(bytes, offBytes + VLAN_TCI_OFF);
  const pcp = tci >>> VLAN_PCP_SHIFT;
  return `VLAN ${tci & VLAN_VID_MASK}${pcp === 0 ? '' : ` p ${pcp}`} `;
}

function find({ layers }: Part, name: HeaderName): Layer | undefined {
  return layers.find((layer) => layer.name === name);
}

function bodyText(bytes: Uint8Array, packet: DecodedPacket, part: Part): string {
  const ipv4 = find(part, 'ipv4');
  if (ipv4 !== undefined) return ipv4Text(bytes, packet, part, ipv4.offBytes);
  const ipv6 = find(part, 'ipv6');
  if (ipv6 !== undefined) return ipv6Text(bytes, packet, part, ipv6.offBytes);
  const arp = find(part, 'arp');
  if (arp !== undefined) return arpText(bytes, arp.offBytes);
  const [first] = part.layers;
  if (first === undefined) return 'Ethernet';
  return first.name === 'eth' ? ethernetText(bytes, packet, part, first.offBytes) : `payload ${payloadBytesOf(packet)}`;
}

function ipv4Text(bytes: Uint8Array, packet: DecodedPacket, part: Part, at: number): string {
  const offset = ipv4FragmentOffset(bytes, at);
  const fragment = isIpv4Fragment(bytes, at) ? ` fragment at ${offset}` : '';
  const src = formatIpv4(bytes, at + IPV4_SRC_OFF);
  const dst = formatIpv4(bytes, at + IPV4_DST_OFF);
  return `IPv4 ${upperText(bytes, packet, part, src, dst, bytes[at + IPV4_PROTOCOL_OFF]!)}${fragment}`;
}

const EXTENSION_HEADERS: ReadonlySet<HeaderName> = new Set(['hopopts', 'routing', 'fragment', 'dstopts', 'ah']);
const HEADERS_WITH_PORTS: ReadonlySet<HeaderName> = new Set(['tcp', 'udp', 'sctp']);

function ipv6Text(bytes: Uint8Array, packet: DecodedPacket, part: Part, at: number): string {
  const extension = part.layers.findLast((layer) => EXTENSION_HEADERS.has(layer.name));
  // Every extension header begins with its next-header octet.
  const nextHeader = extension === undefined ? bytes[at + IPV6_NEXT_HEADER_OFF]! : bytes[extension.offBytes]!;
  const fragmentLayer = find(part, 'fragment');
  const fragment = fragmentLayer === undefined ? '' : ` fragment at ${ipv6FragmentOffset(bytes, fragmentLayer.offBytes)}`;
  const src = formatIpv6(bytes, at + IPV6_SRC_OFF);
  const dst = formatIpv6(bytes, at + IPV6_DST_OFF);
  const hasPorts = part.layers.some(({ name }) => HEADERS_WITH_PORTS.has(name));
  const text = hasPorts ? upperText(bytes, packet, part, `[${src}]`, `[${dst}]`, nextHeader) : upperText(bytes, packet, part, src, dst, nextHeader);
  return `IPv6 ${text}${fragment}`;
}

/** What the headers state, which may be more than is there. */
function payloadBytesOf(packet: DecodedPacket): number {
  return packet.payloadEndBytes - packet.payloadOffBytes + packet.missingBytes;
}

/** Addresses, ports and what the upper-layer header says. */
function upperText(bytes: Uint8Array, packet: DecodedPacket, part: Part, src: string, dst: string, protocol: number): string {
  const payloadBytes = payloadBytesOf(packet);
  const last = part.layers.at(-1)!;
  const at = last.offBytes;
  // All three that have ports begin with them.
  const ported = part.layers.find(({ name }) => HEADERS_WITH_PORTS.has(name))?.offBytes ?? 0;
  const portsText = `${src}:${u16(bytes, ported + UDP_SRC_PORT_OFF)} > ${dst}:${u16(bytes, ported + UDP_DST_PORT_OFF)}`;
  const carried = part.isLast ? ` ${payloadBytes}` : '';
  switch (last.name) {
    case 'udp':
      return `${portsText} UDP ${payloadBytes}`;
    case 'tcp':
      return `${portsText} TCP ${tcpText(bytes, at)} len ${payloadBytes}`;
    case 'sctp':
    case 'chunk':
      return `${portsText} SCTP [${chunksText(bytes, part)}]`;
    case 'vxlan':
      return `${portsText} VXLAN ${u32(bytes, at + VXLAN_VNI_OFF) >>> 8}${carried}`;
    case 'geneve':
      return `${portsText} GENEVE ${u32(bytes, at + GENEVE_VNI_OFF) >>> 8}${carried}`;
    case 'gre':
      return `${src} > ${dst} GRE${carried}`;
    case 'icmp':
      return `${src} > ${dst} ICMP ${icmpText(bytes, at)} len ${payloadBytes}`;
    case 'icmpv6':
      return `${src} > ${dst} ICMPv6 ${icmpv6Text(bytes, at)} len ${payloadBytes}`;
    default:
      return part.isLast ? `${src} > ${dst} ${protocolName(protocol)} ${payloadBytes}` : `${src} > ${dst}`;
  }
}

function chunksText(bytes: Uint8Array, { layers }: Part): string {
  return layers.filter(({ name }) => name === 'chunk').map(({ offBytes }) => sctpChunkName(bytes[offBytes]!)).join(', ');
}

function tcpText(bytes: Uint8Array, at: number): string {
  const flags = bytes[at + TCP_FLAGS_OFF]!;
  const ack = (flags & TCP_ACK) === 0 ? '' : ` ack ${u32(bytes, at + TCP_ACK_OFF)}`;
  return `[${formatTcpFlags(flags)}] seq ${u32(bytes, at + TCP_SEQ_OFF)}${ack} win ${u16(bytes, at + TCP_WINDOW_OFF)}`;
}

function icmpText(bytes: Uint8Array, at: number): string {
  const type = bytes[at + ICMP_TYPE_OFF]!;
  return `${icmpTypeName(type)}${isIcmpEcho(type) ? echoText(bytes, at) : codeText(bytes, at)}`;
}

function icmpv6Text(bytes: Uint8Array, at: number): string {
  const type = bytes[at + ICMP_TYPE_OFF]!;
  if (isNeighborMessage(type)) return `${icmpv6TypeName(type)} ${formatIpv6(bytes, at + ND_TARGET_OFF)}`;
  return `${icmpv6TypeName(type)}${isIcmpv6Echo(type) ? echoText(bytes, at) : codeText(bytes, at)}`;
}

function echoText(bytes: Uint8Array, at: number): string {
  return ` id ${u16(bytes, at + ICMP_ECHO_ID_OFF)} seq ${u16(bytes, at + ICMP_ECHO_SEQ_OFF)}`;
}

function codeText(bytes: Uint8Array, at: number): string {
  const code = bytes[at + ICMP_CODE_OFF]!;
  return code === 0 ? '' : ` code ${code}`;
}

function arpText(bytes: Uint8Array, at: number): string {
  const oper = u16(bytes, at + ARP_OPER_OFF);
  if (!isArpForIpv4(bytes, at)) return `ARP operation ${oper}, not for Ethernet and IPv4`;
  const sender = formatIpv4(bytes, at + ARP_SPA_OFF);
  if (oper === ARP_REQUEST) return `ARP who-has ${formatIpv4(bytes, at + ARP_TPA_OFF)} tell ${sender}`;
  if (oper === ARP_REPLY) return `ARP ${sender} is-at ${formatMac(bytes, at + ARP_SHA_OFF)}`;
  return `ARP operation ${oper} from ${sender}`;
}

function ethernetText(bytes: Uint8Array, packet: DecodedPacket, { layers }: Part, at: number): string {
  const last = layers.at(-1)!;
  return `Ethernet ${formatMac(bytes, at + ETH_SRC_OFF)} > ${formatMac(bytes, at + ETH_DST_OFF)} ${typeText(bytes, last)} ${payloadBytesOf(packet)}`;
}

/** The type of what follows is in the last two bytes of the Ethernet header, or of the innermost VLAN tag; MPLS has none. */
function typeText(bytes: Uint8Array, { name, offBytes, lengthBytes }: Layer): string {
  if (name === 'mpls') return 'payload';
  const type = u16(bytes, offBytes + lengthBytes - (ETH_HEADER_BYTES - ETH_TYPE_OFF));
  return type < ETHERTYPE_MIN ? '802.3' : `type 0x${type.toString(16).padStart(4, '0')}`;
}

function endText(bytes: Uint8Array, packet: DecodedPacket, lengthBytes: number): string {
  const { fault } = packet;
  if (fault?.kind === 'too-deep') return ` (${fault.name} and what follows is nested too deep)`;
  if (fault !== undefined) return ` (${fault.name} header ${fault.kind}${packet.layers.length === 0 ? `, ${lengthBytes} bytes` : ''})`;
  // The upper-layer length of a first fragment counts what the other fragments carry.
  const isFragment = packet.layers.some(
    ({ name, offBytes }) => name === 'fragment' || (name === 'ipv4' && isIpv4Fragment(bytes, offBytes)),
  );
  return packet.missingBytes > 0 && !isFragment ? ` (${packet.missingBytes} bytes missing)` : '';
}
