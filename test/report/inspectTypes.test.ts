import { describe, expect, it } from 'vitest';
import { inspectTypes } from '../../src/report/inspectTypes.js';
import { BtfBuilder } from '../vm/btf/btfBuilder.js';

/** Definitions of a type that `build` makes, and of what is in it. */
function definitions(build: (builder: BtfBuilder) => number): (string | null)[] {
  const builder = new BtfBuilder();
  const id = build(builder);
  return inspectTypes(builder.build(), [id]).map(({ c }) => c);
}

describe('types as C', () => {
  it('names stand where C wants them: arrays, pointers, pointers to arrays and functions, bitfields', () => {
    const [text] = definitions((b) => {
      const int = b.int('int', 4, 1);
      const grid = b.array(b.array(int, 3), 2);
      const names = b.array(b.ptr(int), 4);
      const fn = b.ptr(b.raw(13, '', 0, int));
      const rows = b.ptr(b.array(int, 8));
      return b.struct('all', 88, [['grid', grid, 0, 0], ['names', names, 192, 0], ['fn', fn, 448, 0], ['rows', rows, 512, 0], ['low', int, 576, 3], ['high', int, 579, 29], ['last', int, 640, 0]]);
    });
    expect(text).toBe([
      'struct all {', '\tint grid[2][3];', '\tint *names[4];', '\tint (*fn)(...);', '\tint (*rows)[8];', '\tint low : 3;', '\tint high : 29;',
      '\t/* hole of 4 bytes */', '\tint last;', '\t/* hole of 4 bytes */', '};',
    ].join('\n'));
  });

  it('structs without a name stand where they are used, arrays of them too; a typedef gives one a name', () => {
    expect(definitions((b) => {
      const byte = b.int('__u8', 1);
      const pair = b.struct('', 2, [['a', byte, 0], ['b', byte, 8]]);
      const either = b.union('', 2, [['both', pair, 0], ['raw', b.array(byte, 2), 0]]);
      return b.typedef('table_t', b.struct('', 6, [['', either, 0], ['pairs', b.array(pair, 2), 16]]));
    })).toEqual([[
      'typedef struct {',
      '\tunion {', '\t\tstruct {', '\t\t\t__u8 a;', '\t\t\t__u8 b;', '\t\t} both;', '\t\t__u8 raw[2];', '\t};',
      '\tstruct {', '\t\t__u8 a;', '\t\t__u8 b;', '\t} pairs[2];',
      '} table_t;',
    ].join('\n')]);
  });

  it('what is only pointed at is left out', () => {
    expect(definitions((b) => {
      const far = b.struct('far', 4, [['x', b.int('int', 4, 1), 0]]);
      return b.struct('near', 8, [['far', b.ptr(far), 0]]);
    })).toEqual(['struct near {\n\tstruct far *far;\n};']);
  });

  it('structs whose parts multiply are left out, soon', () => {
    const [text] = definitions((b) => {
      let part = b.struct('', 0, []);
      for (let depth = 0; depth < 60; depth++) part = b.struct('', 0, [['a', part, 0], ['b', part, 0]]);
      return b.struct('bomb', 0, [['all', part, 0]]);
    });
    expect(text).toBeNull();
  });
});
