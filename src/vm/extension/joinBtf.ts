import { StringTable } from '../elf/stringTable.js';
import { Btf } from '../btf/btf.js';
import type { BtfType } from '../btf/btfTypes.js';

/** The types of several objects in one list. */
export interface JoinedBtf {
  readonly btf: Btf | undefined;
  /** What is added to the ids of each object, in their order; 0 stays 0. */
  readonly firstIds: readonly number[];
}

/**
 * Puts the types of one object behind those of another. Nothing is merged: each object has its own `.rodata`, and may have its own idea of a struct.
 *
 * @param btfs as the objects have them, `undefined` for those without
 * @param where for messages
 */
export function joinBtf(btfs: readonly (Btf | undefined)[], where: string): JoinedBtf {
  const types: BtfType[] = [{ kind: 'void', name: '' }];
  const firstIds = btfs.map((btf) => {
    const shift = types.length - 1;
    for (const type of btf?.types.slice(1) ?? []) types.push(shifted(type, shift));
    return shift;
  });
  const isKnown = btfs.some((btf) => btf !== undefined);
  return { btf: isKnown ? new Btf(types, new StringTable(new Uint8Array(1), 'btf', where), where) : undefined, firstIds };
}

/** An id of one object among those of all. */
export function joinedId(typeId: number, shift: number): number {
  return typeId === 0 ? 0 : typeId + shift;
}

function shifted(type: BtfType, shift: number): BtfType {
  const move = <T extends { readonly typeId: number }>(reference: T): T => ({ ...reference, typeId: joinedId(reference.typeId, shift) });
  switch (type.kind) {
    case 'void':
    case 'int':
    case 'float':
    case 'enum':
    case 'fwd':
      return type;
    case 'struct':
    case 'union':
      return { ...type, members: type.members.map(move) };
    case 'funcProto':
      return { ...move(type), params: type.params.map(move) };
    case 'datasec':
      return { ...type, variables: type.variables.map(move) };
    default:
      return move(type);
  }
}
