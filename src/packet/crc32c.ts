/** Reversed polynomial of CRC32c (RFC 9260 appendix A). */
const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, octet) => {
  let remainder = octet;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder & 1) === 0 ? remainder >>> 1 : (remainder >>> 1) ^ POLYNOMIAL;
  return remainder;
});

/**
 * The checksum field of an SCTP packet (RFC 9260 section 6.8), as a u32 read big-endian from the wire, where its bytes lie least significant first.
 *
 * @param checksumOffBytes where the field lies in `bytes`; its 4 bytes count as zeros
 * @example
 * const bytes = ethernet().ipv4().sctp().chunk(sctpData({}, Uint8Array.of(1, 2))).build();
 * sctpChecksum(bytes, 34, bytes.length - 34, 42) === decodePacket(bytes).layer('sctp')?.fields.checksum; // true
 */
export function sctpChecksum(bytes: Uint8Array, offBytes: number, lengthBytes: number, checksumOffBytes: number): number {
  let crc = 0xffffffff;
  const end = offBytes + lengthBytes;
  for (let i = offBytes; i < end; i++) {
    const octet = i >= checksumOffBytes && i < checksumOffBytes + 4 ? 0 : bytes[i]!;
    crc = TABLE[(crc ^ octet) & 0xff]! ^ (crc >>> 8);
  }
  crc = ~crc;
  return (((crc & 0xff) << 24) | ((crc & 0xff00) << 8) | ((crc >>> 8) & 0xff00) | (crc >>> 24)) >>> 0;
}
