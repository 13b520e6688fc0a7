import { networkOrderType } from '../vm/index.js';
import type { Btf, BtfComposite, JsonValue } from '../vm/index.js';

/**
 * The sum of what `formatValue` gave for the same type on several CPUs: integers are added, in structs member by member. Members that
 * can't be added (text, enums, pointers, addresses, booleans) are left out.
 *
 * @param sizeBytes size of each value, which says all when the type is unknown (0)
 * @returns `undefined` when nothing can be added
 */
export function sumOfValues(btf: Btf | undefined, typeId: number, sizeBytes: number, values: readonly JsonValue[]): JsonValue | undefined {
  if (btf === undefined || btf.sizeOf(typeId) === undefined) return sizeBytes <= 8 ? sumOfIntegers(values) : undefined;
  if (networkOrderType(btf, typeId) !== undefined) return undefined;
  const type = btf.type(btf.resolve(typeId));
  const first = values[0];
  switch (type.kind) {
    case 'int': return type.bool ? undefined : sumOfIntegers(values);
    case 'array': {
      if (!values.every((value) => Array.isArray(value))) return undefined;
      const elementBytes = btf.sizeOf(type.typeId) ?? 0;
      const sums = values[0].map((_, i) => sumOfValues(btf, type.typeId, elementBytes, values.map((value) => value[i])));
      return sums.length > 0 && sums.every((sum) => sum !== undefined) ? sums : undefined;
    }
    case 'struct':
    case 'union': {
      const sums = mapMembers(btf, type, first, (memberId, _, name) => {
        const members = values.map((value) => memberOf(value, name));
        return members.every((member) => member !== undefined) ? sumOfValues(btf, memberId, btf.sizeOf(memberId) ?? 0, members) : undefined;
      });
      return sums !== undefined && Object.keys(sums).length > 0 ? sums : undefined;
    }
    default: return undefined;
  }
}

/** Numbers, and the strings that stand for those beyond 2^53. */
function sumOfIntegers(values: readonly JsonValue[]): JsonValue | undefined {
  let sum = 0n;
  for (const value of values) {
    if (typeof value === 'number' && Number.isInteger(value)) sum += BigInt(value);
    else if (typeof value === 'string' && /^-?\d+$/.test(value)) sum += BigInt(value);
    else return undefined;
  }
  const number = Number(sum);
  return Number.isSafeInteger(number) ? number : sum.toString();
}

/** The members of a struct, those of anonymous members included, each replaced; `undefined` for a value that is no struct. */
function mapMembers(
  btf: Btf,
  type: BtfComposite,
  value: JsonValue,
  replace: (memberId: number, value: JsonValue, name: string) => JsonValue | undefined,
): { [name: string]: JsonValue } | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const entries: [string, JsonValue][] = [];
  const collect = ({ members }: BtfComposite): void => {
    for (const { name, typeId, bitfieldBits } of members) {
      if (name === '') {
        const inner = btf.type(btf.resolve(typeId));
        if (inner.kind === 'struct' || inner.kind === 'union') collect(inner);
        continue;
      }
      const member = memberOf(value, name);
      const replaced = member === undefined ? undefined : bitfieldBits > 0 ? replace(btf.resolve(typeId), member, name) : replace(typeId, member, name);
      if (replaced !== undefined) entries.push([name, replaced]);
    }
  };
  collect(type);
  return Object.fromEntries(entries);
}

function memberOf(value: JsonValue, name: string): JsonValue | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
