/** How devices, drivers and threads of the kernel put work into the future. The simulation's event queue implements it. */
export interface Scheduler {
  /** Virtual time now, ns. */
  readonly nowNs: number;
  /** Makes `handler` known and gives its number; once per handler, when the simulation is built. */
  register(handler: (argument: number) => void): number;
  /** Calls handler number `handler` with `argument` at virtual time `tNs`; equal times run in the order of their calls. */
  schedule(tNs: number, handler: number, argument: number): void;
}
