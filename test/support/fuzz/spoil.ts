import type { Spoiling } from './statements.js';

const BRANCH = /^if (\S+) (\S+) (\S+) goto (l\d+)$/;
/** A number that says how far: an immediate, or the offset of an access. */
const NUMBER = /(?<=(?:&=|\+=|\*=|<<=|>>=|[rw]\d =|[<>=] ) ?)-?\d+$|(?<=if .*[<>=] )-?\d+(?= goto)|(?<=\(r\d+ )[+-]\d+(?=\))/;

/** A program with one wrong line. It still ends and reads no register before it is written, but no verifier would take it. */
export function spoil(text: string, { how, line, imm, operator }: Spoiling): string {
  const lines = text.split('\n');
  const pick = (suits: (candidate: string) => boolean): number => {
    const places = lines.flatMap((candidate, index) => (suits(candidate) ? [index] : []));
    return places.length === 0 ? -1 : places[line % places.length]!;
  };
  switch (how) {
    case 'number': {
      const at = pick((candidate) => NUMBER.test(candidate) && !isLoopEnd(candidate));
      if (at >= 0) lines[at] = lines[at]!.replace(NUMBER, (old) => fit(lines[at]!, old, imm));
      break;
    }
    case 'dropBranch': {
      const at = pick((candidate) => BRANCH.test(candidate) && !isLoopEnd(candidate));
      if (at >= 0) lines.splice(at, 1);
      break;
    }
    case 'operator': {
      const at = pick((candidate) => BRANCH.test(candidate) && !isLoopEnd(candidate));
      if (at >= 0) lines[at] = lines[at]!.replace(BRANCH, `if $1 ${operator} $3 goto $4`);
      break;
    }
    case 'swapLines': {
      const at = pick((candidate) => / [-+&<>]+= /.test(candidate) && !candidate.startsWith('if') && !candidate.startsWith('lock'));
      if (at > 0 && / [-+&<>]+= /.test(lines[at - 1]!)) [lines[at - 1], lines[at]] = [lines[at]!, lines[at - 1]!];
    }
  }
  return lines.join('\n');
}

/** What counts a loop down stays, or it would run until its budget ends, which engines count differently. */
function isLoopEnd(line: string): boolean {
  return line.startsWith('if r1 != 0') || line.startsWith('if r5 <') || line === 'r1 += -1' || line === 'r5 += 1' || /r10 -(72|80)\)/.test(line);
}

/** A number that the assembler and the instruction check take in this place. */
function fit(line: string, old: string, imm: number): string {
  if (/^[+-]/.test(old) && line.includes(`(r`) && /\(r\d+ [+-]\d+\)/.test(line)) {
    const offset = Math.max(-0x8000, Math.min(0x7fff, imm));
    return `${offset < 0 ? '' : '+'}${offset}`;
  }
  if (/<<=|>>=/.test(line)) return String((imm >>> 0) % (line.startsWith('w') ? 32 : 64));
  return String(imm);
}
