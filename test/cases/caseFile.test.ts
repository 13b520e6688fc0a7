import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatProblem } from '../../src/base/index.js';
import { formatCaseFile, parseCaseFile, readCaseFile } from '../../src/cases/index.js';
import { fc, prop } from '../support/property.js';
import { ARP, caseFile, parse } from './support.js';

const CASE = { name: 'a', data_in: ARP };
const OF_CASE = 'cases.json, case 0 (a)';

function refusal(file: unknown): string {
  const parsed = parse(file);
  return parsed.ok ? 'none' : `${parsed.problem.code} | ${formatProblem(parsed.problem)}`;
}

describe('a case file', () => {
  it.each<[string, unknown, string]>([
    ['no object', [], 'cases.json: it is no JSON object; write {...}'],
    ['another schema', { ...caseFile(), schema: 2 }, 'cases.json: schema is 2, not 1; write "schema": 1'],
    ['no path', { schema: 1, cases: [] }, 'cases.json: object is no path; write "object": "prog.o"'],
    ['a size that is none', { ...caseFile(), map_sizes: { m: '64' } }, 'cases.json, map_sizes.m: "64" is no number; use a whole number from 0 to 4294967295'],
    ['sizes without names', { ...caseFile(), map_sizes: [64] }, 'cases.json, map_sizes: it is no JSON object; write {...}'],
    ['no cases', { schema: 1, object: 'prog.o' }, 'cases.json: cases is no list; write "cases": [...]'],
    ['a name twice', caseFile(CASE, CASE), 'cases.json, case 1: the name "a" occurs twice; give each case a name of its own'],
    ['a case without a name', caseFile({ ...CASE, name: '' }), 'cases.json, case 0: there is no name; write "name": "..."'],
    ['a case without a packet', { ...caseFile(), cases: [{ name: 'a' }] }, `${OF_CASE}, data_in: it is missing; write two hex digits a byte`],
    ['half a byte', caseFile({ ...CASE, data_in: 'abc' }), `${OF_CASE}, data_in: it is no hex; write two hex digits a byte`],
    ['a negative length', caseFile({ ...CASE, ctx_in: { data: -1 } }), `${OF_CASE}, ctx_in.data: -1 is out of range; use a whole number from 0 to 4294967295`],
    ['a long repeat', caseFile({ ...CASE, repeat: 2 ** 20 + 1 }), `${OF_CASE}, repeat: 1048577 is out of range; use a whole number from 0 to 1048576`],
    ['a map that is no list', { ...caseFile(), cases: [{ ...CASE, maps: { m: {} } }] }, `${OF_CASE}, maps.m: it is no list of entries; write [{"key": "00000000", "value": "01000000"}]`],
    ['an entry without a value', { ...caseFile(), cases: [{ ...CASE, maps: { m: [{ key: '00' }] } }] }, `${OF_CASE}, maps.m[0].value: it is no string; write the value in hex, or the name of a program`],
    ['an expected number as text', { ...caseFile(), cases: [{ ...CASE, expect: { retval: '2' } }] }, `${OF_CASE}, expect.retval: "2" is no number; use a whole number from 0 to 4294967295`],
    ['a part that can not be excluded', caseFile({ ...CASE, exclude: ['errno'] }), `${OF_CASE}, exclude: it is no list of parts; use retval, data_out, ctx_out, maps.NAME or globals.NAME`],
  ])('with %s is refused', (_, file, message) => {
    expect(refusal(file)).toBe(`case-file-shape | ${message}`);
  });

  it('that is no JSON is refused', () => {
    const parsed = parseCaseFile('{"schema": 1,', 'cases.json');
    expect(parsed).toMatchObject({ ok: false, problem: { code: 'case-file-json', where: 'cases.json' } });
  });

  it('with brackets without end is refused', () => {
    expect(parseCaseFile('['.repeat(1e6), 'cases.json')).toMatchObject({ problem: { code: 'nested-too-deep' } });
  });

  it.each(['fixtures', 'no/such/file.json', '/dev/zero'])('that can not be read is refused: %s', (path) => {
    expect(readCaseFile(path)).toMatchObject({ problem: { code: 'case-file-unreadable', where: path } });
  });

  prop([fc.json()])('made of any JSON is taken or refused, never an exception', (text) => {
    expect(parseCaseFile(text, 'cases.json').ok).toBe(false);
  });

  const hex = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('hex'));
  const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const maps = fc.dictionary(fc.string(), fc.array(fc.record({ key: hex, value: fc.oneof(hex, fc.string()) })), { noNullPrototype: true });
  const globals = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { noNullPrototype: true });
  const observation = fc.record({ errno: fc.string(), retval: u32, data_out: hex, ctx_out: fc.record({ data: u32 }), maps, globals }, { requiredKeys: [], noNullPrototype: true });
  const cases = fc.uniqueArray(
    fc.record({ name: fc.string({ minLength: 1 }), data_in: hex, program: fc.string(), repeat: fc.nat(9), maps, globals, expect: observation }, { requiredKeys: ['name', 'data_in'], noNullPrototype: true }),
    { selector: ({ name }) => name },
  );

  prop([cases])('is the same after it has been written and read', (list) => {
    const text = formatCaseFile(caseFile(...list));
    const again = parseCaseFile(text, 'cases.json');
    expect(again).toEqual({ ok: true, value: JSON.parse(JSON.stringify(caseFile(...list))) });
    expect(formatCaseFile((again as { value: ReturnType<typeof caseFile> }).value)).toBe(text);
  });
});

