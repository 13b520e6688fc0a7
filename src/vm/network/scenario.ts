/**
 * What the kernel around a program knows of its network: what bpf_fib_lookup, bpf_check_mtu, the socket and SYN cookie helpers and the
 * conntrack kfuncs are asked about. Plain data; `parseNetwork` reads it from JSON, docs/network.md explains every field.
 *
 * Addresses are bytes in network order: 4 for IPv4, 16 for IPv6.
 */
export interface NetworkScenario {
  readonly interfaces: readonly NetInterface[];
  readonly routes: readonly Route[];
  /** Policy routing beyond the kernel's own rules (local, main, default); none: the kernel's fast path without rules. */
  readonly rules: readonly RoutingRule[];
  readonly neighbours: readonly Neighbour[];
  readonly sockets: readonly SocketSpec[];
  readonly conntrack: readonly ConntrackSpec[];
  readonly flows: readonly FlowSpec[];
  readonly syncookies: SyncookieSettings;
}

export interface NetInterface {
  readonly ifindex: number;
  readonly name: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** Bytes of the link-layer header that the MTU doesn't count (dev->hard_header_len); 14, Ethernet's, when left out. */
  readonly hardHeaderBytes?: number;
  /** Routes through an interface that is down don't count. */
  readonly up: boolean;
  /** net.ipv4.conf.NAME.forwarding and net.ipv6.conf.NAME.forwarding. */
  readonly forwarding: { readonly ipv4: boolean; readonly ipv6: boolean };
  readonly addresses: readonly InterfaceAddress[];
  /** Routing table of the VRF that it belongs to. */
  readonly vrfTable: number | undefined;
}

export interface InterfaceAddress {
  readonly address: Uint8Array;
  readonly prefixBits: number;
}

/** RTN_* by the names of ip-route(8). */
export type RouteType = 'unicast' | 'local' | 'broadcast' | 'multicast' | 'blackhole' | 'unreachable' | 'prohibit' | 'throw';

export interface Route {
  readonly type: RouteType;
  readonly prefix: Uint8Array;
  readonly prefixBits: number;
  readonly table: number;
  readonly metric: number;
  /** Matches this DSCP (the upper six bits of tos) only; 0: any. IPv4. */
  readonly tos: number;
  /** Of another family than the prefix: an IPv4 route via an IPv6 router. */
  readonly gateway: Uint8Array | undefined;
  /** 0 for types that lead nowhere. */
  readonly oif: number;
  /** Preferred source address. */
  readonly source: Uint8Array | undefined;
  /** MTU of a route that has it locked; without `lock` the forwarding path doesn't ask for it. 0: none. */
  readonly lockedMtu: number;
  /** Bytes that its lightweight tunnel puts before a packet; `undefined`: it has none. */
  readonly encapBytes: number | undefined;
}

/** `ip rule`: all conditions that are given must hold. */
export interface RoutingRule {
  readonly family: 4 | 6;
  readonly priority: number;
  readonly from: InterfaceAddress | undefined;
  readonly to: InterfaceAddress | undefined;
  readonly iif: number | undefined;
  readonly oif: number | undefined;
  readonly mark: { readonly value: number; readonly mask: number } | undefined;
  readonly action: 'lookup' | 'blackhole' | 'unreachable' | 'prohibit';
  readonly table: number;
}

export interface Neighbour {
  readonly address: Uint8Array;
  readonly ifindex: number;
  readonly mac: Uint8Array;
  /** Its state is one of NUD_VALID, so that the kernel would send to it. */
  readonly isValid: boolean;
}

export interface Endpoint {
  readonly address: Uint8Array;
  readonly port: number;
}

/** TCP_* of enum bpf_tcp_state, include/uapi/linux/bpf.h. */
export const TCP_ESTABLISHED = 1;
export const TCP_TIME_WAIT = 6;
export const TCP_CLOSE = 7;
export const TCP_LISTEN = 10;
export const TCP_NEW_SYN_RECV = 12;

