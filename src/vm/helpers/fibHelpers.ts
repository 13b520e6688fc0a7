import { EAFNOSUPPORT, EINVAL, ENODEV, hasChange, NEWEST_KERNEL } from '../../base/index.js';
import type { KernelRelease } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import { RETURN_INT } from '../layout.js';
import { AF_INET, AF_INET6 } from '../network/bpfSock.js';
import { RT_TABLE_MAIN, sourceForV4, sourceForV6 } from '../network/fib.js';
import type { Flow } from '../network/fib.js';
import type { Network } from '../network/network.js';
import type { NetInterface, Route } from '../network/scenario.js';
import type { HelperSupport } from './helper.js';

// ── struct bpf_fib_lookup (include/uapi/linux/bpf.h), 64 bytes ──
//
//     0 family  1 l4_protocol  2 sport  4 dport  6 tot_len, out: mtu_result  8 ifindex  12 tos or flowinfo, out: rt_metric
//     16 ipv4_src or ipv6_src[4]  32 ipv4_dst or ipv6_dst[4]  48 h_vlan_proto and h_vlan_TCI, in: tbid
//     52 mark (u32); out: smac[6]  58 dmac[6]
const FAMILY = 0;
const TOT_LEN = 6;
const IFINDEX = 8;
const TOS = 12;
const SRC = 16;
const DST = 32;
const TBID = 48;
const MARK = 52;
const SMAC = 52;
const DMAC = 58;
const FIB_LOOKUP_BYTES = 64;

const FLAG_DIRECT = 1;
const FLAG_OUTPUT = 2;
const FLAG_SKIP_NEIGH = 4;
const FLAG_TBID = 8;
const FLAG_SRC = 16;
const FLAG_MARK = 32;

const RET_SUCCESS = 0;
const RET_BLACKHOLE = 1;
const RET_UNREACHABLE = 2;
const RET_PROHIBIT = 3;
const RET_NOT_FWDED = 4;
const RET_FWD_DISABLED = 5;
const RET_UNSUPP_LWT = 6;
const RET_NO_NEIGH = 7;
const RET_FRAG_NEEDED = 8;
const RET_NO_SRC_ADDR = 9;

const MAX_MTU_V4 = 65535;
const MAX_MTU_V6 = 65535 + 40;
const MIN_MTU_V6 = 1280;

/**
 * bpf_fib_lookup(ctx, params, plen, flags) (bpf_xdp_fib_lookup, bpf_ipv4_fib_lookup, bpf_ipv6_fib_lookup; net/core/filter.c, 6.18):
 * BPF_FIB_LKUP_RET_* or a negated errno. What is written before a look-up fails stays written.
 */
export const fibLookup: HelperSupport = {
  args: ['ptr_to_ctx', 'ptr_to_mem', 'const_size', 'anything'],
  returns: RETURN_INT,
  make: ({ args, memory, network, environment }) => {
    const known = knownFlags(environment.kernel);
    return (_ctx, params, plen, flags) => {
      if (!args.isContext(1) || !args.isSize(3, false) || !args.isMemory(2, plen, true)) return 0;
      network.asked.add('bpf_fib_lookup');
      if (plen < FIB_LOOKUP_BYTES || (flags & ~known) !== 0) return -EINVAL;
      const at = params >>> 0;
      const family = memory.u8[at + FAMILY];
      if (family === AF_INET) return lookupV4(memory, network, at, flags);
      if (family === AF_INET6) return lookupV6(memory, network, at, flags);
      return -EAFNOSUPPORT;
    };
  },
};

function knownFlags(kernel: KernelRelease = NEWEST_KERNEL): number {
  return FLAG_DIRECT | FLAG_OUTPUT
    | (hasChange(kernel, 'fibSkipNeigh') ? FLAG_SKIP_NEIGH : 0)
    | (hasChange(kernel, 'fibTableId') ? FLAG_TBID : 0)
    | (hasChange(kernel, 'fibSource') ? FLAG_SRC : 0)
    | (hasChange(kernel, 'fibMark') ? FLAG_MARK : 0);
}

function lookupV4(memory: HostMemory, network: Network, at: number, flags: number): number {
  const { u8, view } = memory;
  const incoming = network.device(view.getUint32(at + IFINDEX, true));
  if (incoming === undefined) return -ENODEV;
  if (!incoming.forwarding.ipv4) return RET_FWD_DISABLED;
  const tos = u8[at + TOS];
  const route = findRoute(memory, network, at, flags, incoming, 4, tos & 0xfc);
  const refusal = refusalOf(route);
  if (refusal !== RET_SUCCESS) return refusal;
  const { oif, lockedMtu, encapBytes, metric, gateway } = route as Route;
  const device = network.device(oif)!;
  const mtu = (lockedMtu !== 0 ? lockedMtu : Math.min(device.mtu, MAX_MTU_V4)) - (encapBytes ?? 0);
  if (view.getUint16(at + TOT_LEN, true) > mtu) return fragNeeded(view, at, mtu);
  if (encapBytes !== undefined) return RET_UNSUPP_LWT;
  view.setUint32(at + TOS, metric, true);
  view.setUint32(at + IFINDEX, oif, true);
  if ((flags & FLAG_SRC) !== 0) u8.set(sourceForV4(route as Route, device, network.scenario.interfaces), at + SRC);
  if (gateway?.length === 16) u8[at + FAMILY] = AF_INET6;
  if (gateway !== undefined) u8.set(gateway, at + DST);
  return finish(memory, network, at, flags, device, gateway?.length === 16 ? 16 : 4, mtu);
}

