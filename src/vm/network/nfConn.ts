import type { HostMemory } from '../../memory/index.js';
import type { Connection, ConntrackTuple } from './conntrackTable.js';
import type { ObjectPart } from './heldObjects.js';

// ── struct nf_conn (include/net/netfilter/nf_conntrack.h; x86-64, 6.18, distribution configuration) ──
//
//     0 use  8 timeout (jiffies)  12 zone { u16 id, u8 flags, u8 dir }  16 tuplehash[2] of 56 bytes, the tuple at 16  128 status
//     168 mark  172 secmark
//
// ── struct nf_conntrack_tuple ──
//
//     0 src address (16)  16 src port  18 l3num  20 dst address (16)  36 dst port  38 protonum  39 dir
const USE = 0;
const TIMEOUT = 8;
const ZONE_ID = 12;
const ZONE_DIR = 15;
const TUPLES = 16;
const TUPLEHASH_BYTES = 56;
const TUPLE_IN_HASH = 16;
const STATUS = 128;
const MARK = 168;
const MARK_BYTES = 4;
export const NF_CONN_BYTES = 248;

const TUPLE_SRC_PORT = 16;
const TUPLE_L3NUM = 18;
const TUPLE_DST = 20;
const TUPLE_DST_PORT = 36;
const TUPLE_PROTONUM = 38;
const TUPLE_DIR = 39;

const AF_INET = 2;
const AF_INET6 = 10;

/** What a program may touch: it reads everything and writes the mark (nf_conntrack_btf_struct_access). */
export const NF_CONN_PARTS: readonly ObjectPart[] = [
  { offBytes: 0, sizeBytes: MARK, writable: false },
  { offBytes: MARK, sizeBytes: MARK_BYTES, writable: true },
  { offBytes: MARK + MARK_BYTES, sizeBytes: NF_CONN_BYTES - MARK - MARK_BYTES, writable: false },
];

/** Writes a connection's fields into `NF_CONN_BYTES` bytes. */
export function writeNfConn(memory: HostMemory, address: number, connection: Connection): void {
  const { view, u8 } = memory;
  view.setUint32(address + USE, 1, true);
  view.setUint32(address + TIMEOUT, connection.timeout, true);
  view.setUint16(address + ZONE_ID, connection.zone, true);
  u8[address + ZONE_DIR] = connection.zoneDirections;
  writeTuple(memory, address + TUPLES + TUPLE_IN_HASH, connection.original, connection.protocol, 0);
  writeTuple(memory, address + TUPLES + TUPLEHASH_BYTES + TUPLE_IN_HASH, connection.reply, connection.protocol, 1);
  view.setUint32(address + STATUS, connection.status, true);
  view.setUint32(address + MARK, connection.mark, true);
}

/** The mark, which the program may have changed. */
export function readMark({ view }: HostMemory, address: number): number {
  return view.getUint32(address + MARK, true);
}

function writeTuple({ view, u8 }: HostMemory, address: number, { source, destination }: ConntrackTuple, protocol: number, direction: number): void {
  u8.set(source.address, address);
  view.setUint16(address + TUPLE_SRC_PORT, source.port);
  view.setUint16(address + TUPLE_L3NUM, source.address.length === 4 ? AF_INET : AF_INET6, true);
  u8.set(destination.address, address + TUPLE_DST);
  view.setUint16(address + TUPLE_DST_PORT, destination.port);
  u8[address + TUPLE_PROTONUM] = protocol;
  u8[address + TUPLE_DIR] = direction;
}
