import { decode, immAt, rowAt } from '../isa/decode.js';
import type { Instruction } from '../isa/decode.js';
import type { InstructionRow } from '../isa/instructionTable.js';
import { BPF_REG_FP } from '../isa/opcodes.js';
import { VM_STACK_FRAME_BYTES, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_INGRESS_IFINDEX } from '../layout.js';
import { dominates } from './controlFlow.js';
import type { ControlFlow } from './controlFlow.js';
import { MIRRORED, OPPOSITE, isZero, learnNull, learnPacket, refine } from './branches.js';
import { REGION_CONTEXT, REGION_PACKET, REGION_STACK, REGION_TABLE } from './facts.js';
import type { ArrayLookup, Facts } from './facts.js';
import type { ProgramKnowledge } from './knowledge.js';
import { REGISTERS, SLOTS, SLOT_BYTES, State, forgetName, forgetPacket, forgetStack, slotAt } from './state.js';
import { alu } from './valueArithmetic.js';
import {
  CONTEXT, MAP, MAP_VALUE, MAP_VALUE_OR_NULL, PACKET, PACKET_END, SCALAR, STACK, U32, U32_MAX, UNKNOWN, UNKNOWN_KIND, constant, isEqual, join,
  pointer, scalar,
} from './values.js';
import type { Value } from './values.js';

/** After so many joins a block's bounds go to the next threshold at once, and after so many more they are given up. */
const EXACT_VISITS = 2;
const MOST_VISITS = 24;

const BPF_FUNC_MAP_LOOKUP_ELEM = 1;

/** What the analysis needs to know besides the instructions. */
export interface AnalysisSource {
  readonly insns: Uint8Array;
  readonly flow: ControlFlow;
  readonly knowledge: ProgramKnowledge;
  /** The function is the program's main one: r1 is the context. */
  readonly isMain: boolean;
  /** Bytes of the context that the program may read. */
  readonly contextBytes: number;
  /** No function of the program moves the packet. */
  readonly areCallsQuiet: boolean;
  /** The program takes locks: then every call has to be seen by the helpers, which refuse it under a lock. */
  readonly locks: boolean;
  /** Told of every access of a load, store or atomic operation that can be reached, once, with what is known of the address before its offset. */
  readonly onAccess?: (insnIndex: number, base: Value, isWrite: boolean) => void;
}

/**
 * Follows pointers and numbers through a function and tells which accesses can't leave what the program may touch, so that they need no
 * check: the stack at a known offset, the context, the packet below what was compared with data_end, values of maps that aren't NULL.
 *
 * It is a forward analysis over intervals; bounds that a loop moves are widened to the constants that the function compares with. What it
 * says holds for every run, whatever a program does: `checksEverything` compares with engines that don't believe it.
 */
export function analyse(source: AnalysisSource): Facts {
  return new Analysis(source).run();
}

class Analysis {
  readonly #source: AnalysisSource;
  readonly #entries: (State | undefined)[];
  readonly #visits: Int32Array;
  readonly #thresholds: number[];
  readonly #safe = new Set<number>();
  readonly #regions = new Map<number, number>();
  readonly #lookups = new Map<number, ArrayLookup>();
  /** True in the last pass, when what is known is final. */
  #records = false;

  constructor(source: AnalysisSource) {
    this.#source = source;
    this.#entries = source.flow.blocks.map(() => undefined);
    this.#visits = new Int32Array(source.flow.blocks.length);
    this.#thresholds = thresholdsOf(source);
  }

