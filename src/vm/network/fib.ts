import { hasPrefix } from '../../packet/index.js';
import type { InterfaceAddress, NetInterface, NetworkScenario, Route, RoutingRule } from './scenario.js';
import { isAny } from './scenario.js';

export const RT_TABLE_DEFAULT = 253;
export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;

/** Metric of an IPv6 route to a connected network (IP6_RT_PRIO_ADDRCONF). */
const CONNECTED_METRIC_V6 = 256;
const IPV4_BYTES = 4;
const DSCP_MASK = 0xfc;

/** What a look-up goes by (struct flowi4 and flowi6). */
export interface Flow {
  /** `undefined`: rules about the source don't apply. */
  readonly source: Uint8Array | undefined;
  readonly destination: Uint8Array;
  readonly iif: number;
  /** 0: any. */
  readonly oif: number;
  readonly tos: number;
  readonly mark: number;
}

/** A rule other than `lookup` that applied. */
export type RuleVerdict = 'blackhole' | 'unreachable' | 'prohibit';

/** The routing tables of one scenario (net/ipv4/fib_trie.c, net/ipv6/ip6_fib.c, net/core/fib_rules.c; 6.18), by longest prefix. */
export class Fib {
  readonly #interfaces: readonly NetInterface[];
  /** By family, in the order in which they are tried. */
  readonly #routes: { readonly v4: readonly Route[]; readonly v6: readonly Route[] };
  readonly #rules: { readonly v4: readonly RoutingRule[]; readonly v6: readonly RoutingRule[] };

  constructor({ interfaces, routes, rules }: NetworkScenario) {
    this.#interfaces = interfaces;
    const all = [...interfaces.filter(({ up }) => up).flatMap(routesOfInterface), ...routes];
    const ofFamily = (bytes: number): Route[] => all.filter(({ prefix }) => prefix.length === bytes).sort(byPreference);
    this.#routes = { v4: ofFamily(IPV4_BYTES), v6: ofFamily(16) };
    const byPriority = (family: number): RoutingRule[] => rules.filter((rule) => rule.family === family).sort((a, b) => a.priority - b.priority);
    this.#rules = { v4: byPriority(4), v6: byPriority(6) };
  }

  /**
   * The route of one table; a type that leads nowhere is a result like any other.
   *
   * IPv4 keeps `local` and `main` in one trie until there are rules of one's own or a VRF: whoever asks for one of them finds the routes of both.
   */
  lookupTable(table: number, flow: Flow): Route | undefined {
    const isV4 = flow.destination.length === IPV4_BYTES;
    const isMerged = isV4 && this.#isUnruled(isV4) && (table === RT_TABLE_LOCAL || table === RT_TABLE_MAIN);
    const asked = flow.oif === 0 ? flow.iif : flow.oif;
    let best: Route | undefined;
    for (const route of this.#routesFor(isV4)) {
      // rt6_score_route: among equals one through the interface that was asked for; no reason to take a worse one.
      if (best !== undefined && (route.prefixBits !== best.prefixBits || route.metric !== best.metric)) break;
      const isInTable = isMerged ? route.table === RT_TABLE_LOCAL || route.table === RT_TABLE_MAIN : route.table === table;
      if (!isInTable || !this.#matches(route, flow, isV4)) continue;
      if (isV4 || route.oif === asked) return route;
      best ??= route;
    }
    return best;
  }

  /** The route by the rules (fib_lookup, fib6_lookup). IPv6 has no words for a rule that refuses: no route. A `throw` route sends the look-up on to the next rule. */
  lookup(flow: Flow): Route | RuleVerdict | undefined {
    const isV4 = flow.destination.length === IPV4_BYTES;
    if (this.#isUnruled(isV4)) return this.#firstOf(isV4 ? [RT_TABLE_MAIN, RT_TABLE_DEFAULT] : [RT_TABLE_LOCAL, RT_TABLE_MAIN], flow);
    for (const rule of this.#rulesInOrder(isV4, flow)) {
      if (!ruleMatches(rule, flow)) continue;
      if (rule.action !== 'lookup') return isV4 ? rule.action : undefined;
      const route = this.lookupTable(rule.table, flow);
      if (route !== undefined && route.type !== 'throw') return route;
    }
    return undefined;
  }

  #firstOf(tables: readonly number[], flow: Flow): Route | undefined {
    for (const table of tables) {
      const route = this.lookupTable(table, flow);
      if (route !== undefined && route.type !== 'throw') return route;
    }
    return undefined;
  }

  #routesFor(isV4: boolean): readonly Route[] {
    return isV4 ? this.#routes.v4 : this.#routes.v6;
  }

