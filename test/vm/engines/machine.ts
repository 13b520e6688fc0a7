import { unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import type { Engine, EngineName } from '../../../src/vm/engine.js';
import { Interpreter } from '../../../src/vm/interpreter/interpreter.js';
import type { HelperDispatcher } from '../../../src/vm/interpreter/interpreter.js';
import { Jit } from '../../../src/vm/jit/jit.js';
import { assemble } from '../../../src/vm/isa/assemble.js';
import {
  ACCESS_END, ACCESS_FLAGS, ACCESS_MAX_ROWS, ACCESS_ROW_BYTES, ACCESS_START, ACCESS_STRIDE, ACCESS_VALUE_BYTES, ACCESS_WRITABLE,
  BPF_MAP_TYPE_PROG_ARRAY, MAP_BLOCK_BYTES, MAP_DATA, MAP_MAX_ENTRIES, MAP_TYPE, PROG_BLOCK_BYTES, PROG_CONTEXT_BYTES, PROG_ID, PROG_INSNS, PROG_INSN_COUNT,
  VM_ACCESS_COUNT, VM_ACCESS_TABLE, VM_BUDGET, VM_EXECUTED, VM_FAULT_CODE, VM_FAULT_PC, VM_REGS, VM_STATE_BYTES,
  XDP_BUFF_BYTES, XDP_BUFF_FRAME_SZ, XDP_BUFF_HARD_START, XDP_MD_BYTES, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_DATA_META,
  XDP_MD_INGRESS_IFINDEX, XDP_MD_RX_QUEUE_INDEX,
} from '../../../src/vm/layout.js';

export interface MachineOptions {
  /** `interpreter` when left out. */
  readonly engine?: EngineName;
  /** The JIT checks every access, also those that it has proved to be fine. */
  readonly checksEverything?: boolean;
  readonly packet?: Uint8Array;
  /** Bytes of metadata in front of the packet. */
  readonly metaBytes?: number;
  readonly callHelper?: HelperDispatcher;
  /** Bytes of memory that the program may read and write, at `mem`. */
  readonly mem?: Uint8Array;
}

/** What runs programs, as rows for `describe.each`; whatever a test does must be the same on all of them. */
export const ENGINES: readonly (Pick<MachineOptions, 'engine' | 'checksEverything'> & { readonly name: string })[] = [
  { name: 'interpreter', engine: 'interpreter' },
  { name: 'jit', engine: 'jit' },
  { name: 'jit that checks everything', engine: 'jit', checksEverything: true },
];

export const HEADROOM = 256;
export const FRAME_BYTES = 4096;

/** One virtual machine with a context, a packet and one plain region, for tests that write programs as text. */
export class Machine {
  readonly memory = new HostMemory(2);
  readonly state: number;
  readonly context: number;
  readonly frame: number;
  /** Address of the plain region. */
  readonly mem: number;
  readonly interpreter: Interpreter;
  /** Tests change instructions where they stand, so each run has a JIT of its own. */
  readonly #newEngine: () => Engine;
  readonly #table: number;
  #programs = 0;

  constructor(options: MachineOptions = {}) {
    const { memory } = this;
    const packet = options.packet ?? new Uint8Array(64);
    const mem = options.mem ?? new Uint8Array(64);
    this.state = memory.reserve('vm', VM_STATE_BYTES);
    memory.reserve('gap', 1024);
    this.context = memory.reserve('context', XDP_BUFF_BYTES);
    this.frame = memory.reserve('frame', FRAME_BYTES, 4096);
    this.#table = memory.reserve('access table', ACCESS_MAX_ROWS * ACCESS_ROW_BYTES);
    this.setU32(this.state + VM_ACCESS_TABLE, this.#table);
    this.mem = memory.reserve('mem', mem.length, 64);
    memory.u8.set(mem, this.mem);
    this.addRow(this.mem, this.mem + mem.length, mem.length, mem.length, ACCESS_WRITABLE);
    const data = this.frame + HEADROOM;
    memory.u8.set(packet, data);
    this.setU32(this.context + XDP_MD_DATA, data);
    this.setU32(this.context + XDP_MD_DATA_END, data + packet.length);
    this.setU32(this.context + XDP_MD_DATA_META, data - (options.metaBytes ?? 0));
    this.setU32(this.context + XDP_MD_INGRESS_IFINDEX, 0x80000007);
    this.setU32(this.context + XDP_MD_RX_QUEUE_INDEX, 3);
    this.setU32(this.context + XDP_BUFF_HARD_START, this.frame);
    this.setU32(this.context + XDP_BUFF_FRAME_SZ, FRAME_BYTES);
    const callHelper = options.callHelper ?? (() => 0);
    this.interpreter = new Interpreter(memory, this.state, callHelper);
    const { engine, checksEverything = false } = options;
    this.#newEngine = () => (engine === 'jit' ? new Jit(memory, this.state, this.interpreter, callHelper, { checksEverything, interpretedRuns: 0 }) : this.interpreter);
  }

  get data(): number {
    return this.getU32(this.context + XDP_MD_DATA);
  }

  setU32(address: number, value: number): void {
    this.memory.view.setUint32(address, value, true);
  }

  getU32(address: number): number {
    return this.memory.view.getUint32(address, true);
  }

  /** Adds a row of the access table; rows must come in ascending order. */
  addRow(start: number, end: number, stride: number, valueBytes: number, flags: number): void {
    const count = this.getU32(this.state + VM_ACCESS_COUNT);
    const row = this.#table + count * ACCESS_ROW_BYTES;
    this.setU32(row + ACCESS_START, start);
    this.setU32(row + ACCESS_END, end);
    this.setU32(row + ACCESS_STRIDE, stride);
    this.setU32(row + ACCESS_VALUE_BYTES, valueBytes);
    this.setU32(row + ACCESS_FLAGS, flags);
    this.setU32(this.state + VM_ACCESS_COUNT, count + 1);
  }

  /** Loads a program; ids count from 1. */
  load(program: string | Uint8Array): number {
    const insns = typeof program === 'string' ? unwrap(assemble(program)) : program;
    const block = this.memory.reserve('program', PROG_BLOCK_BYTES);
    const address = this.memory.reserve('instructions', insns.length);
    this.memory.u8.set(insns, address);
    this.setU32(block + PROG_ID, ++this.#programs);
    this.setU32(block + PROG_INSN_COUNT, insns.length / 8);
    this.setU32(block + PROG_INSNS, address);
    this.setU32(block + PROG_CONTEXT_BYTES, XDP_MD_BYTES);
    return block;
  }

  /** A PROG_ARRAY; slots that aren't set are empty. */
  progArray(slots: number): { readonly address: number; set(index: number, program: number): void } {
    const address = this.memory.reserve('prog_array', MAP_BLOCK_BYTES);
    const data = this.memory.reserve('prog_array slots', slots * 4);
    this.setU32(address + MAP_TYPE, BPF_MAP_TYPE_PROG_ARRAY);
    this.setU32(address + MAP_MAX_ENTRIES, slots);
    this.setU32(address + MAP_DATA, data);
    return { address, set: (index, program) => this.setU32(data + index * 4, program) };
  }

  set budget(value: number) {
    this.setU32(this.state + VM_BUDGET, value);
  }

  /** Fault code of a run. */
  run(program: string | Uint8Array | number): number {
    return this.#newEngine().run(typeof program === 'number' ? program : this.load(program), this.context);
  }

  /** r0 of a run that must end well. */
  result(program: string | Uint8Array | number): bigint {
    const code = this.run(program);
    if (code !== 0) throw new Error(`fault ${code} at insn ${this.getU32(this.state + VM_FAULT_PC)}`);
    return this.register(0);
  }

  register(index: number): bigint {
    return this.memory.view.getBigUint64(this.state + VM_REGS + index * 8, true);
  }

  setRegister(index: number, value: bigint): void {
    this.memory.view.setBigUint64(this.state + VM_REGS + index * 8, BigInt.asUintN(64, value), true);
  }

  get executed(): number {
    return this.getU32(this.state + VM_EXECUTED);
  }

  setFault(code: number): void {
    this.setU32(this.state + VM_FAULT_CODE, code);
  }
}
