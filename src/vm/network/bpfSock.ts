import type { HostMemory } from '../../memory/index.js';
import { IPPROTO_TCP, IPPROTO_UDP } from '../../packet/index.js';
import type { SocketSpec } from './scenario.js';
import { isAny, isV4Mapped, TCP_TIME_WAIT } from './scenario.js';

// ── struct bpf_sock (include/uapi/linux/bpf.h) ──
//
//     0 bound_dev_if  4 family  8 type  12 protocol  16 mark  20 priority  24 src_ip4  28 src_ip6[4]  44 src_port (host order)
//     48 dst_port (network order, 2 bytes)  52 dst_ip4  56 dst_ip6[4]  72 state  76 rx_queue_mapping
const BOUND_DEV_IF = 0;
const FAMILY = 4;
const TYPE = 8;
const PROTOCOL = 12;
const MARK = 16;
const PRIORITY = 20;
const SRC_IP4 = 24;
const SRC_IP6 = 28;
const SRC_PORT = 44;
const DST_PORT = 48;
const DST_IP4 = 52;
const DST_IP6 = 56;
const STATE = 72;
const RX_QUEUE_MAPPING = 76;
export const BPF_SOCK_BYTES = 80;

export const AF_INET = 2;
export const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;

/** What an IPv6 socket has in place of IPv4 addresses, unless it is bound to any (LOOPBACK4_IPV6, include/net/ipv6.h). */
const LOOPBACK4_IPV6 = Uint8Array.of(127, 0, 0, 6);

/** Family of a socket. */
export function familyOf({ local }: SocketSpec): number {
  return local.address.length === 4 ? AF_INET : AF_INET6;
}

function v4Part(address: Uint8Array): Uint8Array {
  if (isV4Mapped(address)) return address.subarray(12);
  return isAny(address) ? new Uint8Array(4) : LOOPBACK4_IPV6;
}

/** A connected TCP socket of IPv4 has its addresses in IPv6 form too (sk_daddr_set, sk_rcv_saddr_set). */
function writeMapped(u8: Uint8Array, at: number, address: Uint8Array): void {
  u8.fill(0xff, at + 10, at + 12);
  u8.set(address, at + 12);
}

/** Fills `BPF_SOCK_BYTES` zeroed bytes with what a program reads of a socket. */
export function writeBpfSock({ u8, view }: HostMemory, address: number, spec: SocketSpec): void {
  const { local, remote } = spec;
  const set = (offBytes: number, value: number): void => view.setUint32(address + offBytes, value, true);
  const isV4 = local.address.length === 4;
  set(BOUND_DEV_IF, spec.boundIfindex);
  set(FAMILY, familyOf(spec));
  set(TYPE, spec.protocol === 'tcp' ? SOCK_STREAM : SOCK_DGRAM);
  set(PROTOCOL, spec.protocol === 'tcp' ? IPPROTO_TCP : IPPROTO_UDP);
  set(MARK, spec.mark);
  set(PRIORITY, spec.priority);
  u8.set(local.address, address + (isV4 ? SRC_IP4 : SRC_IP6));
  if (!isV4) u8.set(v4Part(local.address), address + SRC_IP4);
  set(SRC_PORT, local.port);
  if (remote !== undefined) {
    view.setUint16(address + DST_PORT, remote.port);
    u8.set(remote.address, address + (isV4 ? DST_IP4 : DST_IP6));
    if (isV4Mapped(remote.address)) u8.set(remote.address.subarray(12), address + DST_IP4);
    if (isV4 && spec.protocol === 'tcp' && spec.state !== TCP_TIME_WAIT) {
      writeMapped(u8, address + SRC_IP6, local.address);
      writeMapped(u8, address + DST_IP6, remote.address);
    }
  }
  set(STATE, spec.state);
  view.setInt32(address + RX_QUEUE_MAPPING, spec.rxQueue, true);
}
