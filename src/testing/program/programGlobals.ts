import { badOption, unwrap } from '../../base/index.js';
import type { JsonValue, LoadedObject } from '../../vm/index.js';
import { variableText } from './plainValue.js';

/** `static const char ____fmt[]` of the macro bpf_printk, in the function that it stands in: `guard.____fmt.3`. */
const PRINTK_TEXT = /\.____fmt(?:\.\d+)?$/;

/**
 * Global variables of a program, as values by their types: numbers, decimal strings beyond 2^53, arrays, objects for structs, `"10.0.0.1"` for a
 * `__be32`.
 *
 * @example
 * program.globals.names; // ['virtual_address', 'backend_address', 'rewritten', 'transmit']
 */
export class ProgramGlobals {
  readonly #loaded: LoadedObject;

  /** Made by `loadProgram`. */
  constructor(loaded: LoadedObject) {
    this.#loaded = loaded;
  }

  /** Names of all variables, in the order of the object; without the texts of bpf_printk, which the compiler keeps in variables, too. */
  get names(): readonly string[] {
    return this.#loaded.spec.variables.map(({ name }) => name).filter((name) => !PRINTK_TEXT.test(name));
  }

  /**
   * The value of a variable.
   *
   * @throws Error `unknown-variable`, which lists those that there are
   * @example
   * program.globals.get('rewritten'); // 3
   */
  get(name: string): JsonValue {
    checkName('get', name);
    return unwrap(this.#loaded.readVariable(name));
  }

  /**
   * Sets a variable, `const volatile` ones included.
   *
   * @throws Error `unknown-variable`, or that the value doesn't fit its type, and how it is written
   * @example
   * program.globals.set('virtual_address', '192.0.2.1');
   */
  set(name: string, value: unknown): void {
    checkName('set', name);
    unwrap(this.#loaded.setVariable(name, variableText(value)));
  }

  /**
   * All of them.
   *
   * @throws Error as `get`
   * @example
   * program.globals.toObject(); // { virtual_address: '192.0.2.2', backend_address: '198.51.100.10', rewritten: 3, transmit: false }
   */
  toObject(): Record<string, JsonValue> {
    return Object.fromEntries(this.names.map((name) => [name, this.get(name)]));
  }
}

function checkName(method: string, name: unknown): void {
  if (typeof name !== 'string') throw badOption(`ProgramGlobals.${method}`, name, 'the name of a variable');
}