function lookupV6(memory: HostMemory, network: Network, at: number, flags: number): number {
  const { u8, view } = memory;
  if (needsStrict(u8, at + DST) || needsStrict(u8, at + SRC)) return RET_NOT_FWDED;
  const incoming = network.device(view.getUint32(at + IFINDEX, true));
  if (incoming === undefined) return -ENODEV;
  if (!incoming.forwarding.ipv6) return RET_FWD_DISABLED;
  const route = findRoute(memory, network, at, flags, incoming, 16, 0);
  const refusal = refusalOf(route);
  if (refusal !== RET_SUCCESS) return refusal;
  const { oif, lockedMtu, encapBytes, metric, gateway, source } = route as Route;
  const device = network.device(oif)!;
  const mtu = (lockedMtu !== 0 ? lockedMtu : Math.min(Math.max(device.mtu, MIN_MTU_V6), MAX_MTU_V6)) - (encapBytes ?? 0);
  if (view.getUint16(at + TOT_LEN, true) > mtu) return fragNeeded(view, at, mtu);
  if (encapBytes !== undefined) return RET_UNSUPP_LWT;
  const destination = u8.slice(at + DST, at + DST + 16);
  if (gateway !== undefined) u8.set(gateway, at + DST);
  view.setUint32(at + TOS, metric, true);
  view.setUint32(at + IFINDEX, oif, true);
  if ((flags & FLAG_SRC) !== 0) {
    const chosen = source ?? sourceForV6(destination, device, network.scenario.interfaces);
    if (chosen === undefined) return RET_NO_SRC_ADDR;
    u8.set(chosen, at + SRC);
  }
  return finish(memory, network, at, flags, device, 16, mtu);
}

function findRoute(memory: HostMemory, network: Network, at: number, flags: number, incoming: NetInterface, addressBytes: number, tos: number): ReturnType<Network['fib']['lookup']> {
  const { u8, view } = memory;
  const isOutput = (flags & FLAG_OUTPUT) !== 0;
  const isDirect = (flags & FLAG_DIRECT) !== 0;
  const flow: Flow = {
    // RT6_LOOKUP_F_HAS_SADDR: a packet that is being forwarded has a source, one of this host may not have it yet.
    source: isOutput && addressBytes === 16 ? undefined : u8.slice(at + SRC, at + SRC + addressBytes),
    destination: u8.slice(at + DST, at + DST + addressBytes),
    iif: isOutput ? 1 : incoming.ifindex,
    oif: isOutput ? incoming.ifindex : 0,
    tos,
    mark: !isDirect && (flags & FLAG_MARK) !== 0 ? view.getUint32(at + MARK, true) : 0,
  };
  if (!isDirect) return network.fib.lookup(flow);
  let table = incoming.vrfTable ?? RT_TABLE_MAIN;
  if ((flags & FLAG_TBID) !== 0) {
    table = view.getUint32(at + TBID, true) || RT_TABLE_MAIN;
    view.setUint32(at + TBID, 0, true);
  }
  return network.fib.lookupTable(table, flow);
}

/** Why a route can't be taken; 0 for one that leads on. */
function refusalOf(route: ReturnType<Network['fib']['lookup']>): number {
  switch (typeof route === 'object' ? route.type : route) {
    case 'unicast': return RET_SUCCESS;
    case 'blackhole': return RET_BLACKHOLE;
    case 'unreachable': return RET_UNREACHABLE;
    case 'prohibit': return RET_PROHIBIT;
    default: return RET_NOT_FWDED;
  }
}

function fragNeeded(view: DataView, at: number, mtu: number): number {
  view.setUint16(at + TOT_LEN, mtu, true);
  return RET_FRAG_NEEDED;
}

/** The neighbour's addresses, and bpf_fib_set_fwd_params. */
function finish({ u8, view }: HostMemory, network: Network, at: number, flags: number, device: NetInterface, addressBytes: number, mtu: number): number {
  if ((flags & FLAG_SKIP_NEIGH) === 0) {
    const neighbour = network.neighbour(device.ifindex, u8.slice(at + DST, at + DST + addressBytes));
    if (neighbour === undefined || !neighbour.isValid) return RET_NO_NEIGH;
    u8.set(neighbour.mac, at + DMAC);
    u8.set(device.mac, at + SMAC);
  }
  view.setUint32(at + TBID, 0, true);
  view.setUint16(at + TOT_LEN, mtu, true);
  return RET_SUCCESS;
}

/** rt6_need_strict: multicast, link-local or loopback. */
function needsStrict(u8: Uint8Array, at: number): boolean {
  const first = u8[at];
  if (first === 0xff || (first === 0xfe && (u8[at + 1] & 0xc0) === 0x80)) return true;
  for (let i = 0; i < 15; i++) if (u8[at + i] !== 0) return false;
  return u8[at + 15] === 1;
}
