import * as fc from 'fast-check';
import { toHex } from '../../base/index.js';
import type { Btf, JsonValue } from '../../vm/index.js';
import { dottedQuadOf } from './addresses.js';

/** Elements of an array, and bytes, that are drawn one by one; behind them are zeros. */
const DRAWN_ELEMENTS = 64;

/**
 * Any value of a BTF type, in the form that `ProgramMap.set` and `ProgramGlobals.set` take. Shrinks towards zeros.
 *
 * @param typeId 0 for an unknown type: bytes, or an unsigned integer of 1, 2, 4 or 8 bytes
 * @example
 * const { btf, spec } = program.maps.get('packets_by_source');
 * fc.assert(fc.property(valueOfType(btf, spec.keyTypeId, spec.keySize), (source) => /^[\d.]+$/.test(String(source))));
 */
export function valueOfType(btf: Btf | undefined, typeId: number, sizeBytes: number): fc.Arbitrary<JsonValue> {
  if (btf === undefined || typeId === 0 || btf.sizeOf(typeId) === undefined) return rawValue(sizeBytes);
  if (sizeBytes === 4 && btf.typeName(typeId) === '__be32') return fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(dottedQuadOf);
  const type = btf.type(btf.resolve(typeId));
  switch (type.kind) {
    case 'int':
      return integerOf(type.sizeBytes * 8, type.signed);
    case 'enum':
      return type.values.length === 0 ? rawValue(sizeBytes) : fc.constantFrom(...type.values.map(({ name }) => name));
    case 'array':
      return fc.array(valueOfType(btf, type.typeId, btf.sizeOf(type.typeId) ?? 0), { minLength: Math.min(type.count, DRAWN_ELEMENTS), maxLength: Math.min(type.count, DRAWN_ELEMENTS) });
    case 'struct':
      return fc.record(Object.fromEntries(type.members.filter(({ name }) => name !== '').map(({ name, typeId: memberId, bitfieldBits }) => [name, bitfieldBits > 0 ? integerOf(bitfieldBits, false) : valueOfType(btf, memberId, btf.sizeOf(memberId) ?? 0)])));
    default:
      return rawValue(sizeBytes);
  }
}

function integerOf(bits: number, isSigned: boolean): fc.Arbitrary<JsonValue> {
  if (bits > 32) {
    const [min, max] = isSigned ? [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n] : [0n, (1n << BigInt(bits)) - 1n];
    return fc.bigInt({ min, max }).map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()));
  }
  return isSigned ? fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 }) : fc.integer({ min: 0, max: 2 ** bits - 1 });
}

function rawValue(sizeBytes: number): fc.Arbitrary<JsonValue> {
  if ([1, 2, 4, 8].includes(sizeBytes)) return integerOf(sizeBytes * 8, false);
  const drawnBytes = Math.min(sizeBytes, DRAWN_ELEMENTS);
  return fc.uint8Array({ minLength: drawnBytes, maxLength: drawnBytes }).map((bytes) => toHex(bytes) + '00'.repeat(sizeBytes - drawnBytes));
}
