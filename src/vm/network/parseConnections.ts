import { IPPROTO_TCP, IPPROTO_UDP } from '../../packet/index.js';
import type { Devices } from './devices.js';
import { JsonFields } from './jsonFields.js';
import { isAny, TCP_CLOSE, TCP_ESTABLISHED, TCP_LISTEN } from './scenario.js';
import type { ConntrackSpec, Endpoint, FlowSpec, SocketSpec } from './scenario.js';

const SOCKET_FIELDS = ['protocol', 'local', 'remote', 'state', 'v6only', 'bound_dev', 'mark', 'priority', 'rx_queue', 'netns', 'syn_queue_full', 'syn_overflow'];
const CONNTRACK_FIELDS = ['protocol', 'original', 'reply', 'status', 'mark', 'timeout', 'zone', 'netns'];
const FLOW_FIELDS = ['dev', 'protocol', 'src', 'dst', 'direction', 'mtu', 'out'];

const TRANSPORTS = { tcp: IPPROTO_TCP, udp: IPPROTO_UDP } as const;
const TRANSPORT_NAMES = ['tcp', 'udp'] as const;

/** enum bpf_tcp_state by the names of ss(8). */
const STATES = [
  'established', 'syn-sent', 'syn-recv', 'fin-wait-1', 'fin-wait-2', 'time-wait', 'close', 'close-wait', 'last-ack', 'listen', 'closing', 'new-syn-recv',
] as const;

/** enum ip_conntrack_status (include/uapi/linux/netfilter/nf_conntrack_common.h), bit 0 first. */
const STATUS_BITS = [
  'expected', 'seen_reply', 'assured', 'confirmed', 'src_nat', 'dst_nat', 'seq_adjust', 'src_nat_done', 'dst_nat_done', 'dying', 'fixed_timeout',
  'template', 'untracked', 'helper', 'offload', 'hw_offload',
];
const IPS_CONFIRMED = 1 << STATUS_BITS.indexOf('confirmed');

const DEFAULT_TIMEOUT_SEC = 120;
const MAX_NETNS = 2 ** 31 - 1;

const netnsOf = (fields: JsonFields): number | undefined => (fields.has('netns') ? fields.number('netns', undefined, MAX_NETNS) : undefined);

export function socketOf(json: unknown, path: string, devices: Devices): SocketSpec {
  const fields = new JsonFields(json, path, SOCKET_FIELDS);
  const protocol = fields.choice('protocol', TRANSPORT_NAMES);
  const local = fields.endpoint('local');
  const remote = fields.has('remote') ? fields.endpoint('remote') : undefined;
  if (remote !== undefined && remote.address.length !== local.address.length) fields.refuse('remote', 'it is of another family than "local"', 'let both be IPv4 or both IPv6');
  const usual = remote !== undefined ? TCP_ESTABLISHED : protocol === 'tcp' ? TCP_LISTEN : TCP_CLOSE;
  const state = fields.has('state') ? STATES.indexOf(fields.choice('state', STATES)) + 1 : usual;
  if (protocol === 'udp' && state !== usual) fields.refuse('state', 'a UDP socket is established when it has a remote end, else closed', 'leave it out');
  if (protocol === 'tcp' && (state === TCP_LISTEN) !== (remote === undefined)) {
    fields.refuse('state', 'a TCP socket listens if and only if it has no remote end', 'leave "state" out, or "remote"');
  }
  if (remote !== undefined && isAny(local.address)) fields.refuse('local', 'a connected socket has an address', 'write the address that it is connected from');
  return {
    protocol,
    local,
    remote,
    state,
    isV6Only: fields.boolean('v6only', false),
    boundIfindex: devices.ifindex(fields, 'bound_dev', 0),
    mark: fields.number('mark', 0),
    priority: fields.number('priority', 0),
    rxQueue: fields.number('rx_queue', -1, 65535, -1),
    netns: netnsOf(fields),
    isSynQueueFull: fields.boolean('syn_queue_full', false),
    hasSynOverflow: fields.boolean('syn_overflow', false),
  };
}

function directionOf(fields: JsonFields, name: string): { source: Endpoint; destination: Endpoint } {
  const ends = new JsonFields(fields.raw(name), fields.at(name), ['src', 'dst']);
  const source = ends.endpoint('src');
  const destination = ends.endpoint('dst');
  if (source.address.length !== destination.address.length) ends.refuse('dst', 'it is of another family than "src"', 'let both be IPv4 or both IPv6');
  return { source, destination };
}

export function conntrackOf(json: unknown, path: string): ConntrackSpec {
  const fields = new JsonFields(json, path, CONNTRACK_FIELDS);
  const original = directionOf(fields, 'original');
  const reply = fields.has('reply') ? directionOf(fields, 'reply') : { source: original.destination, destination: original.source };
  const status = fields.list('status').reduce<number>((bits, name, index) => {
    const bit = STATUS_BITS.indexOf(name as string);
    return bit >= 0 ? bits | (1 << bit) : fields.refuse(`status[${index}]`, `there is no status ${JSON.stringify(name)}`, `use ${STATUS_BITS.join(', ')}`);
  }, IPS_CONFIRMED);
  return {
    protocol: TRANSPORTS[fields.choice('protocol', TRANSPORT_NAMES)],
    original,
    reply,
    status,
    mark: fields.number('mark', 0),
    timeoutSec: fields.number('timeout', DEFAULT_TIMEOUT_SEC, 2 ** 31 - 1),
    zone: fields.number('zone', 0, 65535),
    netns: netnsOf(fields),
  };
}

export function flowOf(json: unknown, path: string, devices: Devices): FlowSpec {
  const fields = new JsonFields(json, path, FLOW_FIELDS);
  const source = fields.endpoint('src');
  const destination = fields.endpoint('dst');
  if (source.address.length !== destination.address.length) fields.refuse('dst', 'it is of another family than "src"', 'let both be IPv4 or both IPv6');
  const out = new JsonFields(fields.raw('out'), fields.at('out'), ['dev', 'smac', 'dmac']);
  return {
    ifindex: devices.ifindex(fields, 'dev'),
    protocol: TRANSPORTS[fields.choice('protocol', TRANSPORT_NAMES)],
    source,
    destination,
    direction: fields.number('direction', 0, 1) as 0 | 1,
    mtu: fields.number('mtu', 1500, 65535),
    out: { ifindex: devices.ifindex(out, 'dev'), sourceMac: out.mac('smac'), destinationMac: out.mac('dmac') },
  };
}
