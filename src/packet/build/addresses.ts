import { ETH_ADDRESS_BYTES } from '../ethernet.js';
import { parseIpAddress } from '../ipAddress.js';
import { IPV4_ADDRESS_BYTES } from '../ipv4.js';
import { IPV6_ADDRESS_BYTES } from '../ipv6.js';

/** An address as text, or its bytes in network order. */
export type Address = string | Uint8Array;

const MAC = /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i;

/** Bytes of `02:00:00:00:00:01`. Throws a TypeError that names the field for anything else. */
export function macBytes(value: unknown, header: string, field: string): Uint8Array {
  if (value instanceof Uint8Array && value.length === ETH_ADDRESS_BYTES) return value;
  if (typeof value !== 'string' || !MAC.test(value)) throw wrong(value, header, field, 'Ethernet address such as 02:00:00:00:00:01');
  const bytes = new Uint8Array(ETH_ADDRESS_BYTES);
  for (let i = 0; i < ETH_ADDRESS_BYTES; i++) bytes[i] = Number.parseInt(value.slice(3 * i, 3 * i + 2), 16);
  return bytes;
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
