import { describe, expect, it } from 'vitest';
import { bytes, map } from '../../replay/support/kernelPrograms.js';
import { TestMachine, textObject } from '../support/differential.js';

const counts = map('counts', 1, 4, 8, 4);
const constants = map('constants', 2, 4, 8, 1, { flags: 0x80 });
const programs = map('programs', 3, 4, 4, 1);

/** Runs a program in which r6 is the context, and gives the message of its fault. */
function fault(text: string): string | undefined {
  const used = [counts, constants, programs].filter(({ name }) => text.includes(`map ${name}`));
  return new TestMachine(textObject(`r6 = r1\n${text}\nexit`, used)).run({ data: bytes(64) }).fault?.message;
}

const KEY = '*(u32 *)(r10 - 4) = 1\nr2 = r10\nr2 += -4';
const VALUE = '*(u64 *)(r10 - 16) = 1\nr3 = r10\nr3 += -16';

describe('arguments that the verifier would have refused', () => {
  it.each([
    ['a map that is none', `r1 = 8\n${KEY}\ncall 1`, 'bpf_map_lookup_elem refuses r1 = 0x8'],
    ['a map pointer that is off by a little', `r1 = map counts\nr1 += 4\n${KEY}\ncall 1`, 'bpf_map_lookup_elem refuses r1'],
    ['a map pointer with an upper half', `r1 = map counts\nr3 = 1\nr3 <<= 40\nr1 += r3\n${KEY}\ncall 1`, 'bpf_map_lookup_elem refuses r1'],
    ['a key at NULL', 'r1 = map counts\nr2 = 0\ncall 1', 'bpf_map_lookup_elem refuses r2 = 0x0 with 4 readable bytes: NULL'],
    ['a key that ends above the stack', 'r1 = map counts\nr2 = r10\nr2 += -3\ncall 1', 'with 4 readable bytes: 1 byte above'],
    ['a key in the context', 'r1 = map counts\nr2 = r6\ncall 1', 'bpf_map_lookup_elem refuses r2'],
    ['a value at NULL', `r1 = map counts\n${KEY}\nr3 = 0\nr4 = 0\ncall 2`, 'bpf_map_update_elem refuses r3 = 0x0 with 8 readable bytes'],
    ['an update of a read-only map', `r1 = map constants\n${KEY}\n${VALUE}\nr4 = 0\ncall 2`, 'bpf_map_update_elem refuses r1'],
    ['a deletion in a read-only map', `r1 = map constants\n${KEY}\ncall 3`, 'bpf_map_delete_elem refuses r1'],
    ['a look-up in a PROG_ARRAY', `r1 = map programs\n${KEY}\ncall 1`, 'bpf_map_lookup_elem refuses r1'],
    ['a context that is none', 'r1 = r10\nr2 = 0\ncall 44', 'bpf_xdp_adjust_head refuses r1'],
    ['a context that has moved', 'r1 = r6\nr1 += 4\nr2 = 0\ncall 65', 'bpf_xdp_adjust_tail refuses r1'],
    ['another context for the metadata', 'r1 = 0\nr2 = 0\ncall 54', 'bpf_xdp_adjust_meta refuses r1 = 0x0'],
    ['a read-only buffer to load into', `${KEY}\nr1 = map constants\n*(u32 *)(r10 - 4) = 0\ncall 1\nif r0 == 0 goto out\nr1 = r6\nr2 = 0\nr3 = r0\nr4 = 8\ncall 189\nout: r0 = 0`, 'bpf_xdp_load_bytes refuses r3'],
  ])('%s', (_, text, message) => {
    expect(fault(text)).toContain(message);
  });
});

describe('arguments that are fine', () => {
  it.each([
    ['a key in the packet', 'r2 = *(u32 *)(r6 + 0)\nr1 = map counts\ncall 1'],
    ['a key at the end of the packet', 'r2 = *(u32 *)(r6 + 4)\nr2 += -4\nr1 = map counts\ncall 1'],
    ['a key in read-only memory', `${KEY}\n*(u32 *)(r10 - 4) = 0\nr1 = map constants\ncall 1\nif r0 == 0 goto out\nr2 = r0\nr1 = map counts\ncall 1\nout: r0 = 0`],
    ['a key in the lowest word of the stack', 'r2 = r10\nr2 += -512\n*(u32 *)(r2 + 0) = 1\nr1 = map counts\ncall 1'],
  ])('%s', (_, text) => {
    expect(fault(text)).toBeUndefined();
  });

  it("a key in the stack frame of a caller, but not below one's own", () => {
    const text = (offset: number): string => `r6 = r1\n*(u32 *)(r10 - 4) = 1\nr2 = r10\nr3 = ${-offset}\nr2 -= r3\ncall look\nexit\nlook: r1 = map counts\ncall 1\nexit`;
    const run = (offset: number) => new TestMachine(textObject(text(offset), [counts])).run({ data: bytes(64) }).fault?.name;
    expect(run(-4)).toBeUndefined();
    expect(run(-1024)).toBeUndefined();
    expect(run(-1025)).toBe('bad-helper-argument');
  });
});