  run(): Facts {
    const { blocks } = this.#source.flow;
    const values: Value[] = Array.from({ length: REGISTERS + SLOTS }, () => UNKNOWN);
    values[BPF_REG_FP] = pointer(STACK);
    if (this.#source.isMain) values[1] = pointer(CONTEXT);
    this.#entries[0] = new State(values, 0);
    const isWaiting = new Uint8Array(blocks.length);
    isWaiting[0] = 1;
    for (let changed = true; changed; ) {
      changed = false;
      for (let block = 0; block < blocks.length; block++) {
        if (isWaiting[block] === 0) continue;
        isWaiting[block] = 0;
        this.#walk(block, (to, state) => {
          if (!this.#enter(block, to, state)) return;
          isWaiting[to] = 1;
          if (to <= block) changed = true;
        });
      }
    }
    this.#records = true;
    for (let block = 0; block < blocks.length; block++) if (this.#entries[block] !== undefined) this.#walk(block, () => {});
    const comparesPacket = [...this.#regions].some(([index, region]) => region === REGION_PACKET && !this.#safe.has(index));
    const rounds = new Map<number, number>();
    for (const header of this.#source.flow.loops.keys()) {
      const most = this.#loopRounds(header);
      if (most !== undefined) rounds.set(blocks[header]!.start, most);
    }
    return {
      isSafe: (insnIndex) => this.#safe.has(insnIndex),
      region: (insnIndex) => this.#regions.get(insnIndex) ?? REGION_PACKET,
      comparesPacket,
      loopRounds: (insnIndex) => rounds.get(insnIndex),
      arrayLookup: (insnIndex) => this.#lookups.get(insnIndex),
    };
  }

  /**
   * A loop without loops in it that adds a constant to a register once a round, and nothing else to it: as the register's bounds hold at the head of
   * every round, there are no more rounds than numbers between them.
   */
  #loopRounds(header: number): number | undefined {
    const { insns, flow } = this.#source;
    const entry = this.#entries[header];
    const body = flow.loops.get(header)!;
    if (entry === undefined || !flow.isReducible || body.some((block) => block !== header && flow.isLoopHeader[block] === 1)) return undefined;
    const latches = body.filter((block) => flow.blocks[block]!.next === header || flow.blocks[block]!.taken === header);
    const writes = Array.from({ length: REGISTERS }, () => 0);
    const steps: (number | undefined)[] = [];
    for (const block of body) {
      const { start, end } = flow.blocks[block]!;
      for (let index = start; index < end; ) {
        const row = rowAt(insns, index);
        if (row === undefined || row.operation === 'may_goto') return undefined;
        const insn = decode(insns, index);
        for (const register of written(row, insn)) writes[register]!++;
        const isStep = row.operation === 'add' && row.src !== 'read' && insn.imm !== 0 && latches.every((latch) => dominates(flow.dominators, block, latch));
        if (isStep && (row.widthBits === 64 || insn.imm > 0)) steps[insn.dst] = insn.imm;
        index += row.slots;
      }
    }
    let most: number | undefined;
    for (let register = 0; register < REGISTERS; register++) {
      const { kind, lo, hi } = entry.values[register]!;
      const step = steps[register];
      // What was added in 32 bits has not wrapped while the bounds hold.
      if (writes[register] !== 1 || step === undefined || kind !== SCALAR || lo < 0 || hi > 2 ** 31) continue;
      const rounds = Math.floor((hi - lo) / Math.abs(step)) + 1;
      most = Math.min(most ?? rounds, rounds);
    }
    return most;
  }

  /** Joins what holds on an edge with what is known of the block behind it; true when that has changed. */
  #enter(from: number, to: number, state: State): boolean {
    const old = this.#entries[to];
    const sites = siteOf(this.#source.flow.blocks[to]!.start, 0);
    // Addresses that this block has named mean those of its last round, which are gone.
    for (let i = 0; i < state.values.length; i++) {
      const value = state.values[i]!;
      if (value.kind === PACKET && value.name >= sites && value.name < sites + SITES) state.values[i] = { ...value, name: 0, fromName: 0, nameBytes: 0 };
    }
    if (old === undefined) {
      this.#entries[to] = state.copy();
      return true;
    }
    const isBack = to <= from;
    if (isBack) this.#visits[to]!++;
    const visits = this.#visits[to]!;
    const widen = isBack && visits > EXACT_VISITS ? this.#thresholds : undefined;
    let changed = false;
    for (let i = 0; i < old.values.length; i++) {
      const before = old.values[i]!;
      let joined = join(before, state.values[i]!, sites + 1 + i, widen);
      if (visits > MOST_VISITS && !isEqual(joined, before)) joined = UNKNOWN;
      if (isEqual(joined, before)) continue;
      old.values[i] = joined;
      changed = true;
    }
    if (state.packetBytes < old.packetBytes) {
      old.packetBytes = state.packetBytes;
      changed = true;
    }
    return changed;
  }

  /** Carries what is known through a block to the blocks behind it. */
  #walk(block: number, leave: (to: number, state: State) => void): void {
    const { insns, flow } = this.#source;
    const { start, last, next, taken } = flow.blocks[block]!;
    const state = this.#entries[block]!.copy();
    for (let index = start; index <= last; ) {
      const row = rowAt(insns, index);
      if (row === undefined) return;
      if (index === last && row.kind === 'branch' && row.operation !== 'may_goto') {
        const insn = decode(insns, index);
        if (taken >= 0) this.#branch(state, row, insn, true, taken, leave);
        if (next >= 0) this.#branch(state, row, insn, false, next, leave);
        return;
      }
      this.#step(state, index, row);
      index += row.slots;
    }
    if (taken >= 0) leave(taken, state.copy());
    if (next >= 0) leave(next, state.copy());
  }