  #isUnruled(isV4: boolean): boolean {
    return (isV4 ? this.#rules.v4 : this.#rules.v6).length === 0 && this.#interfaces.every(({ vrfTable }) => vrfTable === undefined);
  }

  /** The rules of the scenario between those that every kernel has: local at 0, l3mdev at 1000, main at 32766, default at 32767. */
  #rulesInOrder(isV4: boolean, flow: Flow): RoutingRule[] {
    const family = isV4 ? 4 : 6;
    const always = (priority: number, table: number): RoutingRule => ({
      family, priority, table, action: 'lookup', from: undefined, to: undefined, iif: undefined, oif: undefined, mark: undefined,
    });
    const vrfTable = this.#interfaces.find(({ ifindex }) => ifindex === (flow.oif === 0 ? flow.iif : flow.oif))?.vrfTable;
    const own = isV4 ? this.#rules.v4 : this.#rules.v6;
    const rules = [always(0, RT_TABLE_LOCAL), ...own, always(32766, RT_TABLE_MAIN), ...(isV4 ? [always(32767, RT_TABLE_DEFAULT)] : [])];
    if (vrfTable !== undefined) rules.push(always(1000, vrfTable));
    return rules.sort((a, b) => a.priority - b.priority);
  }

  #matches(route: Route, flow: Flow, isV4: boolean): boolean {
    if (!hasPrefix(flow.destination, route.prefix, route.prefixBits)) return false;
    if (route.tos !== 0 && ((route.tos ^ flow.tos) & DSCP_MASK) !== 0) return false;
    if (route.oif === 0) return true;
    // IPv4 insists on the interface that was asked for, IPv6 prefers it.
    if (isV4 && flow.oif !== 0 && route.oif !== flow.oif) return false;
    return this.#interfaces.some(({ ifindex, up }) => ifindex === route.oif && up);
  }
}

/** Longest prefix first, then a route for one TOS, then the lower metric; equals in the order of the scenario. */
function byPreference(a: Route, b: Route): number {
  return b.prefixBits - a.prefixBits || b.tos - a.tos || a.metric - b.metric;
}

function ruleMatches({ from, to, iif, oif, mark }: RoutingRule, flow: Flow): boolean {
  return (
    (from === undefined || (flow.source !== undefined && hasPrefix(flow.source, from.address, from.prefixBits))) &&
    (to === undefined || hasPrefix(flow.destination, to.address, to.prefixBits)) &&
    (iif === undefined || iif === flow.iif) &&
    (oif === undefined || oif === flow.oif) &&
    (mark === undefined || ((flow.mark ^ mark.value) & mark.mask) === 0)
  );
}

/** What the kernel adds by itself when an interface with addresses is up (fib_add_ifaddr, addrconf_add_dev). */
function routesOfInterface({ ifindex, addresses, vrfTable }: NetInterface): Route[] {
  const base = { tos: 0, gateway: undefined, oif: ifindex, lockedMtu: 0, encapBytes: undefined };
  const local = vrfTable ?? RT_TABLE_LOCAL;
  const main = vrfTable ?? RT_TABLE_MAIN;
  const routes = addresses.flatMap(({ address, prefixBits }: InterfaceAddress): Route[] => {
    const isV4 = address.length === IPV4_BYTES;
    const fullBits = address.length * 8;
    const own: Route = { ...base, type: 'local', prefix: address, prefixBits: fullBits, table: local, metric: 0, source: address };
    if (prefixBits === fullBits && isV4) return [own];
    const isLoopback = isV4 && address[0] === 127;
    const connected: Route = {
      ...base, prefix: network(address, prefixBits), prefixBits, source: isV4 ? address : undefined, metric: isV4 ? 0 : CONNECTED_METRIC_V6,
      type: isLoopback ? 'local' : 'unicast', table: isLoopback ? local : main,
    };
    if (!isV4 || prefixBits >= 31) return [own, connected];
    return [own, connected, { ...own, type: 'broadcast', prefix: broadcast(address, prefixBits) }];
  });
  if (!addresses.some(({ address }) => address.length !== IPV4_BYTES)) return routes;
  const multicast = Uint8Array.of(0xff, ...new Uint8Array(15));
  return [...routes, { ...base, type: 'multicast', prefix: multicast, prefixBits: 8, table: local, metric: CONNECTED_METRIC_V6, source: undefined }];
}

