import { describe, expect, it } from 'vitest';
import { catchProblem, fail, formatProblem, ok, ProblemError, unwrap } from '../../src/base/index.js';

const PROBLEM = { code: 'too-short', message: 'frame is 3 bytes long', where: 'a.pcap, packet 7', hint: 'capture it again' };

describe('Problem', () => {
  it.each([
    [PROBLEM, 'a.pcap, packet 7: frame is 3 bytes long; capture it again'],
    [{ code: 'too-short', message: 'frame is 3 bytes long' }, 'frame is 3 bytes long'],
    [{ code: 'too-short', message: 'frame is 3 bytes long', hint: 'capture it again' }, 'frame is 3 bytes long; capture it again'],
  ])('is one line', (problem, line) => {
    expect(formatProblem(problem)).toBe(line);
    expect(new ProblemError(problem).message).toBe(line);
  });

  it('comes out of catchProblem as a failed result', () => {
    expect(catchProblem(() => 5)).toEqual(ok(5));
    expect(catchProblem(() => { throw new ProblemError(PROBLEM); })).toEqual(fail(PROBLEM));
  });

  it('anything else is a bug and passes through catchProblem', () => {
    expect(() => catchProblem(() => { throw new RangeError('bug'); })).toThrow(RangeError);
  });

  it('unwrap gives the value or throws the problem', () => {
    expect(unwrap(ok('value'))).toBe('value');
    expect(() => unwrap(fail(PROBLEM))).toThrow(ProblemError);
  });
});
