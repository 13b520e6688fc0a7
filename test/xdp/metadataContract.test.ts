import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { checkMetadata, compareContracts, contractOfStruct, declareContract, encodeMetadata, METADATA_MAX_BYTES, readMetadata } from '../../src/xdp/index.js';
import type { FieldType, MetadataContract, MetadataValue } from '../../src/xdp/index.js';
import { fc, prop } from '../support/property.js';
import { fixture } from '../support/simulate.js';
import { btfOf, RUST } from './support/structBtf.js';

const TX_CHECKSUM = [['offload_flags', 'u32'], ['csum_start', 'u16'], ['csum_offset', 'u16']] as const;

const codeOf = (result: { ok: boolean; problem?: { code: string } }): string | undefined => result.problem?.code;

describe('declareContract', () => {
  it('places fields where C does', () => {
    expect(unwrap(declareContract('tx', TX_CHECKSUM))).toEqual({
      name: 'tx', sizeBytes: 8, alignBytes: 4,
      fields: [
        { name: 'offload_flags', offBytes: 0, sizeBytes: 4, alignBytes: 4, kind: 'unsigned', byteOrder: 'host' },
        { name: 'csum_start', offBytes: 4, sizeBytes: 2, alignBytes: 2, kind: 'unsigned', byteOrder: 'host' },
        { name: 'csum_offset', offBytes: 6, sizeBytes: 2, alignBytes: 2, kind: 'unsigned', byteOrder: 'host' },
      ],
    });
  });

  it.each<[string, readonly (readonly [string, FieldType])[], string]>([
    ['no fields', [], 'contract-empty'],
    ['a type that C has and nobody knows the width of', [['a', 'long' as FieldType]], 'contract-type'],
    ['an array of nothing', [['a', 'u8[0]']], 'contract-type'],
    ['one byte in network order', [['a', 'be8' as FieldType]], 'contract-type'],
    ['a name twice', [['a', 'u32'], ['a', 'u32']], 'contract-field-twice'],
    ['a hole', [['a', 'u8'], ['b', 'u32']], 'contract-hole'],
    ['2 bytes', [['a', 'u16']], 'contract-size'],
    ['12 bytes with a u64, which sizeof makes 16', [['a', 'u64'], ['b', 'u32']], 'contract-size'],
    ['220 bytes', [['a', 'u8[220]']], 'contract-too-long'],
  ])('refuses %s', (_, fields, code) => {
    expect(codeOf(declareContract('c', fields))).toBe(code);
  });

  it('takes 216 bytes, and no more than 32 for old kernels', () => {
    expect(declareContract('c', [['a', `u8[${METADATA_MAX_BYTES}]`]]).ok).toBe(true);
    expect(declareContract('c', [['a', 'u8[32]']], 32).ok).toBe(true);
    expect(codeOf(declareContract('c', [['a', 'u8[36]']], 32))).toBe('contract-too-long');
  });
});

