import { readFileSync, statSync } from 'node:fs';
import { fail, ok, systemReason } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';

/** Brackets inside each other. C types don't nest so deep, and JSON far deeper exhausts the stack of those who walk it. */
const MAX_NESTING = 64;

/** What a file of JSON is called in problems, and how long it may be. */
export interface JsonFileKind {
  /** Problems are `CODE-unreadable` and `CODE-json`. */
  readonly code: string;
  /** With its article: `a scenario file`. */
  readonly noun: string;
  readonly maxBytes: number;
  /** How to mend a file that is longer. */
  readonly shorten: string;
  /** What mends text that is no JSON; left out: a look at its commas. */
  readonly jsonHint?: string;
  /** In place of `CODE-json`. */
  readonly jsonCode?: string;
}

/** Reads a file of JSON. Problems: those of `readTextFile` and `parseJson`. */
export function readJsonFile(path: string, kind: JsonFileKind): Result<unknown> {
  const text = readTextFile(path, kind);
  return text.ok ? parseJson(text.value, path, kind) : text;
}

/** Reads a plain file that is not too long. Problem: `CODE-unreadable`. */
export function readTextFile(path: string, { code, noun, maxBytes, shorten }: JsonFileKind): Result<string> {
  const unreadable = (message: string, hint: string): Result<never> => fail({ code: `${code}-unreadable`, where: path, message, hint });
  try {
    // Reading a pipe could wait, and a device could go on, for ever.
    const stat = statSync(path);
    if (!stat.isFile()) return unreadable('is no plain file', `give the path of ${noun}`);
    if (stat.size > maxBytes) return unreadable(`has ${stat.size} bytes, more than ${maxBytes}`, shorten);
    return ok(readFileSync(path, 'utf8'));
  } catch (error) {
    return unreadable(`can't be read: ${systemReason(error)}`, 'check the path and its permissions');
  }
}

/** Problems: `nested-too-deep`, `CODE-json`. @param where names the text, e.g. by its file */
export function parseJson(text: string, where: string, { code, jsonCode = `${code}-json`, jsonHint = 'check commas and quotes' }: JsonFileKind): Result<unknown> {
  const tooDeep = checkNesting(text, where);
  if (tooDeep !== undefined) return fail(tooDeep);
  try {
    return ok(JSON.parse(text) as unknown);
  } catch (error) {
    return fail({ code: jsonCode, where, message: `is no JSON: ${(error as Error).message}`, hint: jsonHint });
  }
}

/** Refuses JSON text with brackets too deep inside each other; brackets in strings count too, which does no harm. */
export function checkNesting(text: string, where: string): Problem | undefined {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === 0x5b || char === 0x7b) depth++;
    else if (char === 0x5d || char === 0x7d) depth--;
    if (depth > MAX_NESTING) {
      return { code: 'nested-too-deep', where, message: `more than ${MAX_NESTING} brackets inside each other`, hint: 'no C type nests so deep; check what wrote it' };
    }
  }
  return undefined;
}
