import type { Problem } from '../base/index.js';
import { immAt, rowAt } from './isa/decode.js';
import { MAX_CALL_FRAMES, frameBytes, stackPaths } from './isa/stackDepth.js';
import type { StackPath } from './isa/stackDepth.js';
import { slotCount } from './isa/walkInsns.js';
import { BPF_FUNC_TAIL_CALL } from './layout.js';
import { partsOf } from './programPart.js';
import type { ProgramSpec } from './spec.js';

/** MAX_BPF_STACK (include/linux/filter.h, 6.18), bytes. */
const MAX_BPF_STACK = 512;
/** What the callers of a function that makes tail calls may use, bytes. */
const MAX_STACK_BEFORE_TAIL_CALL = 256;
const BPF_FUNC_TIMER_SET_CALLBACK = 170;

interface FunctionUse {
  readonly frameBytes: number;
  /** Functions that it calls, or hands to a helper that calls them, by their place. */
  readonly callees: readonly number[];
  readonly hasTailCall: boolean;
}

/**
 * Whether the calls of a program keep to the kernel's bounds: 8 frames, 512 bytes of stack in all frames together, less than 256 before a function that
 * makes tail calls (check_max_stack_depth, kernel/bpf/verifier.c, 6.18).
 *
 * A frame counts as far as the instructions show it (`frameBytes`), so what is refused here the kernel refuses too, but not the other way round: a run
 * still ends with a fault when it touches more than 512 bytes in one frame, or goes deeper than 8. Programs that took the place of functions count by themselves.
 */
export function checkStack(program: ProgramSpec): Omit<Problem, 'where'> | undefined {
  for (const part of partsOf(program)) {
    const problem = checkPart(part);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

type StackProgram = Pick<ProgramSpec, 'insns' | 'functions' | 'functionReferences'>;

function checkPart(program: StackProgram): Omit<Problem, 'where'> | undefined {
  const uses = functionUses(program);
  const paths = stackPaths(uses.map((use) => use.frameBytes), uses.map((use) => use.callees), MAX_CALL_FRAMES);
  for (const path of paths) {
    const problem = checkPath(path, uses[path.fn]!, program.functions[path.fn]!.name);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function checkPath({ calls, bytesBefore, bytes }: StackPath, { hasTailCall }: FunctionUse, name: string): Omit<Problem, 'where'> | undefined {
  if (calls >= MAX_CALL_FRAMES) {
    const message = `the call stack is ${calls + 1} frames deep when ${name} runs, and the kernel takes ${MAX_CALL_FRAMES}`;
    return { code: 'call-too-deep', message, hint: 'make some functions __always_inline; a function must not call itself' };
  }
  if (calls > 0 && hasTailCall && bytesBefore >= MAX_STACK_BEFORE_TAIL_CALL) {
    const message = `${name} makes tail calls and the frames before it have ${bytesBefore} bytes: the kernel takes less than ${MAX_STACK_BEFORE_TAIL_CALL}`;
    return { code: 'stack-too-large', message, hint: 'move large variables of its callers into a PERCPU_ARRAY' };
  }
  if (bytes > MAX_BPF_STACK) {
    const message = `the combined stack of ${calls + 1} ${calls === 0 ? 'function' : 'functions'}, ${name} the last, is ${bytes} bytes, and the kernel takes ${MAX_BPF_STACK}`;
    return { code: 'stack-too-large', message, hint: 'move large variables into a PERCPU_ARRAY' };
  }
  return undefined;
}

function functionUses(program: StackProgram): FunctionUse[] {
  const { insns, functions } = program;
  const placeOf = new Map(functions.map(({ insnIndex }, place) => [insnIndex, place]));
  const addressAt = new Map((program.functionReferences ?? []).map(({ insnIndex, targetInsnIndex }) => [insnIndex, targetInsnIndex]));
  let hasTimer = false;
  const walked = functions.map(({ insnIndex: start }, place) => {
    const end = functions[place + 1]?.insnIndex ?? slotCount(insns);
    const called = new Set<number>();
    const taken = new Set<number>();
    let hasTailCall = false;
    for (let index = start; index < end; ) {
      const row = rowAt(insns, index);
      if (row?.operation === 'helper') {
        const id = immAt(insns, index);
        hasTailCall ||= id === BPF_FUNC_TAIL_CALL;
        hasTimer ||= id === BPF_FUNC_TIMER_SET_CALLBACK;
      } else if (row?.operation === 'subprogram') {
        called.add(index + 1 + immAt(insns, index));
      } else if (row?.kind === 'lddw' && addressAt.has(index)) {
        taken.add(addressAt.get(index)!);
      }
      index += row?.slots ?? 1;
    }
    return { frameBytes: frameBytes(insns, start, end), called, taken, hasTailCall };
  });
  // What a timer calls has a stack of its own. Which helper an address is for the instructions don't say, so with a timer no address counts.
  return walked.map(({ called, taken, ...use }) => {
    const targets = hasTimer ? called : new Set([...called, ...taken]);
    return { ...use, callees: [...targets].flatMap((target) => placeOf.get(target) ?? []) };
  });
}
