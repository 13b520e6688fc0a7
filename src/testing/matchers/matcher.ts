
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
  const found = Array.isArray(received) ? `a list of ${received.length}` : received === null ? 'null' : typeof received === 'object' ? received.constructor?.name ?? 'an object' : typeof received;
  throw new TypeError(`${matcher} looks at ${wants}, but got ${found}`);
}
