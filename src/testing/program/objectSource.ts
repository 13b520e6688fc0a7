import { unwrap } from '../../base/index.js';
import { loadObjectBytes, loadObjectFile } from '../../vm/index.js';
import type { ObjectSpec } from '../../vm/index.js';

/** A compiled object: the path of its `.o`, its bytes, or what `loadObjectFile` gave. */
export type ObjectSource = string | Uint8Array | ObjectSpec;

/** @throws Error with the reason and how to mend it */
export function readObject(source: ObjectSource): ObjectSpec {
  if (typeof source === 'string') return unwrap(loadObjectFile(source));
  return source instanceof Uint8Array ? unwrap(loadObjectBytes(source, 'object')) : source;
}

/** Bytes, or what can build them. */
export type PacketBytes = Uint8Array | { build(): Uint8Array };

/** The bytes of a packet. */
export function packetBytesOf(packet: PacketBytes): Uint8Array {
  return packet instanceof Uint8Array ? packet : packet.build();
}
