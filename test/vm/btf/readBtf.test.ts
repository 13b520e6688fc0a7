import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import type { BtfType } from '../../../src/vm/btf/btfTypes.js';
import { readBtf } from '../../../src/vm/btf/readBtf.js';
import { readElf } from '../../../src/vm/elf/readElf.js';
import { goodObjects, oracle } from '../loader/support.js';
import { BtfBuilder } from './btfBuilder.js';

interface Dumped {
  readonly kind: string;
  readonly name: string;
  readonly [field: string]: unknown;
}

/** What `bpftool --json btf dump` prints for a type. */
function asDumped(type: BtfType): Dumped {
  const name = type.name === '' ? '(anon)' : type.name;
  switch (type.kind) {
    case 'int': {
      const encoding = type.bool ? 'BOOL' : type.signed ? 'SIGNED' : '(none)';
      return { kind: 'INT', name, size: type.sizeBytes, bits_offset: type.bitOffset, nr_bits: type.bits, encoding };
    }
    case 'float': return { kind: 'FLOAT', name, size: type.sizeBytes };
    case 'ptr':
    case 'typedef':
    case 'const':
    case 'volatile':
    case 'restrict': return { kind: type.kind.toUpperCase(), name, type_id: type.typeId };
    case 'typeTag': return { kind: 'TYPE_TAG', name, type_id: type.typeId };
    case 'array': return { kind: 'ARRAY', name, type_id: type.typeId, nr_elems: type.count };
    case 'struct':
    case 'union': {
      const members = type.members.map((member) => ({
        name: member.name === '' ? '(anon)' : member.name,
        type_id: member.typeId,
        bits_offset: member.bitOffset,
        ...(member.bitfieldBits === 0 ? {} : { bitfield_size: member.bitfieldBits }),
      }));
      return { kind: type.kind.toUpperCase(), name, size: type.sizeBytes, vlen: members.length, members };
    }
    case 'enum': {
      const values = type.values.map((entry) => ({ name: entry.name, val: Number(entry.value) }));
      return { kind: type.sizeBytes === 8 ? 'ENUM64' : 'ENUM', name, encoding: type.signed ? 'SIGNED' : 'UNSIGNED', size: type.sizeBytes, vlen: values.length, values };
    }
    case 'fwd': return { kind: 'FWD', name, fwd_kind: type.tag };
    case 'func': return { kind: 'FUNC', name, type_id: type.typeId, linkage: type.linkage };
    case 'funcProto': {
      const params = type.params.map((param) => ({ name: param.name === '' ? '(anon)' : param.name, type_id: param.typeId }));
      return { kind: 'FUNC_PROTO', name, ret_type_id: type.typeId, vlen: params.length, params };
    }
    case 'var': return { kind: 'VAR', name, type_id: type.typeId, linkage: type.linkage };
    case 'datasec': {
      const vars = type.variables.map((variable) => ({ type_id: variable.typeId, offset: variable.offBytes, size: variable.sizeBytes }));
      return { kind: 'DATASEC', name, size: type.sizeBytes, vlen: vars.length, vars };
    }
    case 'declTag': return { kind: 'DECL_TAG', name, type_id: type.typeId, component_idx: type.componentIndex };
    case 'void': throw new Error('bpftool lists no void');
  }
}

/** Without what we don't keep; the index of a tag as the signed number that it is. */
function comparable({ id: _id, index_type_id: _index, ...type }: Dumped): Dumped {
  const component = type['component_idx'];
  return component === undefined ? type : { ...type, component_idx: Number(component) | 0 };
}

test.each(goodObjects())('%s: every type is what bpftool dumps', (path) => {
  const section = readElf(readFileSync(path), path).sections.find(({ name }) => name === '.BTF')!;
  const btf = unwrap(readBtf(section.bytes, path));
  const text = oracle('bpftool', ['--json', 'btf', 'dump', 'file', path]);
  if (text === undefined) return;
  const dumped = (JSON.parse(text) as { types: Dumped[] }).types.map(comparable);
  expect(btf.types.slice(1).map((type) => asDumped(type))).toEqual(dumped);
});

