import { compileWasm } from '../../memory/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { Engine } from '../engine.js';
import { VM_BUDGET } from '../layout.js';
import { interpreterWasm } from './interpreterWasm.generated.js';

/**
 * Runs helper `id` on the low 32 bits of r1..r5. The call instruction's offset field (RETURN_*) says how the result
 * gets into r0. All 64 bits of every register stand in VM_REGS. A helper refuses an argument by a fault code in VM_FAULT_CODE.
 */
export type HelperDispatcher = (id: number, a1: number, a2: number, a3: number, a4: number, a5: number) => number;

/** Instructions that one run may execute unless VM_BUDGET is set: what the kernel's verifier would walk at most. */
export const DEFAULT_BUDGET = 1_000_000;

interface InterpreterExports {
  init(stateAddress: number): void;
  start(programAddress: number, contextAddress: number): void;
  step(limit: number): number;
  run(programAddress: number, contextAddress: number): number;
  callback(insnIndex: number): number;
}

let compiled: WebAssembly.Module | undefined;

/**
 * The reference engine: one virtual machine over a state block (layout.ts, VM_*) in host memory.
 *
 * A program is a block (PROG_*) whose instructions passed `checkInstructions` and were linked: every lddw is plain (src 0).
 */
export class Interpreter implements Engine {
  readonly #exports: InterpreterExports;

  /** @param stateAddress VM_STATE_BYTES, aligned to 8, zeroed or used before; sets VM_BUDGET when it is 0 */
  constructor(memory: HostMemory, stateAddress: number, callHelper: HelperDispatcher) {
    compiled ??= compileWasm(interpreterWasm);
    const instance = new WebAssembly.Instance(compiled, { env: { memory: memory.memory, callHelper } });
    this.#exports = instance.exports as unknown as InterpreterExports;
    this.#exports.init(stateAddress);
    const budget = (stateAddress + VM_BUDGET) >>> 2;
    if (memory.u32[budget] === 0) memory.u32[budget] = DEFAULT_BUDGET;
  }

  /** Runs a program on a context: 0 with the result in r0 (VM_REGS), or a fault code with the fault record filled in. */
  run(programAddress: number, contextAddress: number): number {
    return this.#exports.run(programAddress, contextAddress);
  }

  /**
   * From inside a helper call: runs the function at `insnIndex` of the running program on what stands in r1 to r5.
   *
   * @returns 0 with the result in r0, or a fault code: the helper must return at once, and the run ends with that fault
   */
  callback(insnIndex: number): number {
    return this.#exports.callback(insnIndex);
  }

  /** What translated programs import (interpreter.ts of assembly/): the checks and rules that both engines share. */
  get support(): WebAssembly.ModuleImports {
    const { access, mayGoto, tailCallTarget, refuseAt, stop } = this.#exports as unknown as Record<string, WebAssembly.ExportValue>;
    return { access: access!, mayGoto: mayGoto!, tailCallTarget: tailCallTarget!, refuseAt: refuseAt!, stop: stop! };
  }

  /** Prepares a run that `step` carries out. */
  start(programAddress: number, contextAddress: number): void {
    this.#exports.start(programAddress, contextAddress);
  }

  /** Executes at most `limit` instructions: VM_RUNNING when more are to come, else as `run`. Where it stands: VM_PC, VM_PROGRAM, VM_DEPTH. */
  step(limit: number): number {
    return this.#exports.step(limit);
  }
}
