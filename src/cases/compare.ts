import { fromHex, toHex } from '../base/index.js';
import { fieldAt } from '../packet/index.js';
import type { CaseContext, CaseEntry, CaseObservation } from './caseFile.js';

/** One thing that is not as expected. */
export interface Difference {
  /** What differs: `retval`, `errno`, `data_out[30] ipv4.dst`, `ctx_out.data_end`, `maps.counters[0a000001]`, `globals.passed`. */
  readonly part: string;
  readonly expected: string;
  readonly observed: string;
}

/** Differing stretches of a packet that are listed; more are counted. */
const LISTED_STRETCHES = 16;

/**
 * Holds an observation against what is expected of it. What `expected` leaves out is not judged, except `errno`: a call that
 * was to succeed must not fail.
 *
 * @param exclude parts that are not judged (TestCase.exclude)
 */
export function compareObservations(expected: CaseObservation, observed: CaseObservation, exclude: readonly string[] = []): Difference[] {
  // Of a call that failed or should have there is nothing else to compare.
  if (expected.errno !== observed.errno) return [{ part: 'errno', expected: expected.errno ?? 'none', observed: observed.errno ?? 'none' }];
  const differences: Difference[] = [];
  const isJudged = (part: string): boolean => !exclude.includes(part);
  if (expected.retval !== undefined && isJudged('retval') && expected.retval !== observed.retval) {
    differences.push({ part: 'retval', expected: String(expected.retval), observed: String(observed.retval ?? 'none') });
  }
  if (expected.data_out !== undefined && isJudged('data_out')) {
    const metaBytes = observed.ctx_out?.data ?? expected.ctx_out?.data ?? 0;
    differences.push(...compareData(bytesOf(expected.data_out), bytesOf(observed.data_out ?? ''), metaBytes));
  }
  if (expected.ctx_out !== undefined && isJudged('ctx_out')) differences.push(...compareContexts(expected.ctx_out, observed.ctx_out ?? {}));
  for (const [name, entries] of Object.entries(expected.maps ?? {})) {
    if (isJudged(`maps.${name}`)) differences.push(...compareMaps(name, entries, observed.maps?.[name] ?? []));
  }
  for (const [name, value] of Object.entries(expected.globals ?? {})) {
    const part = `globals.${name}`;
    const [expectedText, observedText] = [JSON.stringify(value), JSON.stringify(observed.globals?.[name]) ?? 'none'];
    if (isJudged(part) && expectedText !== observedText) differences.push({ part, expected: expectedText, observed: observedText });
  }
  return differences;
}

function bytesOf(hex: string): Uint8Array {
  return fromHex(hex) ?? new Uint8Array(0);
}

/** Metadata and packet, byte for byte. A header field that differs makes one difference and is shown whole; so does a stretch of payload. */
function compareData(expected: Uint8Array, observed: Uint8Array, metaBytes: number): Difference[] {
  const differences: Difference[] = [];
  if (expected.length !== observed.length) {
    differences.push({ part: 'data_out length', expected: `${expected.length} bytes`, observed: `${observed.length} bytes` });
  }
  const common = Math.min(expected.length, observed.length);
  let more = 0;
  for (let index = 0; index < common; ) {
    if (expected[index] === observed[index]) {
      index++;
      continue;
    }
    const { name, start, end } = stretchAt(expected, observed, common, index, metaBytes);
    if (differences.length < LISTED_STRETCHES) {
      differences.push({ part: `data_out[${start}] ${name}`, expected: toHex(expected.subarray(start, end)), observed: toHex(observed.subarray(start, end)) });
    } else more++;
    index = end;
  }
  if (more > 0) differences.push({ part: 'data_out', expected: `${more} more stretches`, observed: 'differ' });
  return differences;
}

/** The header field at `index`, or the differing bytes from there on in what is no field (metadata, payload, options). */
function stretchAt(expected: Uint8Array, observed: Uint8Array, common: number, index: number, metaBytes: number) {
  const packet = expected.subarray(metaBytes);
  const nameAt = (at: number): string => (at < metaBytes ? `metadata+${at}` : fieldAt(packet, packet.length, at - metaBytes));
  const isField = !/\+\d+$/.test(nameAt(index));
  const name = stem(nameAt(index));
  let start = index;
  let end = index + 1;
  if (isField) while (start > metaBytes && nameAt(start - 1) === name) start--;
  while (end < common && (isField || expected[end] !== observed[end]) && stem(nameAt(end)) === name) end++;
  return { name, start, end };
}

/** `payload+12` and `payload+13` are one stretch. */
function stem(field: string): string {
  return field.replace(/\+\d+$/, '');
}

function compareContexts(expected: CaseContext, observed: CaseContext): Difference[] {
  const fields = Object.keys(expected) as (keyof CaseContext)[];
  return fields
    .filter((field) => expected[field] !== observed[field])
    .map((field) => ({ part: `ctx_out.${field}`, expected: String(expected[field]), observed: String(observed[field] ?? 'none') }));
}

function compareMaps(name: string, expected: readonly CaseEntry[], observed: readonly CaseEntry[]): Difference[] {
  const differences: Difference[] = [];
  const values = new Map(observed.map(({ key, value }) => [normal(key), normal(value)]));
  for (const { key, value } of expected) {
    const found = values.get(normal(key));
    values.delete(normal(key));
    if (found !== normal(value)) differences.push({ part: `maps.${name}[${normal(key)}]`, expected: normal(value), observed: found ?? 'no entry' });
  }
  for (const [key, value] of values) differences.push({ part: `maps.${name}[${key}]`, expected: 'no entry', observed: value });
  return differences;
}

/** Hex in one spelling; names of programs stay as they are. */
function normal(text: string): string {
  const bytes = fromHex(text);
  return bytes === undefined ? text : toHex(bytes);
}
