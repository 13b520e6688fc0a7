import { ARP_OPER_OFF, ARP_REPLY, ARP_REQUEST, ARP_SHA_OFF, ARP_SPA_OFF, ARP_TPA_OFF, isArpForIpv4 } from './arp.js';
import { decode, layerOf } from './decode.js';
import type { DecodedPacket, Layer } from './decode.js';
import { ETH_DST_OFF, ETH_HEADER_BYTES, ETH_SRC_OFF, ETH_TYPE_OFF, ETHERTYPE_MIN, formatMac } from './ethernet.js';
import { u16, u32 } from './header.js';
import type { HeaderName } from './header.js';
import {
  ICMP_CODE_OFF, ICMP_ECHO_ID_OFF, ICMP_ECHO_SEQ_OFF, ICMP_TYPE_OFF, icmpTypeName, icmpv6TypeName, isIcmpEcho, isIcmpv6Echo,
  isNeighborMessage, ND_TARGET_OFF,
} from './icmp.js';
import { protocolName } from './ipProtocol.js';
import { formatIpv4, IPV4_DST_OFF, IPV4_PROTOCOL_OFF, IPV4_SRC_OFF, ipv4FragmentOffset, isIpv4Fragment } from './ipv4.js';
import { formatIpv6, IPV6_DST_OFF, IPV6_NEXT_HEADER_OFF, IPV6_SRC_OFF, ipv6FragmentOffset } from './ipv6.js';
import {
  formatTcpFlags, TCP_ACK, TCP_ACK_OFF, TCP_DST_PORT_OFF, TCP_FLAGS_OFF, TCP_SEQ_OFF, TCP_SRC_PORT_OFF, TCP_WINDOW_OFF,
} from './tcp.js';
import { UDP_DST_PORT_OFF, UDP_SRC_PORT_OFF } from './udp.js';
import { VLAN_PCP_SHIFT, VLAN_TCI_OFF, VLAN_VID_MASK } from './vlan.js';

/**
 * A packet in one line for people, in the manner of tcpdump: `IPv4 10.0.0.1:5353 > 10.0.0.2:53 UDP 42` (42 bytes of payload).
 * Lengths are those that the headers state; a packet that has less says so at the end.
 */
export function summarize(bytes: Uint8Array, offBytes: number, lengthBytes: number): string {
  const packet = decode(bytes, offBytes, lengthBytes);
  const tags = packet.layers.filter((layer) => layer.name === 'vlan').map((layer) => `${vlanText(bytes, layer)} `).join('');
  return `${tags}${bodyText(bytes, packet)}${endText(bytes, packet, lengthBytes)}`;
}

function vlanText(bytes: Uint8Array, layer: Layer): string {
  const tci = u16(bytes, layer.offBytes + VLAN_TCI_OFF);
  const pcp = tci >>> VLAN_PCP_SHIFT;
  return `VLAN ${tci & VLAN_VID_MASK}${pcp === 0 ? '' : ` p ${pcp}`}`;
}

function bodyText(bytes: Uint8Array, packet: DecodedPacket): string {
  const ipv4 = layerOf(packet, 'ipv4');
  if (ipv4 !== undefined) return ipv4Text(bytes, packet, ipv4.offBytes);
  const ipv6 = layerOf(packet, 'ipv6');
  if (ipv6 !== undefined) return ipv6Text(bytes, packet, ipv6.offBytes);
  const arp = layerOf(packet, 'arp');
  if (arp !== undefined) return arpText(bytes, arp.offBytes);
  const ethernet = packet.layers[0];
  return ethernet === undefined ? 'Ethernet' : ethernetText(bytes, packet, ethernet.offBytes);
}

function ipv4Text(bytes: Uint8Array, packet: DecodedPacket, at: number): string {
  const offset = ipv4FragmentOffset(bytes, at);
  const fragment = isIpv4Fragment(bytes, at) ? ` fragment at ${offset}` : '';
  const src = formatIpv4(bytes, at + IPV4_SRC_OFF);
  const dst = formatIpv4(bytes, at + IPV4_DST_OFF);
  return `IPv4 ${upperText(bytes, packet, src, dst, bytes[at + IPV4_PROTOCOL_OFF]!)}${fragment}`;
}

