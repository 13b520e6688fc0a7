import { INSN_BYTES } from './isa/opcodes.js';
import type { ObjectSpec, ProgramPart, ProgramSpec } from './spec.js';

/** The part of a linked program that an instruction belongs to; `undefined` for programs that come out of one object. */
export function partAt(program: Pick<ProgramSpec, 'parts'>, insnIndex: number): ProgramPart | undefined {
  return program.parts?.findLast((part) => part.insnIndex <= insnIndex);
}

/** Whose instruction it is, for messages, and its number there: `acl.o, program acl`. */
export function originOf(object: Pick<ObjectSpec, 'name'>, program: Pick<ProgramSpec, 'name' | 'parts'>, insnIndex: number): { readonly where: string; readonly insnIndex: number } {
  const part = partAt(program, insnIndex);
  if (part === undefined) return { where: `${object.name}, program ${program.name}`, insnIndex };
  return { where: `${part.object}, program ${part.program}`, insnIndex: insnIndex - part.insnIndex };
}

/** Each part as a program by itself, calls of other parts dangling: they are verified one by one, each with a stack of its own. */
export function partsOf(program: ProgramSpec): Pick<ProgramSpec, 'insns' | 'functions' | 'functionReferences'>[] {
  const { parts = [], insns, functions, functionReferences = [] } = program;
  if (parts.length === 0) return [program];
  return parts.map(({ insnIndex: start }, place) => {
    const end = parts[place + 1]?.insnIndex ?? insns.length / INSN_BYTES;
    const within = ({ insnIndex }: { readonly insnIndex: number }): boolean => insnIndex >= start && insnIndex < end;
    return {
      insns: insns.subarray(start * INSN_BYTES, end * INSN_BYTES),
      functions: functions.filter(within).map((fn) => ({ ...fn, insnIndex: fn.insnIndex - start })),
      functionReferences: functionReferences.filter(within).map((reference) => ({ ...reference, insnIndex: reference.insnIndex - start, targetInsnIndex: reference.targetInsnIndex - start })),
    };
  });
}
