import { StringTable } from '../elf/stringTable.js';
import { Btf } from './btf.js';
import type { BtfMember, BtfType } from './btfTypes.js';
import { BUILT_IN_TABLE } from './builtInTable.js';
import { essentialName } from './coreTarget.js';
import type { CoreTarget } from './coreTarget.js';

const DECLARATION = /^(struct|union|enum) (\S+) (\d+)$/;
const MEMBER = /^(\w*): (\**)((?:struct |union |enum )?[\w#]+)((?:\[\d+\])*) @(\d+)(?:\.(\d+):(\d+))?$/;
const ENUM_VALUE = /^(\w+)=(-?\d+)$/;

/** Integers as the kernel's compiler calls them: name, bytes, signed. */
const INTEGERS: Readonly<Record<string, readonly [name: string, sizeBytes: number, signed: boolean]>> = {
  u8: ['unsigned char', 1, false],
  s8: ['signed char', 1, true],
  char: ['char', 1, true],
  bool: ['_Bool', 1, false],
  u16: ['short unsigned int', 2, false],
  s16: ['short int', 2, true],
  u32: ['unsigned int', 4, false],
  s32: ['int', 4, true],
  u64: ['long long unsigned int', 8, false],
  s64: ['long long int', 8, true],
  ulong: ['long unsigned int', 8, false],
};

/** Makes BTF types of the table's text. Ids are given in two rounds, because declarations refer to later ones. */
class TableReader {
  readonly types: BtfType[] = [{ kind: 'void', name: '' }];
  readonly #ids = new Map<string, number>([['void', 0]]);

  constructor(text: string) {
    for (const [key, [name, sizeBytes, signed]] of Object.entries(INTEGERS)) {
      this.#add(key, { kind: 'int', name, sizeBytes, bitOffset: 0, bits: sizeBytes * 8, signed, bool: key === 'bool' });
    }
    const declarations: { id: number; head: RegExpExecArray; body: string }[] = [];
    for (const line of text.trim().split('\n')) {
      const head = DECLARATION.exec(line);
      if (head === null) declarations[declarations.length - 1]!.body += ` ${line.trim()}`;
      else declarations.push({ id: this.#add(`${head[1]} ${head[2]}`, { kind: 'void', name: '' }), head, body: '' });
    }
    for (const { id, head, body } of declarations) this.types[id] = this.#declaration(head, body.trim());
  }

  #declaration([, kind, key, size]: RegExpExecArray, body: string): BtfType {
    const name = key!.startsWith('#') ? '' : key!;
    const sizeBytes = Number(size);
    if (kind === 'enum') {
      const values = body.split(' ').map((text) => match(ENUM_VALUE, text)).map(([, value, number]) => ({ name: value!, value: BigInt(number!) }));
      return { kind: 'enum', name, sizeBytes, signed: values.some(({ value }) => value < 0n), values };
    }
    const members = body === '' ? [] : body.split('; ').map((text) => this.#member(text));
    return { kind: kind === 'union' ? 'union' : 'struct', name, sizeBytes, members };
  }

  #member(text: string): BtfMember {
    const [, name, stars, base, dimensions, offBytes, bit, width] = match(MEMBER, text);
    let typeId = this.#ids.get(base!) ?? this.#declare(base!);
    for (let depth = stars!.length; depth > 0; depth--) typeId = this.#add(undefined, { kind: 'ptr', name: '', typeId });
    for (const count of (dimensions!.match(/\d+/g) ?? []).reverse()) typeId = this.#add(undefined, { kind: 'array', name: '', typeId, count: Number(count) });
    return { name: name!, typeId, bitOffset: Number(offBytes) * 8 + Number(bit ?? 0), bitfieldBits: Number(width ?? 0) };
  }

  /** A struct that is only pointed at. */
  #declare(key: string): number {
    const [tag, name] = key.split(' ');
    if (name === undefined) throw new Error(`the table of kernel types has no ${key}`);
    return this.#add(key, { kind: 'fwd', name, tag: tag === 'union' ? 'union' : 'struct' });
  }

  #add(key: string | undefined, type: BtfType): number {
    const id = this.types.push(type) - 1;
    if (key !== undefined) this.#ids.set(key, id);
    return id;
  }
}

function match(pattern: RegExp, text: string): RegExpExecArray {
  const found = pattern.exec(text);
  if (found === null) throw new Error(`the table of kernel types has a line that makes no sense: ${text}`);
  return found;
}

/** The types of the table as a target of CO-RE. It isn't complete: what it doesn't know may exist. */
export class BuiltInTypes implements CoreTarget {
  readonly name = 'the built-in kernel types';
  readonly isComplete = false;
  readonly types: Btf;
  readonly #byName = new Map<string, number[]>();

  constructor(table: string) {
    this.types = new Btf(new TableReader(table).types, new StringTable(new Uint8Array(0), 'btf', this.name), this.name);
    this.types.types.forEach(({ kind, name }, id) => {
      if (name === '' || kind === 'fwd') return;
      const key = essentialName(name);
      const ids = this.#byName.get(key);
      if (ids === undefined) this.#byName.set(key, [id]);
      else ids.push(id);
    });
  }

  type(id: number): BtfType {
    return this.types.type(id);
  }

  resolve(id: number): number {
    return this.types.resolve(id);
  }

  sizeOf(id: number): number | undefined {
    return this.types.sizeOf(id);
  }

  candidates(name: string): readonly number[] {
    return this.#byName.get(name) ?? [];
  }
}

/** Linux 6.18 on x86-64, as far as XDP programs commonly need it. */
export const BUILT_IN_KERNEL_TYPES = new BuiltInTypes(BUILT_IN_TABLE);
