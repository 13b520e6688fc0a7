import { ProblemError } from '../../base/index.js';
import type { CoreTarget } from './coreTarget.js';
import { essentialName } from './coreTarget.js';
import type { BtfView } from './coreTarget.js';
import { localEnumValue, localPath, memberOf, parseAccess, pathText, targetEnumValue, targetPath } from './corePath.js';
import type { EnumValue, FieldPath } from './corePath.js';
import { sameKind, typesAreCompatible, typesMatch } from './coreTypes.js';
import type { Btf } from './btf.js';
import type { BtfExt, CoreRelocation } from './readBtfExt.js';

/** enum bpf_core_relo_kind (include/uapi/linux/bpf.h). */
const BPF_CORE_FIELD_BYTE_OFFSET = 0;
const BPF_CORE_FIELD_BYTE_SIZE = 1;
const BPF_CORE_FIELD_EXISTS = 2;
const BPF_CORE_FIELD_SIGNED = 3;
const BPF_CORE_FIELD_LSHIFT_U64 = 4;
const BPF_CORE_FIELD_RSHIFT_U64 = 5;
const BPF_CORE_TYPE_ID_LOCAL = 6;
const BPF_CORE_TYPE_ID_TARGET = 7;
const BPF_CORE_TYPE_EXISTS = 8;
const BPF_CORE_TYPE_SIZE = 9;
const BPF_CORE_ENUMVAL_EXISTS = 10;
const BPF_CORE_ENUMVAL_VALUE = 11;
const BPF_CORE_TYPE_MATCHES = 12;

/** What becomes of an instruction with a CO-RE relocation. */
export type CoreOutcome =
  /** It is as the compiler made it: a built-in target doesn't know the type. */
  | { readonly kind: 'keep' }
  /** The number in it is replaced. */
  | { readonly kind: 'value'; readonly patch: CorePatch }
  /** It must not be executed; `message` says what is missing in the target. */
  | { readonly kind: 'poison'; readonly message: string }
  /** The program can't be loaded. */
  | { readonly kind: 'problem'; readonly code: string; readonly message: string; readonly hint: string };

/** A new number for an instruction. */
export interface CorePatch {
  /** What the compiler must have put in; `undefined` where compilers may differ. */
  readonly expected: bigint | undefined;
  readonly value: bigint;
  /** Bytes of the field for a load or store, here and in the target; 0 when the access keeps its width. */
  readonly fromBytes: number;
  readonly toBytes: number;
  /** Why the width of a load or store can't be changed. */
  readonly badWidth: string | undefined;
}

/** Outcomes of one section's relocations, with the byte of the instruction, sorted. */
export type CoreOutcomes = readonly { readonly offBytes: number; readonly outcome: CoreOutcome }[];

/**
 * Works out all CO-RE relocations of an object (bpf_core_calc_relo_insn, tools/lib/bpf/relo_core.c of libbpf 1.5), in the order of `.BTF.ext`: candidates
 * that don't fit one relocation are not looked at for later ones of the same local type, as in libbpf.
 *
 * @param where object and section, for messages
 *
 * Throws a `ProblemError` of code `btf-bad-core` for relocations that make no sense in the object itself, or those of the target's types.
 */
export function resolveCoreRelocations(btf: Btf, ext: BtfExt, target: CoreTarget, where: string): ReadonlyMap<string, CoreOutcomes> {
  const resolver = new CoreResolver(btf, target, where);
  const bySection = new Map<string, CoreOutcomes>();
  for (const [section, relocations] of ext.coreRelocations) {
    const outcomes = relocations.map((relocation) => ({ offBytes: relocation.offBytes, outcome: resolver.resolve(relocation, section) }));
    bySection.set(section, outcomes.sort((a, b) => a.offBytes - b.offBytes));
  }
  return bySection;
}

/** What one candidate makes of a relocation. */
interface Match {
  readonly bitOffset: number;
  readonly calculated: Calculated;
}

/** A number that a relocation asks for; `undefined` for one that only a target with the type can tell. */
interface Calculated {
  readonly value: bigint | undefined;
  /** Bytes and type of the field for a load or store. */
  readonly sizeBytes: number;
  readonly typeId: number;
  readonly isCertain: boolean;
}