test("the running kernel's own types", () => {
  const path = '/sys/kernel/btf/vmlinux';
  if (!existsSync(path)) {
    console.warn(`SKIPPED: the kernel doesn't show its BTF in ${path}`);
    return;
  }
  const btf = unwrap(readBtf(readFileSync(path), path));
  const id = btf.find('struct', 'xdp_md')!;
  expect([btf.sizeOf(id), btf.typeName(id)]).toEqual([24, 'struct xdp_md']);
  expect(btf.sizeOf(btf.find('struct', 'bpf_prog')!)).toBeGreaterThan(50);
});

describe('spelling and sizes', () => {
  const builder = new BtfBuilder();
  const int = builder.int('int', 4, 1);
  const char = builder.int('char', 1, 1);
  const u32 = builder.typedef('__u32', builder.int('unsigned int', 4));
  const iphdr = builder.struct('iphdr', 20, []);
  const pointer = builder.ptr(builder.raw(10, '', 0, iphdr));
  const text = builder.array(char, 16);
  const matrix = builder.array(builder.array(u32, 3), 2);
  const anonymous = builder.struct('', 8, [['a', int, 0], ['b', u32, 32]]);
  const forward = builder.raw(7, 'opaque', 0, 0);
  const color = builder.raw(6, 'color', 0, 4);
  const handler = builder.ptr(builder.raw(13, '', 0, int));
  const constPointer = builder.ptr(builder.raw(10, '', 0, builder.ptr(builder.raw(10, '', 0, int))));
  const toArray = builder.ptr(text);
  const volatileU32 = builder.raw(9, '', 0, u32);
  const btf = builder.build();

  test.each([
    [0, 'void', undefined],
    [int, 'int', 4],
    [u32, '__u32', 4],
    [volatileU32, 'volatile __u32', 4],
    [pointer, 'const struct iphdr *', 8],
    [text, 'char[16]', 16],
    [matrix, '__u32[2][3]', 24],
    [anonymous, 'struct {...}', 8],
    [forward, 'struct opaque', undefined],
    [color, 'enum color', 4],
    [handler, 'int (*)(...)', 8],
    [constPointer, 'const int *const *', 8],
    [toArray, 'char (*)[16]', 8],
  ])('type %i is %s', (id, name, size) => {
    expect([btf.typeName(id), btf.sizeOf(id)]).toEqual([name, size]);
  });

  test('an id that does not exist is a programmer error', () => {
    expect(() => btf.type(99)).toThrow(RangeError);
    expect(() => btf.sizeOf(99)).toThrow(RangeError);
  });
});

