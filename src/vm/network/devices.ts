import type { JsonFields } from './jsonFields.js';
import type { NetInterface } from './scenario.js';

/** Interfaces of the scenario by the names and numbers that its other parts use. */
export class Devices {
  readonly #interfaces: readonly NetInterface[];

  constructor(interfaces: readonly NetInterface[]) {
    this.#interfaces = interfaces;
  }

  /** Ifindex of the interface that a field names. */
  ifindex(fields: JsonFields, name: string, fallback?: number): number {
    const value = fields.raw(name);
    if (value === undefined && fallback !== undefined) return fallback;
    const found = this.#interfaces.find((device) => device.name === value || device.ifindex === value);
    if (found !== undefined) return found.ifindex;
    const known = this.#interfaces.map((device) => device.name).join(', ');
    return fields.refuse(name, value === undefined ? 'it is missing' : `there is no interface ${JSON.stringify(value)}`, `use one of ${known}`);
  }
}
