import type { BtfView } from './coreTarget.js';
import { essentialName } from './coreTarget.js';
import type { BtfComposite, BtfEnum, BtfForward, BtfType } from './btfTypes.js';

// Which types of an object and of a kernel go together: three relations of tools/lib/bpf/relo_core.c, from the loosest to the strictest.
//
//     fieldsAreCompatible   may a field of the one type be read as the other    bpf_core_fields_are_compat
//     typesAreCompatible    do both exist as the same kind of thing             __bpf_core_types_are_compat
//     typesMatch            are they alike, member by member                    __bpf_core_types_match

/** How far pointers, arrays and parameters are followed; where libbpf gives up with an error the types don't go together here. */
const MAX_DEPTH = 32;

/** Both are of one kind. ENUM and ENUM64 are one kind for us from the start. */
export function sameKind(local: BtfType, target: BtfType): boolean {
  return local.kind === target.kind;
}

function isComposite(type: BtfType): type is BtfComposite {
  return type.kind === 'struct' || type.kind === 'union';
}

function sameEssentialName(local: string, target: string): boolean {
  return essentialName(local) === essentialName(target);
}

/** Size, signedness and the contents of structs don't matter: the relocated instruction sees to them. */
export function fieldsAreCompatible(localBtf: BtfView, localId: number, targetBtf: BtfView, targetId: number): boolean {
  let local = localBtf.type(localBtf.resolve(localId));
  let target = targetBtf.type(targetBtf.resolve(targetId));
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    if (isComposite(local) && isComposite(target)) return true;
    if (!sameKind(local, target)) return false;
    if (local.kind !== 'array' || target.kind !== 'array') return leavesAreCompatible(local, target);
    local = localBtf.type(localBtf.resolve(local.typeId));
    target = targetBtf.type(targetBtf.resolve(target.typeId));
  }
  return false;
}

/** The same for two types of one kind that are no structs, unions or arrays. */
function leavesAreCompatible(local: BtfType, target: BtfType): boolean {
  switch (local.kind) {
    case 'ptr':
    case 'float':
      return true;
    case 'fwd':
    case 'enum':
      return local.name === '' || target.name === '' || sameEssentialName(local.name, target.name);
    case 'int':
      return target.kind === 'int' && local.bitOffset === 0 && target.bitOffset === 0;
    default:
      return false;
  }
}

/** @param level parameters of parameters that are still followed */
export function typesAreCompatible(localBtf: BtfView, localId: number, targetBtf: BtfView, targetId: number, level = MAX_DEPTH): boolean {
  if (!sameKind(localBtf.type(localId), targetBtf.type(targetId))) return false;
  let [localAt, targetAt] = [localId, targetId];
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const local = localBtf.type(localBtf.resolve(localAt));
    const target = targetBtf.type(targetBtf.resolve(targetAt));
    if (local.kind === 'int') return target.kind === 'int' && local.bitOffset === 0 && target.bitOffset === 0;
    if ((local.kind === 'ptr' && target.kind === 'ptr') || (local.kind === 'array' && target.kind === 'array')) {
      [localAt, targetAt] = [local.typeId, target.typeId];
    } else if (local.kind === 'funcProto' && target.kind === 'funcProto') {
      if (level <= 0 || local.params.length !== target.params.length) return false;
      const alike = local.params.every(({ typeId }, i) => {
        const localParam = localBtf.resolve(typeId);
        const targetParam = targetBtf.resolve(target.params[i]!.typeId);
        return typesAreCompatible(localBtf, localParam, targetBtf, targetParam, level - 1);
      });
      if (!alike) return false;
      [localAt, targetAt] = [local.typeId, target.typeId];
    } else {
      return sameKind(local, target) && ['void', 'struct', 'union', 'enum', 'fwd'].includes(local.kind);
    }
  }
  return false;
}

/** Whether everything that the local type says is so in the target; the target may say more. */
export function typesMatch(localBtf: BtfView, localId: number, targetBtf: BtfView, targetId: number): boolean {
  return new TypeMatcher(localBtf, targetBtf).match(localId, targetId, false, MAX_DEPTH);
}

/** Pairs of types that one comparison may look at: members multiply with every level, which hostile types can make much of. */
const MAX_PAIRS = 100_000;

class TypeMatcher {
  readonly #local: BtfView;
  readonly #target: BtfView;
  #pairsLeft = MAX_PAIRS;

  constructor(local: BtfView, target: BtfView) {
    this.#local = local;
    this.#target = target;
  }

  /** @param behindPtr structs behind pointers match by name and kind alone, so that circles of types end */
  match(localId: number, targetId: number, behindPtr: boolean, level: number): boolean {
    if (level <= 0) return false;
    let [localAt, targetAt, isBehindPtr] = [localId, targetId, behindPtr];
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      if (this.#pairsLeft-- <= 0) return false;
      const local = this.#local.type(this.#local.resolve(localAt));
      const target = this.#target.type(this.#target.resolve(targetAt));
      if (target.name === '' ? local.name !== '' : !sameEssentialName(local.name, target.name)) return false;
      switch (local.kind) {
        case 'void': return target.kind === 'void';
        case 'int': return target.kind === 'int' && local.sizeBytes === target.sizeBytes && local.signed === target.signed;
        case 'enum': return target.kind === 'enum' && enumsMatch(local, target);
        case 'fwd': return isBehindPtr ? sameTag(local, target) : target.kind === 'fwd' && sameTag(local, target);
        case 'struct':
        case 'union':
          if (isBehindPtr) return sameTag(local, target);
          return isComposite(target) && local.kind === target.kind && this.#compositesMatch(local, target, level);
        case 'ptr':
          if (target.kind !== 'ptr') return false;
          isBehindPtr = true;
          [localAt, targetAt] = [local.typeId, target.typeId];
          break;
        case 'array':
          if (target.kind !== 'array' || local.count !== target.count) return false;
          [localAt, targetAt] = [local.typeId, target.typeId];
          break;
        case 'funcProto': {
          if (target.kind !== 'funcProto' || local.params.length !== target.params.length) return false;
          const { params } = target;
          if (!local.params.every(({ typeId }, i) => this.match(typeId, params[i]!.typeId, isBehindPtr, level - 1))) return false;
          [localAt, targetAt] = [local.typeId, target.typeId];
          break;
        }
        default:
          return false;
      }
    }
    return false;
  }

  #compositesMatch(local: BtfComposite, target: BtfComposite, level: number): boolean {
    if (local.members.length > target.members.length) return false;
    return local.members.every((member) =>
      target.members.some((other) => namesMatch(member.name, other.name) && this.match(member.typeId, other.typeId, false, level - 1)),
    );
  }
}

function namesMatch(local: string, target: string): boolean {
  return target === '' ? local === '' : sameEssentialName(local, target);
}

/** A struct goes with the declaration of a struct, a union with that of a union. */
function sameTag(local: BtfComposite | BtfForward, target: BtfType): boolean {
  const tagOf = (type: BtfType): string | undefined => (isComposite(type) ? type.kind : type.kind === 'fwd' ? type.tag : undefined);
  return tagOf(local) === tagOf(target);
}

function enumsMatch(local: BtfEnum, target: BtfEnum): boolean {
  if (local.sizeBytes !== target.sizeBytes || local.values.length > target.values.length) return false;
  const names = new Set(target.values.map(({ name }) => essentialName(name)));
  return local.values.every(({ name }) => names.has(essentialName(name)));
}
