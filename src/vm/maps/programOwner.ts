import type { ProgramSpec } from '../spec.js';

/**
 * The kind of program that a map with programs in it belongs to: that of the first one which uses it or is put into it
 * (__bpf_prog_map_compatible, kernel/bpf/core.c, 6.18).
 */
export class ProgramOwner {
  readonly #comparesAttachType: boolean;
  #first: ProgramSpec | undefined;

  /** @param comparesAttachType true for a PROG_ARRAY; programs in a DEVMAP or CPUMAP are attached otherwise than those that use it */
  constructor(comparesAttachType: boolean) {
    this.#comparesAttachType = comparesAttachType;
  }

  /** @returns false when this program is of another kind than the first one */
  adopt(program: ProgramSpec): boolean {
    this.#first ??= program;
    const { type, attachType, frags } = this.#first;
    return type === program.type && frags === program.frags && (!this.#comparesAttachType || attachType === program.attachType);
  }
}
