/** Options of IPv4, TCP, IPv6 and GENEVE as bytes, to be handed to `options`. Anything else is a Uint8Array of your own. */

/** An option of type, length and data, as IPv4 and TCP have them: the length counts all three. */
export function option(type: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  return Uint8Array.of(type, data.length + 2, ...data);
}

/** No operation, in IPv4 and TCP alike: one byte that fills. */
export function noOperation(): Uint8Array {
  return Uint8Array.of(1);
}

/** IPv4 router alert (RFC 2113). */
export function ipv4RouterAlert(value = 0): Uint8Array {
  return option(148, u16Bytes(value));
}

/** IPv4 record route (RFC 791) with room for `addresses` addresses, none of them filled in. */
export function ipv4RecordRoute(addresses: number): Uint8Array {
  return option(7, Uint8Array.of(4, ...new Uint8Array(addresses * 4)));
}

/** TCP maximum segment size (RFC 9293 section 3.2), u16. */
export function tcpMaximumSegmentSize(bytes: number): Uint8Array {
  return option(2, u16Bytes(bytes));
}

/** TCP window scale (RFC 7323 section 2), the number of bits to shift. */
export function tcpWindowScale(shiftBits: number): Uint8Array {
  return option(3, Uint8Array.of(shiftBits));
}

/** TCP selective acknowledgments are permitted (RFC 2018). */
export function tcpSackPermitted(): Uint8Array {
  return option(4);
}

/** TCP selective acknowledgment (RFC 2018): pairs of first sequence number and the one behind the last, both u32. */
export function tcpSack(blocks: readonly (readonly [number, number])[]): Uint8Array {
  return option(5, Uint8Array.from(blocks.flat().flatMap((edge) => [...u32Bytes(edge)])));
}

/** TCP timestamps (RFC 7323 section 3), both u32. */
export function tcpTimestamps(value: number, echoReply: number): Uint8Array {
  return option(8, Uint8Array.of(...u32Bytes(value), ...u32Bytes(echoReply)));
}

/** An option of IPv6 (RFC 8200 section 4.2), whose length counts the data alone. */
export function ipv6Option(type: number, data: Uint8Array): Uint8Array {
  return Uint8Array.of(type, data.length, ...data);
}

/** IPv6 router alert (RFC 2711). */
export function ipv6RouterAlert(value = 0): Uint8Array {
  return ipv6Option(5, u16Bytes(value));
}

/** Padding of `lengthBytes` bytes in all: nothing, Pad1 or PadN (RFC 8200 section 4.2). */
export function padN(lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  if (lengthBytes > 1) bytes.set([1, lengthBytes - 2]);
  return bytes;
}

/** An option of GENEVE (RFC 8926 section 3.5): class u16, type u8 with the critical bit, data of a multiple of 4 bytes, at most 124. */
export function geneveOption(optionClass: number, type: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  if (data.length % 4 !== 0 || data.length > 124) throw new RangeError(`geneveOption: ${data.length} bytes of data are no multiple of 4 up to 124`);
  return Uint8Array.of(...u16Bytes(optionClass), type, data.length / 4, ...data);
}

function u16Bytes(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}

function u32Bytes(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}
