import type { HostMemory } from '../../memory/index.js';
import type { Engine } from '../engine.js';
import type { HelperDispatcher, Interpreter } from '../interpreter/interpreter.js';
import { INSN_BYTES } from '../isa/opcodes.js';
import {
  PROG_CONTEXT_BYTES, PROG_ENTRY, PROG_INSNS, PROG_INSN_COUNT, VM_BUDGET, VM_FAULT_CODE, VM_IS_STOPPED, VM_PROGRAM,
} from '../layout.js';
import { NO_KNOWLEDGE } from './knowledge.js';
import type { ProgramKnowledge } from './knowledge.js';
import { callbackName, translateProgram } from './translateProgram.js';
import type { TranslateOptions } from './translateProgram.js';

export interface JitOptions {
  /** Checks every access, also those that are proved to be fine: to compare with. */
  readonly checksEverything?: boolean;
  /** Runs of a program in the interpreter before it is translated; 32 when left out. */
  readonly interpretedRuns?: number;
  /** What is known about the program in a block; nothing when left out. */
  readonly knowledgeOf?: (programAddress: number) => ProgramKnowledge;
}

/** A translation costs as much as some dozens of runs in the interpreter. */
const INTERPRETED_RUNS = 32;

/** V8 takes functions of up to 7,654,321 bytes, and an instruction becomes up to about 100. */
const MOST_INSNS = 65536;

interface CompiledProgram {
  /** Runs the main function on a context. */
  readonly run: (contextAddress: number) => void;
  /** The main function, for the table of tail calls. */
  readonly main: (() => void) | undefined;
  /** Run the function at an instruction on r1 to r5 of the state. */
  readonly callbacks: ReadonlyMap<number, () => void>;
}

/**
 * The fast engine: translates each program to a WebAssembly module when it has run a few times; a few packets are through the interpreter sooner. Same state block, same
 * helpers, same rules for accesses as the interpreter, whose exports do everything that isn't worth being fast.
 *
 * A fault ends in a trap, which unwinds whatever is active, callbacks and the helpers around them included; the fault record tells why.
 * The budget is counted at the ends of loops and at calls, and of loops whose rounds are known before the first one, so a run may end a few instructions earlier or
 * later than in the interpreter.
 *
 * Programs too large for one WebAssembly function run in the interpreter, and with the first of them all that may tail-call it.
 */
export class Jit implements Engine {
  readonly #memory: HostMemory;
  readonly #stateAddress: number;
  readonly #options: JitOptions;
  readonly #imports: WebAssembly.Imports;
  readonly #table: WebAssembly.Table;
  readonly #interpreter: Interpreter;
  #usesInterpreter = false;
  /** A run in the interpreter is on. */
  #isInterpreting = false;
  /** Runs in the interpreter, by program. */
  readonly #runs = new Map<number, number>();
  readonly #programs = new Map<number, CompiledProgram>();
  /** The translated program of the last run: most often that of the next one too. */
  #last: CompiledProgram | undefined;
  #lastAddress = 0;

  /** @param interpreter over the same state block */
  constructor(memory: HostMemory, stateAddress: number, interpreter: Interpreter, callHelper: HelperDispatcher, options: JitOptions = {}) {
    this.#memory = memory;
    this.#stateAddress = stateAddress;
    this.#options = options;
    this.#interpreter = interpreter;
    // Slot 0 stays empty: a program's block with entry 0 isn't translated yet.
    this.#table = new WebAssembly.Table({ element: 'anyfunc', initial: 1 });
    const entryOf = (programAddress: number): number => {
      const entry = this.#table.grow(1, this.#translate(programAddress, true).main!);
      memory.u32[(programAddress + PROG_ENTRY) >>> 2] = entry;
      return entry;
    };
    this.#imports = { env: { memory: memory.memory, table: this.#table, callHelper, entryOf, ...interpreter.support } };
  }

  /** Tells of a program before it, or one that tail-calls it, runs for the first time. */
  add(programAddress: number): void {
    if (this.#memory.u32[(programAddress + PROG_INSN_COUNT) >>> 2]! > MOST_INSNS) this.#usesInterpreter = true;
  }

  run(programAddress: number, contextAddress: number): number {
    if (programAddress !== this.#lastAddress && this.#isStillInterpreted(programAddress)) return this.#interpret(programAddress, contextAddress);
    try {
      this.#last!.run(contextAddress);
      return 0;
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError) || this.#memory.u32[(this.#stateAddress + VM_IS_STOPPED) >>> 2] === 0) throw error;
      return this.#memory.u32[(this.#stateAddress + VM_FAULT_CODE) >>> 2]!;
    }
  }

  /** Never gives a fault code: a fault doesn't come back. */
  callback(insnIndex: number): number {
    if (this.#isInterpreting) return this.#interpreter.callback(insnIndex);
    const program = this.#compiled(this.#memory.u32[(this.#stateAddress + VM_PROGRAM) >>> 2]!);
    program.callbacks.get(insnIndex)!();
    return 0;
  }

  /** Counts a run of a program; false when it is to run translated, and then it is the one to run next. */
  #isStillInterpreted(programAddress: number): boolean {
    if (this.#usesInterpreter) return true;
    if (!this.#programs.has(programAddress)) {
      const runs = this.#runs.get(programAddress) ?? 0;
      this.#runs.set(programAddress, runs + 1);
      if (runs < (this.#options.interpretedRuns ?? INTERPRETED_RUNS)) return true;
    }
    this.#last = this.#compiled(programAddress);
    this.#lastAddress = programAddress;
    return false;
  }

  #interpret(programAddress: number, contextAddress: number): number {
    this.#isInterpreting = true;
    const code = this.#interpreter.run(programAddress, contextAddress);
    this.#isInterpreting = false;
    return code;
  }

  #compiled(programAddress: number): CompiledProgram {
    let program = this.#programs.get(programAddress);
    if (program === undefined) {
      program = this.#translate(programAddress, false);
      this.#programs.set(programAddress, program);
    }
    return program;
  }

  #translate(programAddress: number, isTailCallTarget: boolean): CompiledProgram {
    const { u8, u32 } = this.#memory;
    const word = programAddress >>> 2;
    const text = u32[word + (PROG_INSNS >> 2)]!;
    const insns = u8.subarray(text, text + u32[word + (PROG_INSN_COUNT >> 2)]! * INSN_BYTES);
    const options: TranslateOptions = {
      stateAddress: this.#stateAddress,
      programAddress,
      knowledge: this.#options.knowledgeOf?.(programAddress) ?? NO_KNOWLEDGE,
      contextBytes: u32[word + (PROG_CONTEXT_BYTES >> 2)]!,
      checksEverything: this.#options.checksEverything ?? false,
      instructionBudget: u32[(this.#stateAddress + VM_BUDGET) >>> 2]!,
      isTailCallTarget,
    };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(translateProgram(insns, options)), this.#imports);
    const exports = instance.exports as Record<string, () => void>;
    return {
      run: exports.run as CompiledProgram['run'],
      main: exports.main,
      callbacks: new Map(options.knowledge.callbacks.map((insnIndex) => [insnIndex, exports[callbackName(insnIndex)]!])),
    };
  }
}
