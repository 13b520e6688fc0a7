import { ProblemError } from './problem.js';
import { didYouMean } from './spelling.js';

/**
 * An option of the wrong kind, of which nothing else would tell: a programmer's error, to be thrown.
 *
 * @param where the function and the option, e.g. `testRun, meta`
 * @param use what to give instead
 */
export function badOption(where: string, value: unknown, use: string): ProblemError {
  return new ProblemError({ code: 'bad-option', where, message: `it can't be ${shownValue(value)}`, hint: `give ${use}` });
}

/** A value that was given in place of another, in a few words: `String` throws for objects without a prototype, and shows others as `[object Object]`. */
export function shownValue(value: unknown): string {
  if (typeof value === 'string') return value === '' ? 'an empty text' : value;
  if (typeof value === 'function') return `the function ${value.name}`;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return String(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  const { constructor } = value;
  return typeof constructor === 'function' && constructor !== Object ? `a ${constructor.name}` : `an object with ${Object.keys(value).join(', ') || 'nothing in it'}`;
}

/** Names of all options of an interface, so that the compiler says when one is missing. */
export type OptionNames<Options extends object> = Readonly<Record<keyof Options, true>>;

/**
 * Plain JavaScript, and test runners, which strip types without looking at them, let through a name with a typo: it would be left out in silence.
 *
 * @param where whose options they are, e.g. `createTestNic`
 * @throws ProblemError `unknown-option` for a name that there is not, with the one that was meant and those that there are; `bad-option` for what is no object
 */
export function checkOptionNames<Options extends object>(where: string, options: Options, names: OptionNames<Options>): void {
  const known = Object.keys(names);
  if (!isPlainObject(options)) throw badOption(where, options, `an object with some of: ${known.join(', ')}`);
  const stranger = Object.keys(options).find((name) => !Object.hasOwn(names, name));
  if (stranger !== undefined) throw new ProblemError({ code: 'unknown-option', where, message: `there is no option ${stranger}`, hint: `${didYouMean(stranger, known)}use some of: ${known.join(', ')}` });
}

/**
 * @param of the unit, e.g. `of nanoseconds`
 * @throws ProblemError `bad-option` for anything but a whole number from `min` to `max`
 */
export function checkWhole(where: string, value: unknown, min: number, max: number, of = ''): void {
  const isWhole = typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max;
  if (!isWhole) throw badOption(where, value, `a whole number ${of === '' ? '' : `${of} `}from ${min} to ${max}`);
}

/**
 * Things by name, whose names are for the caller to choose.
 *
 * @throws ProblemError `bad-option` for what is no plain object
 */
export function checkNamed(where: string, things: unknown, use: string): void {
  if (!isPlainObject(things)) throw badOption(where, things, use);
}

function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Also those of another realm, as test runners have several.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
