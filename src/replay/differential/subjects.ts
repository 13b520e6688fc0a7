import { formatProblem } from '../../base/index.js';
import type { Problem } from '../../base/index.js';
import { mapTypeName } from '../../vm/index.js';
import type { ObjectSpec } from '../../vm/index.js';
import { freezeHelpers } from './byNature.js';
import type { CorpusObject } from './corpus.js';
import { Draw, seedFor } from './draw.js';
import type { KernelMachine } from './kernelSide.js';
import type { OpenProblem } from './sidePair.js';

/** An object whose programs are compared. */
export interface SubjectObject {
  /** Path below its folder. */
  readonly name: string;
  readonly path: string;
  /** As the file has it, with the sizes that it leaves to user space. */
  readonly spec: ObjectSpec;
  /** As it runs here: helpers whose results differ by nature are constants. */
  readonly frozen: ObjectSpec;
  /** `max_entries` of maps that the file leaves to user space. */
  readonly mapSizes: Readonly<Record<string, number>>;
  /** Programs that both sides have loaded so far: they may stand in PROG_ARRAYs. */
  readonly loaded: string[];
}

/** A program to compare. */
export interface Subject {
  readonly object: SubjectObject;
  readonly program: string;
}

/** A program, or a whole object, that is not compared. */
export interface NotCompared {
  readonly object: string;
  /** `undefined`: the whole object. */
  readonly program: string | undefined;
  readonly status: NotComparedStatus;
  readonly reason: string;
}

/**
 * `unreadable`: our loader can't make anything of the file. `wrongly refused by the simulator`: the kernel loads the program, and the simulator
 * says that it is not valid, which is a difference; what it doesn't know yet is `unsupported`.
 */
export type NotComparedStatus = 'unreadable' | 'no XDP program' | 'refused by the kernel' | 'unsupported by the simulator' | 'wrongly refused by the simulator';

/** Every XDP program of the objects, and the objects that have none. */
export function findSubjects(objects: readonly CorpusObject[], seed: number, noise: Uint8Array): { subjects: Subject[]; notCompared: NotCompared[] } {
  const subjects: Subject[] = [];
  const notCompared: NotCompared[] = [];
  for (const { name, path, spec, mapSizes } of objects) {
    const leaveOut = (status: NotComparedStatus, reason: string) => notCompared.push({ object: name, program: undefined, status, reason });
    if (!spec.ok) {
      leaveOut('unreadable', withoutPath(spec.problem));
      continue;
    }
    const programs = spec.value.programs.filter((program) => program.type === 'xdp');
    if (programs.length === 0) leaveOut('no XDP program', 'all its sections are of other types');
    const frozen = freezeHelpers(spec.value, new Draw(seedFor(seed, name), noise));
    const object = { name, path, spec: spec.value, frozen, mapSizes, loaded: [] };
    subjects.push(...programs.map((program) => ({ object, program: program.name })));
  }
  return { subjects, notCompared };
}

/** What becomes of a program that can't be loaded. */
export function leftOut({ object, program }: Subject, { side, problem }: OpenProblem, kernel: KernelMachine): NotCompared {
  const as = (status: NotComparedStatus, why: Problem): NotCompared => ({ object: object.name, program, status, reason: withoutPath(why) });
  // A program's own problem, e.g. a kfunc, comes up on the kernel's side first: it is ours all the same.
  if (problem.code.startsWith('unsupported-')) return as('unsupported by the simulator', problem);
  if (side === 'kernel') return as('refused by the kernel', problem);
  // The simulator makes all maps of an object, as libbpf does; the kernel's side only those that the program needs.
  const refusedMap = problem.code === 'map-invalid' ? kernel.refusedMap(object.frozen) : undefined;
  return refusedMap === undefined ? as('wrongly refused by the simulator', problem) : as('refused by the kernel', refusedMap);
}

/** The report names the object already. */
function withoutPath(problem: Problem): string {
  const { where, hint: _hint, ...rest } = problem;
  return formatProblem(where === undefined || where.includes('/') ? rest : { ...rest, where });
}

/** Entries of per-CPU maps, each of which the kernel allocates for itself: 65536 take a third of a second. */
const HEAVY_ENTRIES = 4096;

/** True for programs that take long to load, because of their maps. */
export function isHeavy({ object }: Subject): boolean {
  const perCpu = object.spec.maps.filter(({ type }) => mapTypeName(type).startsWith('PERCPU'));
  return perCpu.reduce((total, map) => total + map.maxEntries, 0) > HEAVY_ENTRIES;
}
