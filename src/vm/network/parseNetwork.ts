import { catchProblem } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { conntrackOf, flowOf, socketOf } from './parseConnections.js';
import { RT_TABLE_DEFAULT, RT_TABLE_LOCAL, RT_TABLE_MAIN } from './fib.js';
import { Devices } from './devices.js';
import { ETH_HLEN } from '../layout.js';
import { JsonFields } from './jsonFields.js';
import { DEFAULT_SYNCOOKIES, SYNCOOKIE_SECRET_BYTES } from './scenario.js';
import type { InterfaceAddress, NetInterface, Neighbour, NetworkScenario, Route, RouteType, RoutingRule, SyncookieSettings } from './scenario.js';

const SECTIONS = ['$schema', 'interfaces', 'routes', 'rules', 'neighbours', 'sockets', 'conntrack', 'flows', 'syncookies'];
const INTERFACE_FIELDS = ['ifindex', 'name', 'mac', 'mtu', 'hard_header_len', 'up', 'forwarding', 'addresses', 'vrf'];
const ROUTE_FIELDS = ['to', 'type', 'via', 'dev', 'metric', 'table', 'tos', 'src', 'mtu_lock', 'encap'];
const RULE_FIELDS = ['priority', 'family', 'from', 'to', 'iif', 'oif', 'fwmark', 'fwmask', 'table', 'action'];
const NEIGHBOUR_FIELDS = ['to', 'dev', 'mac', 'state'];

const ROUTE_TYPES: readonly RouteType[] = ['unicast', 'local', 'broadcast', 'multicast', 'blackhole', 'unreachable', 'prohibit', 'throw'];
const NUD_STATES = ['permanent', 'noarp', 'reachable', 'probe', 'stale', 'delay', 'incomplete', 'failed', 'none'] as const;
/** NUD_VALID (include/net/neighbour.h). */
const NUD_VALID: readonly string[] = ['permanent', 'noarp', 'reachable', 'probe', 'stale', 'delay'];
const TABLES: Readonly<Record<string, number>> = { default: RT_TABLE_DEFAULT, main: RT_TABLE_MAIN, local: RT_TABLE_LOCAL };

const DEFAULT_MTU = 1500;
const MIN_MTU = 68;
const MAX_MTU = 65536;
/** dev->hard_header_len is an unsigned short. */
const MAX_HARD_HEADER_BYTES = 65535;
/** Metric that ip(8) gives to an IPv6 route that names none (IP6_RT_PRIO_USER). */
const DEFAULT_METRIC_V6 = 1024;

/**
 * Checks JSON and makes a scenario of it. `docs/network.md` describes the format.
 *
 * @param where names it in problems, e.g. the file
 *
 * Problem: `network-shape`, with the path of the field that is wrong.
 */
export function parseNetwork(json: unknown, where: string): Result<NetworkScenario> {
  return catchProblem(() => {
    const fields = new JsonFields(json, `${where}: `, SECTIONS);
    const interfaces = each(fields, 'interfaces', INTERFACE_FIELDS, interfaceOf);
    checkUnique(fields, interfaces);
    const devices = new Devices(interfaces);
    return {
      interfaces,
      routes: each(fields, 'routes', ROUTE_FIELDS, (route) => routeOf(route, devices)),
      rules: each(fields, 'rules', RULE_FIELDS, (rule) => ruleOf(rule, devices)),
      neighbours: each(fields, 'neighbours', NEIGHBOUR_FIELDS, (neighbour) => neighbourOf(neighbour, devices)),
      sockets: eachOf(fields, 'sockets', (json, path) => socketOf(json, path, devices)),
      conntrack: eachOf(fields, 'conntrack', conntrackOf),
      flows: eachOf(fields, 'flows', (json, path) => flowOf(json, path, devices)),
      syncookies: fields.has('syncookies') ? syncookiesOf(fields) : DEFAULT_SYNCOOKIES,
    };
  });
}

function eachOf<T>(fields: JsonFields, name: string, make: (json: unknown, path: string) => T): T[] {
  return fields.list(name).map((json, index) => make(json, `${fields.at(name)}[${index}]`));
}

function each<T>(fields: JsonFields, name: string, known: readonly string[], make: (fields: JsonFields) => T): T[] {
  return eachOf(fields, name, (json, path) => make(new JsonFields(json, path, known)));
}

function checkUnique(fields: JsonFields, interfaces: readonly NetInterface[]): void {
  for (const [index, { ifindex, name }] of interfaces.entries()) {
    if (interfaces.findIndex((other) => other.ifindex === ifindex || other.name === name) < index) {
      fields.refuse(`interfaces[${index}]`, `ifindex ${ifindex} or name ${JSON.stringify(name)} occurs twice`, 'give each interface its own');
    }
  }
}

function interfaceOf(fields: JsonFields): NetInterface {
  const ifindex = fields.number('ifindex', undefined, 2 ** 31 - 1, 1);
  const addresses = fields.list('addresses').map((text, index) => {
    if (typeof text !== 'string') return fields.refuse(`addresses[${index}]`, 'it is no text', 'write "192.0.2.1/24"');
    return fields.prefixOf(text, `addresses[${index}]`);
  });
  return {
    ifindex,
    name: fields.text('name', `if${ifindex}`),
    mac: fields.mac('mac', new Uint8Array(6)),
    mtu: fields.number('mtu', DEFAULT_MTU, MAX_MTU, MIN_MTU),
    hardHeaderBytes: fields.number('hard_header_len', ETH_HLEN, MAX_HARD_HEADER_BYTES),
    up: fields.boolean('up', true),
    forwarding: forwardingOf(fields),
    addresses,
    vrfTable: fields.has('vrf') ? fields.number('vrf', undefined, undefined, 1) : undefined,
  };
}

