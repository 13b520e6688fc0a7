import { EAFNOSUPPORT, EBUSY, EINVAL, ENOENT, ENONET, EPERM, EPROTO, ETIME } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import { IPPROTO_TCP, IPPROTO_UDP } from '../../packet/index.js';
import type { HelperArguments } from '../helpers/helperArguments.js';
import type { HelperContext, HelperSupport } from '../helpers/helper.js';
import { TUPLE_V4_BYTES, TUPLE_V6_BYTES } from '../helpers/socketHelpers.js';
import { HZ } from '../jiffies.js';
import { RETURN_INT, RETURN_U32 } from '../layout.js';
import {
  BOTH_DIRECTIONS, IPS_ASSURED, IPS_CONFIRMED, IPS_DST_NAT, IPS_DST_NAT_DONE, IPS_DYING, IPS_EXPECTED, IPS_FIXED_TIMEOUT, IPS_SEEN_REPLY, IPS_SRC_NAT, IPS_SRC_NAT_DONE,
  IPS_UNCHANGEABLE_MASK, inverse, isSameEndpoint, setTimeoutJiffies,
} from '../network/conntrackTable.js';
import type { Connection, ConntrackSpace, ConntrackTuple } from '../network/conntrackTable.js';
import type { Network } from '../network/network.js';
import { readMark, writeNfConn } from '../network/nfConn.js';

// ── struct bpf_ct_opts (net/netfilter/nf_conntrack_bpf.c, 6.18): 16 bytes, or the first 12 of them ──
//
//     0 netns_id  4 error (out)  8 l4proto  9 dir (out)  10 ct_zone_id  12 ct_zone_dir  13 reserved[3]
const NETNS_ID = 0;
const ERROR = 4;
const L4PROTO = 8;
const DIR = 9;
const ZONE_ID = 10;
const ZONE_DIR = 12;
const RESERVED = 13;
const OPTS_BYTES = 16;
const OPTS_OLD_BYTES = 12;

const CURRENT_NETNS = -1;
/** Seconds that a connection lives whose program names no time. */
const ALLOC_TIMEOUT_SEC = 10;

/** enum nf_nat_manip_type. */
const NF_NAT_MANIP_SRC = 0;
const NF_INET_ADDR_BYTES = 16;

/** What a call asks about. */
interface Question {
  readonly tuple: ConntrackTuple;
  readonly space: ConntrackSpace;
}

function checkOptions({ u8, view }: HostMemory, opts: number, size: number): number {
  if (size === OPTS_OLD_BYTES) return view.getUint16(opts + ZONE_ID, true) === 0 ? 0 : -EINVAL;
  if (size !== OPTS_BYTES) return -EINVAL;
  return (u8[opts + RESERVED] | u8[opts + RESERVED + 1] | u8[opts + RESERVED + 2]) === 0 ? 0 : -EINVAL;
}

function parseTuple({ u8, view }: HostMemory, at: number, size: number): ConntrackTuple | undefined {
  const length = size === TUPLE_V4_BYTES ? 4 : size === TUPLE_V6_BYTES ? 16 : 0;
  if (length === 0) return undefined;
  const ports = at + 2 * length;
  return {
    source: { address: u8.slice(at, at + length), port: view.getUint16(ports) },
    destination: { address: u8.slice(at + length, ports), port: view.getUint16(ports + 2) },
  };
}

/** The checks of look-up and allocation, which differ in what comes first: look-ups know their protocols, then namespaces. */
function readQuestion(memory: HostMemory, network: Network, tupleAt: number, tupleSize: number, opts: number, optsSize: number, isLookup: boolean): Question | number {
  const { u8, view } = memory;
  if (tupleAt === 0) return -EINVAL;
  const error = checkOptions(memory, opts, optsSize);
  if (error !== 0) return error;
  const protocol = u8[opts + L4PROTO];
  const isTransport = protocol === IPPROTO_TCP || protocol === IPPROTO_UDP;
  const netnsId = view.getInt32(opts + NETNS_ID, true);
  if (isLookup && !isTransport) return -EPROTO;
  if (netnsId < CURRENT_NETNS) return -EINVAL;
  if (!isTransport) return -EPROTO;
  const tuple = parseTuple(memory, tupleAt, tupleSize);
  if (tuple === undefined) return -EAFNOSUPPORT;
  if (netnsId >= 0 && !network.hasNetns(netnsId)) return -ENONET;
  if (optsSize === OPTS_BYTES && u8[opts + ZONE_DIR] === 0) u8[opts + ZONE_DIR] = BOTH_DIRECTIONS;
  const netns = netnsId < 0 ? undefined : netnsId;
  if (optsSize === OPTS_OLD_BYTES) return { tuple, space: { protocol, zone: 0, zoneDirections: BOTH_DIRECTIONS, netns } };
  return { tuple, space: { protocol, zone: view.getUint16(opts + ZONE_ID, true), zoneDirections: u8[opts + ZONE_DIR], netns } };
}

