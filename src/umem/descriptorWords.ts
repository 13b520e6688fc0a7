import type { XdpDesc } from './txDescriptor.js';
import type { Umem } from './umem.js';
import { baseOfAddress } from './umem.js';
import { XDP_PKT_CONTD, XDP_TX_METADATA } from './xskQueue.js';
import type { XskRules } from './xskRules.js';

/** An address of a ring as a number in text: what does not fit into 48 bits in hexadecimal. */
export function addressText(low: number, high: number): string {
  return high <= 0xffff ? String(baseOfAddress(low, high)) : `0x${high.toString(16)}${low.toString(16).padStart(8, '0')}`;
}

/** Which rule a TX descriptor breaks, and with which number, for the `TxDescriptorRules` of a kernel that find it invalid. */
export function whyInvalid(desc: XdpDesc, umem: Umem, { descriptors, kernel }: XskRules): string {
  const { len, options, offBytes, addrLow, addrHigh } = desc;
  const { txMetadataBytes, chunkSizeBytes, sizeBytes, isUnaligned } = umem;
  const unknown = options & ~(XDP_PKT_CONTD | XDP_TX_METADATA);
  if (unknown !== 0) return `its options have the unknown bits 0x${(unknown >>> 0).toString(16)}`;
  if (options !== 0 && descriptors.isValid({ ...desc, options: 0 }, umem)) return `its options are ${options}, which kernel ${kernel} does not know`;
  if (len === 0 && !descriptors.isValid({ ...desc, options: 0, offBytes: txMetadataBytes }, umem)) return 'its length is 0';
  const start = offBytes - txMetadataBytes;
  const bytes = len + txMetadataBytes;
  const address = addressText(addrLow, addrHigh);
  if (start < 0) return `its address is ${address}, which leaves no room for the ${txMetadataBytes} bytes of tx_metadata_len before it`;
  if (offBytes >= sizeBytes || start >= sizeBytes) return `its address is ${address}, and the UMEM ends at ${sizeBytes}`;
  const meant = txMetadataBytes === 0 ? `${len} bytes` : `${len} bytes and ${txMetadataBytes} of metadata`;
  if (isUnaligned && bytes <= chunkSizeBytes) return `its ${meant} from ${start} on go beyond the end of the UMEM, ${sizeBytes}`;
  if (isUnaligned) return `its ${meant} are more than a chunk of ${chunkSizeBytes}`;
  return `its ${meant} from ${start % chunkSizeBytes} on in their chunk go beyond its end, ${chunkSizeBytes}`;
}

/** Why an entry of FILL is skipped. */
export function whyBadFill(low: number, high: number, { isUnaligned, sizeBytes, chunkSizeBytes }: Umem): string {
  const address = addressText(low, isUnaligned ? high & 0xffff : high);
  if (!isUnaligned || baseOfAddress(low, high) >= sizeBytes) return `its address is ${address}, and the UMEM ends at ${sizeBytes}`;
  return `a chunk of ${chunkSizeBytes} at ${address} goes beyond the end of the UMEM, ${sizeBytes}`;
}
