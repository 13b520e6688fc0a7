import { ProblemError } from '../../base/index.js';

/** An option of the wrong kind, of which nothing else would tell. @param use what to give instead */
export function badOption(where: string, value: unknown, use: string): ProblemError {
  return new ProblemError({ code: 'test-option', where, message: `it can't be ${String(value)}`, hint: `give ${use}` });
}
