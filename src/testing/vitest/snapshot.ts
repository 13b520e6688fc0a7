import { toSpacedHex } from '../../base/index.js';
import { isTestRun, journeyOf } from '../matchers/subject.js';
import type { PacketSubject } from '../matchers/subject.js';

/**
 * Prints runs and packets in snapshots as their journey and their bytes in hex, 16 a line, instead of as objects full of numbers. What depends on nothing
 * that a test sets, times and packet numbers, is left out.
 */
export const runSerializer = {
  test: (value: unknown): boolean => typeof value === 'object' && value !== null && 'verdict' in value && 'input' in value && value.input instanceof Uint8Array,
  serialize(value: PacketSubject): string {
    const lines = journeyOf(value).map((line) => line.replace(/, at \d+ ns$/, ''));
    const end = isTestRun(value) ? `verdict: ${value.verdict}` : `outcome: ${value.outcome}`;
    return [end, ...lines, ...hexLines(value.data)].join('\n');
  },
};

function hexLines(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    lines.push(`${at.toString(16).padStart(4, '0')}  ${toSpacedHex(bytes.subarray(at, at + 16))}`);
  }
  return lines;
}
