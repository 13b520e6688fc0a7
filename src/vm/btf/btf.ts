import { ProblemError } from '../../base/index.js';
import type { StringTable } from '../elf/stringTable.js';
import type { BtfDatasec, BtfType } from './btfTypes.js';

/** Types inside each other by value; C programs stay far below it. */
const MAX_NESTING = 128;
/** The kernel's bound of a type's size (btf_array_resolve, kernel/bpf/btf.c). */
const MAX_SIZE_BYTES = 0xffffffff;
/** Pointers and arrays that `typeName` spells out. */
const MAX_NAME_DEPTH = 8;

const NO_SIZE = -1;
const POINTER_BYTES = 8;

/**
 * The types of an object. Made only by `readBtf`, which refuses ids that don't exist, types that contain themselves by value and members that
 * stick out of their struct; so whoever walks a type from here down comes to an end inside its bytes.
 */
export class Btf {
  /** Index is the type's id; 0 is `void`. */
  readonly types: readonly BtfType[];
  /** Strings of the section, also for `.BTF.ext`. */
  readonly strings: StringTable;
  readonly #where: string;
  /** Bytes of each type, NO_SIZE for those that have none. */
  readonly #sizes: Float64Array;
  #byName: Map<string, number> | undefined;

  /** Throws a `ProblemError` for types that don't hold together. */
  constructor(types: readonly BtfType[], strings: StringTable, where: string) {
    this.types = types;
    this.strings = strings;
    this.#where = where;
    this.#sizes = this.#measure();
  }

  /** The type with an id. An id that doesn't exist is a programmer error: all ids in `types` are checked. */
  type(id: number): BtfType {
    const type = this.types[id];
    if (type === undefined) throw new RangeError(`Btf.type: no type ${id}, there are ${this.types.length}`);
    return type;
  }

  /** Id of what is behind typedefs, qualifiers and type tags; of a variable, its type. */
  resolve(id: number): number {
    let at = id;
    for (;;) {
      const type = this.type(at);
      switch (type.kind) {
        case 'typedef':
        case 'const':
        case 'volatile':
        case 'restrict':
        case 'typeTag':
        case 'var':
          at = type.typeId;
          break;
        default:
          return at;
      }
    }
  }

  /** Bytes of a value of the type; `undefined` for void, functions and structs that are only declared. */
  sizeOf(id: number): number | undefined {
    this.type(id);
    const size = this.#sizes[id]!;
    return size === NO_SIZE ? undefined : size;
  }

  /** The type as C spells it: `__u32`, `const struct iphdr *`, `char[16]`, `int (*)(...)`. Deep nesting ends in `...`. */
  typeName(id: number): string {
    return this.#spell(id, '', 0);
  }

  /** Id of the first type of a kind with a name. */
  find(kind: BtfType['kind'], name: string): number | undefined {
    if (this.#byName === undefined) {
      this.#byName = new Map();
      for (let id = this.types.length - 1; id > 0; id--) this.#byName.set(`${this.types[id]!.kind} ${this.types[id]!.name}`, id);
    }
    return this.#byName.get(`${kind} ${name}`);
  }

  /** The same types with other contents for some data sections, by id. Throws as the constructor does. */
  withDatasecs(datasecs: ReadonlyMap<number, BtfDatasec>): Btf {
    return new Btf(this.types.map((type, id) => datasecs.get(id) ?? type), this.strings, this.#where);
  }

  /** @param declarator what stands where C puts the name, built from the inside out */
  #spell(id: number, declarator: string, depth: number): string {
    const type = this.type(id);
    const named = (name: string): string => (declarator === '' || declarator.startsWith('[') ? `${name}${declarator}` : `${name} ${declarator}`);
    if (depth > MAX_NAME_DEPTH) return named('...');
    switch (type.kind) {
      case 'void': return named('void');
      case 'ptr': {
        const { kind } = this.type(type.typeId);
        return this.#spell(type.typeId, kind === 'array' || kind === 'funcProto' ? `(*${declarator})` : `*${declarator}`, depth + 1);
      }
      case 'array': return this.#spell(type.typeId, `${declarator}[${type.count}]`, depth + 1);
      case 'funcProto': return this.#spell(type.typeId, `${declarator}(...)`, depth + 1);
      case 'const':
      case 'volatile':
      case 'restrict':
        if (this.type(type.typeId).kind !== 'ptr') return `${type.kind} ${this.#spell(type.typeId, declarator, depth + 1)}`;
        return this.#spell(type.typeId, declarator === '' ? type.kind : `${type.kind} ${declarator}`, depth + 1);
      case 'typeTag': return this.#spell(type.typeId, declarator, depth + 1);
      case 'struct':
      case 'union':
      case 'enum': return named(`${type.kind} ${type.name === '' ? '{...}' : type.name}`);
      case 'fwd': return named(`${type.tag} ${type.name}`);
      default: return named(type.name);
    }
  }

