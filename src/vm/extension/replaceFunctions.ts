import { immAt, srcAt } from '../isa/decode.js';
import { BPF_PSEUDO_CALL, INSN_BYTES } from '../isa/opcodes.js';
import { isCall, isLddw } from '../program.js';
import type { ProgramPart, ProgramSpec } from '../spec.js';

/** A program that takes the place of a function. */
export interface Replacement {
  readonly program: ProgramSpec;
  /** Where its instructions come from. */
  readonly origin: Omit<ProgramPart, 'insnIndex'>;
}

/** Instructions that move together. */
interface Piece {
  readonly program: ProgramSpec;
  /** Instructions of `program`: from, and up to. */
  readonly start: number;
  readonly end: number;
  /** Where `start` comes to lie. */
  readonly at: number;
}

/**
 * Links programs into another one in place of functions: what calls or takes the address of such a function, gets the program. The functions that stay come first, then the programs, each
 * with its own subprograms.
 *
 * @param replacements by the name of the function
 * @param origin where the program's own instructions come from
 */
export function replaceFunctions(program: ProgramSpec, replacements: ReadonlyMap<string, Replacement>, origin: Omit<ProgramPart, 'insnIndex'>): ProgramSpec {
  const { pieces, newIndexOf } = placePieces(program, replacements);
  const last = pieces[pieces.length - 1]!;
  const insns = new Uint8Array((last.at + last.end - last.start) * INSN_BYTES);
  const view = new DataView(insns.buffer);
  for (const { program: { insns: from }, start, end, at } of pieces) insns.set(from.subarray(start * INSN_BYTES, end * INSN_BYTES), at * INSN_BYTES);

  // Inside a program that was linked in nothing moves but the whole; in the target the ways between functions may have become longer or shorter.
  const setTarget = (index: number, target: number): void => view.setInt32(index * INSN_BYTES + 4, target - (index + 1), true);
  for (const piece of pieces) {
    if (piece.program !== program) continue;
    for (let index = piece.start; index < piece.end; index += isLddw(program.insns, index) ? 2 : 1) {
      if (!isCall(program.insns, index) || srcAt(program.insns, index) !== BPF_PSEUDO_CALL) continue;
      setTarget(index - piece.start + piece.at, newIndexOf(index + 1 + immAt(program.insns, index)));
    }
  }
  const functionReferences = pieces.flatMap((piece) => within(piece, piece.program.functionReferences).map((reference) => {
    const target = piece.program === program ? newIndexOf(reference.targetInsnIndex) : reference.targetInsnIndex - piece.start + piece.at;
    setTarget(reference.insnIndex, target);
    return { ...reference, targetInsnIndex: target };
  }));

  const all = <T extends { readonly insnIndex: number }>(listOf: (spec: ProgramSpec) => readonly T[] | undefined): T[] => pieces.flatMap((piece) => within(piece, listOf(piece.program)));
  return {
    ...program,
    insns,
    references: all((spec) => spec.references),
    functionReferences,
    kfuncs: all((spec) => spec.kfuncs),
    kfuncAddresses: all((spec) => spec.kfuncAddresses),
    poisons: all((spec) => spec.poisons),
    functions: all((spec) => spec.functions),
    lines: all((spec) => spec.lines),
    // The kernel takes extensions one by one, never this.
    funcInfo: new Uint8Array(0),
    lineInfo: new Uint8Array(0),
    parts: placeParts(pieces, new Map([[program, origin], ...[...replacements.values()].map((replacement) => [replacement.program, replacement.origin] as const)])),
    problem: pieces.find((piece) => piece.program.problem !== undefined)?.program.problem,
  };
}

function placePieces(program: ProgramSpec, replacements: ReadonlyMap<string, Replacement>): { readonly pieces: readonly Piece[]; readonly newIndexOf: (oldIndex: number) => number } {
  const pieces: Piece[] = [];
  const startOf = new Map<number, number>();
  const ends = program.functions.map((_, index) => program.functions[index + 1]?.insnIndex ?? program.insns.length / INSN_BYTES);
  /** Where the next piece begins. */
  const nextAt = (): number => {
    const last = pieces[pieces.length - 1];
    return last === undefined ? 0 : last.at + last.end - last.start;
  };
  program.functions.forEach(({ name, insnIndex: start }, index) => {
    if (replacements.has(name)) return;
    const end = ends[index]!;
    const last = pieces[pieces.length - 1];
    // Functions that stay side by side are one piece.
    if (last?.end === start) pieces[pieces.length - 1] = { ...last, end };
    else pieces.push({ program, start, end, at: nextAt() });
  });
  const kept = [...pieces];
  for (const { name, insnIndex } of program.functions) {
    const replacement = replacements.get(name)?.program;
    if (replacement === undefined) continue;
    startOf.set(insnIndex, nextAt());
    pieces.push({ program: replacement, start: 0, end: replacement.insns.length / INSN_BYTES, at: nextAt() });
  }
  const newIndexOf = (oldIndex: number): number => {
    const replaced = startOf.get(oldIndex);
    if (replaced !== undefined) return replaced;
    const piece = kept.find(({ start, end }) => oldIndex >= start && oldIndex < end);
    // What leads nowhere goes on leading nowhere: such a program has a problem, and is not loaded.
    return piece === undefined ? -1 : oldIndex - piece.start + piece.at;
  };
  return { pieces, newIndexOf };
}

/** Where the instructions of each piece come from. A program may have been linked out of parts itself; functions of one part that lie side by side stay one part. */
function placeParts(pieces: readonly Piece[], origins: ReadonlyMap<ProgramSpec, Omit<ProgramPart, 'insnIndex'>>): ProgramPart[] {
  const whole = new Map([...origins].map(([program, origin]) => [program, [{ ...origin, insnIndex: 0 }]]));
  const placed: { readonly part: ProgramPart; readonly at: number }[] = [];
  for (const { program, start, end, at } of pieces) {
    const parts = program.parts ?? whole.get(program)!;
    for (const part of parts.filter(({ insnIndex }, place) => insnIndex < end && (parts[place + 1]?.insnIndex ?? end) > start)) {
      if (placed[placed.length - 1]?.part !== part) placed.push({ part, at: Math.max(part.insnIndex, start) - start + at });
    }
  }
  return placed.map(({ part, at }) => ({ ...part, insnIndex: at }));
}

/** What lies in a piece, at its new place. */
function within<T extends { readonly insnIndex: number }>({ start, end, at }: Piece, list: readonly T[] = []): T[] {
  return list.filter(({ insnIndex }) => insnIndex >= start && insnIndex < end).map((entry) => ({ ...entry, insnIndex: entry.insnIndex - start + at }));
}