  // ── branches ──

  #branch(before: State, row: InstructionRow, insn: Instruction, isTaken: boolean, to: number, leave: (to: number, state: State) => void): void {
    const state = before.copy();
    const left = state.values[insn.dst]!;
    const right = row.src === 'read' ? state.values[insn.src]! : constant(insn.imm);
    const operation = isTaken ? row.operation : OPPOSITE[row.operation];
    if (operation !== undefined) {
      if (row.widthBits === 64 && left.kind === PACKET && right.kind === PACKET_END) learnPacket(state, left, operation);
      else if (row.widthBits === 64 && left.kind === PACKET_END && right.kind === PACKET) learnPacket(state, right, MIRRORED[operation]!);
      else if (left.kind === MAP_VALUE_OR_NULL && row.widthBits === 64 && isZero(right)) learnNull(state, left, operation);
      else {
        if (!refine(state, insn.dst, left, right, operation, row.widthBits)) return;
        if (row.src === 'read' && !refine(state, insn.src, right, left, MIRRORED[operation]!, row.widthBits)) return;
      }
    }
    leave(to, state);
  }

  // ── instructions ──

  #step(state: State, index: number, row: InstructionRow): void {
    const { values } = state;
    const insn = decode(this.#source.insns, index);
    switch (row.kind) {
      case 'alu':
        values[insn.dst] = this.#alu(state, index, row, insn);
        return;
      case 'endian':
        values[insn.dst] = row.widthBits === 16 ? scalar(0, 0xffff) : row.widthBits === 32 ? U32 : UNKNOWN;
        return;
      case 'lddw':
        values[insn.dst] = this.#address(index, insn);
        return;
      case 'load':
        values[insn.dst] = this.#load(state, index, row, insn);
        return;
      case 'store':
        this.#store(state, index, row, insn);
        return;
      case 'atomic':
        this.#regions.set(index, REGION_TABLE);
        if (this.#records) this.#source.onAccess?.(index, values[row.operation === 'load_acquire' ? insn.src : insn.dst]!, row.operation !== 'load_acquire');
        if (row.operation !== 'load_acquire') forgetStack(state);
        if (row.operation === 'load_acquire') values[insn.dst] = UNKNOWN;
        if (row.operation === 'cmpxchg') values[0] = UNKNOWN;
        if (row.src === 'modify') values[insn.src] = UNKNOWN;
        return;
      case 'call':
        this.#call(state, index, row, insn);
    }
  }

  #alu(state: State, index: number, row: InstructionRow, insn: Instruction): Value {
    const before = state.values[insn.dst]!;
    const operand = row.src === 'read' ? state.values[insn.src]! : constant(insn.imm);
    const result = alu(row, before, operand, row.src === 'read' ? siteOf(index, 0) : 0);
    // The address gets the name of this instruction, and what had it from the last round is another one.
    if (result.kind === PACKET && result.name === siteOf(index, 0)) forgetName(state, result.name);
    if (row.widthBits === 64) return result;
    return result.kind === SCALAR && result.lo >= 0 && result.hi <= U32_MAX ? result : U32;
  }

  #address(index: number, insn: Instruction): Value {
    const known = this.#source.knowledge.addresses.get(index);
    if (known === undefined) return immAt(this.#source.insns, index + 1) === insn.imm >> 31 ? constant(insn.imm) : UNKNOWN;
    const { map, kind, offBytes } = known;
    if (kind === 'map') return pointer(MAP, 0, { name: index });
    return map.valueBytes === 0 ? UNKNOWN : pointer(MAP_VALUE, offBytes, { size: map.valueBytes, isWritable: map.isWritable });
  }

  #load(state: State, index: number, row: InstructionRow, insn: Instruction): Value {
    const bytes = row.widthBits / 8;
    const base = state.values[insn.src]!;
    const isSafe = this.#access(state, index, base, insn.off, bytes, false, row.operation === 'ldsx');
    if (row.operation === 'ldsx') return bytes === 4 ? scalar(-(2 ** 31), 2 ** 31 - 1) : scalar(-(2 ** (row.widthBits - 1)), 2 ** (row.widthBits - 1) - 1);
    if (isSafe && base.kind === CONTEXT && base.lo === base.hi) {
      if (base.lo + insn.off === XDP_MD_DATA) return pointer(PACKET);
      if (base.lo + insn.off === XDP_MD_DATA_END) return pointer(PACKET_END);
      return U32;
    }
    if (bytes === SLOT_BYTES && base.kind === STACK && base.lo === base.hi) {
      const slot = slotAt(base.lo + insn.off);
      return slot === undefined ? UNKNOWN : state.values[slot]!;
    }
    return bytes === 8 ? UNKNOWN : scalar(0, 2 ** row.widthBits - 1);
  }

  #store(state: State, index: number, row: InstructionRow, insn: Instruction): void {
    const bytes = row.widthBits / 8;
    const base = state.values[insn.dst]!;
    const isSafe = this.#access(state, index, base, insn.off, bytes, true, false);
    // An address that isn't proved may be one of the stack, whatever it was made from.
    if (isSafe && (base.kind === PACKET || base.kind === MAP_VALUE)) return;
    if (base.kind !== STACK || base.lo !== base.hi) {
      forgetStack(state);
      return;
    }
    const offset = base.lo + insn.off;
    const slot = bytes === SLOT_BYTES ? slotAt(offset) : undefined;
    if (slot !== undefined) {
      state.values[slot] = row.operation === 'st' ? constant(insn.imm) : state.values[insn.src]!;
      return;
    }
    for (const at of [offset, offset + bytes - 1]) {
      const touched = REGISTERS + Math.floor((at + VM_STACK_FRAME_BYTES) / SLOT_BYTES);
      if (touched >= REGISTERS && touched < REGISTERS + SLOTS) state.values[touched] = UNKNOWN;
    }
  }

  #call(state: State, index: number, row: InstructionRow, insn: Instruction): void {
    const { knowledge, areCallsQuiet } = this.#source;
    const isHelper = row.operation === 'helper';
    const isQuiet = isHelper && knowledge.quietHelpers.has(insn.imm);
    let result: Value = UNKNOWN;
    if (row.operation === 'helper' && insn.imm === BPF_FUNC_MAP_LOOKUP_ELEM && state.values[1]!.kind === MAP) {
      const { map } = knowledge.addresses.get(state.values[1]!.name)!;
      const key = state.values[2]!;
      if (map.valueBytes > 0) result = pointer(MAP_VALUE_OR_NULL, 0, { name: index, size: map.valueBytes, isWritable: map.isWritable });
      const isOnStack = key.kind === STACK && key.lo >= -VM_STACK_FRAME_BYTES && key.hi + 4 <= 0;
      if (this.#records && map.array !== undefined && isOnStack && !this.#source.locks) this.#lookups.set(index, map.array);
    }
    // A look-up makes a new value of this name: what had it before is another one.
    for (let i = 0; i < state.values.length; i++) {
      const value = state.values[i]!;
      if (value.kind === MAP_VALUE_OR_NULL && value.name === index) state.values[i] = UNKNOWN;
    }
    // A function may have got an address in this frame.
    if (!isQuiet) forgetStack(state);
    if (!isQuiet && !(row.operation === 'subprogram' && areCallsQuiet)) forgetPacket(state);
    state.values[0] = result;
  }

  /** Notes what is known of an access; true when it needs no check. */
  #access(state: State, index: number, base: Value, off: number, bytes: number, isWrite: boolean, isSigned: boolean): boolean {
    const isSafe = this.#isSafe(state, base, off, bytes, isWrite, isSigned);
    if (!this.#records) return isSafe;
    this.#source.onAccess?.(index, base, isWrite);
    if (isSafe) this.#safe.add(index);
    this.#regions.set(index, regionOf(base, isSafe));
    return isSafe;
  }

  #isSafe(state: State, base: Value, off: number, bytes: number, isWrite: boolean, isSigned: boolean): boolean {
    const [lo, hi] = [base.lo + off, base.hi + off + bytes];
    switch (base.kind) {
      case STACK:
        return lo >= -VM_STACK_FRAME_BYTES && hi <= 0;
      case PACKET:
        if (lo < 0) return false;
        return hi <= state.packetBytes || (base.name !== 0 && base.fromName + off + bytes <= base.nameBytes);
      case MAP_VALUE:
        return lo >= 0 && hi <= base.size && (base.isWritable || !isWrite);
      case CONTEXT:
        // As accessContext of the interpreter has it.
        return !isWrite && bytes === 4 && lo === hi - bytes && lo >= 0 && lo % 4 === 0 && hi <= this.#source.contextBytes && !(isSigned && lo < XDP_MD_INGRESS_IFINDEX);
      default:
        return false;
    }
  }
}

