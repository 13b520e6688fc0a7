import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import * as base from '../../src/base/index.js';
import { errnoName } from '../../src/base/index.js';

/** Every exported errno constant. */
const ERRNOS = Object.entries<unknown>(base).filter((entry): entry is [string, number] => typeof entry[1] === 'number');

describe('errno', () => {
  it('has the numbers of the operating system', () => {
    const known: Readonly<Record<string, number>> = constants.errno;
    const shared = ERRNOS.filter(([name]) => name in known);
    expect(shared.length).toBeGreaterThan(15);
    for (const [name, value] of shared) expect([name, value]).toEqual([name, known[name]]);
  });

  it('has the numbers that Node does not know', () => {
    expect([base.EBADRQC, base.ENOTSUPP]).toEqual([56, 524]);
  });

  it.each(ERRNOS)('names %s, positive and negated', (name, value) => {
    expect([errnoName(value), errnoName(-value)]).toEqual([name, name]);
  });

  it('gives an unknown one as a number', () => {
    expect(errnoName(-999)).toBe('errno 999');
  });
});