/**
 * bpf_xdp_ct_lookup and bpf_xdp_ct_alloc (ctx, tuple, tuple__sz, opts, opts__sz): a connection to give back, or NULL and why in opts->error.
 * The verifier takes NULL for memory of 0 bytes.
 */
function asking(name: string, isLookup: boolean, answer: (context: HelperContext, question: Question, opts: number) => number): HelperSupport {
  return {
    args: ['ptr_to_ctx', 'ptr_to_mem_or_null', 'const_size_or_zero', 'ptr_to_mem_or_null', 'const_size_or_zero'],
    returns: RETURN_U32,
    make: (context) => (_ctx, tuple, tupleSize, opts, optsSize) => {
      const { args, memory, network } = context;
      if (!args.isContext(1) || !args.isSize(3, true) || (tupleSize > 0 && !args.isMemory(2, tupleSize, false))) return 0;
      if (!args.isSize(5, true) || (optsSize > 0 && !args.isMemory(4, optsSize, true))) return 0;
      network.asked.add(name);
      const at = opts >>> 0;
      const question = readQuestion(memory, network, tuple >>> 0, tupleSize, at, optsSize, isLookup);
      const result = typeof question === 'number' ? question : answer(context, question, at);
      if (result >= 0) return result;
      if (optsSize >= ERROR + 4) memory.view.setInt32(at + ERROR, result, true);
      return 0;
    },
  };
}

function hold({ memory, network }: HelperContext, connection: Connection): number {
  return network.heldConnections.acquire(connection, (address) => writeNfConn(memory, address, connection));
}

/** bpf_xdp_ct_lookup (net/netfilter/nf_conntrack_bpf.c, 6.18). */
export const xdpCtLookup: HelperSupport = asking('bpf_xdp_ct_lookup', true, (context, question, opts) => {
  const hit = context.network.conntrack.find(question.tuple, question.space, context.environment.tNs);
  if (hit === undefined) return -ENOENT;
  context.memory.u8[opts + DIR] = hit.direction;
  return hold(context, hit.connection);
});

/** bpf_xdp_ct_alloc (net/netfilter/nf_conntrack_bpf.c, 6.18). */
export const xdpCtAlloc: HelperSupport = asking('bpf_xdp_ct_alloc', false, (context, { tuple, space }) =>
  hold(context, { ...space, original: tuple, reply: inverse(tuple), status: 0, mark: 0, timeout: ALLOC_TIMEOUT_SEC * HZ }),
);

/** The connection that r1 points to, if the program holds it and it is (not) in the table yet. */
function heldConnection(args: HelperArguments, network: Network, address: number, isInserted: boolean | undefined): Connection | undefined {
  const connection = args.upperHalf(1) === 0 ? network.heldConnections.at(address >>> 0) : undefined;
  if (connection !== undefined && (isInserted === undefined || ((connection.status & IPS_CONFIRMED) !== 0) === isInserted)) return connection;
  args.refuse(1, 0, false);
  return undefined;
}

/** bpf_ct_insert_entry(nfct_init): the connection, now in the table, or NULL if one like it is there. Takes the reference that it gets. */
export const ctInsertEntry: HelperSupport = {
  args: ['ptr_to_nf_conn'],
  returns: RETURN_U32,
  make: (context) => (nfct) => {
    const { args, memory, network, environment } = context;
    const connection = heldConnection(args, network, nfct, false);
    if (connection === undefined) return 0;
    connection.mark = readMark(memory, nfct >>> 0);
    network.heldConnections.release(nfct >>> 0);
    return network.conntrack.insert(connection, environment.tNs) ? hold(context, connection) : 0;
  },
};

/** bpf_ct_release(nfct). */
export const ctRelease: HelperSupport = {
  args: ['ptr_to_nf_conn'],
  returns: RETURN_INT,
  make: ({ args, memory, network }) => (nfct) => {
    const connection = heldConnection(args, network, nfct, undefined);
    if (connection === undefined) return 0;
    connection.mark = readMark(memory, nfct >>> 0);
    network.heldConnections.release(nfct >>> 0);
    return 0;
  },
};

/** A kfunc (nfct, value) that changes a connection which is in the table (`change`) or not yet (`set`). */
function changing(isInserted: boolean, change: (context: HelperContext, connection: Connection, value: number) => number): HelperSupport {
  return {
    args: ['ptr_to_nf_conn', 'anything'],
    returns: RETURN_INT,
    make: (context) => (nfct, value) => {
      const { args, memory, network } = context;
      const connection = heldConnection(args, network, nfct, isInserted);
      if (connection === undefined) return 0;
      connection.mark = readMark(memory, nfct >>> 0);
      const result = change(context, connection, value >>> 0);
      writeNfConn(memory, nfct >>> 0, connection);
      return result;
    },
  };
}

