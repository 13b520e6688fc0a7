import { describe, expect, test } from 'vitest';
import { encode } from '../../../src/vm/isa/decode.js';
import { INSTRUCTIONS } from '../../../src/vm/isa/instructionTable.js';
import { ACCESS_WRITABLE, FAULT_NONE, PROG_ENTRY, PROG_INSNS, VM_STACK, VM_STATE_BYTES, XDP_MD_BYTES, XDP_MD_DATA_END } from '../../../src/vm/layout.js';
import { fc, prop } from '../../support/property.js';
import { ENGINES, Machine } from './machine.js';
import type { MachineOptions } from './machine.js';

const CANARY = 0xa5;
/** What r4 holds before each access. */
const R4 = 0x1122334455667788n;
/** Slot of the instruction that goes astray: the first of the two `exit`. */
const UNDER_TEST = 5;
const META_BYTES = 12;
const PACKET_BYTES = 61;
const VALUE = { count: 4, stride: 16, bytes: 10 };

/** A machine whose regions lie apart; what a program may touch there, by rules made apart from the engines' own. */
class Field {
  readonly machine: Machine;
  readonly rodata: number;
  readonly values: number;
  /** Holds the address that the program uses. */
  readonly base: number;
  readonly block: number;
  readonly insns: number;
  /** Which bytes a program may read (1) and write (2). */
  readonly allowed: Uint8Array;
  /** First byte that nothing is reserved at. */
  readonly top: number;

  constructor(engine: MachineOptions) {
    const machine = new Machine({ ...engine, packet: new Uint8Array(PACKET_BYTES), metaBytes: META_BYTES, mem: new Uint8Array(40) });
    const { memory } = machine;
    this.machine = machine;
    memory.reserve('gap', 4096);
    this.rodata = memory.reserve('rodata', 24);
    machine.addRow(this.rodata, this.rodata + 24, 24, 24, 0);
    memory.reserve('gap', 4096);
    this.values = memory.reserve('values', VALUE.count * VALUE.stride);
    machine.addRow(this.values, this.values + VALUE.count * VALUE.stride, VALUE.stride, VALUE.bytes, ACCESS_WRITABLE);
    this.base = this.rodata + 8;
    this.block = machine.load(`r3 = ${this.base}\nr3 = *(u64 *)(r3 +0)\nr4 = ${R4} ll\nr0 = 0\nexit\nexit`);
    memory.reserve('gap', 4096);
    this.insns = machine.getU32(this.block + PROG_INSNS);
    this.top = memory.mark();

    this.allowed = new Uint8Array(memory.sizeBytes);
    const allow = (start: number, sizeBytes: number, bits: number): Uint8Array => this.allowed.fill(bits, start, start + sizeBytes);
    allow(machine.state + VM_STATE_BYTES - 512, 512, 3);
    allow(machine.data - META_BYTES, META_BYTES + PACKET_BYTES, 3);
    allow(machine.context, XDP_MD_BYTES, 1);
    allow(machine.mem, 40, 3);
    allow(this.rodata, 24, 1);
    for (let i = 0; i < VALUE.count; i++) allow(this.values + i * VALUE.stride, VALUE.bytes, 3);

    // A pattern everywhere that nobody owns, so that a stray store of any value shows.
    const { u8 } = memory;
    u8.fill(CANARY, machine.context + 512, machine.data - META_BYTES);
    u8.fill(CANARY, machine.getU32(machine.context + XDP_MD_DATA_END), machine.frame + 4096);
    u8.fill(CANARY, machine.mem + 40, this.rodata);
    u8.fill(CANARY, this.rodata + 24, this.values);
    u8.fill(CANARY, this.top);
  }

  /** Addresses where something begins or ends. */
  get edges(): bigint[] {
    const { machine, rodata, values, insns, top } = this;
    return [
      0, 65536, machine.state, machine.state + VM_STATE_BYTES - 512, machine.state + VM_STATE_BYTES, machine.context, machine.context + XDP_MD_BYTES, machine.frame,
      machine.data - META_BYTES, machine.data, machine.data + PACKET_BYTES, machine.mem, machine.mem + 40, rodata, rodata + 24, values, values + VALUE.bytes,
      values + VALUE.stride * VALUE.count, insns, top, machine.memory.sizeBytes, 2 ** 31, 2 ** 32,
    ].map(BigInt);
  }

