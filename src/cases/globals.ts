import { fail, ok } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { BPF_F_RDONLY_PROG, formatValue, parseValue } from '../vm/index.js';
import type { JsonValue, MapSpec, ObjectSpec, VariableSpec } from '../vm/index.js';

type Globals = Readonly<Record<string, unknown>>;

/** Bytes of global variables by name, from the JSON values of a case. Problems: `unknown-variable`, and those of `parseValue`. */
export function globalBytes(object: ObjectSpec, globals: Globals): Result<ReadonlyMap<string, Uint8Array>> {
  const bytes = new Map<string, Uint8Array>();
  for (const [name, value] of Object.entries(globals)) {
    const variable = object.variables.find((candidate) => candidate.name === name);
    if (variable === undefined) return fail(unknownVariable(object, name));
    const parsed = parseValue(targetOf(object, variable), value);
    if (!parsed.ok) return fail({ where: object.name, ...parsed.problem });
    bytes.set(name, parsed.value.subarray(0, variable.sizeBytes));
  }
  return ok(bytes);
}

/** The same values in the spelling of an observation, so that they can be held against one. Problems: as `globalBytes`. */
export function normalGlobals(object: ObjectSpec, globals: Globals): Result<Record<string, JsonValue>> {
  const bytes = globalBytes(object, globals);
  if (!bytes.ok) return bytes;
  const variableOf = (name: string): VariableSpec => object.variables.find((variable) => variable.name === name)!;
  return ok(Object.fromEntries([...bytes.value].map(([name, value]) => [name, formatVariable(object, variableOf(name), value)])));
}

/** The data sections that programs can change; what is in the others is a constant. */
export function changeableSections(object: ObjectSpec): MapSpec[] {
  return object.maps.filter((map) => map.dataSection !== undefined && (map.flags & BPF_F_RDONLY_PROG) === 0);
}

/**
 * Every global variable that programs can change.
 *
 * @param sectionBytes what a data section holds now
 */
export function dumpGlobals(object: ObjectSpec, sectionBytes: (section: MapSpec) => Uint8Array): Record<string, JsonValue> {
  const values: [string, JsonValue][] = [];
  for (const section of changeableSections(object)) {
    const variables = object.variables.filter((variable) => variable.map === section.name);
    if (variables.length === 0) continue;
    const bytes = sectionBytes(section);
    for (const variable of variables) {
      const { name, offBytes, sizeBytes } = variable;
      values.push([name, formatVariable(object, variable, bytes.slice(offBytes, offBytes + sizeBytes))]);
    }
  }
  return Object.fromEntries(values);
}

/** The value of a variable as JSON. A type that is larger than the symbol, which only a damaged object has, counts as unknown; so does `parseValue` take it. */
export function formatVariable({ btf }: ObjectSpec, { typeId, sizeBytes }: VariableSpec, bytes: Uint8Array): JsonValue {
  const fits = (btf?.sizeOf(typeId) ?? 0) <= sizeBytes;
  return formatValue(btf, fits ? typeId : 0, bytes);
}

function targetOf({ btf }: ObjectSpec, { name, typeId, sizeBytes }: VariableSpec) {
  return { btf, typeId, sizeBytes, label: `variable ${name}` };
}

function unknownVariable(object: ObjectSpec, name: string): Problem {
  const names = object.variables.map((variable) => variable.name).join(', ');
  return {
    code: 'unknown-variable',
    where: object.name,
    message: `there is no global variable ${name}`,
    hint: names === '' ? 'this object has none' : `use one of ${names}`,
  };
}