function network(address: Uint8Array, prefixBits: number): Uint8Array {
  return address.map((byte, index) => byte & ~(0xff >> Math.min(8, Math.max(0, prefixBits - index * 8))));
}

function broadcast(address: Uint8Array, prefixBits: number): Uint8Array {
  return address.map((byte, index) => byte | (0xff >> Math.min(8, Math.max(0, prefixBits - index * 8))));
}

/**
 * fib_result_prefsrc, inet_select_addr: the route's own source, else the interface's address in the gateway's network, else its first
 * one, else the first of any interface that isn't the host's own affair; 0.0.0.0 if there is none.
 */
export function sourceForV4(route: Route, device: NetInterface, interfaces: readonly NetInterface[]): Uint8Array {
  if (route.source !== undefined) return route.source;
  const addressesOf = ({ addresses }: NetInterface): InterfaceAddress[] => addresses.filter(({ address }) => address.length === IPV4_BYTES && address[0] !== 127);
  const own = addressesOf(device);
  const { gateway } = route;
  const beside = gateway === undefined ? undefined : own.find(({ address, prefixBits }) => hasPrefix(gateway, address, prefixBits));
  const other = interfaces.filter(({ vrfTable }) => vrfTable === device.vrfTable).flatMap(addressesOf)[0];
  return (beside ?? own[0] ?? other)?.address ?? new Uint8Array(IPV4_BYTES);
}

/**
 * ipv6_dev_get_saddr: of the addresses of the interface that a packet leaves by the one that has most bits of its prefix in common with the
 * destination (RFC 6724 rules 5 and 8), the newest of equals; else one of the other interfaces, link-local and loopback addresses
 * last (rule 2); `undefined` if there is none. A destination of zeros has the smallest scope of all: then a link-local address comes
 * first, and only the interface itself counts.
 */
export function sourceForV6(destination: Uint8Array, device: NetInterface, interfaces: readonly NetInterface[]): Uint8Array | undefined {
  const isScopeless = isAny(destination);
  const others = isScopeless ? [] : interfaces.filter((each) => each !== device && each.up && each.vrfTable === device.vrfTable);
  const groups = [v6AddressesOf(device), others.flatMap(v6AddressesOf)];
  for (const isWanted of isScopeless ? [isLinkLocal, isGlobal] : [isGlobal, isLinkLocal, isLoopback]) {
    for (const group of groups) {
      const candidates = group.filter(({ address }) => isWanted(address));
      if (candidates.length > 0) return candidates.reduce((best, each) => (commonBits(each, destination) > commonBits(best, destination) ? each : best)).address;
    }
  }
  return undefined;
}

/** Newest first. */
function v6AddressesOf({ addresses }: NetInterface): InterfaceAddress[] {
  return addresses.filter(({ address }) => address.length !== IPV4_BYTES).reverse();
}

function isLinkLocal(address: Uint8Array): boolean {
  return address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
}

function isLoopback(address: Uint8Array): boolean {
  return address.every((byte, index) => byte === (index === 15 ? 1 : 0));
}

function isGlobal(address: Uint8Array): boolean {
  return !isLinkLocal(address) && !isLoopback(address);
}

function commonBits({ address, prefixBits }: InterfaceAddress, destination: Uint8Array): number {
  let bits = 0;
  while (bits < prefixBits && hasPrefix(address, destination, bits + 1)) bits++;
  return bits;
}
