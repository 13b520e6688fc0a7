import { ProblemError, shownValue } from '../../base/index.js';

/**
 * Options from which nothing, or something else, would be drawn.
 *
 * @param where the function and its option, e.g. `packet({ protocols })`
 * @throws ProblemError `arbitrary-options` when the list is empty, or has what isn't known
 */
export function checkChoices(where: string, given: readonly unknown[], known: readonly unknown[]): void {
  if (!Array.isArray(given) || given.length === 0) throw badChoice(where, 'there is nothing to draw from', `give a list of some of: ${known.join(', ')}`);
  const stranger = given.find((each) => !known.includes(each));
  if (stranger !== undefined) throw badChoice(where, `there is no ${shownValue(stranger)}`, `use some of: ${known.join(', ')}`);
}

/** @throws ProblemError `arbitrary-options` when a number is not a whole one from `min` to `max` */
export function checkSize(where: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) throw badChoice(where, `${shownValue(value)} is out of range`, `use a whole number from ${min} to ${max}`);
}

export function badChoice(where: string, message: string, hint: string): ProblemError {
  return new ProblemError({ code: 'arbitrary-options', where, message, hint });
}
