import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { readKernelTypes } from '../../../src/vm/btf/kernelTypesFile.js';
import { fc, prop } from '../../support/property.js';
import { BtfBuilder } from './btfBuilder.js';

const OBJECT = readFileSync('test/vm/loader/objects/core.o');

describe('types of a kernel', () => {
  test('from raw BTF', () => {
    const builder = new BtfBuilder();
    const int = builder.int('int', 4, 1);
    const id = builder.struct('thing', 12, [['a', builder.array(builder.array(int, 3), 1), 0]]);
    builder.struct('thing___2', 4, []);
    builder.struct('things', 4, []);
    builder.raw(12, 'thing', 1, 0);
    const types = unwrap(readKernelTypes(builder.bytes(), 'kernel'));
    expect(types.candidates('thing')).toEqual([id, id + 1, id + 3]);
    expect([types.find('struct', 'thing'), types.find('func', 'thing'), types.find('union', 'thing'), types.find('int', 'int')]).toEqual([id, id + 3, undefined, int]);
    expect(types.type(id)).toMatchObject({ kind: 'struct', members: [{ name: 'a', bitOffset: 0 }] });
    expect([types.sizeOf(id), types.sizeOf(3), types.sizeOf(id + 3)]).toEqual([12, 12, undefined]);
    expect(() => types.type(99)).toThrow(/type 99 is referred to, but there are 8/);
  });

  test('from the section .BTF of an ELF file for any machine', () => {
    const kernel = Buffer.from(OBJECT);
    kernel.writeUInt16LE(2, 16); // e_type: ET_EXEC
    kernel.writeUInt16LE(62, 18); // e_machine: EM_X86_64
    expect(unwrap(readKernelTypes(kernel, 'vmlinux')).candidates('task_struct')).toHaveLength(1);
  });

  test.each([
    ['no section .BTF', () => readFileSync('fixtures/bad/x86_64.o'), 'btf-missing'],
    ['32 bits', () => { const bytes = Buffer.from(OBJECT); bytes[4] = 1; return bytes; }, 'btf-missing'],
    ['a header cut short', () => OBJECT.subarray(0, 40), 'btf-missing'],
    ['no sections', () => OBJECT.subarray(0, 64), 'btf-missing'],
    ['nothing', () => new Uint8Array(0), 'btf-bad-header'],
  ])('%s', (_what, bytes, code) => expect(readKernelTypes(bytes(), 'kernel')).toMatchObject({ ok: false, problem: { code } }));

  prop([fc.array(fc.tuple(fc.nat({ max: OBJECT.length - 8 }), fc.constantFrom(0, 1, 0xff, 0x7fffffff, 0xffffffff, 64)), { minLength: 1, maxLength: 4 }), fc.boolean()], { numRuns: 500 })(
    'damaged files give types or a typed problem',
    (writes, inHeader) => {
      const bytes = Buffer.from(OBJECT);
      for (const [at, value] of writes) bytes.writeUInt32LE(value, inHeader ? 16 + (at % 44) : at);
      const types = readKernelTypes(bytes, 'kernel');
      if (types.ok) expect(Array.isArray(types.value.candidates('task_struct'))).toBe(true);
      else expect(types.problem.code).toMatch(/btf-/);
    },
  );
});