class CoreResolver {
  readonly #btf: Btf;
  readonly #target: CoreTarget;
  readonly #where: string;
  readonly #candidates = new Map<number, readonly number[]>();

  constructor(btf: Btf, target: CoreTarget, where: string) {
    this.#btf = btf;
    this.#target = target;
    this.#where = where;
  }

  resolve(relocation: CoreRelocation, section: string): CoreOutcome {
    const { typeId, kind } = relocation;
    if (typeId >= this.#btf.types.length) this.#refuse(relocation, section, `type ${typeId} doesn't exist, there are ${this.#btf.types.length}`);
    if (kind === BPF_CORE_TYPE_ID_LOCAL) return patched(this.#number(BigInt(typeId), false), BigInt(typeId));
    const { name } = this.#btf.type(typeId);
    const question = this.#question(relocation, section);
    if (name === '') return this.#problem('core-anonymous-type', `${question.text} is about a type without a name, which can't be looked for`, 'give the type a name');

    const known = this.#candidatesOf(typeId, name);
    if (known.length === 0 && !this.#target.isComplete) return this.#unknownType(kind, question);
    const matches: { id: number; match: Match }[] = [];
    for (const id of known) {
      const match = question.match(id);
      if (match !== undefined) matches.push({ id, match });
    }
    if (matches.length > 0) this.#candidates.set(typeId, matches.map(({ id }) => id));
    return this.#decide(question, matches.map(({ match }) => match));
  }

  #decide({ text, local, absent }: Question, matches: readonly Match[]): CoreOutcome {
    const [first, ...others] = matches;
    if (first === undefined) {
      if (absent === undefined) return { kind: 'poison', message: `CO-RE: ${text} does not exist in ${this.#target.name}` };
      return patched(local, absent);
    }
    const { calculated } = first;
    if (others.some((other) => other.bitOffset !== first.bitOffset || other.calculated.value !== calculated.value)) {
      return this.#problem('core-ambiguous', `${text} is in several types of ${this.#target.name}, and not at the same place in all`, 'give the type that is meant more fields');
    }
    if (local.value === undefined || calculated.value === undefined) {
      return this.#problem('core-unsatisfiable', `what the program asks about ${text} has no answer`, 'read the field another way');
    }
    return { kind: 'value', patch: { ...widths(this.#btf, local, this.#target, calculated), expected: local.isCertain ? local.value : undefined, value: calculated.value } };
  }

  /** A target that is not all of a kernel doesn't know the type: the compiler's answer is the best, unless the question is whether it exists. */
  #unknownType(kind: number, { text }: Question): CoreOutcome {
    if (![BPF_CORE_FIELD_EXISTS, BPF_CORE_TYPE_EXISTS, BPF_CORE_TYPE_MATCHES, BPF_CORE_ENUMVAL_EXISTS, BPF_CORE_TYPE_ID_TARGET].includes(kind)) return { kind: 'keep' };
    const message = `asks the kernel about ${text}, which ${this.#target.name} do not know`;
    return this.#problem('unsupported-core-type', message, 'give the types of a kernel: --btf /sys/kernel/btf/vmlinux');
  }

  #candidatesOf(typeId: number, name: string): readonly number[] {
    const known = this.#candidates.get(typeId);
    if (known !== undefined) return known;
    const type = this.#btf.type(typeId);
    const found = this.#target.candidates(essentialName(name)).filter((id) => sameKind(type, this.#target.type(id)));
    this.#candidates.set(typeId, found);
    return found;
  }

  #question(relocation: CoreRelocation, section: string): Question {
    const { typeId, access, kind } = relocation;
    switch (kind) {
      case BPF_CORE_FIELD_BYTE_OFFSET:
      case BPF_CORE_FIELD_BYTE_SIZE:
      case BPF_CORE_FIELD_EXISTS:
      case BPF_CORE_FIELD_SIGNED:
      case BPF_CORE_FIELD_LSHIFT_U64:
      case BPF_CORE_FIELD_RSHIFT_U64: {
        const indices = parseAccess(access);
        const path = indices && localPath(this.#btf, typeId, indices);
        return path === undefined ? this.#refuse(relocation, section, `${this.#btf.typeName(typeId)} has no field '${access}'`) : this.#fieldQuestion(relocation, path);
      }
      case BPF_CORE_TYPE_ID_TARGET:
      case BPF_CORE_TYPE_EXISTS:
      case BPF_CORE_TYPE_SIZE:
      case BPF_CORE_TYPE_MATCHES:
        return access === '0' ? this.#typeQuestion(typeId, kind) : this.#refuse(relocation, section, `a type as a whole is meant, but '${access}' names a part`);
      case BPF_CORE_ENUMVAL_EXISTS:
      case BPF_CORE_ENUMVAL_VALUE: {
        const indices = parseAccess(access);
        const value = indices && localEnumValue(this.#btf, typeId, indices);
        return value === undefined ? this.#refuse(relocation, section, `${this.#btf.typeName(typeId)} has no value '${access}'`) : this.#enumQuestion(typeId, kind, value);
      }
      default:
        return this.#refuse(relocation, section, `kind ${kind} is unknown`);
    }
  }

  #fieldQuestion({ kind, typeId }: CoreRelocation, path: FieldPath): Question {
    return {
      text: `field ${pathText(this.#btf.typeName(typeId), path)}`,
      local: calculateField(kind, path),
      absent: kind === BPF_CORE_FIELD_EXISTS ? 0n : undefined,
      match: (id) => {
        const found = targetPath(path, this.#target, id);
        return found && { bitOffset: found.bitOffset, calculated: calculateField(kind, found) };
      },
    };
  }

  #typeQuestion(typeId: number, kind: number): Question {
    const calculate = (btf: BtfView, id: number): Calculated => {
      if (kind === BPF_CORE_TYPE_ID_TARGET) return this.#number(BigInt(id), false);
      if (kind !== BPF_CORE_TYPE_SIZE) return this.#number(1n, true);
      const size = btf.sizeOf(id);
      return this.#number(size === undefined ? undefined : BigInt(size), true);
    };
    const relation = kind === BPF_CORE_TYPE_MATCHES ? typesMatch : typesAreCompatible;
    return {
      text: this.#btf.typeName(typeId),
      local: calculate(this.#btf, typeId),
      absent: 0n,
      match: (id) => (relation(this.#btf, typeId, this.#target, id) ? { bitOffset: 0, calculated: calculate(this.#target, id) } : undefined),
    };
  }

  #enumQuestion(typeId: number, kind: number, local: EnumValue): Question {
    const calculate = ({ value }: EnumValue): Calculated => this.#number(kind === BPF_CORE_ENUMVAL_EXISTS ? 1n : value, true);
    return {
      text: `value ${local.name} of ${this.#btf.typeName(typeId)}`,
      local: calculate(local),
      absent: kind === BPF_CORE_ENUMVAL_EXISTS ? 0n : undefined,
      match: (id) => {
        const found = targetEnumValue(local, this.#target, id);
        return found && { bitOffset: 0, calculated: calculate(found) };
      },
    };
  }

  #number(value: bigint | undefined, isCertain: boolean): Calculated {
    return { value, sizeBytes: 0, typeId: 0, isCertain };
  }

  #problem(code: string, message: string, hint: string): CoreOutcome {
    return { kind: 'problem', code, message, hint };
  }

  #refuse({ offBytes }: CoreRelocation, section: string, message: string): never {
    const where = `${this.#where}, relocation of byte ${offBytes} of ${section}`;
    throw new ProblemError({ code: 'btf-bad-core', message, where, hint: 'compile the object again, with -g' });
  }
}

/** What a relocation wants to know. */
interface Question {
  /** What it is about, for messages. */
  readonly text: string;
  /** The answer of the object's own types. */
  readonly local: Calculated;
  /** The answer when no candidate matches; `undefined`: the instruction is poisoned. */
  readonly absent: bigint | undefined;
  /** The answer of one candidate; `undefined` when it doesn't match. */
  match(candidateId: number): Match | undefined;
}

function patched(local: Calculated, value: bigint): CoreOutcome {
  return { kind: 'value', patch: { expected: local.isCertain ? local.value : undefined, value, fromBytes: 0, toBytes: 0, badWidth: undefined } };
}

/** A field's place or shape (bpf_core_calc_field_relo). `value` is `undefined` where libbpf gives up. */
function calculateField(kind: number, { btf, steps, bitOffset }: FieldPath): Calculated {
  const last = steps[steps.length - 1]!;
  const answer = (value: number | undefined, isCertain: boolean, sizeBytes = 0, typeId = 0): Calculated => ({
    value: value === undefined ? undefined : BigInt(value), isCertain, sizeBytes, typeId,
  });
  if (kind === BPF_CORE_FIELD_EXISTS) return answer(1, true);
  if (last.name === undefined) {
    const size = btf.sizeOf(last.typeId);
    if (kind === BPF_CORE_FIELD_BYTE_OFFSET) return answer(size === undefined ? undefined : bitOffset / 8, true, size, last.typeId);
    return answer(kind === BPF_CORE_FIELD_BYTE_SIZE ? size : undefined, true);
  }
  const member = memberOf(btf, last);
  const typeId = btf.resolve(member.typeId);
  const type = btf.type(typeId);
  if (kind === BPF_CORE_FIELD_SIGNED) return answer((type.kind === 'enum' || type.kind === 'int') && type.signed ? 1 : 0, true);
  const size = btf.sizeOf(typeId);
  if (size === undefined) return answer(undefined, true);

  const isBitfield = member.bitfieldBits > 0;
  const bits = isBitfield ? member.bitfieldBits : size * 8;
  const unit = isBitfield ? loadUnit(bitOffset, bits, size) : { offBytes: Math.floor(bitOffset / 8), sizeBytes: size };
  if (unit === undefined) return answer(undefined, false);
  switch (kind) {
    case BPF_CORE_FIELD_BYTE_OFFSET: return isBitfield ? answer(unit.offBytes, false) : answer(unit.offBytes, true, size, typeId);
    case BPF_CORE_FIELD_BYTE_SIZE: return answer(unit.sizeBytes, !isBitfield);
    case BPF_CORE_FIELD_LSHIFT_U64: return answer(64 - (bitOffset + bits - unit.offBytes * 8), !isBitfield);
    default: return answer(64 - bits, true);
  }
}

/** The smallest aligned load of at least the field's own type that holds a bitfield; `undefined` when none of 8 bytes or less does. */
function loadUnit(bitOffset: number, bits: number, typeBytes: number): { offBytes: number; sizeBytes: number } | undefined {
  if (typeBytes === 0) return undefined;
  for (let sizeBytes = typeBytes; ; sizeBytes *= 2) {
    const offBytes = Math.floor(bitOffset / 8 / sizeBytes) * sizeBytes;
    if (bitOffset + bits - offBytes * 8 <= sizeBytes * 8) return { offBytes, sizeBytes };
    if (sizeBytes >= 8) return undefined;
  }
}

/**
 * Whether a load or store may follow a field that has another width in the target: pointers and unsigned integers only, because the upper bits of
 * what is loaded are zero (bpf_core_calc_relo).
 */
function widths(btf: BtfView, local: Calculated, target: CoreTarget, found: Calculated): Pick<CorePatch, 'fromBytes' | 'toBytes' | 'badWidth'> {
  if (local.sizeBytes === found.sizeBytes) return { fromBytes: 0, toBytes: 0, badWidth: undefined };
  const from = btf.type(local.typeId);
  const to = target.type(found.typeId);
  const isSafe = (from.kind === 'ptr' && to.kind === 'ptr') || (from.kind === 'int' && to.kind === 'int' && !from.signed && !to.signed);
  const badWidth = isSafe ? undefined : `has a width of ${found.sizeBytes} instead of ${local.sizeBytes} bytes in ${target.name}, and only pointers and unsigned integers can follow`;
  return { fromBytes: local.sizeBytes, toBytes: found.sizeBytes, badWidth };
}