const EXTENSION_HEADERS: ReadonlySet<HeaderName> = new Set(['hopopts', 'routing', 'fragment', 'dstopts', 'ah']);

function ipv6Text(bytes: Uint8Array, packet: DecodedPacket, at: number): string {
  const extension = packet.layers.findLast((layer) => EXTENSION_HEADERS.has(layer.name));
  // Every extension header begins with its next-header octet.
  const nextHeader = extension === undefined ? bytes[at + IPV6_NEXT_HEADER_OFF]! : bytes[extension.offBytes]!;
  const fragmentLayer = layerOf(packet, 'fragment');
  const fragment = fragmentLayer === undefined ? '' : ` fragment at ${ipv6FragmentOffset(bytes, fragmentLayer.offBytes)}`;
  const src = formatIpv6(bytes, at + IPV6_SRC_OFF);
  const dst = formatIpv6(bytes, at + IPV6_DST_OFF);
  const hasPorts = layerOf(packet, 'udp') !== undefined || layerOf(packet, 'tcp') !== undefined;
  const text = hasPorts ? upperText(bytes, packet, `[${src}]`, `[${dst}]`, nextHeader) : upperText(bytes, packet, src, dst, nextHeader);
  return `IPv6 ${text}${fragment}`;
}

/** Addresses, ports and what the upper-layer header says. */
function upperText(bytes: Uint8Array, packet: DecodedPacket, src: string, dst: string, protocol: number): string {
  const payloadBytes = packet.payloadEndBytes - packet.payloadOffBytes + packet.missingBytes;
  const last = packet.layers.at(-1)!;
  const at = last.offBytes;
  switch (last.name) {
    case 'udp':
      return `${src}:${u16(bytes, at + UDP_SRC_PORT_OFF)} > ${dst}:${u16(bytes, at + UDP_DST_PORT_OFF)} UDP ${payloadBytes}`;
    case 'tcp':
      return `${src}:${u16(bytes, at + TCP_SRC_PORT_OFF)} > ${dst}:${u16(bytes, at + TCP_DST_PORT_OFF)} `
        + `TCP ${tcpText(bytes, at)} len ${payloadBytes}`;
    case 'icmp':
      return `${src} > ${dst} ICMP ${icmpText(bytes, at)} len ${payloadBytes}`;
    case 'icmpv6':
      return `${src} > ${dst} ICMPv6 ${icmpv6Text(bytes, at)} len ${payloadBytes}`;
    default:
      return `${src} > ${dst} ${protocolName(protocol)} ${payloadBytes}`;
  }
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

function ethernetText(bytes: Uint8Array, packet: DecodedPacket, at: number): string {
  const last = packet.layers.at(-1)!;
  // The type of what follows is in the last two bytes of the Ethernet header, or of the innermost VLAN tag.
  const type = u16(bytes, last.offBytes + last.lengthBytes - (ETH_HEADER_BYTES - ETH_TYPE_OFF));
  const kind = type < ETHERTYPE_MIN ? '802.3' : `type 0x${type.toString(16).padStart(4, '0')}`;
  const payloadBytes = packet.payloadEndBytes - packet.payloadOffBytes + packet.missingBytes;
  return `Ethernet ${formatMac(bytes, at + ETH_SRC_OFF)} > ${formatMac(bytes, at + ETH_DST_OFF)} ${kind} ${payloadBytes}`;
}

function endText(bytes: Uint8Array, packet: DecodedPacket, lengthBytes: number): string {
  const { fault } = packet;
  if (fault !== undefined) return ` (${fault.name} header ${fault.kind}${fault.name === 'eth' ? `, ${lengthBytes} bytes` : ''})`;
  // The upper-layer length of a first fragment counts what the other fragments carry.
  const isFragment = packet.layers.some(
    ({ name, offBytes }) => name === 'fragment' || (name === 'ipv4' && isIpv4Fragment(bytes, offBytes)),
  );
  return packet.missingBytes > 0 && !isFragment ? ` (${packet.missingBytes} bytes missing)` : '';
}
