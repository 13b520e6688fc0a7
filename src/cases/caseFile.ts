import { readFileSync } from 'node:fs';
import { catchProblem, fail, fromHex, ProblemError } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';

/**
 * A case file: packets, what a program gets with them, and what it must do. The same file runs in the simulator (`sim check`) and on
 * the running kernel (`sim replay`). `docs/cases.md` explains every field, `docs/case-file.schema.json` is the JSON schema.
 */
export interface CaseFile {
  readonly schema: 1;
  /** Path of the object, relative to the case file. */
  readonly object: string;
  readonly cases: readonly TestCase[];
}

/** One case. It begins with freshly loaded maps. Names are those of BPF_PROG_TEST_RUN. */
export interface TestCase {
  readonly name: string;
  /** May be left out when the object has one XDP program. */
  readonly program?: string;
  /** Metadata (if any) and packet, hex. */
  readonly data_in: string;
  readonly ctx_in?: CaseContext;
  /** Runs on the same buffer; default 1. */
  readonly repeat?: number;
  /** Map contents before the run, by map name. */
  readonly maps?: Readonly<Record<string, readonly CaseEntry[]>>;
  /** Global variables before the run: values as `--set` takes them. */
  readonly globals?: Readonly<Record<string, unknown>>;
  /** What must be observed; what is left out is not judged. */
  readonly expect?: CaseObservation;
  /** Parts that differ by nature (time, random numbers), and are not judged: `retval`, `data_out`, `ctx_out`, `maps.NAME`. */
  readonly exclude?: readonly string[];
}

/** struct xdp_md: lengths and offsets from the start of the data, bytes. */
export interface CaseContext {
  /** Length of the metadata. */
  readonly data?: number;
  /** End of the linear part. */
  readonly data_end?: number;
  readonly data_meta?: number;
  readonly ingress_ifindex?: number;
  readonly rx_queue_index?: number;
  readonly egress_ifindex?: number;
}

/** Key and value in hex; on a per-CPU map the value of the CPU that ran the program, on a PROG_ARRAY a program's name. */
export interface CaseEntry {
  readonly key: string;
  readonly value: string;
}

/** What a run shows, and what a case can expect. */
export interface CaseObservation {
  /** Name of the errno with which the system call failed, e.g. `EINVAL`; absent when it didn't. */
  readonly errno?: string;
  readonly retval?: number;
  /** Metadata and packet, hex. */
  readonly data_out?: string;
  readonly ctx_out?: CaseContext;
  readonly maps?: Readonly<Record<string, readonly CaseEntry[]>>;
}

/** Reads and checks a case file. Problems: `case-file-unreadable`, `case-file-json`, `case-file-shape`. */
export function readCaseFile(path: string): Result<CaseFile> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return fail({ code: 'case-file-unreadable', where: path, message: `can't be read: ${(error as Error).message}`, hint: 'check the path' });
  }
  return parseCaseFile(text, path);
}

/** Checks the text of a case file; `where` names it in messages. */
export function parseCaseFile(text: string, where: string): Result<CaseFile> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return fail({ code: 'case-file-json', where, message: `is no JSON: ${(error as Error).message}`, hint: 'check commas and quotes' });
  }
  return catchProblem(() => {
    checkFile(json, where);
    return json as CaseFile;
  });
}

type Fields = Record<string, unknown>;

function checkFile(json: unknown, where: string): void {
  const file = fieldsOf(json, where, ['schema', 'object', 'cases', '$schema']);
  if (file.schema !== 1) throw shape(where, `schema is ${JSON.stringify(file.schema)}, not 1`, 'write "schema": 1');
  if (typeof file.object !== 'string') throw shape(where, 'object is no path', 'write "object": "prog.o"');
  if (!Array.isArray(file.cases)) throw shape(where, 'cases is no list', 'write "cases": [...]');
  const names = new Set<string>();
  file.cases.forEach((each, index) => {
    const name = checkCase(each, `${where}, case ${index}`);
    if (names.has(name)) throw shape(`${where}, case ${index}`, `the name ${JSON.stringify(name)} occurs twice`, 'give each case a name of its own');
    names.add(name);
  });
}

