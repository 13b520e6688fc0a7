import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { encode } from '../../../src/vm/isa/decode.js';
import { INSTRUCTIONS } from '../../../src/vm/isa/instructionTable.js';
import { ACCESS_WRITABLE, FAULT_NONE, PROG_INSNS, VM_STACK, VM_STATE_BYTES, XDP_MD_BYTES, XDP_MD_DATA_END } from '../../../src/vm/layout.js';
import { Machine } from './machine.js';

const CANARY = 0xa5;
/** What r4 holds before each access. */
const R4 = 0x1122334455667788n;
const META_BYTES = 12;
const PACKET_BYTES = 61;
const VALUE = { count: 4, stride: 16, bytes: 10 };

function setup() {
  const machine = new Machine({ packet: new Uint8Array(PACKET_BYTES), metaBytes: META_BYTES, mem: new Uint8Array(40) });
  const { memory } = machine;
  memory.reserve('gap', 4096);
  const rodata = memory.reserve('rodata', 24);
  machine.addRow(rodata, rodata + 24, 24, 24, 0);
  memory.reserve('gap', 4096);
  const values = memory.reserve('values', VALUE.count * VALUE.stride);
  machine.addRow(values, values + VALUE.count * VALUE.stride, VALUE.stride, VALUE.bytes, ACCESS_WRITABLE);
  const block = machine.load(`r3 = 0 ll\nr4 = ${R4} ll\nr0 = 0\nexit\nexit`);
  memory.reserve('gap', 4096);
  return { machine, rodata, values, block, insns: machine.getU32(block + PROG_INSNS) };
}

const { machine, rodata, values, block, insns } = setup();
const top = machine.memory.mark();
const { u8 } = machine.memory;

/** Which bytes a program may read (1) and write (2), made apart from the interpreter's own rules. */
const allowed = new Uint8Array(machine.memory.sizeBytes);
function allow(start: number, sizeBytes: number, bits: number): void {
  allowed.fill(bits, start, start + sizeBytes);
}
allow(machine.state + VM_STATE_BYTES - 512, 512, 3);
allow(machine.data - META_BYTES, META_BYTES + PACKET_BYTES, 3);
allow(machine.context, XDP_MD_BYTES, 1);
allow(machine.mem, 40, 3);
allow(rodata, 24, 1);
for (let i = 0; i < VALUE.count; i++) allow(values + i * VALUE.stride, VALUE.bytes, 3);

// A pattern everywhere that nobody owns, so that a stray store of any value shows.
u8.fill(CANARY, machine.context + 512, machine.data - META_BYTES);
u8.fill(CANARY, machine.getU32(machine.context + XDP_MD_DATA_END), machine.frame + 4096);
u8.fill(CANARY, machine.mem + 40, rodata);
u8.fill(CANARY, rodata + 24, values);
u8.fill(CANARY, top);
const before = u8.slice();

const rows = INSTRUCTIONS.filter(({ kind }) => kind === 'load' || kind === 'store' || kind === 'atomic');

const edges = [
  0, 65536, machine.state, machine.state + VM_STATE_BYTES - 512, machine.state + VM_STATE_BYTES, machine.context, machine.context + XDP_MD_BYTES, machine.frame,
  machine.data - META_BYTES, machine.data, machine.data + PACKET_BYTES, machine.mem, machine.mem + 40, rodata, rodata + 24, values, values + VALUE.bytes,
  values + VALUE.stride * VALUE.count, insns, top, machine.memory.sizeBytes, 2 ** 31, 2 ** 32,
].map(BigInt);

/** Addresses near what is allowed, anywhere in 64 bits, and the same with bits set in the upper half. */
const address = fc.oneof(
  fc.tuple(fc.constantFrom(...edges), fc.integer({ min: -24, max: 24 })).map(([edge, delta]) => edge + BigInt(delta)),
  fc.tuple(fc.constantFrom(...edges), fc.integer({ min: -24, max: 24 }), fc.bigInt({ min: 1n, max: 0xffffffffn })).map(
    ([edge, delta, upper]) => edge + BigInt(delta) + (upper << 32n),
  ),
  fc.bigInt({ min: 0n, max: BigInt(machine.memory.sizeBytes) }),
  fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
);
const offset = fc.oneof(fc.constant(0), fc.integer({ min: -32768, max: 32767 }));

describe('no load, store or atomic gets outside what the program may touch', () => {
  test.prop([fc.constantFrom(...rows), address, offset, fc.boolean()], { numRuns: 20_000 })('random addresses', (row, target, off, isExact) => {
    const base = BigInt.asUintN(64, isExact ? target - BigInt(off) : target);
    const effective = BigInt.asUintN(64, base + BigInt(off));
    const isLoad = row.operation === 'ldx' || row.operation === 'ldsx' || row.operation === 'load_acquire';
    machine.memory.view.setUint32(insns + 4, Number(base & 0xffffffffn), true);
    machine.memory.view.setUint32(insns + 12, Number(base >> 32n), true);
    const one = new Uint8Array(8);
    // The address is in r3, the other operand in r4.
    encode(one, 0, { opcode: row.opcode, dst: isLoad ? 4 : 3, src: isLoad ? 3 : row.src === 'none' ? 0 : 4, off, imm: typeof row.imm === 'number' ? row.imm : 0x5a5a5a5a });
    u8.set(one, insns + 40);

    const sizeBytes = row.widthBits / 8;
    const at = effective + BigInt(sizeBytes) <= BigInt(u8.length) ? Number(effective) : -1;
    const wanted = isLoad ? 1 : 3;
    let mayTouch = at >= 0;
    for (let i = 0; i < sizeBytes && mayTouch; i++) mayTouch = (allowed[at + i]! & wanted) === wanted;

    const code = machine.run(block);
    if (!mayTouch) {
      expect(code).not.toBe(FAULT_NONE);
      expect(machine.register(4), 'nothing was read').toBe(R4);
    } else if (row.kind !== 'atomic' && (at < machine.context || at >= machine.context + XDP_MD_BYTES)) {
      expect(code, 'what is allowed works').toBe(FAULT_NONE);
    }
  });

  test('after all of them only what may be written has changed', () => {
    const changed: number[] = [];
    for (let at = 0; at < u8.length; at++) {
      if (u8[at] === before[at] || (allowed[at]! & 2) !== 0) continue;
      if (at >= machine.state && at < machine.state + VM_STACK) continue;
      if (at >= insns && at < insns + 48) continue;
      changed.push(at);
    }
    expect(changed).toEqual([]);
  });
});
