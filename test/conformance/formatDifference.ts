import type { Difference } from './compare.js';

const ROW_BYTES = 16;

/** `retval: kernel 2, simulator 1`, or for bytes the rows that differ, one above the other, with the differing bytes marked. */
export function formatDifference({ field, left, right }: Difference, [leftName, rightName]: readonly [string, string]): string {
  if (!(left instanceof Uint8Array) || !(right instanceof Uint8Array)) {
    return `${field}: ${leftName} ${formatValue(left)}, ${rightName} ${formatValue(right)}`;
  }
  const width = Math.max(leftName.length, rightName.length);
  const lines = [`${field}: ${leftName} ${left.length} bytes, ${rightName} ${right.length} bytes`];
  for (let row = 0; row < Math.max(left.length, right.length); row += ROW_BYTES) {
    const leftRow = left.subarray(row, row + ROW_BYTES);
    const rightRow = right.subarray(row, row + ROW_BYTES);
    if (Buffer.compare(leftRow, rightRow) === 0) continue;
    const label = `  0x${row.toString(16).padStart(4, '0')}  `;
    lines.push(
      `${label}${leftName.padEnd(width)}  ${hexBytes(leftRow)}`,
      `${' '.repeat(label.length)}${rightName.padEnd(width)}  ${hexBytes(rightRow)}`,
      `${' '.repeat(label.length + width + 2)}${marks(leftRow, rightRow)}`,
    );
  }
  return lines.join('\n');
}

function formatValue(value: Difference['left']): string {
  if (value === undefined) return 'nothing';
  return value instanceof Uint8Array ? hexBytes(value) : String(value);
}

function hexBytes(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

function marks(left: Uint8Array, right: Uint8Array): string {
  const length = Math.max(left.length, right.length);
  return Array.from({ length }, (_, i) => (left[i] === right[i] ? '  ' : '^^')).join(' ').trimEnd();
}
