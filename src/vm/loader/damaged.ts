import { ProblemError } from '../../base/index.js';

/** Refuses a whole object whose parts contradict each other. */
export function refuseDamaged(code: string, message: string, where: string): never {
  throw new ProblemError({ code, message, where, hint: 'the file is damaged; compile it again' });
}