/** What the address of an access is compared with first, when it is. */
function regionOf({ kind }: Value, isSafe: boolean): number {
  if (kind === STACK) return REGION_STACK;
  if (kind === CONTEXT) return isSafe ? REGION_CONTEXT : REGION_TABLE;
  return kind === PACKET || kind === UNKNOWN_KIND || kind === SCALAR ? REGION_PACKET : REGION_TABLE;
}

/** Registers that an instruction changes. */
function written(row: InstructionRow, insn: Instruction): number[] {
  if (row.kind === 'call') return [0, 1, 2, 3, 4, 5];
  const registers = row.dst === 'write' || row.dst === 'modify' ? [insn.dst] : [];
  if (row.src === 'modify') registers.push(insn.src);
  if (row.operation === 'cmpxchg') registers.push(0);
  return registers;
}

/** Names of addresses: of each instruction, or of each register and slot at the start of a block. */
const SITES = 128;

function siteOf(insnIndex: number, what: number): number {
  return (insnIndex + 1) * SITES + what;
}

/** Numbers that the bounds of loops are compared with, and those one step before them; ascending. */
function thresholdsOf({ insns, flow }: AnalysisSource): number[] {
  const bounds = new Set<number>([0]);
  const steps = new Set<number>([1]);
  for (const { start, end } of flow.blocks) {
    for (let index = start; index < end; ) {
      const row = rowAt(insns, index);
      const imm = immAt(insns, index);
      if (row?.kind === 'branch' && row.src !== 'read') bounds.add(imm);
      if (row?.operation === 'add' && row.src !== 'read') steps.add(imm);
      index += row?.slots ?? 1;
    }
  }
  if (bounds.size * steps.size > MOST_THRESHOLDS) return [...bounds].sort((a, b) => a - b);
  const all = new Set(bounds);
  for (const bound of bounds) for (const step of steps) all.add(bound - step);
  return [...all].sort((a, b) => a - b);
}

const MOST_THRESHOLDS = 512;
