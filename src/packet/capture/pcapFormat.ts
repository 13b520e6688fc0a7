/**
 * Classic pcap (draft-ietf-opsawg-pcap), in the byte order of the machine that wrote the file.
 *
 *   file header, 24 bytes                         record header, 16 bytes, then the packet
 *    0  u32 magic                                  0  u32 seconds
 *    4  u16 major version, u16 minor version       4  u32 microseconds or nanoseconds
 *    8  u32 reserved (was time zone)               8  u32 captured length
 *   12  u32 reserved (was accuracy)               12  u32 original length
 *   16  u32 snapshot length
 *   20  u32 link type and FCS length
 *
 *   link type word:  31..28 FCS length in 16-bit words | 27 reserved | 26 FCS length is valid | 25..16 reserved | 15..0 link type
 */
export const PCAP_FILE_HEADER_BYTES = 24;
export const PCAP_MAGIC_OFF = 0;
export const PCAP_MAJOR_OFF = 4;
export const PCAP_MINOR_OFF = 6;
export const PCAP_SNAPLEN_OFF = 16;
export const PCAP_LINKTYPE_OFF = 20;

export const PCAP_RECORD_HEADER_BYTES = 16;
export const PCAP_REC_SEC_OFF = 0;
export const PCAP_REC_FRACTION_OFF = 4;
export const PCAP_REC_CAPTURED_OFF = 8;
export const PCAP_REC_ORIGINAL_OFF = 12;

/** Timestamps in microseconds. */
export const PCAP_MAGIC_USEC = 0xa1b2c3d4;
/** Timestamps in nanoseconds. */
export const PCAP_MAGIC_NSEC = 0xa1b23c4d;

export const PCAP_VERSION_MAJOR = 2;
export const PCAP_VERSION_MINOR = 4;

export const PCAP_LINKTYPE_MASK = 0xffff;
export const PCAP_FCS_LEN_VALID = 0x0400_0000;
export const PCAP_FCS_LEN_SHIFT = 28;
/** The FCS length counts words of 16 bits. */
export const PCAP_FCS_LEN_UNIT_BYTES = 2;
