import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { assemble } from '../../../src/vm/isa/assemble.js';
import { frameBytes, stackBytes } from '../../../src/vm/isa/stackDepth.js';

function frame(text: string): number {
  const insns = unwrap(assemble(text));
  return frameBytes(insns, 0, insns.length / 8);
}

describe('the frame of a function', () => {
  it.each([
    ['none', 'r0 = 2\nexit', 0],
    ['a store, in whole slots', '*(u32 *)(r10 -12) = r1\nexit', 16],
    ['a load', 'r1 = *(u64 *)(r10 -40)\nexit', 40],
    ['an address for a helper', 'r2 = r10\nr2 += -24\ncall #1\nexit', 24],
    ['an address by subtraction', 'r2 = r10\nr2 -= 24\nexit', 24],
    ['a store through a copy', 'r2 = r10\nr2 += -8\n*(u8 *)(r2 -16) = r1\nexit', 24],
    ['an atomic', 'lock *(u64 *)(r10 -32) += r1\nexit', 32],
    ['a register that a call has clobbered', 'r2 = r10\ncall #7\nr2 += -64\nexit', 0],
    ['a register that another value overwrites', 'r2 = r10\nr2 = r1\nr2 += -64\nexit', 0],
    ['32 bits are no address', 'w2 = w10\nr2 += -64\nexit', 0],
    ['a register that is known on one path only', 'r2 = r10\ngoto pc+1\nr2 = r1\nr2 += -64\nexit', 0],
  ])('%s', (_, text, bytes) => {
    expect(frame(text)).toBe(bytes);
  });
});

describe('the stack of a program', () => {
  it('is the deepest path of calls, each frame rounded up to 16', () => {
    expect(stackBytes([8, 24, 40], [[1, 2], [], []])).toBe(16 + 48);
    expect(stackBytes([8, 24, 40], [[1], [2], []])).toBe(16 + 32 + 48);
    expect(stackBytes([480, 33], [[1], []])).toBe(528);
  });

  it('ends at 8 frames, also when functions call each other in a circle', () => {
    expect(stackBytes([16, 16], [[1], [0]])).toBe(8 * 16);
  });
});
