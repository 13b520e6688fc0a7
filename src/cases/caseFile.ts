import { catchProblem, fromHex, ProblemError, unwrap } from '../base/index.js';
import type { Result } from '../base/index.js';
import { parseJson, readTextFile } from '../sim/index.js';
import type { JsonFileKind } from '../sim/index.js';
import { parseNetwork } from '../vm/index.js';

/**
 * A case file: packets, what a program gets with them, and what it must do. The same file runs in the simulator (`sim check`) and on
 * the running kernel (`sim replay`). `docs/cases.md` explains every field, `docs/case-file.schema.json` is the JSON schema.
 */
export interface CaseFile {
  readonly $schema?: string;
  readonly schema: 1;
  /** Path of the object, relative to the case file. */
  readonly object: string;
  /** `max_entries` of maps, by name, for objects that leave it to user space. */
  readonly map_sizes?: Readonly<Record<string, number>>;
  readonly cases: readonly TestCase[];
}

/** One case. It begins with freshly loaded maps. Names are those of BPF_PROG_TEST_RUN. */
export interface TestCase {
  readonly name: string;
  /** May be left out when the object has one XDP program. */
  readonly program?: string;
  /** Metadata (if any) and packet, hex. */
  readonly data_in: string;
  /** Room for output, bytes; left out: enough. */
  readonly data_size_out?: number;
  readonly ctx_in?: CaseContext;
  /** Runs on the same buffer; default 1. */
  readonly repeat?: number;
  /** Map contents before the run, by map name. */
  readonly maps?: Readonly<Record<string, readonly CaseEntry[]>>;
  /** Global variables before the run, read-only ones too: JSON values by their BTF types. */
  readonly globals?: Readonly<Record<string, unknown>>;
  /** The network around the program, as a file of `sim run --network` describes it (docs/network.md); only the simulator can have one. */
  readonly network?: Readonly<Record<string, unknown>>;
  /** What must be observed; what is left out is not judged. */
  readonly expect?: CaseObservation;
  /** Parts that differ by nature (time, random numbers), and are not judged: `retval`, `data_out`, `ctx_out`, `maps.NAME`, `globals.NAME`. */
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
  /** Variables that a program can change: JSON values by their BTF types. */
  readonly globals?: Readonly<Record<string, unknown>>;
}

/** As long as thousands of cases of jumbo frames. */
const FILE_KIND: JsonFileKind = { code: 'case-file', noun: 'a case file', maxBytes: 128 << 20, shorten: 'split it into several files' };

/** Reads and checks a case file. Problems: `case-file-unreadable`, and those of `parseCaseFile`. */
export function readCaseFile(path: string): Result<CaseFile> {
  const text = readTextFile(path, FILE_KIND);
  return text.ok ? parseCaseFile(text.value, path) : text;
}

/**
 * Checks the text of a case file; `where` names it in messages. Whether the object has such programs, maps and variables shows when
 * a case runs.
 *
 * Problems: `case-file-json`, `case-file-shape`, `nested-too-deep`, `network-shape`.
 */
export function parseCaseFile(text: string, where: string): Result<CaseFile> {
  const json = parseJson(text, where, FILE_KIND);
  if (!json.ok) return json;
  return catchProblem(() => {
    checkFile(json.value, where);
    return json.value as CaseFile;
  });
}

type Fields = Record<string, unknown>;

function checkFile(json: unknown, where: string): void {
  const file = fieldsOf(json, where, ['$schema', 'schema', 'object', 'map_sizes', 'cases']);
  if (file.$schema !== undefined && typeof file.$schema !== 'string') throw shape(where, '$schema is no text', 'leave it out');
  if (file.schema !== 1) throw shape(where, `schema is ${JSON.stringify(file.schema)}, not 1`, 'write "schema": 1');
  if (typeof file.object !== 'string' || file.object === '') throw shape(where, 'object is no path', 'write "object": "prog.o"');
  if (file.map_sizes !== undefined) checkMapSizes(file.map_sizes, `${where}, map_sizes`);
  if (!Array.isArray(file.cases)) throw shape(where, 'cases is no list', 'write "cases": [...]');
  const names = new Set<string>();
  file.cases.forEach((each, index) => {
    const name = checkCase(each, `${where}, case ${index}`);
    if (names.has(name)) throw shape(`${where}, case ${index}`, `the name ${JSON.stringify(name)} occurs twice`, 'give each case a name of its own');
    names.add(name);
  });
}

