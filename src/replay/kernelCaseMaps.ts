import { ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import type { CaseMaps, EntryValue } from '../cases/index.js';
import type { KernelMap } from './kernelMap.js';
import type { KernelObject } from './kernelObject.js';

/** The maps of an object in the kernel, as a case fills them. */
export class KernelMaps implements CaseMaps {
  readonly possibleCpus: number;
  readonly #loaded: KernelObject;

  constructor(loaded: KernelObject) {
    this.possibleCpus = loaded.kernel.possibleCpus;
    this.#loaded = loaded;
  }

  map(name: string): Result<KernelMap> {
    return this.#loaded.map(name);
  }

  putProgram(mapName: string, index: number, programName: string): Result<number> {
    // First the map, then the program, so that the map's own first programs are in it before this one.
    const map = this.map(mapName);
    if (!map.ok) return map;
    const program = this.#loaded.loadProgram(programName);
    return program.ok ? this.#put(mapName, index, program.value.fd) : program;
  }

  putMap(mapName: string, key: Uint8Array, innerName: string): Result<number> {
    const [map, inner] = [this.map(mapName), this.map(innerName)];
    if (!map.ok) return map;
    return inner.ok ? ok(map.value.updateBytes(key, u32(inner.value.fd), 0)) : inner;
  }

  /** All numbers are the same socket, which a program can't tell from several. */
  putSocket(mapName: string, index: number): Result<number> {
    const fd = this.#loaded.xskSocket();
    return fd.ok ? this.#put(mapName, index, fd.value) : fd;
  }

  putEntry(mapName: string, key: Uint8Array, { target, program }: EntryValue): Result<number> {
    return this.#loaded.writeEntry(mapName, key, target, program);
  }

  #put(mapName: string, index: number, fd: number): Result<number> {
    const map = this.map(mapName);
    return map.ok ? ok(map.value.updateBytes(u32(index), u32(fd), 0)) : map;
  }
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
