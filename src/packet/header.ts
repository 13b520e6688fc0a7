/** One field of a header. Fields that share octets (version and length of IPv4, say) are one field here, named by both. */
export interface HeaderField {
  readonly name: string;
  /** From the beginning of the header. */
  readonly offBytes: number;
  readonly lengthBytes: number;
}

/** Headers that are taken apart; each has a `Header` in the table of decode.ts. */
export type HeaderName =
  | 'eth' | 'vlan' | 'arp'
  | 'ipv4' | 'ipv6' | 'hopopts' | 'routing' | 'fragment' | 'dstopts' | 'ah'
  | 'tcp' | 'udp' | 'icmp' | 'icmpv6' | 'sctp' | 'chunk'
  | 'gre' | 'vxlan' | 'geneve' | 'mpls';

/** What decoding needs to know of a header. `at` is always the header's offset in `bytes`, and `minBytes` bytes are there. */
export interface Header {
  /** Length of the part that is always there. */
  readonly minBytes: number;
  /** What the bytes behind the named fields are called. */
  readonly rest: string;
  /** The named fields from the beginning on, without gaps; they may depend on a type or length in the header. */
  fields(bytes: Uint8Array, at: number): readonly HeaderField[];
  /** Length of the whole header; less than `minBytes` when a length field in it makes no sense. */
  lengthBytes(bytes: Uint8Array, at: number): number;
  /** The header that follows, `undefined` for payload. `end` is where the bytes end that may be looked at. */
  next(bytes: Uint8Array, at: number, end: number): HeaderName | undefined;
  /** Where the header says that its payload ends, if it does; what the capture has behind that is padding. May lie. */
  payloadEnd?(bytes: Uint8Array, at: number): number | undefined;
}

/** Shorthand for field tables. */
export function field(name: string, offBytes: number, lengthBytes: number): HeaderField {
  return { name, offBytes, lengthBytes };
}

/** Big-endian u16; the caller has checked that it is there. */
export function u16(bytes: Uint8Array, offBytes: number): number {
  return (bytes[offBytes]! << 8) | bytes[offBytes + 1]!;
}

/** Big-endian u32; the caller has checked that it is there. */
export function u32(bytes: Uint8Array, offBytes: number): number {
  return ((u16(bytes, offBytes) << 16) | u16(bytes, offBytes + 2)) >>> 0;
}
