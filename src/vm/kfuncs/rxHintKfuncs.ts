import type { HelperSupport } from '../helpers/helper.js';
import { RETURN_INT } from '../layout.js';

// What the device knows about the packet (net/core/xdp.c, 6.18). Memory of the program is written only when there is something to write.

/** bpf_xdp_metadata_rx_timestamp(ctx, timestamp): u64, ns. */
export const rxTimestamp: HelperSupport = {
  args: ['ptr_to_ctx', 'ptr_to_uninit_mem'],
  returns: RETURN_INT,
  make: ({ args, memory: { view }, rxHints }) => (_ctx, timestamp) => {
    if (!args.isContext(1) || !args.isMemory(2, 8, true) || rxHints.timestampError !== 0) return rxHints.timestampError;
    view.setUint32(timestamp >>> 0, rxHints.timestampNs % 2 ** 32, true);
    view.setUint32((timestamp >>> 0) + 4, rxHints.timestampNs / 2 ** 32, true);
    return 0;
  },
};

/** bpf_xdp_metadata_rx_hash(ctx, hash, rss_type): u32 and enum xdp_rss_hash_type. */
export const rxHash: HelperSupport = {
  args: ['ptr_to_ctx', 'ptr_to_uninit_mem', 'ptr_to_uninit_mem'],
  returns: RETURN_INT,
  make: ({ args, memory: { view }, rxHints }) => (_ctx, hash, rssType) => {
    if (!args.isContext(1) || !args.isMemory(2, 4, true) || !args.isMemory(3, 4, true) || rxHints.hashError !== 0) return rxHints.hashError;
    view.setUint32(hash >>> 0, rxHints.hash, true);
    view.setUint32(rssType >>> 0, rxHints.hashType, true);
    return 0;
  },
};

/** bpf_xdp_metadata_rx_vlan_tag(ctx, vlan_proto, vlan_tci): __be16 and u16. */
export const rxVlanTag: HelperSupport = {
  args: ['ptr_to_ctx', 'ptr_to_uninit_mem', 'ptr_to_uninit_mem'],
  returns: RETURN_INT,
  make: ({ args, memory: { view }, rxHints }) => (_ctx, vlanProto, vlanTci) => {
    if (!args.isContext(1) || !args.isMemory(2, 2, true) || !args.isMemory(3, 2, true) || rxHints.vlanError !== 0) return rxHints.vlanError;
    view.setUint16(vlanProto >>> 0, rxHints.vlanProto, false);
    view.setUint16(vlanTci >>> 0, rxHints.vlanTci, true);
    return 0;
  },
};
