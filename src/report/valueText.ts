import { formatIpv6 } from '../packet/index.js';
import type { JsonValue } from '../vm/index.js';
import { grouped, printable } from './textTable.js';

/** Characters of one value that a text shows. */
const SHOWN_CHARS = 300;

/** Zeros in a row that are counted instead of listed. */
const MANY_ZEROS = 16;

/** A value as a text shows it: long ones are cut, control characters are shown. */
export function shortText(value: JsonValue): string {
  const text = printable(valueText(value));
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}...` : text;
}

/** A decoded value on one line: structs as `{a: 1, b: 2}`, arrays as `[1, 2]`, a `struct in6_addr` as an IPv6 address. */
function valueText(value: JsonValue): string {
  if (value === null || typeof value !== 'object') return String(value);
  if (Array.isArray(value)) {
    if (value.length >= MANY_ZEROS && value.every((each) => each === 0)) return `[${grouped(value.length)} zeros]`;
    return `[${value.map(valueText).join(', ')}]`;
  }
  return ipv6Text(value) ?? `{${Object.entries(value).map(([name, each]) => `${name}: ${valueText(each)}`).join(', ')}}`;
}

/** `struct in6_addr` (include/uapi/linux/in6.h) has nothing but a union `in6_u`, of which one member is the 16 bytes. */
function ipv6Text(value: { readonly [name: string]: JsonValue }): string | undefined {
  const union = value.in6_u;
  if (Object.keys(value).length !== 1 || union === null || typeof union !== 'object' || Array.isArray(union)) return undefined;
  const bytes = union.u6_addr8;
  return Array.isArray(bytes) && bytes.length === 16 ? formatIpv6(Uint8Array.from(bytes, Number), 0) : undefined;
}
