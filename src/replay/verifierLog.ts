import type { Problem } from '../base/index.js';
import type { ProgramSpec } from '../vm/index.js';

/** A refusal by the kernel's verifier. `message` has the log's last words, `log` the whole of it. */
export interface VerifierProblem extends Problem {
  readonly log: string;
}

/** True for a refusal that carries the verifier's log. */
export function isVerifierProblem(problem: Problem): problem is VerifierProblem {
  return 'log' in problem;
}

export interface VerifierVerdict {
  /** What the verifier said about the instruction it stopped at, in one line; empty when the log is. */
  readonly reason: string;
  /** That instruction; `undefined` when the program was refused as a whole. */
  readonly insnIndex: number | undefined;
}

/** An instruction as the verifier prints it, alone or behind the register state: `12: (71) r1 = *(u8 *)(r2 +0)   ; R1=...`. */
const INSTRUCTION = /^(\d+): \([0-9a-f]{2}\) /;
/** Lines that say nothing about the reason: statistics, source lines, register states, call frames, which function comes next. */
const NOISE = /^(processed \d+ insns|verification time|stack depth|insns processed|mark_precise|; |\d+: R\d|from \d+ to \d+|func#\d+ @|Func#\d+ \(|Validating |$)/;

/** Finds in a log of level 1 (kernel/bpf/verifier.c) what the verifier complained about last, and where. */
export function readVerifierLog(log: string): VerifierVerdict {
  const lines = log.split('\n').map((line) => line.trimEnd());
  let insnIndex: number | undefined;
  let reasons: string[] = [];
  for (const line of lines) {
    const instruction = INSTRUCTION.exec(line);
    if (instruction !== null) {
      insnIndex = Number(instruction[1]);
      reasons = [];
    } else if (!NOISE.test(line)) {
      reasons.push(line);
    }
  }
  return { reason: reasons.slice(-3).join('; '), insnIndex };
}

/** `instruction 12, prog.c:41`, as far as the object knows its source lines. */
export function describeInsn(spec: ProgramSpec, insnIndex: number): string {
  const line = spec.lines.findLast((candidate) => candidate.insnIndex <= insnIndex);
  return line === undefined ? `instruction ${insnIndex}` : `instruction ${insnIndex}, ${line.file}:${line.line}`;
}