  /** Sizes of all types, children first; the walk keeps its own stack, because a hostile chain may be a million long. */
  #measure(): Float64Array {
    const count = this.types.length;
    const sizes = new Float64Array(count).fill(NO_SIZE);
    const nesting = new Uint8Array(count);
    const state = new Uint8Array(count); // 0 new, 1 on the stack, 2 done
    for (let root = 0; root < count; root++) {
      if (state[root] !== 0) continue;
      const stack = [{ id: root, children: this.#children(root), next: 0 }];
      state[root] = 1;
      while (stack.length > 0) {
        const top = stack[stack.length - 1]!;
        const child = top.children[top.next++];
        if (child === undefined) {
          sizes[top.id] = this.#sizeFromChildren(top.id, sizes);
          nesting[top.id] = top.children.reduce((deepest, id) => Math.max(deepest, nesting[id]! + 1), 0);
          if (nesting[top.id]! > MAX_NESTING) this.#refuse(top.id, `is nested more than ${MAX_NESTING} deep`);
          state[top.id] = 2;
          stack.pop();
        } else if (state[child] === 1) {
          this.#refuse(child, 'contains itself');
        } else if (state[child] === 0) {
          if (stack.length > MAX_NESTING) this.#refuse(top.id, `is nested more than ${MAX_NESTING} deep`);
          state[child] = 1;
          stack.push({ id: child, children: this.#children(child), next: 0 });
        }
      }
    }
    return sizes;
  }

  /** Types whose bytes are part of this one's; checks that every id it mentions exists. */
  #children(id: number): readonly number[] {
    const type = this.types[id]!;
    switch (type.kind) {
      case 'void':
      case 'int':
      case 'float':
      case 'enum':
      case 'fwd':
        return [];
      case 'ptr':
      case 'func':
      case 'declTag':
        this.#checkId(id, type.typeId);
        return [];
      case 'funcProto':
        this.#checkId(id, type.typeId);
        for (const param of type.params) this.#checkId(id, param.typeId);
        return [];
      case 'typedef':
      case 'const':
      case 'volatile':
      case 'restrict':
      case 'typeTag':
      case 'array':
      case 'var':
        this.#checkId(id, type.typeId);
        return [type.typeId];
      case 'struct':
      case 'union':
        return type.members.map((member) => this.#checkId(id, member.typeId));
      case 'datasec':
        return type.variables.map((variable) => this.#checkId(id, variable.typeId));
    }
  }

  #sizeFromChildren(id: number, sizes: Float64Array): number {
    const type = this.types[id]!;
    switch (type.kind) {
      case 'int':
      case 'float':
      case 'enum':
      case 'datasec':
        return type.sizeBytes;
      case 'ptr':
        return POINTER_BYTES;
      case 'typedef':
      case 'const':
      case 'volatile':
      case 'restrict':
      case 'typeTag':
      case 'var':
        return sizes[type.typeId]!;
      case 'array': {
        const element = sizes[type.typeId]!;
        if (element === NO_SIZE) this.#refuse(id, 'is an array of a type without a size');
        if (element * type.count > MAX_SIZE_BYTES) this.#refuse(id, `is an array of ${type.count} times ${element} bytes`);
        return element * type.count;
      }
      case 'struct':
      case 'union':
        for (const member of type.members) {
          const size = sizes[member.typeId]!;
          if (size === NO_SIZE) this.#refuse(id, `has a member '${member.name}' without a size`);
          const bits = member.bitfieldBits === 0 ? size * 8 : member.bitfieldBits;
          if (member.bitfieldBits > size * 8 || member.bitOffset + bits > type.sizeBytes * 8) {
            this.#refuse(id, `has ${type.sizeBytes} bytes, but its member '${member.name}' sticks out`);
          }
          if (member.bitfieldBits === 0 && member.bitOffset % 8 !== 0 && this.types[this.resolve(member.typeId)]!.kind !== 'int') {
            this.#refuse(id, `has a member '${member.name}' that begins inside a byte`);
          }
        }
        return type.sizeBytes;
      default:
        return NO_SIZE;
    }
  }

  #checkId(from: number, id: number): number {
    if (id >= this.types.length) this.#refuse(from, `refers to type ${id}, but there are ${this.types.length}`);
    return id;
  }

  #refuse(id: number, message: string): never {
    const type = this.types[id]!;
    const label = type.name === '' ? `type ${id} (${type.kind})` : `type ${id} (${type.kind} '${type.name}')`;
    throw new ProblemError({ code: 'btf-bad-type', message: `${label} ${message}`, where: this.#where, hint: 'compile the object again, with -g' });
  }
}
