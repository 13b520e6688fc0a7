import { ProblemError } from '../base/index.js';
import type { KernelRelease, Problem } from '../base/index.js';
import { checkProgram } from './checkProgram.js';
import type { ObjectMaps } from './checkProgram.js';
import type { ObjectSpec, ProgramSpec } from './spec.js';

/** Programs that will be placed, and why the others that were tried won't. */
export interface ProgramSet {
  readonly usable: readonly ProgramSpec[];
  readonly problems: ReadonlyMap<string, Problem>;
}

/** Names of the XDP programs in an object, for hints. */
function xdpNames(object: ObjectSpec): string {
  return object.programs.filter((program) => program.type === 'xdp').map((program) => program.name).join(', ');
}

/**
 * Chooses and checks the programs to load: those asked for, or else all of type XDP, and in both cases every program that they can
 * reach through a PROG_ARRAY that the object fills.
 *
 * @throws ProblemError `unknown-program`, `no-xdp-program`, or the problem of a program: of one that was asked for, or when none is usable
 */
export function chooseAndCheckPrograms(object: ObjectSpec, asked: readonly string[] | undefined, maps: ObjectMaps, kernel: KernelRelease): ProgramSet {
  const wanted = asked === undefined ? object.programs.filter((program) => program.type === 'xdp') : asked.map((name) => findProgram(object, name));
  if (wanted.length === 0) {
    throw new ProblemError({
      code: 'no-xdp-program',
      message: 'the object has no XDP program',
      where: object.name,
      hint: 'put the program into SEC("xdp")',
    });
  }
  const tried = withTailCallTargets(object, wanted);
  const problems = new Map<string, Problem>();
  for (const program of tried) {
    const problem = checkProgram(object, program, maps, kernel);
    if (problem !== undefined) problems.set(program.name, problem);
  }
  spreadProblems(object, tried, problems);

  const usable = tried.filter((program) => !problems.has(program.name));
  const fatal = asked === undefined && usable.length > 0 ? undefined : wanted.find((program) => problems.has(program.name));
  if (fatal !== undefined) throw new ProblemError(problems.get(fatal.name)!);
  return { usable, problems };
}

function findProgram(object: ObjectSpec, name: string): ProgramSpec {
  const program = object.programs.find((candidate) => candidate.name === name);
  if (program !== undefined) return program;
  const names = xdpNames(object);
  throw new ProblemError({
    code: 'unknown-program',
    message: `there is no program ${name}`,
    where: object.name,
    hint: names === '' ? 'this object has no XDP program' : `use one of ${names}`,
  });
}

/** Programs that the object itself puts into PROG_ARRAYs which this program uses. */
function tailCallTargets(object: ObjectSpec, program: ProgramSpec): ProgramSpec[] {
  const used = new Set(program.references.map((reference) => reference.map));
  return object.maps
    .filter((map) => used.has(map.name))
    .flatMap((map) => map.initialPrograms)
    .map((slot) => findProgram(object, slot.program));
}

/** The programs and all that they reach, in file order. */
function withTailCallTargets(object: ObjectSpec, wanted: readonly ProgramSpec[]): ProgramSpec[] {
  const reached = new Set(wanted);
  // A Set is walked in insertion order, added members included.
  for (const program of reached) {
    for (const target of tailCallTargets(object, program)) reached.add(target);
  }
  return object.programs.filter((program) => reached.has(program));
}

/** A program is no better than the programs that it tail-calls. */
function spreadProblems(object: ObjectSpec, tried: readonly ProgramSpec[], problems: Map<string, Problem>): void {
  for (let changed = true; changed; ) {
    changed = false;
    for (const program of tried) {
      const bad = problems.has(program.name) ? undefined : tailCallTargets(object, program).find((target) => problems.has(target.name));
      if (bad === undefined) continue;
      const problem = problems.get(bad.name)!;
      problems.set(program.name, { ...problem, message: `${program.name} tail-calls ${bad.name}: ${problem.message}` });
      changed = true;
    }
  }
}
