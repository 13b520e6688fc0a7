import { fail, ok } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { MAP_TYPES } from '../vm/index.js';
import type { InnerMapChoice } from '../vm/index.js';

const DESCRIPTION = /^([a-z_]+):(\d{1,10}):(\d{1,10}):(\d{1,10})(?::(0x[0-9a-f]{1,8}|\d{1,10}))?$/i;

/**
 * What `--inner-map` says, by name of the map of maps: the name of a map of the object, or `TYPE:KEY:VALUE:ENTRIES[:FLAGS]`, sizes in bytes.
 * A case file can't say it, so the two don't go together.
 *
 * Problems: `bad-pair`, `unknown-map-type`, `bad-number`, `usage`.
 */
export function parseInnerMaps(texts: readonly string[], recordsCases: boolean): Result<Record<string, InnerMapChoice>> {
  const choices: Record<string, InnerMapChoice> = {};
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at <= 0 || at === text.length - 1) {
      return refuse({ code: 'bad-pair', message: `'${text}' is no name and inner map`, hint: 'write --inner-map OUTER=MAP or --inner-map OUTER=hash:4:8:100' });
    }
    const choice = parseChoice(text.slice(at + 1));
    if (!choice.ok) return choice;
    choices[text.slice(0, at)] = choice.value;
  }
  if (texts.length === 0 || !recordsCases) return ok(choices);
  return refuse({ code: 'usage', message: 'a case file has no inner maps', hint: 'define them in the source, or leave --record-cases out' });
}

function parseChoice(text: string): Result<InnerMapChoice> {
  const found = DESCRIPTION.exec(text);
  if (found === null) return ok(text);
  const [name, ...numbers] = found.slice(1);
  const type = MAP_TYPES.find((row) => row.name === name!.toUpperCase())?.type;
  if (type === undefined) {
    return refuse({ code: 'unknown-map-type', message: `there is no map type ${name}`, hint: 'use the name of an enum bpf_map_type, e.g. hash or array' });
  }
  const [keySize, valueSize, maxEntries, flags] = numbers.map((number) => Number(number ?? 0)) as [number, number, number, number];
  if (Math.max(keySize, valueSize, maxEntries, flags) > 0xffffffff) {
    return refuse({ code: 'bad-number', message: `'${text}' has a number over 4294967295`, hint: 'write TYPE:KEY:VALUE:ENTRIES, sizes in bytes' });
  }
  return ok({ type, keySize, valueSize, maxEntries, flags });
}

function refuse(problem: Omit<Problem, 'where'>): Result<never> {
  return fail({ ...problem, where: '--inner-map' });
}
