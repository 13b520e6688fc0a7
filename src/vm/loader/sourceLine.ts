import type { LineSpec, ProgramSpec } from '../spec.js';

/** The source line of an instruction: the last entry at or before it; `undefined` without line information. */
export function lineAt(program: ProgramSpec, insnIndex: number): LineSpec | undefined {
  const { lines } = program;
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (lines[middle]!.insnIndex <= insnIndex) low = middle + 1;
    else high = middle;
  }
  return lines[low - 1];
}
