/**
 * pcapng (draft-ietf-opsawg-pcapng), in the byte order that each section states for itself.
 *
 *   block                                  option
 *    0  u32 type                            0  u16 code
 *    4  u32 total length, multiple of 4     2  u16 length of the value
 *    8  body, padded to 4                   4  value, padded to 4
 *   -4  u32 total length again
 *
 * Section Header Block               Interface Description Block
 *    8  u32 byte-order magic            8  u16 link type, u16 reserved
 *   12  u16 major, u16 minor           12  u32 snapshot length (0: no limit)
 *   16  i64 section length             16  options
 *   24  options
 *
 * Enhanced Packet Block              Packet Block (obsolete)               Simple Packet Block
 *    8  u32 interface                   8  u16 interface, u16 drops count     8  u32 original length
 *   12  u32 timestamp, high word       12  u32 timestamp, high word          12  packet, min(original length, snapshot length)
 *   16  u32 timestamp, low word        16  u32 timestamp, low word
 *   20  u32 captured length            20  u32 captured length
 *   24  u32 original length            24  u32 original length
 *   28  packet, padded to 4            28  packet, padded to 4
 *    .  options                         .  options
 */
export const BLOCK_SECTION_HEADER = 0x0a0d0d0a;
export const BLOCK_INTERFACE_DESCRIPTION = 1;
export const BLOCK_PACKET_OBSOLETE = 2;
export const BLOCK_SIMPLE_PACKET = 3;
export const BLOCK_ENHANCED_PACKET = 6;

export const BLOCK_TYPE_OFF = 0;
export const BLOCK_LENGTH_OFF = 4;
export const BLOCK_BODY_OFF = 8;
export const BLOCK_TRAILER_BYTES = 4;
/** Type, length and length again: a block without a body. */
export const BLOCK_MIN_BYTES = 12;

export const SHB_BYTE_ORDER_OFF = 8;
export const SHB_MAJOR_OFF = 12;
export const SHB_MINOR_OFF = 14;
export const SHB_SECTION_LENGTH_OFF = 16;
export const SHB_OPTIONS_OFF = 24;
export const SHB_BYTE_ORDER_MAGIC = 0x1a2b3c4d;
export const PCAPNG_VERSION_MAJOR = 1;

export const IDB_LINKTYPE_OFF = 8;
export const IDB_SNAPLEN_OFF = 12;
export const IDB_OPTIONS_OFF = 16;

/** Enhanced and obsolete Packet Block, which differ only in the width of the interface number. */
export const EPB_INTERFACE_OFF = 8;
export const EPB_TIMESTAMP_HIGH_OFF = 12;
export const EPB_TIMESTAMP_LOW_OFF = 16;
export const EPB_CAPTURED_OFF = 20;
export const EPB_ORIGINAL_OFF = 24;
export const EPB_DATA_OFF = 28;

export const SPB_ORIGINAL_OFF = 8;
export const SPB_DATA_OFF = 12;

export const OPTION_HEADER_BYTES = 4;
export const OPTION_LENGTH_OFF = 2;
export const MAX_OPTION_BYTES = 0xffff;

export const OPT_ENDOFOPT = 0;
export const OPT_COMMENT = 1;
export const SHB_USERAPPL = 4;
export const IF_NAME = 2;
export const IF_DESCRIPTION = 3;
export const IF_TSRESOL = 9;
export const IF_FCSLEN = 13;
export const IF_TSOFFSET = 14;
export const EPB_FLAGS = 2;
export const EPB_PACKETID = 5;
export const EPB_QUEUE = 6;
export const EPB_VERDICT = 7;

/** if_tsresol when the option is absent: microseconds. */
export const IF_TSRESOL_DEFAULT = 6;

/** epb_flags, bits 0-1: direction. */
export const EPB_FLAGS_INBOUND = 1;
export const EPB_FLAGS_OUTBOUND = 2;
/** epb_flags, bits 5-8: length of the FCS in octets, 0 when unknown. It overrides if_fcslen. */
export const EPB_FLAGS_FCS_SHIFT = 5;
export const EPB_FLAGS_FCS_MASK = 0xf;

/** First octet of epb_verdict: what follows is a 64-bit `enum xdp_action` (linux/bpf.h). */
export const VERDICT_LINUX_EBPF_XDP = 2;

/** Length of a packet or an option value with its padding. */
export function padTo4(lengthBytes: number): number {
  return (lengthBytes + 3) & ~3;
}
