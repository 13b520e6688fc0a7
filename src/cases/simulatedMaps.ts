import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { isMapOfMaps, isProgramEntryMap, ProgArray } from '../vm/index.js';
import type { BpfMap, LoadedObject } from '../vm/index.js';
import type { CaseMaps } from './mapEntries.js';
import type { EntryValue } from './programEntries.js';

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

  putMap(mapName: string, key: Uint8Array, innerName: string): Result<number> {
    const [map, inner] = [this.map(mapName), this.map(innerName)];
    if (!map.ok) return map;
    if (!inner.ok) return inner;
    if (!isMapOfMaps(map.value)) throw new TypeError(`SimulatedMaps.putMap: map ${mapName} is no map of maps`);
    return ok(map.value.setMap(key, inner.value));
  }

  putEntry(mapName: string, key: Uint8Array, { target, program: name }: EntryValue): Result<number> {
    const map = this.map(mapName);
    if (!map.ok) return map;
    if (!isProgramEntryMap(map.value)) throw new TypeError(`SimulatedMaps.putEntry: map ${mapName} has no such entries`);
    if (name === undefined) return ok(map.value.updateEntry(key, target, undefined, 0));
    const program = this.#loaded.loadProgram(name);
    return program.ok ? ok(map.value.updateEntry(key, target, program.value, 0)) : program;
  }

  putSocket(mapName: string, index: number, socket: number): Result<number> {
    const map = this.map(mapName);
    return map.ok ? ok(map.value.updateBytes(u32(index), u32(socket), 0)) : map;
  }
}

/** Name of a program of the object by its id in the machine. */
export function programNameIn(loaded: LoadedObject): (id: number) => string | undefined {
  return (id) => loaded.programs.find((program) => program.id === id)?.spec.name;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