describe('types that do not hold together are refused', () => {
  test.each<[string, (builder: BtfBuilder) => void, string]>([
    ['a typedef of itself', (b) => b.typedef('t', 1), "type 1 (typedef 't') contains itself"],
    ['a circle of qualifiers', (b) => { b.raw(10, '', 0, 2); b.raw(9, '', 0, 1); }, 'contains itself'],
    ['a struct in itself', (b) => b.struct('s', 8, [['s', 1, 0]]), 'contains itself'],
    ['an array of itself', (b) => b.array(1, 2), 'contains itself'],
    ['an id that does not exist', (b) => b.ptr(7), 'type 1 (ptr) refers to type 7, but there are 2'],
    ['a member of a type that does not exist', (b) => b.struct('s', 8, [['m', 7, 0]]), 'refers to type 7'],
    ['a parameter of a type that does not exist', (b) => b.raw(13, '', 1, 0, [0, 9]), 'refers to type 9'],
    ['a member that sticks out', (b) => b.struct('s', 4, [['m', b.int('int', 4), 8]]), "type 2 (struct 's') has 4 bytes, but its member 'm' sticks out"],
    ['a bitfield wider than its type', (b) => { b.int('char', 1); b.struct('s', 4, [['m', 1, 0, 9]]); }, "its member 'm' sticks out"],
    ['a member that begins inside a byte', (b) => { b.ptr(0); b.struct('s', 16, [['m', 1, 3]]); }, 'begins inside a byte'],
    ['a member without a size', (b) => b.struct('s', 8, [['m', 0, 0]]), "has a member 'm' without a size"],
    ['an array without a size', (b) => b.array(0, 4), 'is an array of a type without a size'],
    ['an array beyond 4 GiB', (b) => { b.int('u64', 8); b.array(1, 0xffffffff); }, 'is an array of 4294967295 times 8 bytes'],
    ['a hundred thousand typedefs', (b) => { for (let i = 0; i < 100_000; i++) b.typedef('t', i + 2); b.int('int', 4); }, 'nested more than 128 deep'],
    ['an integer of 3 bytes', (b) => b.int('int', 3), "integer 'int' of 3 bytes"],
    ['an integer outside its storage', (b) => b.int('int', 4, 0, 32, 8), "doesn't fit in 4 bytes"],
    ['an integer of no bits', (b) => b.int('int', 4, 0, 0), "doesn't fit in 4 bytes"],
    ['an enum of 3 bytes', (b) => b.raw(6, 'e', 0, 3), 'enum of 3 bytes'],
    ['a float of 5 bytes', (b) => b.raw(16, 'f', 0, 5), 'float of 5 bytes'],
    ['a linkage that does not exist', (b) => b.raw(14, 'v', 0, 0, [3]), 'linkage 3 is unknown'],
    ['a kind that does not exist', (b) => b.raw(20, 'k', 0, 0), 'BTF kind 20 is unknown'],
    ['more members than are there', (b) => b.raw(4, 's', 0xffff, 8), 'needs 786420 bytes more than are there'],
  ])('%s', (_name, write, message) => {
    const builder = new BtfBuilder();
    write(builder);
    const result = builder.read();
    expect(result.ok ? 'accepted' : result.problem.message).toContain(message);
  });

  const header = (patch: (bytes: Buffer) => Buffer | void): string => {
    const builder = new BtfBuilder();
    builder.int('int', 4);
    const bytes = builder.bytes();
    const result = readBtf(patch(bytes) ?? bytes, 'test');
    return result.ok ? 'accepted' : `${result.problem.message} at ${result.problem.where}`;
  };

  test.each<[string, (bytes: Buffer) => Buffer | void, string]>([
    ['too short', (b) => b.subarray(0, 20), '20 bytes are too few for a BTF header at test, byte 0'],
    ['magic', (b) => void b.writeUInt16BE(0xeb9f, 0), 'the BTF magic 0xeb9f is missing at test, byte 0'],
    ['version', (b) => void b.writeUInt8(2, 2), 'BTF version 2 is unknown at test, byte 2'],
    ['header length', (b) => void b.writeUInt32LE(0xfffffff0, 4), 'a header of 4294967280 bytes at test, byte 4'],
    ['types outside', (b) => void b.writeUInt32LE(0xfffffff0, 12), 'the types take 4294967280 bytes from byte 24, the section has 45 at test, byte 8'],
    ['strings outside', (b) => void b.writeUInt32LE(0xfffffff0, 16), 'the strings take 5 bytes from byte 4294967304, the section has 45 at test, byte 16'],
    ['strings without zero', (b) => void b.writeUInt8(65, b.length - 1), 'the strings must begin and end with a zero byte at test, byte 16'],
    ['cut type', (b) => void b.writeUInt32LE(14, 12), 'the type needs 4 bytes more than are there at test, byte 0'],
  ])('header: %s', (_name, patch, message) => {
    expect(header(patch)).toBe(message);
  });
});
