import { describe, expect } from 'vitest';
import { I32_CONST, I64_CONST } from '../../../src/vm/jit/wasmOpcodes.js';
import { I32, I64, WasmWriter, encodeModule } from '../../../src/vm/jit/wasmWriter.js';
import { fc, prop } from '../../support/property.js';

/** What V8 makes of a function whose body is these bytes. */
function valueOf(type: number, write: (out: WasmWriter) => void): number | bigint {
  const out = new WasmWriter(1);
  out.byte(0); // no locals
  write(out);
  const module = encodeModule([{ params: [], results: [type] }], [], [{ typeIndex: 0, body: out.bytes, exportName: 'value' }]);
  const { value } = new WebAssembly.Instance(new WebAssembly.Module(module)).exports as { value: () => number | bigint };
  return value();
}

describe('numbers as V8 reads them', () => {
  prop([fc.integer()])('i32', (value) => {
    expect(valueOf(I32, (out) => (out.byte(I32_CONST), out.s32(value)))).toBe(value);
  });

  prop([fc.integer()])('i64 from 32 bits', (value) => {
    expect(valueOf(I64, (out) => (out.byte(I64_CONST), out.s32(value)))).toBe(BigInt(value));
  });

  prop([fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })])('i64 from halves', (value) => {
    const [low, high] = [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
    expect(valueOf(I64, (out) => (out.byte(I64_CONST), out.s64(low, high)))).toBe(value);
  });
});
