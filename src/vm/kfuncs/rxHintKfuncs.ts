import type { HelperSupport } from '../helpers/helper.js';
import { RETURN_INT } from '../layout.js';
import { HINT_HASH, HINT_TIMESTAMP, HINT_VLAN_PROTO, HINT_VLAN_TCI } from '../rxHints.js';

// What the device knows about the packet (net/core/xdp.c, 6.18). With an error some drivers have written part of the program's memory by then.

/** bpf_xdp_metadata_rx_timestamp(ctx, timestamp): u64, ns. */
export const rxTimestamp: HelperSupport = {
  args: ['ptr_to_ctx', 'ptr_to_uninit_mem'],
  returns: RETURN_INT,
  make: ({ args, memory: { view }, rxHints }) => (_ctx, timestamp) => {
    if (!args.isContext(1) || !args.isMemory(2, 8, true)) return 0;
    const { timestampError, timestampNs, writtenOnError } = rxHints;
    if (timestampError === 0 || (writtenOnError & HINT_TIMESTAMP) !== 0) {
      view.setUint32(timestamp >>> 0, timestampNs % 2 ** 32, true);
      view.setUint32((timestamp >>> 0) + 4, timestampNs / 2 ** 32, true);
    }
    return timestampError;
  },
};

/** bpf_xdp_metadata_rx_hash(ctx, hash, rss_type): u32 and enum xdp_rss_hash_type. */
export const rxHash: HelperSupport = {
  args: ['ptr_to_ctx', 'ptr_to_uninit_mem', 'ptr_to_uninit_mem'],
  returns: RETURN_INT,
  make: ({ args, memory: { view }, rxHints }) => (_ctx, hash, rssType) => {
    if (!args.isContext(1) || !args.isMemory(2, 4, true) || !args.isMemory(3, 4, true)) return 0;
    const { hashError, writtenOnError } = rxHints;
    if (hashError === 0 || (writtenOnError & HINT_HASH) !== 0) {
      view.setUint32(hash >>> 0, rxHints.hash, true);
      view.setUint32(rssType >>> 0, rxHints.hashType, true);
    }
    return hashError;
  },
};

/** bpf_xdp_metadata_rx_vlan_tag(ctx, vlan_proto, vlan_tci): __be16 and u16. */
export const rxVlanTag: HelperSupport = {
  args: ['ptr_to_ctx', 'ptr_to_uninit_mem', 'ptr_to_uninit_mem'],
  returns: RETURN_INT,
  make: ({ args, memory: { view }, rxHints }) => (_ctx, vlanProto, vlanTci) => {
    if (!args.isContext(1) || !args.isMemory(2, 2, true) || !args.isMemory(3, 2, true)) return 0;
    const { vlanError, writtenOnError } = rxHints;
    if (vlanError === 0 || (writtenOnError & HINT_VLAN_PROTO) !== 0) view.setUint16(vlanProto >>> 0, rxHints.vlanProto, false);
    if (vlanError === 0 || (writtenOnError & HINT_VLAN_TCI) !== 0) view.setUint16(vlanTci >>> 0, rxHints.vlanTci, true);
    return vlanError;
  },
};