interface Schema {
  readonly required?: readonly string[];
  readonly properties: Readonly<Record<string, { readonly $ref?: string; readonly type?: string; readonly pattern?: string }>>;
  readonly additionalProperties: unknown;
  readonly pattern?: string;
  readonly maximum?: number;
}

describe('the JSON schema', () => {
  const schema = JSON.parse(readFileSync('docs/case-file.schema.json', 'utf8')) as Schema & { $defs: Record<string, Schema> };
  const { $defs } = schema;

  /** A value that each definition takes, and those that it must not. */
  const GOOD: Record<string, unknown> = { hex: ARP, u32: 7, context: { data: 0 }, maps: { m: [{ key: '00', value: '01' }] }, globals: { v: [1] }, observation: {} };
  const BAD: Record<string, unknown[]> = { hex: ['0', 'xx', 1], u32: [-1, 1.5, '1', 2 ** 32], context: [[], 1], maps: [[], { m: 1 }], globals: [[], 1], observation: [[], 1] };

  /** Puts a value where a definition of the schema stands in a file. */
  const PLACES: Record<string, (value: unknown) => unknown> = {
    case: (value) => ({ ...caseFile(), cases: [value] }),
    observation: (value) => ({ ...caseFile(), cases: [{ ...CASE, expect: value }] }),
    context: (value) => ({ ...caseFile(), cases: [{ ...CASE, ctx_in: value }] }),
    entry: (value) => ({ ...caseFile(), cases: [{ ...CASE, maps: { m: [value] } }] }),
  };
  const MINIMAL: Record<string, object> = { case: CASE, observation: {}, context: {}, entry: { key: '00', value: '01' } };

  it.each(Object.keys(PLACES))('has the fields of %s that the checker knows, and no others', (name) => {
    expect($defs[name].additionalProperties).toBe(false);
    const { problem } = parse(PLACES[name]({ ...MINIMAL[name], stranger: 1 })) as { problem: { hint: string } };
    expect(problem.hint).toBe(`use ${Object.keys($defs[name].properties).join(', ')}`);
  });

  it('has the fields of the file that the checker knows', () => {
    const { problem } = parse({ ...caseFile(), stranger: 1 }) as { problem: { hint: string } };
    expect(problem.hint).toBe(`use ${Object.keys(schema.properties).join(', ')}`);
    for (const name of schema.required!) expect(parse({ ...caseFile(), [name]: undefined }).ok).toBe(false);
  });

  it.each(Object.keys(PLACES))('requires of %s what the checker requires', (name) => {
    for (const field of Object.keys($defs[name].properties)) {
      const without = Object.fromEntries(Object.entries({ ...MINIMAL[name] }).filter(([key]) => key !== field));
      expect([field, parse(PLACES[name](without)).ok]).toEqual([field, !$defs[name].required!.includes(field)]);
    }
  });

  it.each(Object.keys(PLACES))('gives the fields of %s the types that the checker wants', (name) => {
    for (const [field, { $ref }] of Object.entries($defs[name].properties)) {
      const type = $ref?.split('/').at(-1);
      if (type === undefined) continue;
      expect([field, parse(PLACES[name]({ ...MINIMAL[name], [field]: GOOD[type] })).ok]).toEqual([field, true]);
      for (const value of BAD[type]) expect([field, value, parse(PLACES[name]({ ...MINIMAL[name], [field]: value })).ok]).toEqual([field, value, false]);
    }
  });

  it('has the checker\'s bounds and patterns', () => {
    const bytes = new RegExp($defs.hex.pattern!);
    for (const text of ['', '00', '0 0', ' aB 01 ', '0', '0g', '00 1']) expect([text, bytes.test(text)]).toEqual([text, parse(caseFile({ ...CASE, data_in: text })).ok]);
    const { repeat, exclude } = $defs.case.properties as unknown as { repeat: Schema; exclude: { items: Schema } };
    expect(parse(caseFile({ ...CASE, repeat: repeat.maximum! })).ok).toBe(true);
    expect(parse(caseFile({ ...CASE, repeat: repeat.maximum! + 1 })).ok).toBe(false);
    const part = new RegExp(exclude.items.pattern!);
    for (const text of ['retval', 'data_out', 'ctx_out', 'maps.m', 'globals.v', 'maps.', 'errno', 'maps', '']) {
      expect([text, part.test(text)]).toEqual([text, parse(caseFile({ ...CASE, exclude: [text] })).ok]);
    }
  });
});
