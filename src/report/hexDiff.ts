import { toSpacedHex } from '../base/index.js';

const ROW_BYTES = 16;
/** Rows that are shown; more are counted. */
const SHOWN_ROWS = 16;

/**
 * The rows of a hex dump that differ, expected above observed, with the differing bytes marked:
 *
 *     0x0010  expected  00 54 00 00 40 00
 *             observed  00 54 00 01 40 00
 *                                ^^
 */
export function hexDiff(expected: Uint8Array, observed: Uint8Array): string[] {
  const lines: string[] = [];
  let more = 0;
  for (let row = 0; row < Math.max(expected.length, observed.length); row += ROW_BYTES) {
    const ours = expected.subarray(row, row + ROW_BYTES);
    const theirs = observed.subarray(row, row + ROW_BYTES);
    const marks = marksOf(ours, theirs);
    if (marks === '') continue;
    if (lines.length >= 3 * SHOWN_ROWS) {
      more++;
      continue;
    }
    const offset = `0x${row.toString(16).padStart(4, '0')}`;
    lines.push(`${offset}  expected  ${toSpacedHex(ours)}`, `        observed  ${toSpacedHex(theirs)}`, `                  ${marks}`);
  }
  if (more > 0) lines.push(`... and ${more} more rows`);
  return lines.map((line) => line.trimEnd());
}

/** `^^` under each byte that differs or is only on one side; empty when there is none. */
function marksOf(a: Uint8Array, b: Uint8Array): string {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => (a[i] === b[i] ? '  ' : '^^')).join(' ').trimEnd();
}
