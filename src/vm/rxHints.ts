import { EOPNOTSUPP } from '../base/index.js';
import type { ProgramSpec } from './spec.js';

/** What a driver has written although it then reports an error, `RxHints.writtenOnError`. */
export const HINT_TIMESTAMP = 1;
/** Hash and type. */
export const HINT_HASH = 2;
export const HINT_VLAN_PROTO = 4;
export const HINT_VLAN_TCI = 8;

/**
 * What the driver knows about the packet that a program runs on (struct xdp_metadata_ops, include/net/xdp.h, 6.18): the driver fills it in before
 * the run, bpf_xdp_metadata_rx_* hand it out. Each of the three has its answer: 0, -ENODATA when this packet has none, -EOPNOTSUPP when the
 * driver never has one.
 */
export interface RxHints {
  /** HINT_*: memory of the program that is written with an error, too. */
  writtenOnError: number;
  timestampError: number;
  /** When the device received the packet, ns of its clock. */
  timestampNs: number;
  hashError: number;
  /** Low 32 bits count. */
  hash: number;
  /** XDP_RSS_*. */
  hashType: number;
  vlanError: number;
  /** Ethertype of the tag that the device took out of the packet, and the tag. */
  vlanProto: number;
  vlanTci: number;
}

/** What a driver without any metadata gives: the kernel's own functions in place of its. */
export function createRxHints(): RxHints {
  return {
    writtenOnError: 0,
    timestampError: -EOPNOTSUPP, timestampNs: 0,
    hashError: -EOPNOTSUPP, hash: 0, hashType: XDP_RSS_TYPE_NONE,
    vlanError: -EOPNOTSUPP, vlanProto: 0, vlanTci: 0,
  };
}

// enum xdp_rss_hash_type: what went into the hash
export const XDP_RSS_TYPE_NONE = 0;
export const XDP_RSS_L3_IPV4 = 1 << 0;
export const XDP_RSS_L3_IPV6 = 1 << 1;
/** Ports, too. */
export const XDP_RSS_L4 = 1 << 3;
export const XDP_RSS_L4_TCP = 1 << 4;
export const XDP_RSS_L4_UDP = 1 << 5;

const METADATA_KFUNC = 'bpf_xdp_metadata_rx_';

/**
 * Whether the kernel takes this program only when it is loaded for one device (BPF_F_XDP_DEV_BOUND_ONLY), as it asks what that device knows
 * about packets. Such a program is attached to its device and nowhere else: it can't stand in a map, and BPF_PROG_TEST_RUN refuses it.
 */
export function isDeviceBound({ kfuncs = [] }: ProgramSpec): boolean {
  return kfuncs.some(({ name }) => name.startsWith(METADATA_KFUNC));
}
