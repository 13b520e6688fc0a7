import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { assemble } from '../../../src/vm/isa/assemble.js';
import { basicBlocks, controlFlow, dominates } from '../../../src/vm/jit/controlFlow.js';
import type { ControlFlow } from '../../../src/vm/jit/controlFlow.js';
import { fc, prop } from '../../support/property.js';

function flowOf(text: string): ControlFlow {
  return controlFlow(basicBlocks(unwrap(assemble(text)), [0]), 0);
}

describe('the blocks of a function', () => {
  it('are entered at their first instruction only', () => {
    const { blocks } = flowOf('if r1 == 0 goto out\nr0 = 5 ll\nout: r0 = 1\nexit');
    expect(blocks.map(({ start, end, last }) => [start, end, last])).toEqual([[0, 1, 0], [1, 3, 1], [3, 5, 4]]);
    expect(blocks.map(({ next, taken }) => [next, taken])).toEqual([[1, 2], [2, -1], [-1, -1]]);
  });

  it('tell edges that leave the program, or lead into a lddw', () => {
    const [first] = flowOf('if r1 == 0 goto pc+1\nr0 = 5 ll\nexit').blocks;
    expect(first).toMatchObject({ next: 1, taken: -2 });
  });

  it('head loops, which have their sizes', () => {
    const { isLoopHeader, loopInsns, isReducible } = flowOf('r0 = 0\nagain: r0 += 1\nif r0 == 7 goto skip\nr1 = 0\nskip: if r0 != 9 goto again\nexit');
    expect([...isLoopHeader]).toEqual([0, 1, 0, 0, 0]);
    expect([...loopInsns]).toEqual([0, 4, 0, 0, 0]);
    expect(isReducible).toBe(true);
  });

  it('know a loop with two entries', () => {
    expect(flowOf('if r1 == 0 goto middle\ntop: r0 += 1\nmiddle: r0 += 1\nif r0 != 9 goto top\nexit').isReducible).toBe(false);
  });
});

/** A program of blocks of one instruction each that branch where they like, and may end. */
const graph = fc.array(fc.tuple(fc.nat(11), fc.constantFrom('branch', 'goto', 'exit')), { minLength: 2, maxLength: 12 }).map((nodes) => {
  const lines = nodes.map(([target, kind], i) => {
    const to = `l${target % nodes.length}`;
    return `l${i}: ${kind === 'exit' ? 'exit' : kind === 'goto' ? `goto ${to}` : `if r0 == ${i} goto ${to}`}`;
  });
  return `${lines.join('\n')}\nexit`;
});

/** Blocks that can be reached from the first one without going through `without`. */
function reachable({ blocks }: ControlFlow, without: number): Set<number> {
  const seen = new Set<number>();
  const stack = without === 0 ? [] : [0];
  for (let block = stack.pop(); block !== undefined; block = stack.pop()) {
    if (seen.has(block) || block === without) continue;
    seen.add(block);
    for (const to of [blocks[block]!.next, blocks[block]!.taken]) if (to >= 0) stack.push(to);
  }
  return seen;
}

prop([graph])('a block dominates what cannot be reached without it', (text) => {
  const flow = flowOf(text);
  flow.blocks.forEach((_, a) => {
    const without = reachable(flow, a);
    flow.blocks.forEach((__, b) => expect([a, b, dominates(flow.dominators, a, b)]).toEqual([a, b, a === b || !without.has(b)]));
  });
});

prop([graph])('forward edges lead to later blocks, and each block but the first has one', (text) => {
  const { blocks, forwardEdges } = flowOf(text);
  const counts = blocks.map(() => 0);
  blocks.forEach(({ next, taken }, from) => [next, taken].forEach((to) => to > from && counts[to]!++));
  expect([...forwardEdges]).toEqual(counts);
  for (let block = 1; block < blocks.length; block++) expect(counts[block]).toBeGreaterThan(0);
});
