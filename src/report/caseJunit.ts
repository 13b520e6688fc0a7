import type { CaseReport, FiledResult } from '../cases/index.js';
import { counted, printable } from './textTable.js';

/** A report of cases as JUnit XML, as CI systems read it: a suite for each case file. Nothing in it depends on the time. */
export function caseJunit(report: CaseReport): string {
  const files = [...new Set(report.cases.map((result) => result.file))];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${escape(`xdp-sim on the ${report.backend}`)}" ${counts(report.cases)}>`,
    ...files.flatMap((file) => suite(file, report.cases.filter((result) => result.file === file))),
    '</testsuites>',
    '',
  ].join('\n');
}

function suite(file: string, results: readonly FiledResult[]): string[] {
  return [`  <testsuite name="${escape(file)}" ${counts(results)}>`, ...results.flatMap(testcase), '  </testsuite>'];
}

function counts(results: readonly FiledResult[]): string {
  const errors = results.filter((result) => result.problem !== undefined).length;
  const failures = results.filter((result) => !result.ok).length - errors;
  const skipped = results.filter((result) => result.skipped === true).length;
  return `tests="${results.length}" failures="${failures}" errors="${errors}" skipped="${skipped}"`;
}

function testcase(result: FiledResult): string[] {
  const head = `    <testcase classname="${escape(result.file)}" name="${escape(result.name)}"`;
  const inner = outcome(result);
  return inner === undefined ? [`${head}/>`] : [`${head}>`, `      ${inner}`, '    </testcase>'];
}

function outcome({ ok, skipped, problem, differences }: FiledResult): string | undefined {
  if (problem !== undefined) return `<error message="${escape(problem)}"/>`;
  if (skipped === true) return '<skipped message="the case expects nothing"/>';
  if (ok) return undefined;
  const text = differences.map(({ part, expected, observed }) => `${part}: expected ${expected}, observed ${observed}`);
  return `<failure message="${counted(differences.length, 'difference')}">${text.map(escape).join('\n')}</failure>`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** For text and attributes; what XML 1.0 can't say (control characters, halves of surrogates, U+FFFE) is shown as an escape. */
function escape(text: string): string {
  return printable(text)
    .replace(/[\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, (char) => `\\u${char.charCodeAt(0).toString(16)}`)
    .replace(/[&<>"]/g, (char) => ENTITIES[char]);
}
