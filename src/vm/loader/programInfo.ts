import type { FunctionBody } from './functionBody.js';

/** A function where it lies in a linked program. */
export interface PlacedBody {
  readonly body: Pick<FunctionBody, 'funcTypeId' | 'lines'>;
  readonly insnIndex: number;
}

const FUNC_INFO_BYTES = 8;
const LINE_INFO_BYTES = 16;

/**
 * What BPF_PROG_LOAD takes as func_info: one record a function, in their order (check_btf_func, kernel/bpf/verifier.c). Empty when one
 * of them is unknown, because the kernel wants all or none.
 *
 *     struct bpf_func_info    0 insn_off  4 type_id
 */
export function funcInfo(functions: readonly PlacedBody[]): Uint8Array {
  if (functions.some(({ body }) => body.funcTypeId === 0)) return new Uint8Array(0);
  const bytes = new Uint8Array(functions.length * FUNC_INFO_BYTES);
  const view = new DataView(bytes.buffer);
  functions.forEach(({ body, insnIndex }, i) => {
    view.setUint32(i * FUNC_INFO_BYTES, insnIndex, true);
    view.setUint32(i * FUNC_INFO_BYTES + 4, body.funcTypeId, true);
  });
  return bytes;
}

/**
 * What BPF_PROG_LOAD takes as line_info, sorted by instruction. Empty unless each function's first instruction has a line, because the kernel
 * refuses the program else (check_btf_line, kernel/bpf/verifier.c).
 *
 *     struct bpf_line_info    0 insn_off  4 file_name_off  8 line_off  12 line << 10 | column
 */
export function lineInfo(functions: readonly PlacedBody[]): Uint8Array {
  if (functions.some(({ body }) => body.lines[0]?.insnIndex !== 0)) return new Uint8Array(0);
  const bytes = new Uint8Array(functions.reduce((sum, { body }) => sum + body.lines.length, 0) * LINE_INFO_BYTES);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { body, insnIndex: start } of functions) {
    for (const { insnIndex, info } of body.lines) {
      view.setUint32(at, start + insnIndex, true);
      view.setUint32(at + 4, info.fileOffBytes, true);
      view.setUint32(at + 8, info.textOffBytes, true);
      view.setUint32(at + 12, ((info.line << 10) | info.column) >>> 0, true);
      at += LINE_INFO_BYTES;
    }
  }
  return bytes;
}
