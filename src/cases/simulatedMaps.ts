import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { ProgArray } from '../vm/index.js';
import type { BpfMap, LoadedObject } from '../vm/index.js';
import type { CaseMaps } from './mapEntries.js';

/** The maps of an object in a virtual machine, as a case fills them. */
export class SimulatedMaps implements CaseMaps {
  readonly possibleCpus: number;
  readonly #loaded: LoadedObject;

  /** @param possibleCpus of the machine that the object is in */
  constructor(loaded: LoadedObject, possibleCpus: number) {
    this.possibleCpus = possibleCpus;
    this.#loaded = loaded;
  }

  map(name: string): Result<BpfMap> {
    const map = this.#loaded.maps.get(name);
    if (map !== undefined) return ok(map);
    return fail({ code: 'unsupported-map-type', where: `map ${name}`, message: 'the simulator has no maps of this type yet', hint: 'leave it out' });
  }

  putProgram(mapName: string, index: number, programName: string): Result<number> {
    const map = this.map(mapName);
    if (!map.ok) return map;
    if (!(map.value instanceof ProgArray)) throw new TypeError(`SimulatedMaps.putProgram: map ${mapName} is no PROG_ARRAY`);
    const program = this.#loaded.loadProgram(programName);
    return program.ok ? ok(map.value.setProgram(index, program.value)) : program;
  }

  putSocket(mapName: string, index: number, socket: number): Result<number> {
    const map = this.map(mapName);
    return map.ok ? ok(map.value.updateBytes(u32(index), u32(socket), 0)) : map;
  }
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
