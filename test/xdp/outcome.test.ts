import { describe, expect, it } from 'vitest';
import { Outcome, OUTCOMES, VERDICT_COUNT, VERDICT_OTHER, verdictIndex, verdictName } from '../../src/xdp/index.js';

describe('OUTCOMES', () => {
  it('the index of a row is its code, and every outcome has a row', () => {
    expect(OUTCOMES.map(({ code }) => code)).toEqual(OUTCOMES.map((_, index) => index));
    expect(Object.values(Outcome)).toEqual(OUTCOMES.map(({ code }) => code));
  });

  it('names are unique keys for JSON, texts are unique sentences for people', () => {
    expect(new Set(OUTCOMES.map(({ name }) => name)).size).toBe(OUTCOMES.length);
    expect(new Set(OUTCOMES.map(({ text }) => text)).size).toBe(OUTCOMES.length);
    for (const { name, text } of OUTCOMES) {
      expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(text).toMatch(/[^.]$/);
    }
  });

  it('only packets that went on their way are delivered', () => {
    expect(OUTCOMES.filter(({ delivered }) => delivered).map(({ name }) => name)).toEqual(['stack', 'tx', 'xsk', 'redirect', 'cpumap']);
  });
});

describe('verdicts', () => {
  it.each([[0, 0, 'XDP_ABORTED'], [1, 1, 'XDP_DROP'], [2, 2, 'XDP_PASS'], [3, 3, 'XDP_TX'], [4, 4, 'XDP_REDIRECT'],
    [5, VERDICT_OTHER, '5 (not an XDP action)'], [4294967295, VERDICT_OTHER, '4294967295 (not an XDP action)']])(
    '%i is counted at %i and called %s', (retval, index, name) => {
      expect([verdictIndex(retval), verdictName(retval)]).toEqual([index, name]);
      expect(index).toBeLessThan(VERDICT_COUNT);
    });
});
