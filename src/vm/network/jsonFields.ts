import { fromHex, ProblemError } from '../../base/index.js';
import { parseIpAddress } from '../../packet/index.js';
import type { Endpoint, InterfaceAddress } from './scenario.js';

const MAC = /^[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}$/;
const MAX_U32 = 2 ** 32 - 1;
const MAX_PORT = 65535;

/** Entries of one list: more than any test needs, few enough to search. */
const MAX_ENTRIES = 65536;

/** The fields of one JSON object, checked as they are read; every problem names the field's path, e.g. `net.json: routes[3].via`. */
export class JsonFields {
  readonly path: string;
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #code: string;

  /**
   * @param known names that there may be: any other is a misspelt one
   * @param code of the problems
   * @throws ProblemError `code`, as all methods do
   */
  constructor(json: unknown, path: string, known: readonly string[], code = 'network-shape') {
    this.path = path;
    this.#code = code;
    if (typeof json !== 'object' || json === null || Array.isArray(json)) throw shapeProblem(code, path, 'it is no JSON object', `write {...} with ${known.join(', ')}`);
    const stranger = Object.keys(json).find((name) => !known.includes(name));
    if (stranger !== undefined) throw shapeProblem(code, path, `there is no field ${JSON.stringify(stranger)}`, `use ${known.join(', ')}`);
    this.#fields = json as Record<string, unknown>;
  }

  at(name: string): string {
    return `${this.path}${this.path.endsWith(': ') ? '' : '.'}${name}`;
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined;
  }

  raw(name: string): unknown {
    return this.#fields[name];
  }

  refuse(name: string, message: string, hint: string): never {
    throw shapeProblem(this.#code, this.at(name), message, hint);
  }

  list(name: string): readonly unknown[] {
    const value = this.#fields[name] ?? [];
    if (!Array.isArray(value)) return this.refuse(name, 'it is no list', 'write [...]');
    if (value.length > MAX_ENTRIES) return this.refuse(name, `it has ${value.length} entries`, `write at most ${MAX_ENTRIES}`);
    return value;
  }

  number(name: string, fallback?: number, max: number = MAX_U32, min = 0): number {
    const value = this.#fields[name] ?? fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    const message = value === undefined ? 'it is missing' : `${JSON.stringify(value)} is ${typeof value === 'number' ? 'out of range' : 'no number'}`;
    return this.refuse(name, message, `write a whole number from ${min} to ${max}`);
  }

  /** A number from 0 to 1. */
  probability(name: string, fallback?: number): number {
    const value = this.#fields[name] ?? fallback;
    if (typeof value === 'number' && value >= 0 && value <= 1) return value;
    return this.refuse(name, value === undefined ? 'it is missing' : `${JSON.stringify(value)} is no probability`, 'write a number from 0 to 1');
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.#fields[name] ?? fallback;
    return typeof value === 'boolean' ? value : this.refuse(name, `${JSON.stringify(value)} is neither true nor false`, 'write true or false');
  }

  text(name: string, fallback?: string): string {
    const value = this.#fields[name] ?? fallback;
    return typeof value === 'string' && value !== '' ? value : this.refuse(name, value === undefined ? 'it is missing' : 'it is no text', 'write "..."');
  }

  choice<T extends string>(name: string, choices: readonly T[], fallback?: T): T {
    const value = this.text(name, fallback);
    return choices.find((choice) => choice === value) ?? this.refuse(name, `there is no ${JSON.stringify(value)}`, `use one of ${choices.join(', ')}`);
  }

  hex(name: string, lengthBytes: number, fallback: Uint8Array): Uint8Array {
    if (!this.has(name)) return fallback;
    const bytes = fromHex(this.text(name));
    return bytes?.length === lengthBytes ? bytes : this.refuse(name, `it is no hex of ${lengthBytes} bytes`, `write ${lengthBytes * 2} hex digits`);
  }

  mac(name: string, fallback?: Uint8Array): Uint8Array {
    if (fallback !== undefined && !this.has(name)) return fallback;
    const value = this.text(name);
    if (!MAC.test(value)) return this.refuse(name, `${JSON.stringify(value)} is no MAC address`, 'write "02:00:00:00:00:01"');
    return Uint8Array.from(value.split(':'), (part) => Number.parseInt(part, 16));
  }

  address(name: string): Uint8Array {
    const value = this.text(name);
    return parseIpAddress(value) ?? this.refuse(name, `${JSON.stringify(value)} is no IP address`, 'write "192.0.2.1" or "2001:db8::1"');
  }

  /** `ADDRESS/BITS`, or one address alone. */
  prefix(name: string): InterfaceAddress {
    return this.prefixOf(this.text(name), name);
  }

  prefixOf(text: string, name: string): InterfaceAddress {
    const [first, bits, ...others] = text.split('/');
    const address = parseIpAddress(first!);
    const prefixBits = bits === undefined ? address?.length === 4 ? 32 : 128 : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
    if (address !== undefined && others.length === 0 && prefixBits >= 0 && prefixBits <= address.length * 8) return { address, prefixBits };
    return this.refuse(name, `${JSON.stringify(text)} is no network`, 'write "192.0.2.0/24" or "2001:db8::/32"');
  }

  /** `192.0.2.1:80` or `[2001:db8::1]:80`. */
  endpoint(name: string): Endpoint {
    const value = this.text(name);
    const match = /^(?:\[([^\]]*)\]|([0-9.]+)):(\d{1,5})$/.exec(value);
    const address = match === null ? undefined : parseIpAddress(match[1] ?? match[2]!);
    const port = Number(match?.[3]);
    if (address !== undefined && (address.length === 16) === (match![1] !== undefined) && port <= MAX_PORT) return { address, port };
    return this.refuse(name, `${JSON.stringify(value)} is no address with a port`, 'write "192.0.2.1:80" or "[2001:db8::1]:80"');
  }
}

export function networkProblem(where: string, message: string, hint: string): ProblemError {
  return shapeProblem('network-shape', where, message, hint);
}

function shapeProblem(code: string, where: string, message: string, hint: string): ProblemError {
  return new ProblemError({ code, where: where.replace(/: $/, ''), message, hint });
}
