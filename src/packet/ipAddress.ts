import { IPV4_ADDRESS_BYTES } from './ipv4.js';
import { IPV6_ADDRESS_BYTES } from './ipv6.js';

const DOT = 0x2e;
const ZERO = 0x30;
const GROUP = /^[0-9a-fA-F]{1,4}$/;
const GROUPS = IPV6_ADDRESS_BYTES / 2;

/**
 * Bytes in network order of an address as people write it: `192.0.2.1`, or IPv6 by RFC 4291 section 2.2. `undefined` for anything else.
 *
 * @example
 * parseIpAddress('192.0.2.1')?.join(); // '192,0,2,1'
 */
export function parseIpAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(IPV4_ADDRESS_BYTES);
  let at = 0;
  for (let i = 0; i < IPV4_ADDRESS_BYTES; i++) {
    const start = at;
    let octet = 0;
    for (let digit = text.charCodeAt(at) - ZERO; digit >= 0 && digit <= 9 && octet <= 255; digit = text.charCodeAt(++at) - ZERO) octet = octet * 10 + digit;
    // One digit at least, and no zero before others.
    if (at === start || octet > 255 || (at - start > 1 && text.charCodeAt(start) === ZERO)) return undefined;
    if (i < IPV4_ADDRESS_BYTES - 1 && text.charCodeAt(at++) !== DOT) return undefined;
    bytes[i] = octet;
  }
  return at === text.length ? bytes : undefined;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = parseGroups(halves[1] ?? '', true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = GROUPS - head.length - tail.length;
  // `::` stands for one group of zeros at least.
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** @param isEnd the text ends the address, so its last 32 bits may be written as IPv4 */
function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const ipv4 = isEnd && index === parts.length - 1 && part.includes('.') ? parseIpv4(part) : undefined;
    if (ipv4 !== undefined) groups.push((ipv4[0]! << 8) | ipv4[1]!, (ipv4[2]! << 8) | ipv4[3]!);
    else if (GROUP.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

/**
 * Whether the first `prefixBits` bits of two addresses of one length are equal.
 *
 * @example
 * hasPrefix(Uint8Array.of(192, 0, 2, 1), Uint8Array.of(192, 0, 2, 0), 24); // true
 */
export function hasPrefix(address: Uint8Array, prefix: Uint8Array, prefixBits: number): boolean {
  const whole = prefixBits >> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== prefix[i]) return false;
  const rest = prefixBits & 7;
  return rest === 0 || ((address[whole]! ^ prefix[whole]!) & (0xff00 >> rest) & 0xff) === 0;
}
