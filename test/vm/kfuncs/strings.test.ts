import { afterAll, describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { withKernel } from '../../support/kernelOracle.js';
import { fc, prop } from '../../support/property.js';
import { KernelPair, TestMachine } from '../support/differential.js';
import { kfuncObject } from './kfuncProgram.js';

// A packet of these programs:
//
//     0 count (u32)  4 char  16 first string  64 second string  128 end

const FIRST = 16;
const SECOND = 64;
const PACKET_BYTES = 128;

/** What each function takes behind its first string: `s` the second string, `n` the count, `c` the char. */
const FUNCTIONS = {
  strlen: '', strnlen: 'n', strchr: 'c', strnchr: 'nc', strchrnul: 'c', strrchr: 'c',
  strcmp: 's', strcasecmp: 's', strspn: 's', strcspn: 's', strstr: 's', strnstr: 'sn',
} as const;

type Name = keyof typeof FUNCTIONS;
const NAMES = Object.keys(FUNCTIONS) as Name[];

function program(name: Name): string {
  const load = { s: `= r6\n{r} += ${SECOND}`, n: '= *(u32 *)(r6 + 0)', c: '= *(u8 *)(r6 + 4)' };
  const args = [...FUNCTIONS[name]].map((kind, index) => `{r} ${load[kind as 's']}`.replaceAll('{r}', `r${index + 2}`));
  return `
    r6 = *(u32 *)(r1 + 0)
    r2 = *(u32 *)(r1 + 4)
    r0 = 77
    r1 = r6
    r1 += ${PACKET_BYTES}
    if r1 > r2 goto out
    r1 = r6
    r1 += ${FIRST}
    ${args.join('\n')}
    call ${name}
    out: exit`;
}

function packet(first: string, second: string, count: number, char: string): Uint8Array {
  const data = new Uint8Array(PACKET_BYTES);
  new DataView(data.buffer).setUint32(0, count, true);
  data[4] = char.charCodeAt(0);
  data.set(Buffer.from(first, 'latin1'), FIRST);
  data.set(Buffer.from(second, 'latin1'), SECOND);
  return data;
}

const ENOENT = -2;
const E2BIG = -7;
const EFAULT = -14;
const ERANGE = -34;

describe('strings', () => {
  it.each([
    ['strlen', 'packet', '', 0, 'x', 6],
    ['strnlen', 'packet', '', 3, 'x', 3],
    ['strnlen', 'packet', '', 0xffffffff, 'x', 6],
    ['strchr', 'packet', '', 0, 'k', 3],
    ['strchr', 'packet', '', 0, 'x', ENOENT],
    ['strchr', 'packet', '', 0, '\0', 6],
    ['strnchr', 'packet', '', 3, 'k', ENOENT],
    ['strnchr', 'packet', '', 4, 'k', 3],
    ['strchrnul', 'packet', '', 0, 'x', 6],
    ['strrchr', 'abcabc', '', 0, 'b', 4],
    ['strcmp', 'abc', 'abd', 0, 'x', -1],
    ['strcmp', 'abc', 'abc', 0, 'x', 0],
    ['strcmp', '\xe4', 'a', 0, 'x', 1],
    ['strcmp', 'abc', 'ABC', 0, 'x', 1],
    ['strcasecmp', 'abc', 'ABC', 0, 'x', 0],
    ['strcasecmp', '\xd7', '\xf7', 0, 'x', -1],
    ['strspn', 'aabbcx', 'abc', 0, 'x', 5],
    ['strcspn', 'aabbcx', 'xc', 0, 'x', 4],
    ['strstr', 'the packet', 'pack', 0, 'x', 4],
    ['strstr', 'the packet', '', 0, 'x', 0],
    ['strnstr', 'the packet', 'pack', 8, 'x', 4],
    ['strnstr', 'the packet', 'pack', 7, 'x', ENOENT],
  ] as const)('bpf_%s of %j and %j, %i, %j', (name, first, second, count, char, result) => {
    const { retval, fault } = new TestMachine(kfuncObject(program(name))).run({ data: packet(first, second, count, char) });
    expect(fault).toBeUndefined();
    expect(retval | 0).toBe(result);
  });
});

/** Pointers that lead to no string. */
const POINTERS: readonly (readonly [what: string, pointer: string, result: number])[] = [
  ['NULL', 'r1 = 0', ERANGE],
  ['user space', 'r1 = 0x7f0000000000 ll', ERANGE],
  ['no canonical address', 'r1 = 0x1000000000000000 ll', ERANGE],
  ['unmapped kernel memory', 'r1 = 0xffff800000000000 ll', EFAULT],
  ['a negated errno', 'r1 = -22', EFAULT],
];

describe('pointers that lead nowhere', () => {
  it.each(POINTERS)('%s', (_what, pointer, result) => {
    expect(new TestMachine(kfuncObject(`${pointer}\ncall strlen\nexit`)).run({ data: new Uint8Array(60) }).retval | 0).toBe(result);
  });

  it('a string that goes on for 64 KiB', () => {
    const machine = new TestMachine(kfuncObject('r0 = 2\nexit'));
    const address = machine.memory.reserve('text', 65537);
    machine.memory.u8.fill(0x41, address, address + 65536);
    const lengthFrom = (start: number): number => {
      const loaded = unwrap(machine.vm.load(kfuncObject(`r1 = ${start} ll\ncall strlen\nexit`)));
      return machine.runner.run(loaded.program('main')!, { data: new Uint8Array(60) }).retval | 0;
    };
    expect([lengthFrom(address), lengthFrom(address + 1)]).toEqual([E2BIG, 65535]);
  });
});

withKernel('strings, as the running kernel has them', (kernel) => {
  const pairs = new Map(NAMES.map((name) => [name, new KernelPair(kernel, kfuncObject(program(name)))]));
  afterAll(() => pairs.forEach((pair) => pair[Symbol.dispose]()));

  const char = fc.constantFrom('a', 'b', 'A', '\xe4', '\xc4', '\xd7', '\xf7', '\0');
  const text = fc.array(char, { maxLength: 12 }).map((chars) => chars.join(''));
  const short = fc.array(char, { maxLength: 3 }).map((chars) => chars.join(''));
  const count = fc.oneof(fc.integer({ min: 0, max: 14 }), fc.constantFrom(0xffff, 0x10000, 0xffffffff));

  prop([fc.constantFrom(...NAMES), text, fc.oneof(text, short), count, char], { numRuns: 3000 })('any of them', (name, first, second, n, c) => {
    pairs.get(name)!.run({ data: packet(first, second, n, c) });
  });

  prop([fc.constantFrom<Name>('strcmp', 'strcasecmp'), fc.integer({ min: 1, max: 255 }), fc.integer({ min: 1, max: 255 })], { numRuns: 500 })(
    'the order of all bytes',
    (name, a, b) => pairs.get(name)!.run({ data: packet(String.fromCharCode(a), String.fromCharCode(b), 0, 'x') }),
  );

  it.each(NAMES.flatMap((name) => POINTERS.map(([what, pointer]) => [name, what, pointer] as const)))('bpf_%s: %s', (name, _what, pointer) => {
    const second = 's' === FUNCTIONS[name][0] ? 'r2 = r10\nr2 += -8' : 'r2 = 5';
    using pair = new KernelPair(kernel, kfuncObject(`*(u64 *)(r10 - 8) = 0\n${pointer}\n${second}\nr3 = 5\ncall ${name}\nexit`));
    pair.run({ data: new Uint8Array(60) });
  });
});
