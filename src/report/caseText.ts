import { fromHex } from '../base/index.js';
import type { CaseReport, FiledResult, TestCase } from '../cases/index.js';
import { hexDiff } from './hexDiff.js';
import { counted, printable } from './textTable.js';

const LABELS = { ok: 'ok  ', failed: 'FAIL', skipped: '--  ' } as const;

/**
 * A report of cases for people: one line a case, and below those that failed what differs. The simulator's and the kernel's are equal
 * but for the name in the last line.
 *
 * @param cases the cases of the report, in its order: what was expected
 * @param heading how file names are set off
 */
export function caseText(report: CaseReport, cases: readonly TestCase[], heading: (text: string) => string): string {
  const lines: string[] = [];
  report.cases.forEach((result, index) => {
    if (result.file !== report.cases[index - 1]?.file) lines.push(heading(printable(result.file)));
    lines.push(...resultLines(result, cases[index]).map((line) => `  ${printable(line)}`));
  });
  lines.push(`${counted(report.cases.length, 'case')} on the ${report.backend}: ${totals(report)}`);
  return `${lines.join('\n')}\n`;
}

/** `10 ok, 2 failed, 1 not judged`. */
function totals({ passed, failed, skipped }: CaseReport): string {
  return [`${passed} ok`, `${failed} failed`, ...(skipped === 0 ? [] : [`${skipped} not judged`])].join(', ');
}

function resultLines(result: FiledResult, testCase: TestCase): string[] {
  const { name, ok, skipped, excluded, problem, differences } = result;
  const label = skipped === true ? LABELS.skipped : ok ? LABELS.ok : LABELS.failed;
  const notes = [...(skipped === true ? ['expects nothing'] : []), ...(excluded === undefined ? [] : [`without ${excluded.join(', ')}`])];
  const details = [
    ...(problem === undefined ? [] : [problem]),
    ...differences.map(({ part, expected, observed }) => `${part}: expected ${expected}, observed ${observed}`),
    ...(differences.some(({ part }) => part.startsWith('data_out')) ? packetDiff(result, testCase) : []),
  ];
  return [`${label}  ${name}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`, ...details.map((line) => `        ${line}`)];
}

function packetDiff({ observed }: FiledResult, { expect }: TestCase): string[] {
  const bytes = (text: string | undefined): Uint8Array => fromHex(text ?? '') ?? new Uint8Array(0);
  return hexDiff(bytes(expect?.data_out), bytes(observed?.data_out));
}
