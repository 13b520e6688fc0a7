import type { Breaking, LayerPlan } from './assemble.js';
import type { FieldValues, HeaderDefinition } from './definition.js';

const NO_BREAKS: ReadonlyMap<string, Breaking> = new Map();

/** A header of which these fields are said. Throws a TypeError for what is no object and for a name that it doesn't have, and what `encode` throws. */
export function planLayer(definition: HeaderDefinition, fields: FieldValues, breaks = NO_BREAKS): LayerPlan {
  if (typeof fields !== 'object' || fields === null) throw new TypeError(`${definition.name}: ${String(fields)} is no object with fields; write some of them by name: ${[...definition.names].join(', ')}`);
  for (const name in fields) {
    if (!definition.names.has(name)) throw new TypeError(`${definition.name} has no field ${name}; it has ${[...definition.names].join(', ')}`);
  }
  return { definition, fields, bytes: definition.encode(fields), breaks };
}
