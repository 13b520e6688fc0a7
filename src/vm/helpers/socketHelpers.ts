import { XDP_MD_INGRESS_IFINDEX, RETURN_INT, RETURN_U32 } from '../layout.js';
import { AF_INET6, familyOf, writeBpfSock } from '../network/bpfSock.js';
import { FULL_SOCK_OFF } from '../network/network.js';
import type { Network } from '../network/network.js';
import { TCP_NEW_SYN_RECV, TCP_TIME_WAIT } from '../network/scenario.js';
import type { SocketSpec } from '../network/scenario.js';
import type { LiveSocket } from '../network/socketTable.js';
import type { HelperArguments } from './helperArguments.js';
import type { HelperContext, HelperSupport } from './helper.js';

// ── struct bpf_sock_tuple (include/uapi/linux/bpf.h) ──
//
//     ipv4, 12 bytes:  0 saddr  4 daddr  8 sport  10 dport
//     ipv6, 36 bytes:  0 saddr  16 daddr  32 sport  34 dport
export const TUPLE_V4_BYTES = 12;
export const TUPLE_V6_BYTES = 36;

/** The socket that a register points to, if the program holds it; also by what bpf_skc_to_* made of it. */
export function heldSocket(args: HelperArguments, network: Network, register: number, address: number): LiveSocket | undefined {
  const at = address >>> 0;
  const socket = network.heldSockets.at(at) ?? network.heldSockets.at(at - FULL_SOCK_OFF);
  if (socket !== undefined && args.upperHalf(register) === 0) return socket;
  args.refuse(register, 0, false);
  return undefined;
}

/**
 * bpf_sk_lookup_tcp, bpf_sk_lookup_udp, bpf_skc_lookup_tcp (ctx, tuple, tuple_size, netns, flags) (__bpf_skc_lookup, net/core/filter.c,
 * 6.18): a socket that has to be released, or NULL.
 *
 * @param isFull an embryonic connection gives its listener, one in TIME_WAIT nothing (sk_to_full_sk)
 */
function lookup(name: string, protocol: 'tcp' | 'udp', isFull: boolean): HelperSupport {
  return {
    args: ['ptr_to_ctx', 'ptr_to_mem', 'const_size', 'anything', 'anything'],
    returns: RETURN_U32,
    make: ({ args, memory, network, contextAddress }: HelperContext) => (_ctx, tuple, size, netnsId, flags) => {
      if (!args.isContext(1) || !args.isSize(3, false) || !args.isMemory(2, size, false)) return 0;
      network.asked.add(name);
      const addressBytes = size === TUPLE_V4_BYTES ? 4 : size === TUPLE_V6_BYTES ? 16 : 0;
      // A negative number in the lower half is BPF_F_CURRENT_NETNS; any other has to be a whole id.
      if (addressBytes === 0 || flags !== 0 || args.upperHalf(5) !== 0 || (netnsId >= 0 && args.upperHalf(4) !== 0)) return 0;
      const { u8, u32, view } = memory;
      const at = tuple >>> 0;
      const found = network.sockets.find({
        protocol,
        source: u8.slice(at, at + addressBytes),
        destination: u8.slice(at + addressBytes, at + 2 * addressBytes),
        sourcePort: view.getUint16(at + 2 * addressBytes),
        destinationPort: view.getUint16(at + 2 * addressBytes + 2),
        ifindex: u32[(contextAddress + XDP_MD_INGRESS_IFINDEX) >>> 2],
        netns: netnsId < 0 ? undefined : netnsId,
      });
      const socket = isFull ? fullSocket(network, found) : found;
      if (socket === undefined) return 0;
      return network.heldSockets.acquire(socket, (address) => writeBpfSock(memory, address, socket.spec));
    },
  };
}

function fullSocket(network: Network, found: LiveSocket | undefined): LiveSocket | undefined {
  if (found?.spec.state === TCP_NEW_SYN_RECV) return network.sockets.listenerOf(found);
  return found?.spec.state === TCP_TIME_WAIT ? undefined : found;
}

export const skLookupTcp: HelperSupport = lookup('bpf_sk_lookup_tcp', 'tcp', true);
export const skLookupUdp: HelperSupport = lookup('bpf_sk_lookup_udp', 'udp', true);
export const skcLookupTcp: HelperSupport = lookup('bpf_skc_lookup_tcp', 'tcp', false);

/** bpf_sk_release(sock) (net/core/filter.c, 6.18). */
export const skRelease: HelperSupport = {
  args: ['ptr_to_sock'],
  returns: RETURN_INT,
  make: ({ args, network }) => (sock) => {
    if (heldSocket(args, network, 1, sock) === undefined) return 0;
    const at = sock >>> 0;
    if (network.heldSockets.release(at) === undefined) network.heldSockets.release(at - FULL_SOCK_OFF);
    return 0;
  },
};

/**
 * bpf_skc_to_*_sock(sock) (net/core/filter.c, 6.18): the same socket if it is of that kind, else NULL. What the kernel's own structs hold isn't
 * modelled: a load through the new pointer is a fault.
 */
function castTo(isKind: (spec: SocketSpec) => boolean): HelperSupport {
  return {
    args: ['ptr_to_sock'],
    returns: RETURN_U32,
    make: ({ args, network }) => (sock) => {
      const socket = heldSocket(args, network, 1, sock);
      if (socket === undefined || !isKind(socket.spec)) return 0;
      const at = sock >>> 0;
      return network.heldSockets.at(at) === undefined ? at : at + FULL_SOCK_OFF;
    },
  };
}

const isFullSock = ({ state }: SocketSpec): boolean => state !== TCP_TIME_WAIT && state !== TCP_NEW_SYN_RECV;

export const skcToTcp6Sock: HelperSupport = castTo((spec) => isFullSock(spec) && spec.protocol === 'tcp' && familyOf(spec) === AF_INET6);
export const skcToTcpSock: HelperSupport = castTo((spec) => isFullSock(spec) && spec.protocol === 'tcp');
export const skcToTcpTimewaitSock: HelperSupport = castTo(({ state }) => state === TCP_TIME_WAIT);
export const skcToTcpRequestSock: HelperSupport = castTo(({ state }) => state === TCP_NEW_SYN_RECV);
export const skcToUdp6Sock: HelperSupport = castTo((spec) => isFullSock(spec) && spec.protocol === 'udp' && familyOf(spec) === AF_INET6);
/** No look-up of an XDP program finds one of these. */
export const skcToUnixSock: HelperSupport = castTo(() => false);
export const skcToMptcpSock: HelperSupport = castTo(() => false);
