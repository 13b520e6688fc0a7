import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { mapTypeName } from '../vm/index.js';
import type { ObjectSpec } from '../vm/index.js';
import type { CaseObservation } from './caseFile.js';
import { normalGlobals } from './globals.js';
import { isJudgedEntryMap } from './programEntries.js';
import { isPlainMap, unknownMap } from './mapEntries.js';

/**
 * What a case expects, if the object can show it: its maps and variables exist, and variables have the spelling of an observation.
 *
 * Problems: `unknown-map`, `case-map-not-readable`, `unknown-variable`, and those of `parseValue`.
 */
export function expectationOf(object: ObjectSpec, expected: CaseObservation): Result<CaseObservation> {
  for (const name of Object.keys(expected.maps ?? {})) {
    const spec = object.maps.find((candidate) => candidate.name === name);
    if (spec === undefined) return fail(unknownMap(object, name));
    if (isPlainMap(spec) || isJudgedEntryMap(spec)) continue;
    const message = spec.dataSection === undefined ? `a case can't read maps of type ${mapTypeName(spec.type)} with these flags` : 'it holds global variables';
    const hint = spec.dataSection === undefined ? 'leave it out' : 'expect them in "globals"';
    return fail({ code: 'case-map-not-readable', where: `map ${name}`, message, hint });
  }
  if (expected.globals === undefined) return ok(expected);
  const globals = normalGlobals(object, expected.globals);
  return globals.ok ? ok({ ...expected, globals: globals.value }) : globals;
}