/** msecs_to_jiffies: rounded up; what is negative as an int lasts for ever. */
function jiffiesOf(msec: number): number {
  return msec >= 2 ** 31 ? 2 ** 31 - 1 : Math.ceil((msec * HZ) / 1000);
}

/** nf_ct_change_status_common: some bits are nobody's to change, some can only be set. */
function changeStatus(connection: Connection, status: number): number {
  const changed = connection.status ^ status;
  if ((changed & (IPS_EXPECTED | IPS_CONFIRMED | IPS_DYING)) !== 0) return -EBUSY;
  for (const bit of [IPS_SEEN_REPLY, IPS_ASSURED]) if ((changed & bit) !== 0 && (status & bit) === 0) return -EBUSY;
  connection.status |= status & ~IPS_UNCHANGEABLE_MASK;
  return 0;
}

/** bpf_ct_set_timeout(nfct_init, msec). */
export const ctSetTimeout: HelperSupport = changing(false, ({ environment }, connection, msec) => {
  setTimeoutJiffies(connection, jiffiesOf(msec), environment.tNs);
  return 0;
});

/** bpf_ct_change_timeout(nfct, msec). */
export const ctChangeTimeout: HelperSupport = changing(true, ({ environment }, connection, msec) => {
  if ((connection.status & IPS_FIXED_TIMEOUT) !== 0) return -EPERM;
  setTimeoutJiffies(connection, jiffiesOf(msec), environment.tNs);
  return (connection.status & IPS_DYING) !== 0 ? -ETIME : 0;
});

/** bpf_ct_set_status(nfct_init, status). */
export const ctSetStatus: HelperSupport = changing(false, (_context, connection, status) => changeStatus(connection, status));

/** bpf_ct_change_status(nfct, status). */
export const ctChangeStatus: HelperSupport = changing(true, (_context, connection, status) => changeStatus(connection, status));

/** Ports that nf_nat_l4proto_unique_tuple tries before it gives up. */
const PORT_ATTEMPTS = 128;

/** The first and last port of those that may stand for this one. */
function portRange(port: number): readonly [number, number] {
  if (port < 512) return [1, 511];
  return port < 1024 ? [600, 1023] : [1024, 65535];
}

/** The connection's tuple with its port or, if another connection has that, with one that is drawn; the last one tried if all are taken. */
function unusedTuple({ network, environment }: HelperContext, connection: Connection, port: number, withPort: (port: number) => ConntrackTuple): ConntrackTuple {
  const [first, last] = portRange(port);
  let tuple = withPort(port);
  for (let i = 0; i < PORT_ATTEMPTS && network.conntrack.find(inverse(tuple), connection, environment.tNs) !== undefined; i++) {
    tuple = withPort(first + environment.rng.below(last - first + 1));
  }
  return tuple;
}

/**
 * bpf_ct_set_nat_info(nfct_init, addr, port, manip) (net/netfilter/nf_nat_bpf.c, nf_nat_setup_info; 6.18): replies will come for the new
 * address. A port above 0 is taken as it is; else the old one stays, or one of the same kind is drawn if another connection has it.
 */
export const ctSetNatInfo: HelperSupport = {
  args: ['ptr_to_nf_conn', 'ptr_to_mem', 'anything', 'anything'],
  returns: RETURN_INT,
  make: (context) => (nfct, addr, port, manip) => {
    const { args, memory, network } = context;
    const connection = heldConnection(args, network, nfct, false);
    if (connection === undefined || !args.isMemory(2, NF_INET_ADDR_BYTES, false)) return 0;
    const isSource = manip === NF_NAT_MANIP_SRC;
    const [nat, done] = isSource ? [IPS_SRC_NAT, IPS_SRC_NAT_DONE] : [IPS_DST_NAT, IPS_DST_NAT_DONE];
    if ((connection.status & done) !== 0) return -EINVAL;
    const now = inverse(connection.reply);
    const end = isSource ? now.source : now.destination;
    const address = memory.u8.slice(addr >>> 0, (addr >>> 0) + end.address.length);
    const withPort = (number: number): ConntrackTuple => (isSource ? { ...now, source: { address, port: number } } : { ...now, destination: { address, port: number } });
    const changed = port > 0 ? withPort(port & 0xffff) : unusedTuple(context, connection, end.port, withPort);
    if (!isSameEndpoint(end, isSource ? changed.source : changed.destination)) {
      connection.reply = inverse(changed);
      connection.status |= nat;
    }
    connection.mark = readMark(memory, nfct >>> 0);
    connection.status |= done;
    writeNfConn(memory, nfct >>> 0, connection);
    return 0;
  },
};