function forwardingOf(fields: JsonFields): NetInterface['forwarding'] {
  if (typeof fields.raw('forwarding') !== 'object') {
    const both = fields.boolean('forwarding', true);
    return { ipv4: both, ipv6: both };
  }
  const families = new JsonFields(fields.raw('forwarding'), fields.at('forwarding'), ['ipv4', 'ipv6']);
  return { ipv4: families.boolean('ipv4', true), ipv6: families.boolean('ipv6', true) };
}

function tableOf(fields: JsonFields): number {
  const value = fields.raw('table');
  const named = typeof value === 'string' && Object.hasOwn(TABLES, value) ? TABLES[value] : undefined;
  return named ?? fields.number('table', RT_TABLE_MAIN, undefined, 1);
}

function routeOf(fields: JsonFields, devices: Devices): Route {
  const type = fields.choice('type', ROUTE_TYPES, 'unicast');
  const gateway = fields.has('via') ? fields.address('via') : undefined;
  const { address, prefixBits } = routePrefix(fields, gateway);
  const isV4 = address.length === 4;
  if (!isV4 && gateway?.length === 4) fields.refuse('via', 'an IPv6 route has no IPv4 router', 'write an IPv6 address');
  const source = fields.has('src') ? fields.address('src') : undefined;
  if (source !== undefined && source.length !== address.length) fields.refuse('src', 'it is of another family than the route', 'write an address like those of "to"');
  const leadsSomewhere = type === 'unicast' || type === 'local' || type === 'broadcast' || type === 'multicast';
  return {
    type,
    prefix: address,
    prefixBits,
    table: tableOf(fields),
    metric: fields.number('metric', isV4 ? 0 : DEFAULT_METRIC_V6),
    tos: fields.number('tos', 0, 255),
    gateway,
    oif: devices.ifindex(fields, 'dev', leadsSomewhere ? undefined : 0),
    source,
    lockedMtu: fields.number('mtu_lock', 0, MAX_MTU),
    encapBytes: fields.has('encap') ? fields.number('encap', undefined, 255) : undefined,
  };
}

/** `default` is of the family of its router. */
function routePrefix(fields: JsonFields, gateway: Uint8Array | undefined): InterfaceAddress {
  if (fields.text('to') === 'default') return { address: new Uint8Array(gateway?.length ?? 4), prefixBits: 0 };
  const prefix = fields.prefix('to');
  const isNetwork = prefix.address.every((byte, index) => (byte & (0xff >> Math.min(8, Math.max(0, prefix.prefixBits - index * 8)))) === 0);
  return isNetwork ? prefix : fields.refuse('to', 'the address has bits behind the prefix', 'set them to 0');
}

function ruleOf(fields: JsonFields, devices: Devices): RoutingRule {
  const from = fields.has('from') ? fields.prefix('from') : undefined;
  const to = fields.has('to') ? fields.prefix('to') : undefined;
  const family = fields.number('family', (from ?? to)?.address.length === 16 ? 6 : 4, 6, 4);
  if (family === 5) fields.refuse('family', 'there is no IP 5', 'write 4 or 6');
  for (const [name, prefix] of [['from', from], ['to', to]] as const) {
    if (prefix !== undefined && (prefix.address.length === 16) !== (family === 6)) fields.refuse(name, `it is no IPv${family} network`, 'let both be of one family');
  }
  const value = fields.has('fwmark') ? fields.number('fwmark') : undefined;
  return {
    family: family as 4 | 6,
    priority: fields.number('priority', 32765),
    from,
    to,
    iif: fields.has('iif') ? devices.ifindex(fields, 'iif') : undefined,
    oif: fields.has('oif') ? devices.ifindex(fields, 'oif') : undefined,
    mark: value === undefined ? undefined : { value, mask: fields.number('fwmask', 2 ** 32 - 1) },
    action: fields.choice('action', ['lookup', 'blackhole', 'unreachable', 'prohibit'], 'lookup'),
    table: tableOf(fields),
  };
}

function neighbourOf(fields: JsonFields, devices: Devices): Neighbour {
  return {
    address: fields.address('to'),
    ifindex: devices.ifindex(fields, 'dev'),
    mac: fields.mac('mac', new Uint8Array(6)),
    isValid: NUD_VALID.includes(fields.choice('state', NUD_STATES, 'permanent')),
  };
}

function syncookiesOf(fields: JsonFields): SyncookieSettings {
  const settings = new JsonFields(fields.raw('syncookies'), fields.at('syncookies'), ['mode', 'secrets']);
  return {
    mode: settings.number('mode', DEFAULT_SYNCOOKIES.mode, 2),
    secrets: settings.hex('secrets', SYNCOOKIE_SECRET_BYTES, DEFAULT_SYNCOOKIES.secrets),
  };
}
