import type { BtfView, CoreTarget } from './coreTarget.js';
import { essentialName } from './coreTarget.js';
import { fieldsAreCompatible } from './coreTypes.js';
import type { BtfMember, BtfType } from './btfTypes.js';

/** One step on the way to a field: a named member (through any number of nameless structs and unions), or an element of an array. */
export interface PathStep {
  /** The composite that has the member, or the type of the element. */
  readonly typeId: number;
  /** Which member or element. */
  readonly index: number;
  /** Name of the member; `undefined` for an element. */
  readonly name: string | undefined;
}

/** A field, from the type that the access begins at. The first step is the element that the pointer points to, nearly always 0. */
export interface FieldPath {
  readonly btf: BtfView;
  readonly steps: readonly PathStep[];
  readonly bitOffset: number;
}

/** One value of an enum. */
export interface EnumValue {
  readonly name: string;
  /** As a u64: the C value, sign-extended. */
  readonly value: bigint;
}

/** BPF_CORE_SPEC_MAX_LEN (tools/lib/bpf/relo_core.h). */
const MAX_STEPS = 64;
/** Offsets are u32 bits in libbpf, and no type is that large. */
const MAX_BIT_OFFSET = 2 ** 32;
const ACCESS_STRING = /^\d{1,9}(?::\d{1,9})*$/;

/** Members of one type that are looked at for a name: nameless ones multiply with every level, which hostile types can make much of. */
const MAX_SEARCHED = 100_000;

/** An access string such as `0:1:2` as numbers; `undefined` when it is none. */
export function parseAccess(text: string): number[] | undefined {
  const indices = ACCESS_STRING.test(text) ? text.split(':').map(Number) : undefined;
  return indices === undefined || indices.length > MAX_STEPS ? undefined : indices;
}

/** The field that an access string means in the object's own types (bpf_core_parse_spec); `undefined` when it means none. */
export function localPath(btf: BtfView, rootId: number, indices: readonly number[]): FieldPath | undefined {
  let id = btf.resolve(rootId);
  const rootSize = btf.sizeOf(id);
  if (rootSize === undefined) return undefined;
  const steps: PathStep[] = [{ typeId: id, index: indices[0]!, name: undefined }];
  let bitOffset = indices[0]! * rootSize * 8;
  for (const index of indices.slice(1)) {
    id = btf.resolve(id);
    const type = btf.type(id);
    if (type.kind === 'struct' || type.kind === 'union') {
      const member = type.members[index];
      if (member === undefined) return undefined;
      if (member.name !== '') steps.push({ typeId: id, index, name: member.name });
      bitOffset += member.bitOffset;
      id = member.typeId;
    } else if (type.kind === 'array') {
      if (index >= type.count && !isFlexible(btf, steps, type.count)) return undefined;
      id = btf.resolve(type.typeId);
      const size = btf.sizeOf(id);
      if (size === undefined) return undefined;
      steps.push({ typeId: id, index, name: undefined });
      bitOffset += index * size * 8;
    } else {
      return undefined;
    }
    if (bitOffset >= MAX_BIT_OFFSET) return undefined;
  }
  return { btf, steps, bitOffset };
}

/** An array without a length is a flexible one when it is the last member of its struct. */
function isFlexible(btf: BtfView, steps: readonly PathStep[], count: number): boolean {
  const step = steps[steps.length - 1]!;
  if (step.name === undefined || count > 0) return false;
  const type = btf.type(step.typeId);
  return (type.kind === 'struct' || type.kind === 'union') && step.index === type.members.length - 1;
}

