/** struct xdp_statistics, version 2 (include/uapi/linux/if_xdp.h). */
export interface XdpStatistics {
  rx_dropped: number;
  rx_invalid_descs: number;
  tx_invalid_descs: number;
  rx_ring_full: number;
  rx_fill_ring_empty_descs: number;
  tx_ring_empty_descs: number;
}
