/** Columns that are aligned: numbers (and headings over them) to the right, text to the left. Two spaces between, two before. */
export function textTable(rows: readonly (readonly (string | number)[])[]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const isNumber = (column: number): boolean => rows.some((row) => typeof row[column] === 'number');
  const widths = Array.from({ length: columns }, (_, column) => Math.max(...rows.map((row) => String(row[column] ?? '').length)));
  return rows.map((row) => {
    const cells = row.map((cell, column) => {
      const text = String(cell);
      return isNumber(column) ? text.padStart(widths[column]) : text.padEnd(widths[column]);
    });
    return `  ${cells.join('  ')}`.trimEnd();
  });
}

/** `1 packet`, `2 packets`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
