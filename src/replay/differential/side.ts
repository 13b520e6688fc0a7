import type { TestRunContext, TestRunInput } from '../../xdp/index.js';
import type { MapSpec } from '../../vm/index.js';
import type { MapDump, UserMap } from '../../cases/index.js';

/** One program on one machine, the kernel's or the simulated one; its maps keep their contents from run to run. */
export interface Side {
  run(input: TestRunInput): RunOutput;
  /** Every map of the object that this machine has. */
  readonly maps: readonly SideMap[];
  close(): void;
}

/** What one test run shows. */
export interface RunOutput {
  readonly errno: number;
  readonly retval: number;
  readonly dataOut: Uint8Array;
  readonly dataOutSize: number;
  readonly ctxOut: TestRunContext;
  /** Why the simulated machine stopped the program; the kernel has no such thing. */
  readonly fault: string | undefined;
}

export interface SideMap extends UserMap {
  readonly spec: MapSpec;
  /** All entries at once, as they are now; the next dump may overwrite them. */
  dump(): MapDump;
}
