import { immAt, offAt, rowAt } from '../isa/decode.js';
import { INSN_BYTES } from '../isa/opcodes.js';

/** A run of instructions that is entered at its first one only. */
export interface BasicBlock {
  readonly start: number;
  /** First instruction behind it. */
  readonly end: number;
  /** Its last instruction that isn't the second half of a lddw. */
  readonly last: number;
  /** Block that follows when its last instruction is no jump, or a branch that isn't taken; -1 for none. */
  readonly next: number;
  /** Block that its jump or branch leads to; -1 for none. */
  readonly taken: number;
}

/** The blocks of one function, and how they dominate each other. */
export interface ControlFlow {
  /** In reverse postorder: 0 is the entry. `next` and `taken` are places in this list, or OUTSIDE. */
  readonly blocks: readonly BasicBlock[];
  /** Immediate dominator of each block; the entry's is itself. */
  readonly dominators: Int32Array;
  /** Blocks that each block immediately dominates, in reverse postorder. */
  readonly children: readonly (readonly number[])[];
  /** Edges into each block that don't lead backwards. */
  readonly forwardEdges: Int32Array;
  /** Blocks that an edge leads back to. */
  readonly isLoopHeader: Uint8Array;
  /** Instructions of the loop that each header heads; 0 for other blocks. */
  readonly loopInsns: Int32Array;
  /** Blocks of the loop that each header heads, itself included. */
  readonly loops: ReadonlyMap<number, readonly number[]>;
  /** False when some loop can be entered elsewhere than at its header. */
  readonly isReducible: boolean;
}

/** An edge that leaves the function, or leads to the middle of a lddw. */
export const OUTSIDE = -2;
export const NOWHERE = -1;

/**
 * The function that begins with a block: all blocks that can be reached from there without a call, wherever they stand.
 *
 * @param all the program's blocks (`basicBlocks`)
 * @param entry place of its first block in `all`
 */
export function controlFlow(all: readonly BasicBlock[], entry: number): ControlFlow {
  const blocks = inReversePostorder(all, entry);
  const predecessors = blocks.map((): number[] => []);
  blocks.forEach(({ next, taken }, from) => {
    for (const to of next === taken ? [next] : [next, taken]) if (to >= 0) predecessors[to]!.push(from);
  });
  const dominators = findDominators(predecessors);
  const forwardEdges = new Int32Array(blocks.length);
  const isLoopHeader = new Uint8Array(blocks.length);
  let isReducible = true;
  blocks.forEach(({ next, taken }, from) => {
    for (const to of [next, taken]) {
      if (to > from) forwardEdges[to]!++;
      if (to < 0 || to > from) continue;
      isLoopHeader[to] = 1;
      if (!dominates(dominators, to, from)) isReducible = false;
    }
  });
  const children = blocks.map((): number[] => []);
  for (let block = 1; block < blocks.length; block++) children[dominators[block]!]!.push(block);
  const loops = naturalLoops(predecessors, isLoopHeader);
  const loopInsns = new Int32Array(blocks.length);
  for (const [header, body] of loops) loopInsns[header] = body.reduce((sum, block) => sum + blocks[block]!.end - blocks[block]!.start, 0);
  return { blocks, dominators, children, forwardEdges, isLoopHeader, loops, loopInsns, isReducible };
}

/** Block `a` is on every way to block `b`. */
export function dominates(dominators: Int32Array, a: number, b: number): boolean {
  let block = b;
  while (block > a) block = dominators[block]!;
  return block === a;
}

/** Where the instruction at `index` jumps to, if it jumps. */
export function jumpTarget(insns: Uint8Array, index: number): number | undefined {
  const row = rowAt(insns, index);
  if (row === undefined || row.kind === 'call' || row.kind === 'lddw') return undefined;
  if (row.off === 'jump') return index + 1 + offAt(insns, index);
  return row.imm === 'jump' ? index + 1 + immAt(insns, index) : undefined;
}

/**
 * The blocks of a program, in the order of their instructions; `next` and `taken` are places in this list.
 *
 * @param functionStarts first instructions of its functions: a block begins there too
 */
