import type { MapSpec, ObjectSpec, ProgramSpec } from '../spec.js';
import { joinedId } from './joinBtf.js';

/** An object among others, and what its names are prefixed with where another object has them too. */
export interface LabelledObject {
  readonly object: ObjectSpec;
  readonly label: string;
  /** What its BTF ids are moved by. */
  readonly firstTypeId: number;
}

/**
 * The same objects without a name in common: maps, global variables and programs. The first object keeps all of its names; of the others, those that another object
 * has too become `LABEL/NAME`. BTF ids become those of the joined types.
 */
export function separateNames(objects: readonly LabelledObject[]): ObjectSpec[] {
  const labels = uniqueLabels(objects.map(({ label }) => label));
  const mapNames = namesOf(objects, ({ maps }) => maps);
  const variableNames = namesOf(objects, ({ variables }) => variables);
  const programNames = namesOf(objects, ({ programs }) => programs);
  return objects.map(({ object, firstTypeId }, index) => {
    const rename = (uses: ReadonlyMap<string, number>) => (name: string): string => (index > 0 && uses.get(name)! > 1 ? `${labels[index]}/${name}` : name);
    const map = rename(mapNames);
    const program = rename(programNames);
    const variable = rename(variableNames);
    return {
      ...object,
      maps: object.maps.map((spec) => renamedMap(spec, map, program, firstTypeId)),
      variables: object.variables.map((spec) => ({ ...spec, name: variable(spec.name), map: map(spec.map), typeId: joinedId(spec.typeId, firstTypeId) })),
      programs: object.programs.map((spec) => renamedProgram(spec, map, program)),
    };
  });
}

/** How many objects use each name. */
function namesOf(objects: readonly LabelledObject[], list: (object: ObjectSpec) => readonly { readonly name: string }[]): Map<string, number> {
  const uses = new Map<string, number>();
  for (const { object } of objects) {
    for (const name of new Set(list(object).map((spec) => spec.name))) uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  return uses;
}

/** `acl`, `acl#2`, `acl#3`. */
function uniqueLabels(labels: readonly string[]): string[] {
  return labels.map((label, index) => {
    const before = labels.slice(0, index).filter((other) => other === label).length;
    return before === 0 ? label : `${label}#${before + 1}`;
  });
}

function renamedMap(spec: MapSpec, map: (name: string) => string, program: (name: string) => string, firstTypeId: number): MapSpec {
  return {
    ...spec,
    name: map(spec.name),
    keyTypeId: joinedId(spec.keyTypeId, firstTypeId),
    valueTypeId: joinedId(spec.valueTypeId, firstTypeId),
    initialPrograms: spec.initialPrograms.map((slot) => ({ ...slot, program: program(slot.program) })),
    ...(spec.initialMaps === undefined ? {} : { initialMaps: spec.initialMaps.map((slot) => ({ ...slot, map: map(slot.map) })) }),
    // An inner map may bear a name that is no map's.
    ...(spec.innerMap === undefined ? {} : { innerMap: { ...renamedMap(spec.innerMap, (name) => name, program, firstTypeId) } }),
  };
}

function renamedProgram(spec: ProgramSpec, map: (name: string) => string, program: (name: string) => string): ProgramSpec {
  return { ...spec, name: program(spec.name), references: spec.references.map((reference) => ({ ...reference, map: map(reference.map) })) };
}
