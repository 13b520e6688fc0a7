/** Options of IPv4, TCP, IPv6 and GENEVE as bytes, to be handed to `options`. Anything else is a Uint8Array of your own. */

/**
 * An option of type, length and data, as IPv4 and TCP have them: the length counts all three.
 *
 * @example
 * ethernet().ipv4({ options: option(130, new Uint8Array(9)) });
 */
export function option(type: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  return Uint8Array.of(type, data.length + 2, ...data);
}

/**
 * No operation, in IPv4 and TCP alike: one byte that fills.
 *
 * @example
 * ethernet().ipv4({ options: [noOperation(), noOperation(), noOperation(), noOperation()] });
 */
export function noOperation(): Uint8Array {
  return Uint8Array.of(1);
}

/**
 * IPv4 router alert (RFC 2113).
 *
 * @example
 * ethernet().ipv4({ options: ipv4RouterAlert() });
 */
export function ipv4RouterAlert(value = 0): Uint8Array {
  return option(148, u16Bytes(value));
}

/**
 * IPv4 record route (RFC 791) with room for `addresses` addresses, none of them filled in.
 *
 * @example
 * ethernet().ipv4({ options: [ipv4RecordRoute(3), noOperation()] });
 */
export function ipv4RecordRoute(addresses: number): Uint8Array {
  return option(7, Uint8Array.of(4, ...new Uint8Array(addresses * 4)));
}

/**
 * TCP maximum segment size (RFC 9293 section 3.2), u16.
 *
 * @example
 * ethernet().ipv4().tcp({ flags: 'S', options: tcpMaximumSegmentSize(1460) });
 */
export function tcpMaximumSegmentSize(bytes: number): Uint8Array {
  return option(2, u16Bytes(bytes));
}

/**
 * TCP window scale (RFC 7323 section 2), the number of bits to shift.
 *
 * @example
 * ethernet().ipv4().tcp({ flags: 'S', options: [noOperation(), tcpWindowScale(7)] });
 */
export function tcpWindowScale(shiftBits: number): Uint8Array {
  return option(3, Uint8Array.of(shiftBits));
}

/**
 * TCP selective acknowledgments are permitted (RFC 2018).
 *
 * @example
 * ethernet().ipv4().tcp({ flags: 'S', options: [noOperation(), noOperation(), tcpSackPermitted()] });
 */
export function tcpSackPermitted(): Uint8Array {
  return option(4);
}

/**
 * TCP selective acknowledgment (RFC 2018): pairs of first sequence number and the one behind the last, both u32.
 *
 * @example
 * ethernet().ipv4().tcp({ options: [noOperation(), noOperation(), tcpSack([[1000, 2000]])] });
 */
export function tcpSack(blocks: readonly (readonly [number, number])[]): Uint8Array {
  return option(5, Uint8Array.from(blocks.flat().flatMap((edge) => [...u32Bytes(edge)])));
}

/**
 * TCP timestamps (RFC 7323 section 3), both u32.
 *
 * @example
 * ethernet().ipv4().tcp({ options: [noOperation(), noOperation(), tcpTimestamps(1, 0)] });
 */
export function tcpTimestamps(value: number, echoReply: number): Uint8Array {
  return option(8, Uint8Array.of(...u32Bytes(value), ...u32Bytes(echoReply)));
}

/**
 * An option of IPv6 (RFC 8200 section 4.2), whose length counts the data alone.
 *
 * @example
 * ethernet().ipv6().destinationOptions({ options: ipv6Option(0x1e, new Uint8Array(4)) });
 */
export function ipv6Option(type: number, data: Uint8Array): Uint8Array {
  return Uint8Array.of(type, data.length, ...data);
}

/**
 * IPv6 router alert (RFC 2711).
 *
 * @example
 * ethernet().ipv6().hopByHop({ options: [ipv6RouterAlert(), padN(2)] });
 */
export function ipv6RouterAlert(value = 0): Uint8Array {
  return ipv6Option(5, u16Bytes(value));
}

/**
 * Padding of `lengthBytes` bytes in all: nothing, Pad1 or PadN (RFC 8200 section 4.2).
 *
 * @example
 * padN(4).join(); // '1,2,0,0'
 */
export function padN(lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  if (lengthBytes > 1) bytes.set([1, lengthBytes - 2]);
  return bytes;
}

/**
 * An option of GENEVE (RFC 8926 section 3.5): class u16, type u8 with the critical bit, data of a multiple of 4 bytes, at most 124.
 *
 * @throws RangeError for data of another length
 * @example
 * ethernet().ipv4().udp().geneve({ options: geneveOption(0x0102, 3, new Uint8Array(4)) });
 */
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