describe('contractOfStruct', () => {
  it('is what a compiled C program says', () => {
    const found = unwrap(contractOfStruct(fixture('tx_contract').btf, 'struct tx_contract'));
    expect(found).toEqual({ ...unwrap(declareContract('tx_contract', TX_CHECKSUM)), name: 'tx_contract' });
    expect(compareContracts(unwrap(declareContract('tx', TX_CHECKSUM)), found)).toEqual([]);
  });

  it('says how to get a struct into the BTF that only an inlined function uses', () => {
    expect(contractOfStruct(fixture('meta_writer').btf, 'struct offload_meta')).toMatchObject({
      ok: false, problem: { code: 'contract-unknown-type', message: expect.stringMatching(/^the object has no struct \w+$/) as string, hint: expect.stringContaining('noinline') as string },
    });
  });

  it('reads C structs: typedefs, byte order, arrays, structs inside', () => {
    const btf = btfOf('meta', [['ts', '__u64'], ['proto', '__be16'], ['mac', '__u8[6]'], ['where', 'struct inner']], { inner: [['queue', '__u32'], ['hash', '__s32']] });
    expect(unwrap(contractOfStruct(btf, 'meta')).fields.map(({ name, offBytes, sizeBytes, kind, byteOrder }) => [name, offBytes, sizeBytes, kind, byteOrder])).toEqual([
      ['ts', 0, 8, 'unsigned', 'host'],
      ['proto', 8, 2, 'unsigned', 'network'],
      ['mac', 10, 6, 'bytes', 'unknown'],
      ['where.queue', 16, 4, 'unsigned', 'host'],
      ['where.hash', 20, 4, 'signed', 'host'],
    ]);
  });

  it('finds what a Rust struct without repr(C) does to a contract', () => {
    // The compiler puts the widest field first.
    const btf = btfOf('Meta', [['ts', 'u64'], ['mark', 'u32'], ['flags', 'u32']], {}, RUST);
    const declared = unwrap(declareContract('meta', [['mark', 'u32'], ['flags', 'u32'], ['ts', 'u64']]));
    const problems = compareContracts(declared, unwrap(contractOfStruct(btf, 'Meta')));
    expect(problems.map(({ code }) => code)).toEqual(['contract-offset', 'contract-offset', 'contract-offset']);
    expect(problems[0]).toMatchObject({ message: 'mark lies at byte 0 of the contract and at byte 8 of the struct', hint: expect.stringContaining('#[repr(C)]') as string });
  });

  it('takes Rust integers for either byte order, as they have none', () => {
    const btf = btfOf('Meta', [['proto', 'u16'], ['tci', 'u16']], {}, RUST);
    const declared = unwrap(declareContract('meta', [['proto', 'be16'], ['tci', 'u16']]));
    expect(compareContracts(declared, unwrap(contractOfStruct(btf, 'Meta')))).toEqual([]);
  });

  it.each<[string, readonly (readonly [string, string])[], string]>([
    ['a pointer', [['p', 'void *']], 'a pointer'],
    ['a bit field', [['flag', '__u32:1']], 'a bit field'],
    ['an array of words', [['a', '__u32[2]']], 'an array of __u32'],
    ['a union', [['u', 'union inner']], 'a union'],
    ['an array without a length', [['n', '__u32'], ['rest', '__u8[0]']], 'an array without a length'],
  ])('refuses %s', (_, fields, what) => {
    const result = contractOfStruct(btfOf('meta', fields, { inner: [['a', '__u32'], ['b', '__u32']] }), 'meta');
    expect(result).toMatchObject({ ok: false, problem: { code: 'contract-field', message: expect.stringContaining(what) as string } });
  });

  it('refuses a struct with holes, no BTF, and names that are no structs', () => {
    expect(codeOf(contractOfStruct(btfOf('meta', [['a', '__u8'], ['b', '__u32']]), 'meta'))).toBe('contract-hole');
    expect(codeOf(contractOfStruct(btfOf('meta', [['a', '__u64'], ['b', '__u32']]), 'meta'))).toBe('contract-hole');
    expect(codeOf(contractOfStruct(undefined, 'meta'))).toBe('contract-no-btf');
    expect(codeOf(contractOfStruct(btfOf('meta', [['a', '__u32']]), '__u32'))).toBe('contract-unknown-type');
  });
});

describe('compareContracts', () => {
  const declared = unwrap(declareContract('tx', TX_CHECKSUM));
  const against = (fields: readonly (readonly [string, string])[]): string[] =>
    compareContracts(declared, unwrap(contractOfStruct(btfOf('meta', fields), 'meta'))).map(({ code }) => code.slice('contract-'.length));

  it.each<[string, readonly (readonly [string, string])[], string[]]>([
    ['the same', [['offload_flags', '__u32'], ['csum_start', '__u16'], ['csum_offset', '__u16']], []],
    ['two fields exchanged', [['offload_flags', '__u32'], ['csum_offset', '__u16'], ['csum_start', '__u16']], ['offset', 'offset']],
    ['another width', [['offload_flags', '__u32'], ['csum_start', '__u32'], ['csum_offset', '__u32']], ['width', 'offset', 'width', 'size']],
    ['a sign', [['offload_flags', '__s32'], ['csum_start', '__u16'], ['csum_offset', '__u16']], ['sign']],
    ['network order', [['offload_flags', '__u32'], ['csum_start', '__be16'], ['csum_offset', '__u16']], ['byte-order']],
    ['a field less', [['offload_flags', '__u32'], ['csum_start', '__u16'], ['pad', '__u16']], ['field-missing', 'field-unknown']],
    ['a field more', [['offload_flags', '__u32'], ['csum_start', '__u16'], ['csum_offset', '__u16'], ['mark', '__u32']], ['field-unknown', 'size']],
  ])('finds %s', (_, fields, codes) => {
    expect(against(fields)).toEqual(codes);
  });
});

