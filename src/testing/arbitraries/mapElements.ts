import * as fc from 'fast-check';
import type { JsonValue } from '../../vm/index.js';
import type { ProgramMap } from '../program/programMaps.js';
import { valueOfType } from './values.js';

/** An element to put into a map. */
export interface DrawnElement {
  readonly key: JsonValue;
  readonly value: JsonValue;
}

/**
 * Keys of a map: of an array its indices, else any value of the key's type.
 *
 * @example
 * const map = program.maps.get('packets_by_source');
 * fc.assert(fc.property(mapKey(map), (key) => !map.has(key) || map.delete(key)));
 */
export function mapKey(map: ProgramMap<JsonValue, JsonValue>): fc.Arbitrary<JsonValue> {
  const { spec, btf } = map;
  if (map.type.includes('ARRAY') || map.type === 'XSKMAP' || map.type === 'DEVMAP' || map.type === 'CPUMAP') return fc.integer({ min: 0, max: spec.maxEntries - 1 });
  return valueOfType(btf, spec.keyTypeId, spec.keySize);
}

/**
 * A value of a map, by its type; of a per-CPU map the value of one CPU.
 *
 * @example
 * const map = program.maps.get('packets_by_source');
 * fc.assert(fc.property(mapKey(map), mapValue(map), (key, value) => {
 *   expect(map.set(key, value)).toHaveElement(key, value);
 * }));
 */
export function mapValue(map: ProgramMap<JsonValue, JsonValue>): fc.Arbitrary<JsonValue> {
  return valueOfType(map.btf, map.spec.valueTypeId, map.spec.valueSize);
}

/**
 * Up to `maxLength` elements with different keys, no more than fit. Put them in by `set`.
 *
 * @example
 * const map = program.maps.get('packets_by_source');
 * fc.assert(fc.property(mapElements(map), (elements) => {
 *   for (const { key, value } of elements) map.set(key, value);
 *   return elements.every(({ key }) => map.delete(key));
 * }));
 */
export function mapElements(map: ProgramMap<JsonValue, JsonValue>, { maxLength = 8 } = {}): fc.Arbitrary<readonly DrawnElement[]> {
  return fc.uniqueArray(fc.record({ key: mapKey(map), value: mapValue(map) }), { maxLength: Math.min(maxLength, map.spec.maxEntries), selector: ({ key }) => JSON.stringify(key) });
}

/** What user space does to a map. */
export type MapOperation = { readonly op: 'set'; readonly key: JsonValue; readonly value: JsonValue } | { readonly op: 'delete' | 'get'; readonly key: JsonValue };

/**
 * Operations on a map, over few keys, so that they meet.
 *
 * @example
 * const map = program.maps.get('packets_by_source');
 * fc.assert(fc.property(mapOperations(map), (operations) => {
 *   for (const each of operations) if (each.op === 'set') map.set(each.key, each.value);
 *   return operations.every((each) => each.op !== 'set' || map.has(each.key));
 * }));
 */
export function mapOperations(map: ProgramMap<JsonValue, JsonValue>, { maxLength = 30, keys = 4 } = {}): fc.Arbitrary<readonly MapOperation[]> {
  return fc.uniqueArray(mapKey(map), { minLength: 1, maxLength: keys, selector: (key) => JSON.stringify(key) }).chain((known) => {
    const key = fc.constantFrom(...known);
    return fc.array(
      fc.oneof(
        fc.record({ op: fc.constant('set' as const), key, value: mapValue(map) }),
        fc.record({ op: fc.constantFrom('delete' as const, 'get' as const), key }),
      ),
      { maxLength },
    );
  });
}