/** Whether the object has such maps, and the kernel takes the sizes, shows when it is loaded. */
function checkMapSizes(json: unknown, where: string): void {
  for (const [name, size] of Object.entries(fieldsOf(json, where, undefined))) checkNumber(size, `${where}.${name}`, MAX_U32);
}

const CASE_FIELDS = ['name', 'program', 'data_in', 'data_size_out', 'ctx_in', 'repeat', 'maps', 'globals', 'network', 'expect', 'exclude'];
const MAX_U32 = 2 ** 32 - 1;
/** Above it a case takes seconds, and the kernel takes an int. */
const MAX_REPEAT = 2 ** 20;

function checkCase(json: unknown, place: string): string {
  const fields = fieldsOf(json, place, CASE_FIELDS);
  if (typeof fields.name !== 'string' || fields.name === '') throw shape(place, 'there is no name', 'write "name": "..."');
  const where = `${place} (${fields.name})`;
  if (fields.program !== undefined && typeof fields.program !== 'string') throw shape(where, 'program is no name', 'write "program": "NAME"');
  checkHex(fields.data_in, `${where}, data_in`);
  if (fields.data_size_out !== undefined) checkNumber(fields.data_size_out, `${where}, data_size_out`, MAX_U32);
  if (fields.ctx_in !== undefined) checkContext(fields.ctx_in, `${where}, ctx_in`);
  if (fields.repeat !== undefined) checkNumber(fields.repeat, `${where}, repeat`, MAX_REPEAT);
  if (fields.maps !== undefined) checkMaps(fields.maps, `${where}, maps`);
  if (fields.globals !== undefined) fieldsOf(fields.globals, `${where}, globals`, undefined);
  if (fields.network !== undefined) unwrap(parseNetwork(fields.network, `${where}, network`));
  if (fields.expect !== undefined) checkObservation(fields.expect, `${where}, expect`);
  if (fields.exclude !== undefined) checkExclude(fields.exclude, `${where}, exclude`);
  return fields.name;
}

function checkObservation(json: unknown, where: string): void {
  const fields = fieldsOf(json, where, ['errno', 'retval', 'data_out', 'ctx_out', 'maps', 'globals']);
  if (fields.errno !== undefined && typeof fields.errno !== 'string') throw shape(`${where}.errno`, 'it is no name', 'write "errno": "EINVAL"');
  if (fields.retval !== undefined) checkNumber(fields.retval, `${where}.retval`, MAX_U32);
  if (fields.data_out !== undefined) checkHex(fields.data_out, `${where}.data_out`);
  if (fields.ctx_out !== undefined) checkContext(fields.ctx_out, `${where}.ctx_out`);
  if (fields.maps !== undefined) checkMaps(fields.maps, `${where}.maps`);
  if (fields.globals !== undefined) fieldsOf(fields.globals, `${where}.globals`, undefined);
}

function checkContext(json: unknown, where: string): void {
  const names = ['data', 'data_end', 'data_meta', 'ingress_ifindex', 'rx_queue_index', 'egress_ifindex'];
  for (const [name, value] of Object.entries(fieldsOf(json, where, names))) checkNumber(value, `${where}.${name}`, MAX_U32);
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

const EXCLUDABLE = /^(retval|data_out|ctx_out|maps\..+|globals\..+)$/;

function checkExclude(json: unknown, where: string): void {
  if (!Array.isArray(json) || !json.every((name) => typeof name === 'string' && EXCLUDABLE.test(name))) {
    throw shape(where, 'it is no list of parts', 'use retval, data_out, ctx_out, maps.NAME or globals.NAME');
  }
}

function checkHex(value: unknown, where: string): void {
  if (typeof value === 'string' && fromHex(value) !== undefined) return;
  throw shape(where, value === undefined ? 'it is missing' : 'it is no hex', 'write two hex digits a byte');
}

function checkNumber(value: unknown, where: string, max: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return;
  throw shape(where, `${JSON.stringify(value)} is ${typeof value === 'number' ? 'out of range' : 'no number'}`, `use a whole number from 0 to ${max}`);
}

/** The fields of a JSON object; `known` guards against misspelt names. */
function fieldsOf(json: unknown, where: string, known: readonly string[] | undefined): Fields {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw shape(where, 'it is no JSON object', 'write {...}');
  const stranger = Object.keys(json).find((name) => known !== undefined && !known.includes(name));
  if (stranger !== undefined) throw shape(where, `there is no field ${JSON.stringify(stranger)}`, `use ${known!.join(', ')}`);
  return json as Fields;
}

function shape(where: string, message: string, hint: string): ProblemError {
  return new ProblemError({ code: 'case-file-shape', where, message, hint });
}
