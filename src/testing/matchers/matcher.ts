import { didYouMean, shownValue } from '../../base/index.js';

/** What a matcher gives to vitest or jest: `actual` and `expected` are shown as a diff. */
export interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
  readonly actual?: unknown;
  readonly expected?: unknown;
}

/** Text of a failure: a headline, then what is known about what happened. */
export function explain(headline: string, details: readonly string[]): () => string {
  return () => [headline, ...details.map((line) => `  ${line}`)].join('\n');
}

/**
 * The result of a check.
 *
 * @param what as the end of "expected …", e.g. `the packet to be dropped`
 * @param details printed with a failure, whether or not `.not` was there
 */
export function result(pass: boolean, what: string, details: readonly string[], more: { readonly actual?: unknown; readonly expected?: unknown } = {}): MatcherResult {
  return { pass, message: explain(pass ? `expected not: ${what}` : `expected ${what}`, details), ...more };
}

/** A matcher got something that it can't look at: a mistake in the test. */
export function wrongSubject(matcher: string, wants: string, received: unknown): never {
  throw new TypeError(`${matcher} looks at ${wants}, but got ${subjectText(received)}`);
}

function subjectText(received: unknown): string {
  if (Array.isArray(received)) return `a list of ${received.length}: take one out of it`;
  if (received === null) return 'null';
  if (typeof received !== 'object') return typeof received;
  if (received instanceof Promise) return 'a Promise: await it';
  const isResult = 'ok' in received && ('value' in received || 'problem' in received);
  return isResult ? 'a result: unwrap() takes the value out' : received.constructor?.name ?? 'an object';
}

/** Beyond this many names the one that was meant stands alone. */
const LISTED_NAMES = 10;

/** @throws TypeError for a name that there is not, with the one that was meant and those that there are */
export function checkKnownName(matcher: string, kind: string, name: unknown, known: readonly string[], more = ''): void {
  if (typeof name === 'string' && known.includes(name)) return;
  const meant = typeof name === 'string' ? didYouMean(name, known) : '';
  const all = known.length === 0 ? 'there are none' : `use one of ${known.join(', ')}`;
  throw new TypeError(`${matcher}: there is no ${kind} ${shownValue(name)}; ${meant !== '' && known.length > LISTED_NAMES ? meant.trim() : `${meant}${all}${more}`}`);
}

/** @throws TypeError for anything but a whole number from 0 on */
export function checkCount(matcher: string, what: string, value: unknown): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new TypeError(`${matcher}: ${what} can't be ${shownValue(value)}; give a whole number from 0 on`);
}
