import { describe, expect, it } from 'vitest';
import { CASE_NAMES, CASES_OF_6_1 } from './cases/xskCase.js';
import { CASES } from './cases/table.js';

describe('the table of cases', () => {
  it('has each of the 36 cases of xskxceiver once', () => {
    expect(CASE_NAMES).toHaveLength(36);
    expect(CASES.map(({ name }) => name)).toEqual(CASE_NAMES);
  });

  it('has the 19 of Linux 6.1 among them', () => {
    const names = Object.values(CASES_OF_6_1);
    expect(new Set(names).size).toBe(19);
    expect(CASE_NAMES).toEqual(expect.arrayContaining(names));
  });

  it('says of each case what it shows, and why it is not run where it is not', () => {
    for (const { about, obstacles } of CASES) {
      expect(about).toMatch(/^\S.+[^.]$/);
      for (const reason of Object.values(obstacles ?? {})) expect(reason).toMatch(/^\S.+[^.]$/);
    }
  });
});