describe('metadata of a packet', () => {
  const contract = unwrap(declareContract('c', [['ts', 'u64'], ['hash', 'u32'], ['type', 'u32']]));

  it('must be as long as the contract, and aligned where its widest field is', () => {
    expect(checkMetadata(contract, 4096 + 256, 16)).toBeUndefined();
    expect(checkMetadata(contract, 4096 + 256, 0)?.code).toBe('contract-metadata-size');
    expect(checkMetadata(contract, 4096 + 256, 20)?.code).toBe('contract-metadata-size');
    expect(checkMetadata(contract, 4096 + 258, 16)?.code).toBe('contract-metadata-align');
    expect(checkMetadata(contract, 4096 + 260, 16)?.code).toBe('contract-metadata-align');
  });

  const types: Record<string, fc.Arbitrary<MetadataValue>> = {
    u8: fc.nat(0xff), s8: fc.integer({ min: -128, max: 127 }), u16: fc.nat(0xffff), be16: fc.nat(0xffff), s16: fc.integer({ min: -32768, max: 32767 }), u32: fc.nat(0xffffffff),
    be32: fc.nat(0xffffffff), s32: fc.integer(), u64: fc.bigInt(0n, 2n ** 64n - 1n), be64: fc.bigInt(0n, 2n ** 64n - 1n), s64: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
    'u8[5]': fc.uint8Array({ minLength: 5, maxLength: 5 }),
  };
  const contents = fc.array(fc.constantFrom(...Object.keys(types)).chain((type) => types[type].map((value) => ({ type: type as FieldType, value }))), { minLength: 1, maxLength: 12 });

  prop([contents, fc.nat(9)])('comes back as it was written, wherever it lies', (drawn, offBytes) => {
    // Bytes of padding make any list of fields a contract.
    const fields: (readonly [string, FieldType])[] = [];
    const values: Record<string, MetadataValue> = {};
    let end = 0;
    const pad = (to: number): void => {
      for (; end % to !== 0; end++) {
        fields.push([`pad${end}`, 'u8']);
        values[`pad${end}`] = 0;
      }
    };
    const bytesOf = (type: FieldType): number => (type === 'u8[5]' ? 5 : Number(type.replace(/\D/g, '')) / 8);
    drawn.forEach(({ type, value }, i) => {
      pad(type === 'u8[5]' ? 1 : bytesOf(type));
      fields.push([`f${i}`, type]);
      values[`f${i}`] = value;
      end += bytesOf(type);
    });
    pad(8);
    const drawnContract: MetadataContract = unwrap(declareContract('drawn', fields));
    const bytes = unwrap(encodeMetadata(drawnContract, values));
    expect(bytes.length).toBe(end);
    const placed = new Uint8Array(offBytes + bytes.length + 3);
    placed.set(bytes, offBytes);
    expect(readMetadata(drawnContract, placed, offBytes)).toEqual(values);
  });

  it('refuses values that a field cannot hold', () => {
    const code = (values: Record<string, MetadataValue>): string | undefined => codeOf(encodeMetadata(contract, values));
    expect(code({ ts: 1n, hash: 2 })).toBe('contract-field-missing');
    expect(code({ ts: 1n, hash: 2 ** 32, type: 0 })).toBe('contract-value');
    expect(code({ ts: -1n, hash: 2, type: 0 })).toBe('contract-value');
    expect(code({ ts: 1n, hash: 1.5, type: 0 })).toBe('contract-value');
    expect(code({ ts: 1n, hash: new Uint8Array(4), type: 0 })).toBe('contract-value');
  });
});