/** The same field, by its names, in another type (bpf_core_spec_match); `undefined` when it isn't there. */
export function targetPath(local: FieldPath, target: CoreTarget, rootId: number): FieldPath | undefined {
  let id = target.resolve(rootId);
  const steps: PathStep[] = [];
  let bitOffset = 0;
  for (const [position, step] of local.steps.entries()) {
    id = target.resolve(id);
    if (step.name !== undefined) {
      const found = new MemberSearch(target, step.name).in(id, 0);
      if (found === undefined || !fieldsAreCompatible(local.btf, memberOf(local.btf, step).typeId, target, found.member.typeId)) return undefined;
      steps.push({ typeId: found.typeId, index: found.index, name: step.name });
      bitOffset += found.bitOffset;
      id = found.member.typeId;
    } else {
      if (position > 0) {
        const type = target.type(id);
        if (type.kind !== 'array' || (step.index >= type.count && !isFlexible(target, steps, type.count))) return undefined;
        id = target.resolve(type.typeId);
      }
      const size = target.sizeOf(id);
      if (size === undefined) return undefined;
      steps.push({ typeId: id, index: step.index, name: undefined });
      bitOffset += step.index * size * 8;
    }
    if (bitOffset >= MAX_BIT_OFFSET) return undefined;
  }
  return { btf: target, steps, bitOffset };
}

/** The member that a step with a name leads to. */
export function memberOf(btf: BtfView, { typeId, index }: PathStep): BtfMember {
  const type = btf.type(typeId);
  const member = type.kind === 'struct' || type.kind === 'union' ? type.members[index] : undefined;
  if (member === undefined) throw new RangeError(`memberOf: type ${typeId} has no member ${index}`);
  return member;
}

interface FoundMember {
  readonly typeId: number;
  readonly index: number;
  readonly member: BtfMember;
  readonly bitOffset: number;
}

/** Looks for a member by its name, also in nameless structs and unions, in the order of the members (bpf_core_match_member). */
class MemberSearch {
  readonly #btf: BtfView;
  readonly #name: string;
  #left = MAX_SEARCHED;

  constructor(btf: BtfView, name: string) {
    this.#btf = btf;
    this.#name = name;
  }

  in(typeId: number, depth: number): FoundMember | undefined {
    const id = this.#btf.resolve(typeId);
    const type = this.#btf.type(id);
    if ((type.kind !== 'struct' && type.kind !== 'union') || depth >= MAX_STEPS) return undefined;
    for (const [index, member] of type.members.entries()) {
      if (this.#left-- <= 0) return undefined;
      if (member.name === this.#name) return { typeId: id, index, member, bitOffset: member.bitOffset };
      const inside = member.name === '' ? this.in(member.typeId, depth + 1) : undefined;
      if (inside !== undefined) return { ...inside, bitOffset: member.bitOffset + inside.bitOffset };
    }
    return undefined;
  }
}

/** The value of an enum that an access string of one number means. */
export function localEnumValue(btf: BtfView, rootId: number, indices: readonly number[]): EnumValue | undefined {
  const type = btf.type(btf.resolve(rootId));
  return type.kind === 'enum' && indices.length === 1 ? enumValue(type, (_, index) => index === indices[0]) : undefined;
}

/** The value of the same name, flavours aside. */
export function targetEnumValue(local: EnumValue, target: CoreTarget, rootId: number): EnumValue | undefined {
  const wanted = essentialName(local.name);
  return enumValue(target.type(target.resolve(rootId)), (name) => essentialName(name) === wanted);
}

function enumValue(type: BtfType, isWanted: (name: string, index: number) => boolean): EnumValue | undefined {
  if (type.kind !== 'enum') return undefined;
  const found = type.values.find(({ name }, index) => isWanted(name, index));
  if (found === undefined) return undefined;
  // A value of 32 bits is an s32 in BTF, also that of an unsigned enum.
  const value = type.sizeBytes === 8 ? found.value : BigInt.asIntN(32, found.value);
  return { name: found.name, value: BigInt.asUintN(64, value) };
}

/** The path as C writes it, with what it begins at: `iphdr.saddr`, `in6_addr.in6_u.u6_addr32[2]`. */
export function pathText(rootName: string, { steps }: FieldPath): string {
  return steps.slice(1).reduce((text, { name, index }) => text + (name === undefined ? `[${index}]` : `.${name}`), rootName);
}
