/** Columns that are aligned: numbers (and headings over them) to the right, text to the left. Two spaces between, two before. */
export function textTable(rows: readonly (readonly (string | number)[])[]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const isNumber = Array.from({ length: columns }, (_, column) => rows.some((row) => typeof row[column] === 'number'));
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? grouped(cell) : cell)));
  const widths = Array.from({ length: columns }, (_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  return cells.map((row) => {
    const padded = row.map((text, column) => (isNumber[column] ? text.padStart(widths[column]) : text.padEnd(widths[column])));
    return `  ${padded.join('  ')}`.trimEnd();
  });
}

/** `1,234,567`: a whole number that a person can read. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 packet`, `2,000 packets`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${grouped(count)} ${count === 1 ? noun : plural}`;
}

/** Text in which control characters, which a terminal would obey, are shown as `\x1b`. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
