import { ProblemError, shownValue, unwrap } from '../../base/index.js';
import { loadObjectBytes, loadObjectFile } from '../../vm/index.js';
import type { ObjectSpec } from '../../vm/index.js';

/** A compiled object: the path of its `.o`, its bytes, or what `loadObjectFile` gave. */
export type ObjectSource = string | Uint8Array | ObjectSpec;

/** @throws Error with the reason and how to mend it */
export function readObject(source: ObjectSource): ObjectSpec {
  if (typeof source === 'string') return unwrap(loadObjectFile(source));
  if (source instanceof Uint8Array) return unwrap(loadObjectBytes(source, 'object'));
  if (Array.isArray((source as ObjectSpec | undefined)?.programs)) return source;
  throw new ProblemError({ code: 'no-object', where: 'object', message: `${shownValue(source)} is no compiled object`, hint: 'give the path of the .o, its bytes, or what loadObjectFile gave' });
}

/** Bytes, or what can build them. */
export type PacketBytes = Uint8Array | { build(): Uint8Array };

/** Whether it is the bytes of a packet, or can build them. */
export function isPacket(value: unknown): value is PacketBytes {
  return value instanceof Uint8Array || (typeof value === 'object' && value !== null && 'build' in value && typeof value.build === 'function');
}

/** The bytes of a packet. @throws Error when it is no packet, and what a builder throws */
export function packetBytesOf(packet: PacketBytes): Uint8Array {
  if (isPacket(packet)) return packet instanceof Uint8Array ? packet : packet.build();
  throw new ProblemError({ code: 'no-packet', where: 'packet', message: `${shownValue(packet)} is no packet`, hint: 'give bytes (Uint8Array) or a builder, such as ethernet().ipv4().udp()' });
}
