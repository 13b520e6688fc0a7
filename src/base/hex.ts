/** Bytes as lower-case hex without separators. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** The same with a space between bytes: `0a 0b`. */
export function toSpacedHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** Hex (spaces allowed between bytes) as bytes; `undefined` when it isn't hex or has an odd number of digits. */
export function fromHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s+/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) return undefined;
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

/** An address or a word the way the kernel prints it: `0x1f40`. */
export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
