import { ProblemError } from '../../base/index.js';
import type { Problem } from '../../base/index.js';
import { BPF_PSEUDO_FUNC, BPF_PSEUDO_KFUNC_CALL, INSN_BYTES } from '../isa/opcodes.js';
import type { FunctionReference, FunctionSpec, KfuncReference, LineSpec, MapReference, PoisonedInstruction, ProgramSpec } from '../spec.js';
import type { FunctionBody } from './functionBody.js';
import type { ObjectFunction } from './functionTable.js';
import { funcInfo, lineInfo } from './programInfo.js';
import { programKind } from './programSection.js';

/** BPF_COMPLEXITY_LIMIT_INSNS (include/linux/bpf.h): the kernel takes no longer program. */
const MAX_PROGRAM_INSNS = 1_000_000;

/**
 * Makes a program out of a function: appends every subprogram that it reaches, each once, in the order of libbpf
 * (`bpf_object__reloc_code`: depth first, at the first call or address), and points calls and addresses at them.
 *
 * @param assumeXdp see `programKind`
 *
 * Throws a `ProblemError` for a program that is longer than the kernel's limit.
 */
export function linkProgram(main: ObjectFunction, bodyOf: (fn: ObjectFunction) => FunctionBody, objectName: string, assumeXdp: boolean): ProgramSpec {
  const functions = placeFunctions(main, bodyOf, objectName);
  const indexOf = new Map(functions.map(({ fn, insnIndex }) => [fn, insnIndex]));

  const last = functions[functions.length - 1]!;
  const insns = new Uint8Array(last.insnIndex * INSN_BYTES + last.body.insns.length);
  const view = new DataView(insns.buffer);
  const references: MapReference[] = [];
  const functionReferences: FunctionReference[] = [];
  const kfuncs: KfuncReference[] = [];
  const kfuncAddresses: KfuncReference[] = [];
  const poisons: PoisonedInstruction[] = [];
  const lines: LineSpec[] = [];
  const functionSpecs: FunctionSpec[] = [];
  let problem: Problem | undefined;

  for (const { fn, body, insnIndex: start } of functions) {
    insns.set(body.insns, start * INSN_BYTES);
    functionSpecs.push({ name: fn.name, insnIndex: start, isHidden: fn.isHidden });
    for (const { insnIndex, target, kind } of body.calls) {
      const at = start + insnIndex;
      const targetInsnIndex = indexOf.get(target)!;
      // The imm of a call and of an address counts from the instruction behind it; behind a lddw that is its second half.
      view.setInt32(at * INSN_BYTES + 4, targetInsnIndex - (at + 1), true);
      if (kind === 'call') continue;
      setSource(insns, at, BPF_PSEUDO_FUNC);
      functionReferences.push({ insnIndex: at, kind: 'function', targetInsnIndex });
    }
    for (const reference of body.references) references.push({ ...reference, insnIndex: start + reference.insnIndex });
    for (const kfunc of body.kfuncs) {
      const at = start + kfunc.insnIndex;
      setSource(insns, at, BPF_PSEUDO_KFUNC_CALL);
      view.setInt32(at * INSN_BYTES + 4, 0, true);
      kfuncs.push({ ...kfunc, insnIndex: at });
    }
    for (const kfunc of body.kfuncAddresses) kfuncAddresses.push({ ...kfunc, insnIndex: start + kfunc.insnIndex });
    for (const poison of body.poisons) poisons.push({ ...poison, insnIndex: start + poison.insnIndex });
    for (const { insnIndex, info } of body.lines) {
      lines.push({ insnIndex: start + insnIndex, file: info.file, line: info.line, column: info.column, text: info.text });
    }
    problem ??= body.problem;
  }
  const section = main.section.name;
  return {
    name: main.name,
    section,
    ...programKind(section, assumeXdp),
    insns,
    references,
    ...(functionReferences.length === 0 ? {} : { functionReferences }),
    ...(kfuncs.length === 0 ? {} : { kfuncs }),
    ...(kfuncAddresses.length === 0 ? {} : { kfuncAddresses }),
    ...(poisons.length === 0 ? {} : { poisons }),
    functions: functionSpecs,
    lines,
    funcInfo: funcInfo(functions),
    lineInfo: lineInfo(functions),
    problem,
  };
}

/** Sets src_reg, the upper half of an instruction's second byte. */
function setSource(insns: Uint8Array, insnIndex: number, source: number): void {
  const at = insnIndex * INSN_BYTES + 1;
  insns[at] = (source << 4) | (insns[at]! & 0x0f);
}

interface PlacedFunction {
  readonly fn: ObjectFunction;
  readonly body: FunctionBody;
  readonly insnIndex: number;
}

/** Order and place of a program's functions. The call chain may be deep, so the stack is our own. */
function placeFunctions(main: ObjectFunction, bodyOf: (fn: ObjectFunction) => FunctionBody, objectName: string): PlacedFunction[] {
  const placed: PlacedFunction[] = [];
  const seen = new Set<ObjectFunction>();
  const stack: { body: FunctionBody; nextCall: number }[] = [];
  let insnCount = 0;
  const place = (fn: ObjectFunction): void => {
    const body = bodyOf(fn);
    seen.add(fn);
    placed.push({ fn, body, insnIndex: insnCount });
    stack.push({ body, nextCall: 0 });
    insnCount += body.insns.length / INSN_BYTES;
  };
  place(main);
  while (stack.length > 0) {
    if (insnCount > MAX_PROGRAM_INSNS) {
      const message = `'${main.name}' and the functions that it calls have more than ${MAX_PROGRAM_INSNS} instructions`;
      throw new ProblemError({ code: 'program-too-long', message, where: `${objectName}, section ${main.section.name}`, hint: 'split it with tail calls' });
    }
    const top = stack[stack.length - 1]!;
    const call = top.body.calls[top.nextCall++];
    if (call === undefined) stack.pop();
    else if (!seen.has(call.target)) place(call.target);
  }
  return placed;
}
