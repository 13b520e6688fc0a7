import { formatValue } from '../vm/index.js';
import type { Btf, BtfComposite, JsonValue } from '../vm/index.js';

/** Types of network byte order: as plain numbers they would be read the wrong way round, and their sum means nothing. */
const BIG_ENDIAN = /^__be(16|32|64)$/;

/**
 * A value by its BTF type, as reports show it: as `formatValue`, but each `__be32` as an IPv4 address, a string that `--map` and `--set`
 * take back.
 */
export function decodedValue(btf: Btf | undefined, typeId: number, bytes: Uint8Array): JsonValue {
  return withAddresses(btf, typeId, formatValue(btf, typeId, bytes));
}

/** Puts IPv4 addresses into what `formatValue` gave for a type. */
export function withAddresses(btf: Btf | undefined, typeId: number, value: JsonValue): JsonValue {
  if (btf === undefined) return value;
  if (typeof value === 'number') return bigEndianName(btf, typeId) === '__be32' ? dottedQuad(value) : value;
  const type = btf.type(btf.resolve(typeId));
  if (type.kind === 'array' && Array.isArray(value)) return value.map((each) => withAddresses(btf, type.typeId, each));
  if (type.kind !== 'struct' && type.kind !== 'union') return value;
  return mapMembers(btf, type, value, (memberId, each) => withAddresses(btf, memberId, each)) ?? value;
}

/**
 * The sum of what `formatValue` gave for the same type on several CPUs: integers are added, in structs member by member. Members that
 * can't be added (text, enums, pointers, addresses, booleans) are left out.
 *
 * @param sizeBytes size of each value, which says all when the type is unknown (0)
 * @returns `undefined` when nothing can be added
 */
export function sumOfValues(btf: Btf | undefined, typeId: number, sizeBytes: number, values: readonly JsonValue[]): JsonValue | undefined {
  if (btf === undefined || btf.sizeOf(typeId) === undefined) return sizeBytes <= 8 ? sumOfIntegers(values) : undefined;
  if (bigEndianName(btf, typeId) !== undefined) return undefined;
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

/** `__be16`, `__be32` or `__be64`, when that is what the type or a typedef on its way is called. */
function bigEndianName(btf: Btf, typeId: number): string | undefined {
  for (let id = typeId; ; ) {
    const type = btf.type(id);
    if (type.kind === 'typedef' && BIG_ENDIAN.test(type.name)) return type.name;
    if (type.kind !== 'typedef' && type.kind !== 'const' && type.kind !== 'volatile' && type.kind !== 'restrict' && type.kind !== 'typeTag' && type.kind !== 'var') return undefined;
    id = type.typeId;
  }
}

/** A `__be32` that was read as a little-endian number: its lowest byte comes first. */
function dottedQuad(value: number): string {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 255).join('.');
}
