/** What executes BPF instructions on a state block (layout.ts, VM_*). */
export interface Engine {
  /**
   * Runs a program (PROG_*) on a context to its end.
   *
   * @returns 0 with the result in r0 (VM_REGS), or a fault code with the fault record filled in
   */
  run(programAddress: number, contextAddress: number): number;
  /**
   * From inside a helper call: runs the function at `insnIndex` of the running program on what stands in r1 to r5.
   *
   * @returns 0 with the result in r0, or a fault code: the helper must return at once, and the run ends with that fault
   */
  callback(insnIndex: number): number;
}

/** Names of the engines: `jit` translates to WebAssembly, `interpreter` is the reference. */
export type EngineName = 'jit' | 'interpreter';
