import { isAny, isSameAddress, isV4Mapped, TCP_ESTABLISHED, TCP_LISTEN } from './scenario.js';
import type { SocketSpec } from './scenario.js';

/** One socket of a scenario while the machine runs. */
export interface LiveSocket {
  readonly spec: SocketSpec;
  /** Virtual time until which the listener believes in SYN cookies, ns. */
  cookiesUntilNs: number;
}

/** What a packet says of the socket that it is for: its source is the socket's remote end. */
export interface SocketQuery {
  readonly protocol: 'tcp' | 'udp';
  readonly source: Uint8Array;
  readonly sourcePort: number;
  readonly destination: Uint8Array;
  readonly destinationPort: number;
  /** Interface that the packet came in by. */
  readonly ifindex: number;
  /** `undefined`: the NIC's own namespace. */
  readonly netns: number | undefined;
}

/** No socket fits worse than this one. */
const NO_MATCH = -1;

/**
 * Finds sockets as the kernel does (__inet_lookup, __inet6_lookup, __udp4_lib_lookup, __udp6_lib_lookup; 6.18). Of sockets that fit
 * equally well (SO_REUSEPORT) the first of the scenario is taken.
 */
export class SocketTable {
  readonly #sockets: readonly LiveSocket[];

  constructor(specs: readonly SocketSpec[]) {
    this.#sockets = specs.map((spec) => ({ spec, cookiesUntilNs: spec.hasSynOverflow ? Infinity : -Infinity }));
  }

  find(query: SocketQuery): LiveSocket | undefined {
    const candidates = this.#sockets.filter(({ spec }) => isCandidate(spec, query));
    if (query.protocol === 'tcp') return candidates.find(({ spec }) => isConnection(spec, query)) ?? bestListener(candidates, query);
    return bestUdp(candidates, query);
  }

  /** The listener that an embryonic connection belongs to (sk_to_full_sk). */
  listenerOf({ spec }: LiveSocket): LiveSocket | undefined {
    const { local, remote, netns } = spec;
    const query: SocketQuery = {
      protocol: 'tcp', source: remote!.address, sourcePort: remote!.port, destination: local.address, destinationPort: local.port,
      ifindex: spec.boundIfindex, netns,
    };
    return bestListener(this.#sockets.filter((each) => isCandidate(each.spec, query)), query);
  }

  /** Whether any socket is in this namespace. */
  hasNetns(id: number): boolean {
    return this.#sockets.some(({ spec }) => spec.netns === id);
  }
}

function isCandidate({ protocol, netns, local, boundIfindex }: SocketSpec, query: SocketQuery): boolean {
  return protocol === query.protocol && netns === query.netns && local.port === query.destinationPort && (boundIfindex === 0 || boundIfindex === query.ifindex);
}

/** Both ends are those of the packet. Connections with mapped addresses are hashed as IPv4, so no IPv6 packet finds them (sk_ehashfn). */
function isConnection({ local, remote }: SocketSpec, query: SocketQuery): boolean {
  return remote !== undefined && !isV4Mapped(query.destination) && remote.port === query.sourcePort && isOnWire(remote.address, query.source) && isOnWire(local.address, query.destination);
}

/** A socket's address is that of the packet: an IPv6 socket can have both ends mapped from IPv4. */
function isOnWire(address: Uint8Array, packetAddress: Uint8Array): boolean {
  return isSameAddress(packetAddress.length === 4 && isV4Mapped(address) ? address.subarray(12) : address, packetAddress);
}

/** An IPv6 socket bound to any address takes IPv4 too, unless it is told not to. */
function takesFamily({ local, isV6Only }: SocketSpec, isV4: boolean): boolean {
  if (local.address.length === 4) return isV4;
  return !isV4 || isV4Mapped(local.address) || (!isV6Only && isAny(local.address));
}

/** One bound to the address before those bound to any (lhash2); among them by compute_score. */
function bestListener(candidates: readonly LiveSocket[], query: SocketQuery): LiveSocket | undefined {
  const listeners = candidates.filter(({ spec }) => spec.state === TCP_LISTEN);
  const isV4 = query.destination.length === 4;
  const score = ({ local, boundIfindex }: SocketSpec): number => (boundIfindex !== 0 ? 2 : 1) + (isV4 && local.address.length === 4 ? 1 : 0);
  return bestBound(listeners, query, score);
}

/** A connected socket that fits comes before all others (udp4_lib_lookup2, compute_score). */
function bestUdp(candidates: readonly LiveSocket[], query: SocketQuery): LiveSocket | undefined {
  const isV4 = query.destination.length === 4;
  const step = isV4 ? 4 : 1;
  const score = (spec: SocketSpec): number => {
    if (spec.remote !== undefined && !isConnection(spec, query)) return NO_MATCH;
    const connected = spec.state === TCP_ESTABLISHED && spec.remote !== undefined ? 2 * step : 0;
    return (isV4 && spec.local.address.length === 4 ? 2 : 1) + connected + (spec.boundIfindex !== 0 ? step : 0);
  };
  return bestBound(candidates, query, score);
}

function bestBound(candidates: readonly LiveSocket[], query: SocketQuery, score: (spec: SocketSpec) => number): LiveSocket | undefined {
  const isV4 = query.destination.length === 4;
  const fitting = candidates.filter(({ spec }) => takesFamily(spec, isV4));
  const toAddress = fitting.filter(({ spec }) => isOnWire(spec.local.address, query.destination));
  return best(toAddress, score) ?? best(fitting.filter(({ spec }) => isAny(spec.local.address)), score);
}

function best(sockets: readonly LiveSocket[], score: (spec: SocketSpec) => number): LiveSocket | undefined {
  let found: LiveSocket | undefined;
  let foundScore = NO_MATCH;
  for (const socket of sockets) {
    const own = score(socket.spec);
    if (own > foundScore) [found, foundScore] = [socket, own];
  }
  return found;
}
