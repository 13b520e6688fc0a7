import { describe, expect, it } from 'vitest';
import { badOption, checkNamed, checkOptionNames, checkWhole, shownValue } from '../../src/base/options.js';
import { didYouMean } from '../../src/base/spelling.js';

class Machine {}

describe('shownValue', () => {
  it.each<[unknown, string]>([
    [undefined, 'undefined'], [null, 'null'], [NaN, 'NaN'], [7n, '7'], ['eth0', 'eth0'], ['', 'an empty text'], [true, 'true'], [[1, 2], 'a list of 2'], [{}, 'an object with nothing in it'],
    [{ ok: true, value: 1 }, 'an object with ok, value'], [Object.assign(Object.create(null) as object, { a: 1 }), 'an object with a'], [new Machine(), 'a Machine'], [new Map(), 'a Map'],
    [Uint8Array.of(1, 2), '1,2'], [Symbol('x'), 'Symbol(x)'], [function drop() {}, 'the function drop'],
  ])('%o: %s', (value, text) => {
    expect(shownValue(value)).toBe(text);
  });
});

describe('checkOptionNames', () => {
  const names = { queues: true, mtu: true } as const;
  const check = (options: unknown) => () => checkOptionNames('nic', options as { queues: number; mtu: number }, names);

  it('takes some, all and none of the names', () => {
    for (const options of [{}, { mtu: 1 }, { queues: 1, mtu: undefined }, Object.create(null)]) expect(check(options)).not.toThrow();
  });

  it('names the stranger, and what was meant', () => {
    expect(check({ mtu: 1, quueues: 2 })).toThrowErrorMatchingInlineSnapshot(`[ProblemError: nic: there is no option quueues; did you mean queues? use some of: queues, mtu]`);
    expect(check({ speed: 2 })).toThrowErrorMatchingInlineSnapshot(`[ProblemError: nic: there is no option speed; use some of: queues, mtu]`);
    expect(check({ toString: 2 })).toThrow('there is no option toString');
  });

  it.each([undefined, null, 'mtu', 5, [], () => {}, new Machine(), new Map(), Uint8Array.of(1)])('refuses what is no plain object: %o', (options) => {
    expect(check(options)).toThrow(/^nic: it can't be .*; give an object with some of: queues, mtu$/);
  });
});

it('checkNamed takes plain objects with any names', () => {
  expect(() => checkNamed('hosts', { a: 1 }, 'hosts by name')).not.toThrow();
  for (const things of [undefined, null, [], 'a', new Map()]) expect(() => checkNamed('hosts', things, 'hosts by name')).toThrow('; give hosts by name');
});

it('checkWhole takes whole numbers within its bounds', () => {
  for (const value of [1, 8]) expect(() => checkWhole('cpus', value, 1, 8)).not.toThrow();
  for (const value of [0, 9, 1.5, NaN, Infinity, '2', 2n, undefined, null]) expect(() => checkWhole('cpus', value, 1, 8, 'of CPUs')).toThrow(`cpus: it can't be ${String(value)}; give a whole number of CPUs from 1 to 8`);
});

it('badOption is thrown as an error with its place and how to mend it', () => {
  expect(badOption('testRun, meta', 'ab', 'bytes').problem).toEqual({ code: 'bad-option', where: 'testRun, meta', message: "it can't be ab", hint: 'give bytes' });
});

it('didYouMean says nothing where nothing comes near, and nothing about single letters', () => {
  expect(['qeues', 'speed', 'x', ''].map((name) => didYouMean(name, ['queues', 'y']))).toEqual(['did you mean queues? ', '', '', '']);
});
