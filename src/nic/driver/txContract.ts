// A private agreement between an XDP program and a driver that honours it; the kernel has none for XDP_TX (its only one for sending is
// struct xsk_tx_metadata of AF_XDP sockets). The last 8 bytes of the metadata, so right before the packet:
//
//     data - 8 offload_flags u32   data - 4 csum_start u16   data - 2 csum_offset u16   (host byte order)

export const TX_CONTRACT_BYTES = 8;

/**
 * offload_flags: compute the checksum over the bytes from csum_start on, csum_start counted from the start of the frame, and put it
 * at csum_start + csum_offset. The field holds the pseudo header's sum already, as for CHECKSUM_PARTIAL.
 */
export const XDP_TX_CHECKSUM = 1;

export interface TxContract {
  readonly flags: number;
  readonly csumStart: number;
  readonly csumOffset: number;
}

/** @param data where the packet begins; whoever calls has made sure that there are 8 bytes of metadata */
export function readTxContract(view: DataView, data: number): TxContract {
  return { flags: view.getUint32(data - 8, true), csumStart: view.getUint16(data - 4, true), csumOffset: view.getUint16(data - 2, true) };
}
