/** What the firmware of a device takes of programs that run in the device. A real driver reads these numbers from it. */
export interface OffloadFirmware {
  /** Devices of one card share programs. */
  readonly card: string;
  /** Helpers, by name. */
  readonly helpers: readonly string[];
  /** Map types that lie in the device. */
  readonly mapTypes: readonly string[];
  /** Map types that stay with the host, and that a program may name all the same. */
  readonly hostMapTypes: readonly string[];
  readonly maxMaps: number;
  /** Of all maps together. */
  readonly maxEntries: number;
  /** Of one entry: key and value, each rounded up to 8. */
  readonly maxElementBytes: number;
  readonly stackBytes: number;
  /** Instructions of the device. */
  readonly maxInstructions: number;
  /** Bytes of a packet that programs can reach: what lies behind is not in the memory of the core that runs them. */
  readonly inlineBytes: number;
  /** Bytes that bpf_xdp_adjust_head can put before a packet. */
  readonly headroomBytes: number;
}

/**
 * nfp with BPF firmware. Helpers, map types and what is checked are the driver's (drivers/net/ethernet/netronome/nfp/bpf, 6.18). Entries of 64 bytes
 * are what Netronome documents; the other sizes are numbers of the model, as they differ from firmware to firmware.
 */
export const NFP_FIRMWARE: OffloadFirmware = {
  card: 'nfp',
  helpers: [
    'bpf_map_lookup_elem', 'bpf_map_update_elem', 'bpf_map_delete_elem', 'bpf_get_prandom_u32', 'bpf_perf_event_output', 'bpf_xdp_adjust_head', 'bpf_xdp_adjust_tail',
  ],
  mapTypes: ['ARRAY', 'HASH'],
  hostMapTypes: ['PERF_EVENT_ARRAY'],
  maxMaps: 256,
  maxEntries: 3_072_000,
  maxElementBytes: 64,
  stackBytes: 512,
  maxInstructions: 8192,
  // NFP_NET_CFG_BPF_INL_MTU of 32: 32 * 64 - 32.
  inlineBytes: 2016,
  headroomBytes: 64,
};
