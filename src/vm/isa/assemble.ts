import { fail, ok } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import { encode } from './decode.js';
import { INSTRUCTIONS } from './instructionTable.js';
import type { InstructionRow } from './instructionTable.js';
import { INSN_BYTES } from './opcodes.js';

/** A text form with its operands taken out: `r += #` for `r1 += 5`; it finds the row. */
type Shape = string;

interface ShapedRow {
  readonly row: InstructionRow;
  /** Operand names, in the order of the text. */
  readonly operands: readonly string[];
}

const ROWS_BY_SHAPE = new Map<Shape, ShapedRow>();
for (const row of INSTRUCTIONS) {
  const operands: string[] = [];
  const shape = row.text.replace(/\{(\w+)\}/g, (_, name: string) => {
    operands.push(name);
    if (name === 'helper') return '#\0';
    if (name.endsWith('32') && name !== 'jump32') return 'w\0';
    return name === 'dst' || name === 'src' || name === 'r0' ? 'r\0' : '\0';
  });
  ROWS_BY_SHAPE.set(withoutSpaces(shape), { row, operands });
}

function withoutSpaces(text: string): string {
  return text.replace(/\s+/g, '');
}

/** A register, or a number: with a sign, or without one where no letter comes before it (not the 32 of `u32`). */
const OPERAND = /\b([rw])(\d+)\b|([+-]\s*(?:0x[0-9a-f]+|\d+)|(?<![a-z_\d])(?:0x[0-9a-f]+|\d+))\b/gi;

interface Line {
  readonly number: number;
  readonly text: string;
  readonly shaped: ShapedRow;
  /** Register numbers and values, in the order of the text. */
  readonly operands: readonly bigint[];
  /** Name that the instruction jumps to or calls. */
  readonly label: string | undefined;
}

/**
 * Text to instructions: one instruction per line in the form that `disassemble` writes.
 *
 * Numbers may be decimal or hexadecimal anywhere. Labels (`name:`) can be used in `goto name` and `call name`. `//` and `;` begin a comment.
 */
export function assemble(source: string): Result<Uint8Array> {
  const lines: Line[] = [];
  const labels = new Map<string, number>();
  let slots = 0;
  for (const [index, raw] of source.split('\n').entries()) {
    let text = raw.replace(/(\/\/|;).*$/, '').trim();
    const label = /^([A-Za-z_]\w*)\s*:(.*)$/.exec(text);
    if (label !== null) {
      if (labels.has(label[1]!)) return fail(problemAt(index + 1, `label ${label[1]!} is defined twice`));
      labels.set(label[1]!, slots);
      text = label[2]!.trim();
    }
    if (text === '') continue;
    const line = parseLine(index + 1, text);
    if (!line.ok) return line;
    lines.push(line.value);
    slots += line.value.shaped.row.slots;
  }
  return encodeLines(lines, labels, slots);
}

function problemAt(line: number, message: string): Problem {
  return { code: 'asm-syntax', message, where: `line ${line}` };
}

function parseLine(number: number, text: string): Result<Line> {
  let label: string | undefined;
  const operands: bigint[] = [];
  const shape = text
    .replace(/\b(goto|gotol|may_goto|call)\s+(?!pc\b|kfunc\b)([A-Za-z_]\w*)$/, (_, verb: string, name: string) => {
      label = name;
      return `${verb} pc+0`;
    })
    .replace(/^call\s+(?!kfunc#)(?:\w*#)?(?=\d)/, 'call #')
    .replace(OPERAND, (_, kind: string | undefined, register: string, value: string) => {
      if (kind !== undefined) {
        operands.push(BigInt(register));
        return `${kind}\0`;
      }
      const sign = value.startsWith('-') ? -1n : 1n;
      operands.push(sign * BigInt(value.replace(/^[+-]\s*/, '')));
      return '\0';
    });
  const shaped = ROWS_BY_SHAPE.get(withoutSpaces(shape));
  if (shaped === undefined) return fail(problemAt(number, `no instruction looks like "${text}"`));
  return ok({ number, text, shaped, operands, label });
}

function encodeLines(lines: readonly Line[], labels: ReadonlyMap<string, number>, slots: number): Result<Uint8Array> {
  const insns = new Uint8Array(slots * INSN_BYTES);
  let index = 0;
  for (const line of lines) {
    const problem = encodeLine(insns, index, line, labels);
    if (problem !== undefined) return fail(problem);
    index += line.shaped.row.slots;
  }
  return ok(insns);
}

function encodeLine(insns: Uint8Array, index: number, line: Line, labels: ReadonlyMap<string, number>): Problem | undefined {
  const { row, operands } = line.shaped;
  const fields = new Map<Field, bigint>();
  for (const [position, name] of operands.entries()) {
    let value = line.operands[position]!;
    if (line.label !== undefined && (name === 'jump' || name === 'jump32')) {
      const target = labels.get(line.label);
      if (target === undefined) return problemAt(line.number, `label ${line.label} is not defined`);
      value = BigInt(target - index - 1);
    }
    const { field, lowest, highest } = OPERANDS[name]!;
    if (value < lowest || value > highest) {
      return problemAt(line.number, `${value} in "${line.text}" is outside ${lowest} to ${highest}`);
    }
    const earlier = fields.get(field);
    if (earlier !== undefined && earlier !== value) return problemAt(line.number, `"${line.text}" must name the same register twice`);
    fields.set(field, value);
  }
  const get = (field: Field, fixed: string | number): number => Number(fields.get(field) ?? (typeof fixed === 'number' ? fixed : 0));
  const wide = fields.get('imm64') ?? 0n;
  encode(insns, index, {
    opcode: row.opcode,
    dst: get('dst', row.dst),
    src: get('src', row.src),
    off: get('off', row.off),
    imm: fields.has('imm64') ? Number(BigInt.asIntN(32, wide)) : get('imm', row.imm),
  });
  if (row.slots === 2) {
    const imm = fields.has('imm64') ? Number(BigInt.asIntN(32, wide >> 32n)) : get('hi', 0);
    encode(insns, index + 1, { opcode: 0, dst: 0, src: 0, off: 0, imm });
  }
  return undefined;
}

type Field = 'dst' | 'src' | 'r0' | 'off' | 'imm' | 'hi' | 'imm64';

interface OperandRange {
  readonly field: Field;
  readonly lowest: bigint;
  readonly highest: bigint;
}

const REGISTER = { lowest: 0n, highest: 15n };
const S16 = { lowest: -0x8000n, highest: 0x7fffn };
/** Signed, or the same bits written unsigned. */
const WORD32 = { lowest: -0x80000000n, highest: 0xffffffffn };

/** Which field each operand of a text form goes to, and what fits into it. Registers up to 15 so that tests can write wrong ones. */
const OPERANDS: Readonly<Record<string, OperandRange>> = {
  dst: { field: 'dst', ...REGISTER },
  dst32: { field: 'dst', ...REGISTER },
  src: { field: 'src', ...REGISTER },
  src32: { field: 'src', ...REGISTER },
  r0: { field: 'r0', lowest: 0n, highest: 0n },
  off: { field: 'off', ...S16 },
  jump: { field: 'off', ...S16 },
  imm: { field: 'imm', ...WORD32 },
  hex: { field: 'imm', ...WORD32 },
  helper: { field: 'imm', ...WORD32 },
  jump32: { field: 'imm', lowest: -0x80000000n, highest: 0x7fffffffn },
  hi: { field: 'hi', ...WORD32 },
  imm64: { field: 'imm64', lowest: -0x8000000000000000n, highest: 0xffffffffffffffffn },
};