export function basicBlocks(insns: Uint8Array, functionStarts: readonly number[]): BasicBlock[] {
  const count = insns.length / INSN_BYTES;
  const isInsn = new Uint8Array(count);
  const isLeader = new Uint8Array(count + 1);
  for (const start of functionStarts) isLeader[start] = 1;
  for (let index = 0; index < count; ) {
    const row = rowAt(insns, index);
    isInsn[index] = 1;
    const target = jumpTarget(insns, index);
    const after = index + (row?.slots ?? 1);
    if (target !== undefined && target >= 0 && target < count) isLeader[target] = 1;
    if (target !== undefined || row === undefined || row.kind === 'exit') isLeader[Math.min(after, count)] = 1;
    index = after;
  }
  const blockAt = new Int32Array(count).fill(OUTSIDE);
  const starts: number[] = [];
  for (let index = 0; index < count; index++) {
    if (isLeader[index] === 0 || isInsn[index] === 0) continue;
    blockAt[index] = starts.length;
    starts.push(index);
  }
  const place = (index: number): number => (index >= 0 && index < count ? blockAt[index]! : OUTSIDE);
  return starts.map((start, at) => {
    const end = starts[at + 1] ?? count;
    let last = end - 1;
    while (isInsn[last] === 0) last--;
    const row = rowAt(insns, last);
    const target = jumpTarget(insns, last);
    const fallsThrough = row !== undefined && row.kind !== 'exit' && row.kind !== 'goto';
    return { start, end, last, next: fallsThrough ? place(last + row.slots) : NOWHERE, taken: target === undefined ? NOWHERE : place(target) };
  });
}

/** The blocks that can be reached, each before those that it leads to, but for edges that lead back. */
function inReversePostorder(blocks: readonly BasicBlock[], entry: number): BasicBlock[] {
  const state = new Uint8Array(blocks.length);
  const postorder: number[] = [];
  const stack = [entry];
  while (stack.length > 0) {
    const block = stack[stack.length - 1]!;
    const { next, taken } = blocks[block]!;
    if (state[block] === 0) {
      state[block] = 1;
      // What is pushed last comes first: the way straight on is kept together.
      if (taken >= 0 && state[taken] === 0) stack.push(taken);
      if (next >= 0 && state[next] === 0) stack.push(next);
      continue;
    }
    stack.pop();
    if (state[block] === 1) postorder.push(block);
    state[block] = 2;
  }
  const order = postorder.reverse();
  const placeOf = new Int32Array(blocks.length).fill(NOWHERE);
  order.forEach((block, place) => (placeOf[block] = place));
  const place = (block: number): number => (block < 0 ? block : placeOf[block]!);
  return order.map((block) => ({ ...blocks[block]!, next: place(blocks[block]!.next), taken: place(blocks[block]!.taken) }));
}

/** Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" (2001). Blocks are in reverse postorder. */
function findDominators(predecessors: readonly (readonly number[])[]): Int32Array {
  const dominators = new Int32Array(predecessors.length).fill(NOWHERE);
  dominators[0] = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (let block = 1; block < predecessors.length; block++) {
      let dominator = NOWHERE;
      for (const from of predecessors[block]!) {
        if (dominators[from] === NOWHERE) continue;
        dominator = dominator === NOWHERE ? from : common(dominators, dominator, from);
      }
      if (dominators[block] !== dominator) {
        dominators[block] = dominator;
        changed = true;
      }
    }
  }
  return dominators;
}

function common(dominators: Int32Array, first: number, second: number): number {
  let [a, b] = [first, second];
  while (a !== b) {
    if (a > b) a = dominators[a]!;
    else b = dominators[b]!;
  }
  return a;
}

/** The blocks of each loop: those from which its header is reached again. */
function naturalLoops(predecessors: readonly (readonly number[])[], isLoopHeader: Uint8Array): Map<number, number[]> {
  const loops = new Map<number, number[]>();
  const seen = new Int32Array(predecessors.length).fill(NOWHERE);
  for (let header = 0; header < predecessors.length; header++) {
    if (isLoopHeader[header] === 0) continue;
    const body = [header];
    const stack = predecessors[header]!.filter((from) => from >= header);
    seen[header] = header;
    for (let block = stack.pop(); block !== undefined; block = stack.pop()) {
      if (seen[block] === header || block < header) continue;
      seen[block] = header;
      body.push(block);
      for (const from of predecessors[block]!) stack.push(from);
    }
    loops.set(header, body);
  }
  return loops;
}

/** First instructions of all functions of a program: the main one, and whatever is called or has its address taken. */
export function functionStarts(insns: Uint8Array, known: readonly number[]): number[] {
  const starts = new Set([0, ...known]);
  const count = insns.length / INSN_BYTES;
  for (let index = 0; index < count; ) {
    const row = rowAt(insns, index);
    if (row?.operation === 'subprogram') {
      const target = index + 1 + immAt(insns, index);
      if (target >= 0 && target < count) starts.add(target);
    }
    index += row?.slots ?? 1;
  }
  return [...starts].sort((a, b) => a - b);
}
