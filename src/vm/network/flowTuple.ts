import type { HostMemory } from '../../memory/index.js';
import type { FlowSpec } from './scenario.js';

// ── struct flow_offload_tuple_rhash (include/net/netfilter/nf_flow_table.h, 6.18): a list node of 8 bytes, then the tuple ──
//
//     0 src (16)  16 dst (16)  32 src_port  34 dst_port  36 iifidx  40 l3proto  41 l4proto  42 encap[2] of { u16 id, be16 proto }
//     50 dir:2, xmit_type:3, encap_num:2, in_vlan_ingress:2  52 mtu  56 out { u32 ifidx, u32 hw_ifidx, h_source[6], h_dest[6] }
const TUPLE = 8;
const DST = TUPLE + 16;
const SRC_PORT = TUPLE + 32;
const DST_PORT = TUPLE + 34;
const IIFIDX = TUPLE + 36;
const L3PROTO = TUPLE + 40;
const L4PROTO = TUPLE + 41;
const BITS = TUPLE + 50;
const MTU = TUPLE + 52;
const OUT_IFIDX = TUPLE + 56;
const OUT_HW_IFIDX = TUPLE + 60;
const OUT_SOURCE = TUPLE + 64;
const OUT_DEST = TUPLE + 70;
export const FLOW_TUPLE_BYTES = 88;

const AF_INET = 2;
const AF_INET6 = 10;
/** enum flow_offload_xmit_type: FLOW_OFFLOAD_XMIT_DIRECT, in bits 2 to 4. */
const XMIT_DIRECT = 3 << 2;

/** Writes one direction of a flow into `FLOW_TUPLE_BYTES` zeroed bytes. */
export function writeFlowTuple({ u8, view }: HostMemory, address: number, flow: FlowSpec): void {
  u8.set(flow.source.address, address + TUPLE);
  u8.set(flow.destination.address, address + DST);
  view.setUint16(address + SRC_PORT, flow.source.port);
  view.setUint16(address + DST_PORT, flow.destination.port);
  view.setUint32(address + IIFIDX, flow.ifindex, true);
  u8[address + L3PROTO] = flow.source.address.length === 4 ? AF_INET : AF_INET6;
  u8[address + L4PROTO] = flow.protocol;
  u8[address + BITS] = flow.direction | XMIT_DIRECT;
  view.setUint16(address + MTU, flow.mtu, true);
  view.setUint32(address + OUT_IFIDX, flow.out.ifindex, true);
  view.setUint32(address + OUT_HW_IFIDX, flow.out.ifindex, true);
  u8.set(flow.out.sourceMac, address + OUT_SOURCE);
  u8.set(flow.out.destinationMac, address + OUT_DEST);
}
