import { ipPacketAfter } from '../ipPacket.js';
import type { IpPacket } from '../ipPacket.js';
import { checkPacketBytes } from '../packetBytes.js';
import type { LayerPlan } from './assemble.js';
import { decodePacket } from './decodePacket.js';
import type { ParsedLayer } from './decodePacket.js';
import type { ComputedField, Completion, FieldValues } from './definition.js';
import { DEFINITIONS } from './definitions.js';
import { readField, writeField } from './fieldTable.js';
import type { FieldTable } from './fieldTable.js';
import { planLayer } from './layerPlan.js';
import { builderOf } from './packetBuilder.js';
import type { AnyStep } from './steps.js';

/**
 * A builder of a packet that is there: it builds the very same bytes, whatever they are. Lengths, checksums and the like that are right are
 * computed again after a change, those that are wrong stay as they are.
 *
 * @throws TypeError for what is no Uint8Array
 * @example
 * const forwarded = packetFrom(bytes).set('ipv4', { ttl: 63 }).build(); // with the checksum that belongs to it
 */
export function packetFrom(bytes: Uint8Array): AnyStep {
  checkPacketBytes('packetFrom', bytes);
  const { layers, payload, trailer, trailerOffBytes } = decodePacket(bytes);
  const scratch = bytes.slice();
  const plans: LayerPlan[] = [];
  let ip: IpPacket | undefined;
  const said: FieldValues[] = layers.map((layer, i) => withTpid(layer, layers[i - 1]));
  for (const [i, layer] of layers.entries()) {
    ip = ipPacketAfter(ip, bytes, layer);
    const definition = DEFINITIONS[layer.name];
    const next = layers[i + 1];
    const frame: Completion = {
      bytes: scratch, at: layer.offBytes, headerBytes: layer.lengthBytes, endBytes: trailerOffBytes,
      // Extension headers that follow change where the packet goes to, but no header before them has a checksum.
      next: next && DEFINITIONS[next.name], nextFields: said[i + 1] ?? {}, ip,
    };
    const right = definition.computed.filter((computed) => isRight(frame, computed, definition.table(bytes, layer.offBytes))).map(({ name }) => name);
    plans.push(planLayer(definition, Object.fromEntries(Object.entries(said[i]!).filter(([name]) => !right.includes(name)))));
  }
  return builderOf({ layers: plans, payload, trailer, minBytes: 0 });
}

/** The fields of a header; a VLAN tag's own type stands in the header before it. */
function withTpid(layer: ParsedLayer, previous: ParsedLayer | undefined): FieldValues {
  if (layer.name !== 'vlan' || previous === undefined) return { ...layer.fields };
  const before: FieldValues = { ...previous.fields };
  return { ...layer.fields, tpid: before['type'] ?? before['protocol'] };
}

/** Whether a field holds what would be computed. */
function isRight(frame: Completion, { name, compute }: ComputedField, table: FieldTable): boolean {
  const spec = table.byName.get(name);
  if (spec === undefined) return true;
  const found = readField(frame.bytes, frame.at, spec);
  // A checksum is computed over a field of zeros.
  if (name === 'checksum') writeField(frame.bytes, frame.at, spec, 0, name);
  const right = compute(frame) ?? spec.default;
  if (name === 'checksum') writeField(frame.bytes, frame.at, spec, found, name);
  return Number(found) === Number(right);
}
