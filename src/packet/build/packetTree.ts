import { toHex } from '../../base/index.js';
import { checkPacketBytes } from '../packetBytes.js';
import { checksumTexts } from './checksumTexts.js';
import { decodePacket } from './decodePacket.js';
import type { ParsedLayer } from './decodePacket.js';
import { formatRest } from './definition.js';
import { DEFINITIONS } from './definitions.js';
import { formatField, readField } from './fieldTable.js';
import type { FieldSpec } from './fieldTable.js';

/** Bytes of payload that are printed, in lines of 16. */
const PRINTED_BYTES = 256;
const LINE_BYTES = 16;

/**
 * A packet as a tree, in lines: headers with the bytes that they take up, and below each its fields with what they mean and the bytes that they lie in.
 * Checksums say whether they are right. Faults come last.
 *
 * @throws TypeError for what is no Uint8Array
 * @example
 * console.log(packetTree(bytes).join('\n'));
 */
export function packetTree(bytes: Uint8Array): string[] {
  checkPacketBytes('packetTree', bytes);
  const packet = decodePacket(bytes);
  const checksums = checksumTexts(bytes);
  const lines = packet.layers.flatMap((layer) => [`${layer.key} ${range(layer.offBytes, layer.lengthBytes)}`, ...fieldLines(bytes, layer, checksums)]);
  if (packet.payload.length > 0) lines.push(`payload ${range(packet.payloadOffBytes, packet.payload.length)}`, ...dumpLines(packet.payload));
  if (packet.trailer.length > 0) lines.push(`trailer ${range(packet.trailerOffBytes, packet.trailer.length)}`, ...dumpLines(packet.trailer));
  return [...lines, ...packet.faults.map(({ message }) => `! ${message}`)];
}

function fieldLines(bytes: Uint8Array, { name, key, offBytes, lengthBytes }: ParsedLayer, checksums: ReadonlyMap<string, string>): string[] {
  const definition = DEFINITIONS[name];
  const table = definition.table(bytes, offBytes);
  const lines = table.fields.map((spec) => {
    const note = spec.name === 'checksum' ? checksums.get(`${key}.checksum`) : undefined;
    const value = `${formatField(spec, readField(bytes, offBytes, spec))}${note === undefined ? '' : ` (${note})`}`;
    return `  ${spec.name}: ${value} ${fieldRange(offBytes, spec)}`;
  });
  let at = offBytes + table.lengthBytes;
  for (const [rest, value] of Object.entries(definition.readRest(bytes, offBytes, lengthBytes))) {
    if (value.length > 0) lines.push(`  ${rest}: ${formatRest(definition, value)} ${range(at, value.length)}`);
    at += value.length;
  }
  return lines;
}

function fieldRange(headerOffBytes: number, { offBits, widthBits }: FieldSpec): string {
  const first = offBits >>> 3;
  return range(headerOffBytes + first, ((offBits + widthBits - 1) >>> 3) - first + 1);
}

/** `[14]`, `[14-33]` */
function range(offBytes: number, lengthBytes: number): string {
  return lengthBytes === 1 ? `[${offBytes}]` : `[${offBytes}-${offBytes + lengthBytes - 1}]`;
}

function dumpLines(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, PRINTED_BYTES); at += LINE_BYTES) {
    const line = bytes.subarray(at, at + LINE_BYTES);
    const text = Array.from(line, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`  ${toHex(line)} ${text}`);
  }
  if (bytes.length > PRINTED_BYTES) lines.push(`  and ${bytes.length - PRINTED_BYTES} more`);
  return lines;
}
