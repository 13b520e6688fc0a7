import { toHex } from '../base/index.js';
import { formatIpv4, formatIpv6, formatMac } from '../packet/index.js';
import { floatText, singleText } from './floatText.js';

/** How a value is to be shown (DisplayHint of aya-log-common). */
export const AyaHint = {
  none: 0,
  /** `{}` */
  plain: 1,
  /** `{:x}` */
  lowerHex: 2,
  /** `{:X}` */
  upperHex: 3,
  /** `{:i}` */
  ip: 4,
  /** `{:mac}` */
  lowerMac: 5,
  /** `{:MAC}` */
  upperMac: 6,
  /** `{:p}` */
  pointer: 7,
  /** `{:s}`: text up to the first NUL */
  text: 8,
} as const;

type Format = (value: DataView, hint: number) => string | undefined;

interface ArgumentKind {
  /** Bytes of the value, `undefined` for any number. */
  readonly sizeBytes: number | undefined;
  readonly format: Format;
}

/** Kinds of arguments by their tags (ArgumentKind of aya-log-common); tag 0 is the hint. */
const KINDS: readonly (ArgumentKind | undefined)[] = [
  undefined,
  signed(1), signed(2), signed(4), signed(8), signed(8),
  unsigned(1), unsigned(2), { sizeBytes: 4, format: formatU32 }, unsigned(8), unsigned(8),
  { sizeBytes: 4, format: plainOnly((value) => singleText(value.getFloat32(0, true))) },
  { sizeBytes: 8, format: plainOnly((value) => floatText(value.getFloat64(0, true))) },
  address(4, ipv4Text), // Ipv4Addr
  address(16, ipv6Text), // Ipv6Addr
  orText(address(4, ipv4Text)), // [u8; 4]
  orText({ sizeBytes: 6, format: formatMacAddress }), // [u8; 6]
  orText(address(16, ipv6Text)), // [u8; 16]
  address(16, wordsText), // [u16; 8]
  orText({ sizeBytes: undefined, format: formatByteSlice }),
  { sizeBytes: undefined, format: plainOnly((value) => utf8(bytesOf(value))) },
  { sizeBytes: 8, format: (value, hint) => (hint === AyaHint.pointer || isPlain(hint) ? `0x${value.getBigUint64(0, true).toString(16)}` : undefined) },
];

/**
 * An argument of a log line as the loader of aya writes it.
 *
 * @returns `undefined` for a kind, size or combination with a hint that isn't one
 */
export function formatArgument(tag: number, hint: number, bytes: Uint8Array): string | undefined {
  const kind = KINDS[tag];
  if (kind === undefined || (kind.sizeBytes !== undefined && kind.sizeBytes !== bytes.length)) return undefined;
  return kind.format(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), hint);
}

/** What is shown of a value that can't be: `<0a0b0c>`. */
export function formatBytes(bytes: Uint8Array): string {
  return `<${toHex(bytes)}>`;
}

/** Pieces of text come without a hint. */
function isPlain(hint: number): boolean {
  return hint === AyaHint.none || hint === AyaHint.plain;
}

function plainOnly(text: (value: DataView) => string): Format {
  return (value, hint) => (isPlain(hint) ? text(value) : undefined);
}

/** Decimal, or hex of the value as it lies in memory. */
function integer(sizeBytes: number, isSigned: boolean): ArgumentKind {
  return {
    sizeBytes,
    format: (view, hint) => {
      const bits = bytesOf(view).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
      if (hint === AyaHint.lowerHex) return bits.toString(16);
      if (hint === AyaHint.upperHex) return bits.toString(16).toUpperCase();
      return isPlain(hint) ? (isSigned ? BigInt.asIntN(sizeBytes * 8, bits) : bits).toString() : undefined;
    },
  };
}

function signed(sizeBytes: number): ArgumentKind {
  return integer(sizeBytes, true);
}

function unsigned(sizeBytes: number): ArgumentKind {
  return integer(sizeBytes, false);
}

/** As an IPv4 address a u32 is a number, its highest byte first. */
function formatU32(view: DataView, hint: number): string | undefined {
  if (hint === AyaHint.ip) return formatIpv4(bytesOf(view).toReversed(), 0);
  return unsigned(4).format(view, hint);
}

function address(sizeBytes: number, text: (value: DataView) => string): ArgumentKind {
  return { sizeBytes, format: (view, hint) => (isPlain(hint) || hint === AyaHint.ip ? text(view) : undefined) };
}

/** Bytes may be text too. */
function orText({ sizeBytes, format }: ArgumentKind): ArgumentKind {
  return { sizeBytes, format: (view, hint) => (hint === AyaHint.text ? textUpToNul(bytesOf(view)) : format(view, hint)) };
}

function textUpToNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return utf8(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Text of UTF-8; what is none reads U+FFFD. */
export function utf8(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

function ipv4Text(view: DataView): string {
  return formatIpv4(bytesOf(view), 0);
}

/** As Rust writes it: an IPv4 address in IPv6 ends in that. */
function ipv6Text(view: DataView): string {
  const bytes = bytesOf(view);
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return isMapped ? `::ffff:${formatIpv4(bytes, 12)}` : formatIpv6(bytes, 0);
}

/** Eight numbers, each in the byte order of the machine. */
function wordsText(view: DataView): string {
  const bytes = bytesOf(view).slice();
  for (let at = 0; at < bytes.length; at += 2) [bytes[at], bytes[at + 1]] = [bytes[at + 1]!, bytes[at]!];
  return ipv6Text(new DataView(bytes.buffer));
}

function formatMacAddress(view: DataView, hint: number): string | undefined {
  const text = formatMac(bytesOf(view), 0);
  if (hint === AyaHint.lowerMac) return text;
  return hint === AyaHint.upperMac ? text.toUpperCase() : undefined;
}

function formatByteSlice(view: DataView, hint: number): string | undefined {
  const text = toHex(bytesOf(view));
  if (hint === AyaHint.lowerHex) return text;
  return hint === AyaHint.upperHex ? text.toUpperCase() : undefined;
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
