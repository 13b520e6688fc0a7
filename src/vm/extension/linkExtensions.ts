import { catchProblem, ProblemError } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import type { ObjectSpec, ProgramPart, ProgramSpec } from '../spec.js';
import { checkSignature } from './checkSignature.js';
import { joinBtf } from './joinBtf.js';
import { replaceFunctions } from './replaceFunctions.js';
import type { Replacement } from './replaceFunctions.js';
import { separateNames } from './separateNames.js';

/** A program has at most 256 functions, the main one among them (BPF_MAX_SUBPROGS, include/linux/bpf_verifier.h, 6.18). */
const MAX_EXTENSIONS = 255;

/** A program, and the function whose place it is to take. */
export interface Extension {
  readonly object: ObjectSpec;
  /** Name of a program in `object`. */
  readonly program: string;
  /** Name of a global function that the target program calls. */
  readonly replaces: string;
}

/**
 * Puts programs in the place of functions of another one, as BPF_PROG_TYPE_EXT does in a running kernel: the answer is an object whose program of the same name has them
 * linked in.
 *
 * Maps and global variables of each object stay its own. A name that another object has too gets the name of the extension before it (`acl/counts`); the target's names, and
 * all others, stay. Faults and refusals tell object, program and source line that an instruction comes from. An extension is checked when the linked object
 * is loaded, by its own licence and with a stack of its own.
 *
 * Problems: `unknown-program`, `extension-too-many`, `extension-no-function`, `extension-twice`, and those of `checkSignature`.
 */
export function linkExtensions(target: ObjectSpec, programName: string, extensions: readonly Extension[]): Result<ObjectSpec> {
  return catchProblem(() => {
    const main = findProgram(target, programName);
    if (extensions.length > MAX_EXTENSIONS) {
      const message = `${extensions.length} extensions are more than a program has functions (${MAX_EXTENSIONS} besides the main one)`;
      throw new ProblemError({ code: 'extension-too-many', message, where: target.name, hint: 'give fewer' });
    }
    for (const [index, extension] of extensions.entries()) checkExtension(target, main, extension, extensions.slice(0, index));

    const parts = [{ object: target, program: programName }, ...extensions];
    const { btf, firstIds } = joinBtf(parts.map(({ object }) => object.btf), target.name);
    const objects = separateNames(parts.map(({ object, program }, index) => ({ object, label: program, firstTypeId: firstIds[index]! })));
    /** The program of a part under its name among all. */
    const chosen = parts.map(({ object, program }, index) => objects[index]!.programs[object.programs.indexOf(findProgram(object, program))]!);
    const replacements = new Map<string, Replacement>(extensions.map(({ object, program, replaces }, index) => [replaces, { program: chosen[index + 1]!, origin: originOf(object, program) }]));
    const warnings = [...new Set(parts.flatMap(({ object }) => object.warnings ?? []))];
    return {
      name: target.name,
      license: target.license,
      programs: [
        replaceFunctions(chosen[0]!, replacements, originOf(target, programName)),
        ...objects.flatMap((object, index) => otherPrograms(object, parts[index]!.object, chosen[index]!, index === 0)),
      ],
      maps: objects.flatMap(({ maps }) => maps),
      variables: objects.flatMap(({ variables }) => variables),
      btf,
      btfBytes: undefined,
      ...(warnings.length === 0 ? {} : { warnings }),
    };
  });
}

function findProgram(object: ObjectSpec, name: string): ProgramSpec {
  const program = object.programs.find((candidate) => candidate.name === name);
  if (program !== undefined) return program;
  const names = object.programs.map((candidate) => candidate.name).join(', ');
  throw new ProblemError({ code: 'unknown-program', message: `there is no program ${name}`, where: object.name, hint: names === '' ? 'this object has no program' : `use one of ${names}` });
}

function originOf({ name, license }: ObjectSpec, program: string): Omit<ProgramPart, 'insnIndex'> {
  return { object: name, program, license };
}

/** Entries of devices and CPUs, and what is tail-called: they go on as programs by themselves. A program that is part of the linked one is there again only if it is tail-called. */
function otherPrograms(object: ObjectSpec, original: ObjectSpec, chosen: ProgramSpec, isTarget: boolean): ProgramSpec[] {
  const tailCalled = new Set(isTarget ? [] : object.maps.flatMap(({ initialPrograms }) => initialPrograms.map(({ program }) => program)));
  return object.programs.flatMap((program, index) => {
    if (program.type !== 'xdp' || (program === chosen && !tailCalled.has(program.name))) return [];
    return [{ ...program, parts: program.parts ?? [{ ...originOf(original, original.programs[index]!.name), insnIndex: 0 }] }];
  });
}

function checkExtension(target: ObjectSpec, main: ProgramSpec, extension: Extension, before: readonly Extension[]): void {
  const { object, program, replaces } = extension;
  const where = `${object.name}, program ${program}`;
  findProgram(object, program);
  const functions = main.functions.slice(1).map(({ name }) => name);
  if (!functions.includes(replaces)) {
    const message = `program ${main.name} in ${target.name} calls no function ${replaces}, so nothing can take its place (ESRCH)`;
    const hint = functions.length === 0 ? 'it calls no functions: mark them __noinline and don\'t make them static' : `it calls ${functions.join(', ')}`;
    throw new ProblemError({ code: 'extension-no-function', message, where, hint });
  }
  const taken = before.find((other) => other.replaces === replaces);
  if (taken !== undefined) {
    const message = `${taken.program} of ${taken.object.name} has taken the place of ${replaces} already (EBUSY)`;
    throw new ProblemError({ code: 'extension-twice', message, where, hint: 'give one of them, or chain them with a dispatcher' });
  }
  const problem = checkSignature({ where, name: program, btf: object.btf }, { where: target.name, name: replaces, btf: target.btf });
  if (problem !== undefined) throw new ProblemError(problem);
}
