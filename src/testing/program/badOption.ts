import { ProblemError } from '../../base/index.js';

/** An option of the wrong kind, of which nothing else would tell. @param use what to give instead */
export function badOption(where: string, value: unknown, use: string): ProblemError {
  return new ProblemError({ code: 'test-option', where, message: `it can't be ${String(value)}`, hint: `give ${use}` });
}

/**
 * Test runners strip types without looking at them, so a name with a typo arrives here.
 *
 * @throws ProblemError for a name that there is not, with those that there are
 */
export function checkOptionNames<Options extends object>(where: string, options: Options, names: Readonly<Record<keyof Options, true>>): void {
  if (typeof options !== 'object' || options === null) throw badOption(where, options, `an object with some of: ${Object.keys(names).join(', ')}`);
  const stranger = Object.keys(options).find((name) => !Object.hasOwn(names, name));
  if (stranger !== undefined) throw new ProblemError({ code: 'test-option', where, message: `there is no option ${stranger}`, hint: `use some of: ${Object.keys(names).join(', ')}` });
}