function checkCase(json: unknown, place: string): string {
  const fields = fieldsOf(json, place, ['name', 'program', 'data_in', 'ctx_in', 'repeat', 'maps', 'globals', 'expect', 'exclude']);
  if (typeof fields.name !== 'string' || fields.name === '') throw shape(place, 'there is no name', 'write "name": "..."');
  const where = `${place} (${fields.name})`;
  if (fields.program !== undefined && typeof fields.program !== 'string') throw shape(where, 'program is no name', 'write "program": "NAME"');
  checkHex(fields.data_in, `${where}, data_in`);
  if (fields.ctx_in !== undefined) checkContext(fields.ctx_in, `${where}, ctx_in`);
  if (fields.repeat !== undefined) checkNumber(fields.repeat, `${where}, repeat`, 2 ** 20);
  if (fields.maps !== undefined) checkMaps(fields.maps, `${where}, maps`);
  if (fields.globals !== undefined) fieldsOf(fields.globals, `${where}, globals`, undefined);
  if (fields.expect !== undefined) checkObservation(fields.expect, `${where}, expect`);
  if (fields.exclude !== undefined) checkExclude(fields.exclude, `${where}, exclude`);
  return fields.name;
}

function checkObservation(json: unknown, where: string): void {
  const fields = fieldsOf(json, where, ['errno', 'retval', 'data_out', 'ctx_out', 'maps']);
  if (fields.errno !== undefined && typeof fields.errno !== 'string') throw shape(`${where}.errno`, 'it is no name', 'write "errno": "EINVAL"');
  if (fields.retval !== undefined) checkNumber(fields.retval, `${where}.retval`, 2 ** 32 - 1);
  if (fields.data_out !== undefined) checkHex(fields.data_out, `${where}.data_out`);
  if (fields.ctx_out !== undefined) checkContext(fields.ctx_out, `${where}.ctx_out`);
  if (fields.maps !== undefined) checkMaps(fields.maps, `${where}.maps`);
}

function checkContext(json: unknown, where: string): void {
  const names = ['data', 'data_end', 'data_meta', 'ingress_ifindex', 'rx_queue_index', 'egress_ifindex'];
  for (const [name, value] of Object.entries(fieldsOf(json, where, names))) checkNumber(value, `${where}.${name}`, 2 ** 32 - 1);
}

function checkMaps(json: unknown, where: string): void {
  for (const [name, entries] of Object.entries(fieldsOf(json, where, undefined))) {
    if (!Array.isArray(entries)) throw shape(`${where}.${name}`, 'it is no list of entries', 'write [{"key": "00000000", "value": "01000000"}]');
    entries.forEach((entry, index) => {
      const place = `${where}.${name}[${index}]`;
      const { key, value } = fieldsOf(entry, place, ['key', 'value']);
      checkHex(key, `${place}.key`);
      if (typeof value !== 'string') throw shape(`${place}.value`, 'it is no string', 'write the value in hex, or the name of a program');
    });
  }
}

const EXCLUDABLE = /^(retval|data_out|ctx_out|maps\..+)$/;

function checkExclude(json: unknown, where: string): void {
  if (!Array.isArray(json) || !json.every((name) => typeof name === 'string' && EXCLUDABLE.test(name))) {
    throw shape(where, 'it is no list of parts', 'use retval, data_out, ctx_out or maps.NAME');
  }
}

function checkHex(value: unknown, where: string): void {
  if (typeof value === 'string' && fromHex(value) !== undefined) return;
  throw shape(where, value === undefined ? 'it is missing' : 'it is no hex', 'write two hex digits a byte');
}

function checkNumber(value: unknown, where: string, max: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return;
  throw shape(where, `${JSON.stringify(value)} is out of range`, `use a whole number from 0 to ${max}`);
}

/** The fields of a JSON object; `known` guards against misspelt names. */
function fieldsOf(json: unknown, where: string, known: readonly string[] | undefined): Fields {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw shape(where, 'it is no JSON object', 'write {...}');
  const stranger = Object.keys(json).find((name) => known !== undefined && !known.includes(name));
  if (stranger !== undefined) throw shape(where, `there is no field ${JSON.stringify(stranger)}`, `use ${known!.join(', ')}`);
  return json as Fields;
}

function shape(where: string, message: string, hint: string): ProblemError {
  const problem: Problem = { code: 'case-file-shape', where, message, hint };
  return new ProblemError(problem);
}
