import type { Btf, BtfType } from '../vm/index.js';
import { counted } from './textTable.js';

/** Characters that all definitions of an object may have together: anonymous structs in anonymous structs multiply. */
const KEPT_CHARS = 1 << 20;

/** A struct, union, enum or typedef of one, as C. */
export interface TypeInspection {
  /** As C spells it, e.g. `struct value`. */
  readonly name: string;
  readonly size: number;
  /** Its definition; `null` when there was no room for it. Holes are shown as comments. */
  readonly c: string | null;
}

type Composite = Extract<BtfType, { kind: 'struct' | 'union' }>;

/**
 * Definitions of all structs, unions and enums with a name that are part of values of these types, each behind those that it is made of.
 * What is only pointed at is left out.
 */
export function inspectTypes(btf: Btf, typeIds: Iterable<number>): TypeInspection[] {
  const ids = new Set<number>();
  const seen = new Set<number>();
  for (const id of typeIds) collect(btf, id, ids, seen);
  let left = KEPT_CHARS;
  return [...ids].map((id) => {
    const c = left > 0 ? new Definition(btf, left).of(id) : null;
    left -= c === null ? left : c.length;
    return { name: btf.typeName(id), size: btf.sizeOf(id) ?? 0, c };
  });
}

/** Walks what is inside a type by value; Btf has made sure that this ends. */
function collect(btf: Btf, id: number, found: Set<number>, seen: Set<number>): void {
  if (seen.has(id)) return;
  seen.add(id);
  const type = btf.type(id);
  switch (type.kind) {
    case 'struct':
    case 'union':
      for (const { typeId } of type.members) collect(btf, typeId, found, seen);
      if (type.name !== '') found.add(id);
      break;
    case 'enum':
      if (type.name !== '') found.add(id);
      break;
    case 'typedef':
      collect(btf, type.typeId, found, seen);
      // Others are names of types that stand in the list, or of integers.
      if (isAnonymous(btf.type(type.typeId))) found.add(id);
      break;
    case 'datasec':
      for (const { typeId } of type.variables) collect(btf, typeId, found, seen);
      break;
    case 'array':
    case 'const':
    case 'volatile':
    case 'restrict':
    case 'typeTag':
    case 'var':
      collect(btf, type.typeId, found, seen);
      break;
  }
}

function isAnonymous(type: BtfType): boolean {
  return (type.kind === 'struct' || type.kind === 'union' || type.kind === 'enum') && type.name === '';
}

/** Writes one definition, line by line, until there is no room left. */
class Definition {
  readonly #btf: Btf;
  readonly #lines: string[] = [];
  #left: number;

  constructor(btf: Btf, keptChars: number) {
    this.#btf = btf;
    this.#left = keptChars;
  }

  /** The definition; `null` when it is too long. */
  of(id: number): string | null {
    const type = this.#btf.type(id);
    if (type.kind === 'typedef') this.#body(type.typeId, '', 'typedef ', ` ${type.name}`);
    else this.#body(id, '', '', '');
    return this.#left < 0 ? null : this.#lines.join('\n');
  }

  #add(line: string): void {
    this.#left -= line.length + 1;
    if (this.#left >= 0) this.#lines.push(line);
  }

  /** `before struct name { ... } after;` */
  #body(id: number, indent: string, before: string, after: string): void {
    const type = this.#btf.type(id);
    if (type.kind !== 'struct' && type.kind !== 'union' && type.kind !== 'enum') return;
    this.#add(`${indent}${before}${type.kind}${type.name === '' ? '' : ` ${type.name}`} {`);
    if (type.kind === 'enum') this.#enumerators(type.values, `${indent}\t`);
    else this.#members(type, `${indent}\t`);
    this.#add(`${indent}}${after};`);
  }

  #enumerators(values: readonly { readonly name: string; readonly value: bigint }[], indent: string): void {
    for (const { name, value } of values) {
      if (this.#left < 0) return;
      this.#add(`${indent}${name} = ${value},`);
    }
  }

  #members(type: Composite, indent: string): void {
    let endBits = 0;
    for (const { name, typeId, bitOffset, bitfieldBits } of type.members) {
      if (this.#left < 0) return;
      if (type.kind === 'struct') this.#hole(bitOffset - endBits, indent);
      const width = bitfieldBits === 0 ? '' : ` : ${bitfieldBits}`;
      const { core, dimensions } = this.#peelArrays(typeId);
      if (isAnonymous(this.#btf.type(core))) this.#body(core, indent, '', `${name === '' ? '' : ` ${name}`}${dimensions}${width}`);
      else this.#add(`${indent}${declaration(this.#btf.typeName(typeId), name)}${width};`);
      endBits = Math.max(endBits, bitOffset + (bitfieldBits === 0 ? this.#btf.sizeOf(typeId)! * 8 : bitfieldBits));
    }
    if (type.kind === 'struct') this.#hole(type.sizeBytes * 8 - endBits, indent);
  }

  /** Bytes between members: a map's key must have zeros there, or it won't be found. */
  #hole(bits: number, indent: string): void {
    const sizeBytes = Math.floor(bits / 8);
    if (sizeBytes > 0) this.#add(`${indent}/* hole of ${counted(sizeBytes, 'byte')} */`);
  }

  #peelArrays(id: number): { readonly core: number; readonly dimensions: string } {
    const type = this.#btf.type(id);
    if (type.kind !== 'array') return { core: id, dimensions: '' };
    const { core, dimensions } = this.#peelArrays(type.typeId);
    return { core, dimensions: `[${type.count}]${dimensions}` };
  }
}

/** Puts a name where C wants it: `char[16]` becomes `char name[16]`, `int (*)(...)` becomes `int (*name)(...)`. */
function declaration(type: string, name: string): string {
  const inner = /\(\*+\)/.exec(type);
  if (inner !== null) {
    const at = inner.index + inner[0].length - 1;
    return `${type.slice(0, at)}${name}${type.slice(at)}`;
  }
  const dimensions = /(?:\[\d+\])+$/.exec(type);
  const base = dimensions === null ? type : type.slice(0, dimensions.index);
  return `${base}${base.endsWith('*') || name === '' ? '' : ' '}${name}${dimensions?.[0] ?? ''}`;
}
