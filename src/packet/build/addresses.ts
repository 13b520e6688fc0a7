import { ETH_ADDRESS_BYTES } from '../ethernet.js';
import { parseIpAddress } from '../ipAddress.js';
import { IPV4_ADDRESS_BYTES } from '../ipv4.js';
import { IPV6_ADDRESS_BYTES } from '../ipv6.js';

/** An address as text, or its bytes in network order. */
export type Address = string | Uint8Array;

const COLON = 0x3a;
const DASH = 0x2d;
const MAC_LENGTH = 17;

/** Bytes of `02:00:00:00:00:01`. Throws a TypeError that names the field for anything else. */
export function macBytes(value: unknown, header: string, field: string): Uint8Array {
  if (value instanceof Uint8Array && value.length === ETH_ADDRESS_BYTES) return value;
  const bytes = typeof value === 'string' && value.length === MAC_LENGTH ? parseMac(value) : undefined;
  if (bytes === undefined) throw wrong(value, header, field, 'Ethernet address such as 02:00:00:00:00:01');
  return bytes;
}

function parseMac(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(ETH_ADDRESS_BYTES);
  for (let i = 0; i < ETH_ADDRESS_BYTES; i++) {
    const high = hexDigit(text.charCodeAt(3 * i));
    const low = hexDigit(text.charCodeAt(3 * i + 1));
    const separator = text.charCodeAt(3 * i + 2);
    if (high < 0 || low < 0 || (i < ETH_ADDRESS_BYTES - 1 && separator !== COLON && separator !== DASH)) return undefined;
    bytes[i] = high * 16 + low;
  }
  return bytes;
}

/** Value of a hexadecimal digit, -1 for any other character. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

/** Bytes of `10.0.0.1`, see `macBytes`. */
export function ipv4Bytes(value: unknown, header: string, field: string): Uint8Array {
  const bytes = typeof value === 'string' ? parseIpAddress(value) : value;
  if (bytes instanceof Uint8Array && bytes.length === IPV4_ADDRESS_BYTES) return bytes;
  throw wrong(value, header, field, 'IPv4 address such as 10.0.0.1');
}

/** Bytes of `2001:db8::1`, see `macBytes`. */
export function ipv6Bytes(value: unknown, header: string, field: string): Uint8Array {
  const bytes = typeof value === 'string' ? parseIpAddress(value) : value;
  if (bytes instanceof Uint8Array && bytes.length === IPV6_ADDRESS_BYTES) return bytes;
  throw wrong(value, header, field, 'IPv6 address such as 2001:db8::1');
}

function wrong(value: unknown, header: string, field: string, what: string): TypeError {
  return new TypeError(`${header}.${field}: ${String(value)} is no ${what}`);
}
