import { partAt } from '../programPart.js';
import type { LineSpec, ProgramSpec } from '../spec.js';

/** The source line of an instruction: the last entry at or before it, in the same part of the program; `undefined` without line information. */
export function lineAt(program: ProgramSpec, insnIndex: number): LineSpec | undefined {
  const { lines } = program;
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (lines[middle]!.insnIndex <= insnIndex) low = middle + 1;
    else high = middle;
  }
  const line = lines[low - 1];
  return line !== undefined && line.insnIndex >= (partAt(program, insnIndex)?.insnIndex ?? 0) ? line : undefined;
}
