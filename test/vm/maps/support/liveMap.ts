import { unwrap } from '../../../../src/base/index.js';
import { HostMemory } from '../../../../src/memory/index.js';
import { AccessTable } from '../../../../src/vm/accessTable.js';
import { VM_STATE_BYTES } from '../../../../src/vm/layout.js';
import { createMap } from '../../../../src/vm/maps/mapTypes.js';
import type { BpfMap } from '../../../../src/vm/maps/map.js';
import type { MapSpec } from '../../../../src/vm/spec.js';

/** A live map, and a place in host memory for the keys and values of its program side. */
export class LiveMap<T extends BpfMap = BpfMap> {
  readonly memory: HostMemory;
  readonly map: T;
  readonly #keyAddress: number;
  readonly #valueAddress: number;

  constructor(spec: MapSpec, possibleCpus = 2, memory = new HostMemory(4)) {
    this.memory = memory;
    const accessTable = new AccessTable(memory, memory.reserve('state', VM_STATE_BYTES));
    this.map = unwrap(createMap(spec, { memory, accessTable, possibleCpus, id: 1 })) as T;
    // An odd address: programs pass keys from anywhere in a packet.
    this.#keyAddress = memory.reserve('key', spec.keySize + 1) + 1;
    this.#valueAddress = memory.reserve('value', spec.valueSize + 1) + 1;
  }

  /** Address of the value, 0 when there is none. */
  find(key: Uint8Array, cpu = 0): number {
    this.memory.u8.set(key, this.#keyAddress);
    return this.map.lookup(this.#keyAddress, cpu);
  }

  get(key: Uint8Array, cpu = 0): Uint8Array | undefined {
    const address = this.find(key, cpu);
    return address === 0 ? undefined : this.valueAt(address);
  }

  valueAt(address: number): Uint8Array {
    return this.memory.u8.slice(address, address + this.map.spec.valueSize);
  }

  put(key: Uint8Array, value: Uint8Array, flags = 0, cpu = 0): number {
    this.memory.u8.set(key, this.#keyAddress);
    this.memory.u8.set(value, this.#valueAddress);
    return this.map.update(this.#keyAddress, this.#valueAddress, flags, cpu);
  }

  remove(key: Uint8Array): number {
    this.memory.u8.set(key, this.#keyAddress);
    return this.map.delete(this.#keyAddress);
  }
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}
