import type { Problem } from '../../base/index.js';
import type { Btf } from '../btf/btf.js';
import type { BtfFuncProto, BtfType } from '../btf/btfTypes.js';

/** A function and the types of its object. */
export interface TypedFunction {
  /** Object and function, for messages. */
  readonly where: string;
  readonly name: string;
  readonly btf: Btf | undefined;
}

/**
 * Whether a program may take the place of a function: the function must be global, and both must have the same number of arguments and the same kinds and sizes of
 * types, pointers to structs of the same name (btf_check_func_type_match and bpf_check_attach_target, kernel/bpf/, 6.18). What arguments are called doesn't matter.
 */
export function checkSignature(extension: TypedFunction, target: TypedFunction): Problem | undefined {
  const hint = `declare it as ${target.name} is in ${target.where}`;
  const refuse = (message: string): Problem => ({ code: 'extension-signature', message: `${message} (EINVAL)`, where: extension.where, hint });
  const ofTarget = prototypeOf(target);
  if (ofTarget === undefined) {
    const message = `BTF of ${target.where} doesn't describe the function ${target.name} (EINVAL)`;
    return { code: 'extension-without-btf', message, where: extension.where, hint: 'compile the target with -g' };
  }
  const own = prototypeOf(extension);
  if (own === undefined) {
    const message = `there is no BTF for ${extension.name}, and only types tell whether it fits in place of ${target.name} (EINVAL)`;
    return { code: 'extension-without-btf', message, where: extension.where, hint: 'compile it with -g' };
  }
  if (ofTarget.linkage !== 'global') {
    const message = `${target.name} in ${target.where} is a ${ofTarget.linkage} function, and only global ones can be replaced (EINVAL)`;
    return { code: 'extension-target-static', message, where: extension.where, hint: 'leave static away from it, and make it __noinline' };
  }
  const { proto } = own;
  const { proto: wanted } = ofTarget;
  if (proto.params.length !== wanted.params.length) return refuse(`${extension.name} takes ${proto.params.length} arguments, and ${target.name} ${wanted.params.length}`);
  if (!isAlike(own.btf, proto.typeId, ofTarget.btf, wanted.typeId)) {
    return refuse(`${extension.name} returns ${own.btf.typeName(proto.typeId)}, and ${target.name} ${ofTarget.btf.typeName(wanted.typeId)}`);
  }
  for (const [place, { typeId }] of proto.params.entries()) {
    const wantedId = wanted.params[place]!.typeId;
    if (isAlike(own.btf, typeId, ofTarget.btf, wantedId)) continue;
    return refuse(`argument ${place + 1} of ${extension.name} is ${own.btf.typeName(typeId)}, and of ${target.name} ${ofTarget.btf.typeName(wantedId)}`);
  }
  return undefined;
}

function prototypeOf({ btf, name }: TypedFunction): { readonly btf: Btf; readonly proto: BtfFuncProto; readonly linkage: string } | undefined {
  const func = btf?.type(btf.find('func', name) ?? 0);
  if (btf === undefined || func?.kind !== 'func') return undefined;
  const proto = btf.type(func.typeId);
  return proto.kind === 'funcProto' ? { btf, proto, linkage: func.linkage } : undefined;
}

function isAlike(btfA: Btf, idA: number, btfB: Btf, idB: number): boolean {
  const a = btfA.type(btfA.resolve(idA));
  const b = btfB.type(btfB.resolve(idB));
  if (a.kind !== b.kind) return false;
  if (a.kind !== 'ptr' || b.kind !== 'ptr') return sizeOf(a) === sizeOf(b);
  const behindA = btfA.type(btfA.resolve(a.typeId));
  const behindB = btfB.type(btfB.resolve(b.typeId));
  return behindA.kind === behindB.kind && behindA.name === behindB.name;
}

function sizeOf(type: BtfType): number | undefined {
  return 'sizeBytes' in type ? type.sizeBytes : undefined;
}
