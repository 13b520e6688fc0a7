import { expect, it } from 'vitest';
import { Outcome, xskErrorOutcome } from '../../src/xdp/index.js';

it.each([[-28, Outcome.xskTooLong], [-12, Outcome.xskFillEmpty], [-105, Outcome.xskRxFull]])('errno %i of a socket', (errno, outcome) => {
  expect(xskErrorOutcome(errno)).toBe(outcome);
});

it('an errno that no socket gives is a programmer error', () => {
  expect(() => xskErrorOutcome(-1)).toThrow(RangeError);
  expect(() => xskErrorOutcome(0)).toThrow(RangeError);
});
