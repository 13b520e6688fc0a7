import { ipPacketAfter } from '../ipPacket.js';
import type { IpPacket } from '../ipPacket.js';
import type { ComputedField, Completion, FieldValues, HeaderDefinition } from './definition.js';
import { writeField } from './fieldTable.js';

/** Makes a wrong value of a right one. */
export type Breaking = (right: number) => number;

/** A header of a packet that isn't put together yet; bytes that are no known header have no definition. */
export interface LayerPlan {
  readonly definition: HeaderDefinition | undefined;
  /** What was said of it. */
  readonly fields: FieldValues;
  /** The header with that, its computed fields still to come. */
  readonly bytes: Uint8Array;
  /** Computed fields that are to be wrong. */
  readonly breaks: ReadonlyMap<string, Breaking>;
}

/** A whole packet of that kind. */
export interface PacketPlan {
  readonly layers: readonly LayerPlan[];
  readonly payload: Uint8Array;
  /** Behind all that the headers' lengths count. */
  readonly trailer: Uint8Array;
  /** Zeros follow up to this length. */
  readonly minBytes: number;
}

const NO_FIELDS: FieldValues = {};

/**
 * Puts a packet together: all headers one behind the other, then their computed fields from the innermost header outwards, because checksums and
 * lengths of a header cover what is inside of it. Throws a RangeError for a length that its field can't hold.
 */
export function assemble({ layers, payload, trailer, minBytes }: PacketPlan): Uint8Array {
  let headersBytes = 0;
  for (const layer of layers) headersBytes += layer.bytes.length;
  const endBytes = headersBytes + payload.length;
  const bytes = new Uint8Array(Math.max(endBytes + trailer.length, minBytes));
  let at = 0;
  let ip: IpPacket | undefined;
  const ips: (IpPacket | undefined)[] = [];
  for (const { definition, bytes: header } of layers) {
    bytes.set(header, at);
    if (definition !== undefined) ip = ipPacketAfter(ip, bytes, { name: definition.name, offBytes: at, lengthBytes: header.length });
    ips.push(ip);
    at += header.length;
  }
  bytes.set(payload, endBytes - payload.length);
  bytes.set(trailer, endBytes);
  at = headersBytes;
  for (let i = layers.length - 1; i >= 0; i--) {
    const layer = layers[i]!;
    at -= layer.bytes.length;
    if (layer.definition === undefined) continue;
    const next = layers[i + 1];
    completeHeader(layer, layer.definition.computed, {
      bytes, at, headerBytes: layer.bytes.length, endBytes, next: next?.definition, nextFields: next?.fields ?? NO_FIELDS, ip: ips[i],
    });
  }
  return bytes;
}

function completeHeader({ definition, fields, breaks }: LayerPlan, computed: readonly ComputedField[], frame: Completion): void {
  for (const { name, compute, wrong } of computed) {
    if (fields[name] !== undefined) continue;
    const right = compute(frame);
    if (right === undefined) continue;
    const change = breaks.size === 0 ? undefined : breaks.get(name);
    const value = change === undefined ? right : change === BREAK ? (wrong ?? oneMore)(right) : change(right);
    const spec = definition!.table(frame.bytes, frame.at).byName.get(name)!;
    if (value >= 2 ** spec.widthBits) {
      throw new RangeError(`${definition!.name}.${name}: ${value} doesn't fit its ${spec.widthBits} bits; give it a value of your own, or less to carry`);
    }
    writeField(frame.bytes, frame.at, spec, spec.kind === 'flag' ? value !== 0 : value, definition!.name);
  }
}

/** Stands for the wrong value that a field has of its own. */
export const BREAK: Breaking = (right) => right;

function oneMore(right: number): number {
  return right + 1;
}