  /** Puts the address and the instruction in their places. */
  prepare(address: bigint, insn: Uint8Array): void {
    this.machine.memory.view.setBigUint64(this.base, address, true);
    this.machine.memory.u8.set(insn, this.insns + UNDER_TEST * 8);
  }

  /** Bytes that have changed since `before` although no program may write there, without what a run itself keeps. */
  changedSince(before: Uint8Array): number[] {
    const { machine, allowed, base, insns } = this;
    const { u8 } = machine.memory;
    const changed: number[] = [];
    for (let at = 0; at < u8.length; at++) {
      if (u8[at] === before[at] || (allowed[at]! & 2) !== 0) continue;
      if (at >= machine.state && at < machine.state + VM_STACK) continue;
      if (at >= insns && at < insns + 64) continue;
      if (at >= base && at < base + 8) continue;
      // The JIT notes in a program's block that it is translated.
      if (at >= this.block + PROG_ENTRY && at < this.block + PROG_ENTRY + 4) continue;
      changed.push(at);
    }
    return changed;
  }
}

const rows = INSTRUCTIONS.filter(({ kind }) => kind === 'load' || kind === 'store' || kind === 'atomic');

/** Addresses near `edges`, anywhere in 64 bits, and the same with bits set in the upper half. */
function addresses(edges: readonly bigint[], memoryBytes: number): fc.Arbitrary<bigint> {
  const delta = fc.integer({ min: -24, max: 24 });
  return fc.oneof(
    fc.tuple(fc.constantFrom(...edges), delta).map(([edge, by]) => edge + BigInt(by)),
    fc.tuple(fc.constantFrom(...edges), delta, fc.bigInt({ min: 1n, max: 0xffffffffn })).map(([edge, by, upper]) => edge + BigInt(by) + (upper << 32n)),
    fc.bigInt({ min: 0n, max: BigInt(memoryBytes) }),
    fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
  );
}
const offset = fc.oneof(fc.constant(0), fc.integer({ min: -32768, max: 32767 }));

describe.each(ENGINES)('no load, store or atomic gets outside what the program may touch: $name', (engine) => {
  const field = new Field(engine);
  const { machine, allowed } = field;
  const { u8 } = machine.memory;
  const before = u8.slice();
  // The JIT translates each instruction anew.
  const numRuns = engine.engine === 'jit' ? 4000 : 20_000;

  prop([fc.constantFrom(...rows), addresses(field.edges, u8.length), offset, fc.boolean()], { numRuns })('random addresses', (row, target, off, isExact) => {
    const base = BigInt.asUintN(64, isExact ? target - BigInt(off) : target);
    const effective = BigInt.asUintN(64, base + BigInt(off));
    const isLoad = row.operation === 'ldx' || row.operation === 'ldsx' || row.operation === 'load_acquire';
    const one = new Uint8Array(8);
    // The address is in r3, the other operand in r4.
    encode(one, 0, { opcode: row.opcode, dst: isLoad ? 4 : 3, src: isLoad ? 3 : row.src === 'none' ? 0 : 4, off, imm: typeof row.imm === 'number' ? row.imm : 0x5a5a5a5a });
    field.prepare(base, one);

    const sizeBytes = row.widthBits / 8;
    const at = effective + BigInt(sizeBytes) <= BigInt(u8.length) ? Number(effective) : -1;
    const wanted = isLoad ? 1 : 3;
    let mayTouch = at >= 0;
    for (let i = 0; i < sizeBytes && mayTouch; i++) mayTouch = (allowed[at + i]! & wanted) === wanted;

    const code = machine.run(field.block);
    if (!mayTouch) {
      expect(code).not.toBe(FAULT_NONE);
      expect(machine.register(4), 'nothing was read').toBe(R4);
    } else if (row.kind !== 'atomic' && (at < machine.context || at >= machine.context + XDP_MD_BYTES)) {
      expect(code, 'what is allowed works').toBe(FAULT_NONE);
    }
  });

  test('after all of them only what may be written has changed', () => {
    expect(field.changedSince(before)).toEqual([]);
  });
});
