import type { CaseFile } from './caseFile.js';

/** Objects and lists up to this length stand on one line. */
const LINE_CHARS = 120;

/** A case file as text: the same file always gives the same text, and what fits on a line stands on one. */
export function formatCaseFile(file: CaseFile): string {
  return `${render(file, '')}\n`;
}

function render(value: unknown, indent: string): string {
  const line = renderLine(value);
  if (typeof value !== 'object' || value === null || indent.length + line.length <= LINE_CHARS) return line;
  const inner = `${indent}  `;
  if (Array.isArray(value)) return `[\n${value.map((each) => inner + render(each, inner)).join(',\n')}\n${indent}]`;
  const members = membersOf(value).map(([name, each]) => `${inner}${JSON.stringify(name)}: ${render(each, inner)}`);
  return `{\n${members.join(',\n')}\n${indent}}`;
}

function renderLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(renderLine).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = membersOf(value).map(([name, each]) => `${JSON.stringify(name)}: ${renderLine(each)}`);
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}

function membersOf(value: object): [string, unknown][] {
  return Object.entries(value).filter(([, each]) => each !== undefined);
}
