import { describe, expect, it } from 'vitest';
import { caseJunit, caseText } from '../../src/report/index.js';
import { fc, prop } from '../support/property.js';
import { report } from './support.js';

const plain = (text: string): string => text;

describe('the text', () => {
  it('has a line a case, and below it what differs', () => {
    const cases = [
      { name: 'fine', data_in: '', expect: { retval: 2 } },
      { name: 'bytes differ', data_in: '', expect: { data_out: `${'00'.repeat(16)}0102` } },
      { name: 'nothing', data_in: '' },
      { name: 'broken', data_in: '', exclude: ['retval'] },
    ];
    const results = report([
      { name: 'fine' },
      {
        name: 'bytes differ', ok: false, observed: { data_out: `${'00'.repeat(16)}0103ff` },
        differences: [{ part: 'data_out[17] payload', expected: '02', observed: '03' }],
      },
      { name: 'nothing', skipped: true, file: 'more.json' },
      { name: 'broken', ok: false, problem: 'there is no map x', excluded: ['retval'], file: 'more.json' },
    ]);
    expect(caseText(results, cases, (text) => `*${text}*`)).toBe(
      [
        '*cases.json*',
        '  ok    fine',
        '  FAIL  bytes differ',
        '          data_out[17] payload: expected 02, observed 03',
        '          0x0010  expected  01 02',
        '                  observed  01 03 ff',
        '                               ^^ ^^',
        '*more.json*',
        '  --    nothing (expects nothing)',
        '  FAIL  broken (without retval)',
        '          there is no map x',
        '4 cases on the simulator: 1 ok, 2 failed, 1 not judged',
        '',
      ].join('\n'),
    );
  });

  it('shows what a terminal would obey, and does not send it', () => {
    const text = caseText(report([{ name: 'a\u001b[2Jb\nc' }]), [{ name: 'a', data_in: '' }], plain);
    expect(text).toContain('ok    a\\x1b[2Jb\\x0ac\n');
  });

  it('of a packet that differs everywhere is not longer than a screen', () => {
    const cases = [{ name: 'a', data_in: '', expect: { data_out: '00'.repeat(9000) } }];
    const differences = [{ part: 'data_out[0] eth.dst', expected: '00', observed: '01' }];
    const text = caseText(report([{ name: 'a', ok: false, differences, observed: { data_out: '01'.repeat(9000) } }]), cases, plain);
    expect(text.split('\n').length).toBeLessThan(60);
    expect(text).toContain('... and 547 more rows');
  });
});

/** Takes XML apart: names of elements, how they nest, attributes. Throws where it is not well-formed (XML 1.0, without DTD and CDATA). */
function elements(xml: string): { readonly name: string; readonly attributes: Readonly<Record<string, string>>; readonly text: string }[] {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/u.test(xml)) throw new Error('a character that XML has not');
  const found: { name: string; attributes: Record<string, string>; text: string }[] = [];
  const open: string[] = [];
  let rest = xml.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>/, '');
  while (rest !== '') {
    const text = /^[^<]+/.exec(rest)?.[0];
    if (text !== undefined) {
      if (text.trim() !== '' && open.length === 0) throw new Error('text outside of the root');
      if (found.length > 0) found[found.length - 1].text += unescape(text);
      rest = rest.slice(text.length);
      continue;
    }
    const tag = /^<(\/?)([a-z]+)((?: [a-z]+="[^"<]*")*)(\/?)>/.exec(rest);
    if (tag === null) throw new Error(`no tag: ${rest.slice(0, 40)}`);
    rest = rest.slice(tag[0].length);
    if (tag[1] === '/') {
      if (open.pop() !== tag[2]) throw new Error(`</${tag[2]}> closes nothing`);
      continue;
    }
    if (open.length === 0 && found.length > 0) throw new Error('a second root');
    const attributes = [...tag[3].matchAll(/([a-z]+)="([^"]*)"/g)].map((match) => [match[1], unescape(match[2])]);
    found.push({ name: tag[2], attributes: Object.fromEntries(attributes) as Record<string, string>, text: '' });
    if (tag[4] === '') open.push(tag[2]);
  }
  if (open.length > 0) throw new Error(`<${open.join('><')}> is not closed`);
  return found;
}

function unescape(text: string): string {
  const names: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };
  return text.replace(/&(\w*);?/g, (entity, name: string) => {
    if (names[name] === undefined || !entity.endsWith(';')) throw new Error(`no entity: ${entity}`);
    return names[name];
  });
}

describe('JUnit XML', () => {
  it('has a suite for each file, and counts', () => {
    const xml = caseJunit(
      report([
        { name: 'fine' },
        { name: 'differs', ok: false, differences: [{ part: 'retval', expected: '1', observed: '2' }] },
        { name: 'can not run', ok: false, problem: 'no map "x" <y>', file: 'more.json' },
        { name: 'nothing', skipped: true, file: 'more.json' },
      ]),
    );
    const found = elements(xml);
    expect(found.map(({ name }) => name)).toEqual(['testsuites', 'testsuite', 'testcase', 'testcase', 'failure', 'testsuite', 'testcase', 'error', 'testcase', 'skipped']);
    expect(found[0].attributes).toEqual({ name: 'xdp-sim on the simulator', tests: '4', failures: '1', errors: '1', skipped: '1' });
    expect(found[1].attributes).toEqual({ name: 'cases.json', tests: '2', failures: '1', errors: '0', skipped: '0' });
    expect(found[4].attributes).toEqual({ message: '1 difference' });
    expect(found[4].text.trim()).toBe('retval: expected 1, observed 2');
    expect(found[7].attributes.message).toBe('no map "x" <y>');
  });

  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom('\ud800', '\u0000', ']]>', '&lt;', '<!--'));
  prop([fc.array(fc.record({ name: text, file: text, ok: fc.boolean(), problem: fc.option(text, { nil: undefined }), differences: fc.array(fc.record({ part: text, expected: text, observed: text })) }))])(
    'is well-formed whatever names and values hold',
    (cases) => {
      const found = elements(caseJunit(report(cases.map(({ problem, ...each }) => (problem === undefined ? each : { ...each, ok: false, problem })))));
      expect(found.filter(({ name }) => name === 'testcase')).toHaveLength(cases.length);
    },
  );
});