export interface SocketSpec {
  readonly protocol: 'tcp' | 'udp';
  /** An address of zeros: bound to any. */
  readonly local: Endpoint;
  /** `undefined`: not connected. */
  readonly remote: Endpoint | undefined;
  readonly state: number;
  /** An IPv6 socket that takes no IPv4 (IPV6_V6ONLY). */
  readonly isV6Only: boolean;
  /** SO_BINDTODEVICE, 0 for none. */
  readonly boundIfindex: number;
  readonly mark: number;
  readonly priority: number;
  /** -1 for none. */
  readonly rxQueue: number;
  /** Id of another network namespace that it is in (`ip netns list-id`); `undefined`: that of the NIC. */
  readonly netns: number | undefined;
  /** Listener: its queue of embryonic connections is full. */
  readonly isSynQueueFull: boolean;
  /** Listener: it has sent SYN cookies lately, so it believes in those that come back. */
  readonly hasSynOverflow: boolean;
}

export interface ConntrackSpec {
  readonly protocol: number;
  readonly original: { readonly source: Endpoint; readonly destination: Endpoint };
  readonly reply: { readonly source: Endpoint; readonly destination: Endpoint };
  /** IPS_* bits. */
  readonly status: number;
  readonly mark: number;
  /** Seconds that it has to live. */
  readonly timeoutSec: number;
  readonly zone: number;
  readonly netns: number | undefined;
}

/** One direction of a flow in the flow table of the interface that its packets come in by. */
export interface FlowSpec {
  readonly ifindex: number;
  readonly protocol: number;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly direction: 0 | 1;
  readonly mtu: number;
  /** Where its packets go, FLOW_OFFLOAD_XMIT_DIRECT. */
  readonly out: { readonly ifindex: number; readonly sourceMac: Uint8Array; readonly destinationMac: Uint8Array };
}

export interface SyncookieSettings {
  /** net.ipv4.tcp_syncookies: 0 never, 1 when the queue is full, 2 always. */
  readonly mode: number;
  /** The two keys of 16 bytes each for IPv4 and IPv6, which a kernel draws at boot. */
  readonly secrets: Uint8Array;
}

/** Length of `SyncookieSettings.secrets`. */
export const SYNCOOKIE_SECRET_BYTES = 64;

/** Secrets of a scenario that doesn't name any: 0, 1, 2 ... 63. */
export const DEFAULT_SYNCOOKIES: SyncookieSettings = { mode: 1, secrets: Uint8Array.from({ length: SYNCOOKIE_SECRET_BYTES }, (_, i) => i) };

/** Loopback as every new network namespace has it, but up: what BPF_PROG_TEST_RUN runs on. */
export const LOOPBACK: NetInterface = {
  ifindex: 1, name: 'lo', mac: new Uint8Array(6), mtu: 65536, up: true, forwarding: { ipv4: false, ipv6: false }, addresses: [], vrfTable: undefined,
};

/** A host that has these interfaces and nothing else. */
export function quietNetwork(interfaces: readonly NetInterface[] = [LOOPBACK]): NetworkScenario {
  return { interfaces, routes: [], rules: [], neighbours: [], sockets: [], conntrack: [], flows: [], syncookies: DEFAULT_SYNCOOKIES };
}

/** Whether all bytes are 0. */
export function isAny(address: Uint8Array): boolean {
  return address.every((byte) => byte === 0);
}

/** The scenario with this interface, if it lists none of that ifindex. */
export function withInterface(scenario: NetworkScenario, device: NetInterface): NetworkScenario {
  const isListed = scenario.interfaces.some(({ ifindex }) => ifindex === device.ifindex);
  return isListed ? scenario : { ...scenario, interfaces: [device, ...scenario.interfaces] };
}

/** `::ffff:192.0.2.1`: what an IPv6 socket has as addresses when it speaks IPv4. */
export function isV4Mapped(address: Uint8Array): boolean {
  return address.length === 16 && address.every((byte, index) => index > 11 || byte === (index > 9 ? 0xff : 0));
}

/** Whether two addresses are the same. */
export function isSameAddress(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
