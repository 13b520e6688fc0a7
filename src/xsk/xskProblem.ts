import { errnoName } from '../base/index.js';
import type { Problem } from '../base/index.js';

/** A system call that AF_XDP refused. */
export interface XskProblem extends Problem {
  /** The call as C has it, e.g. `setsockopt(XDP_UMEM_REG)`. */
  readonly call: string;
  /** Positive. */
  readonly errno: number;
}

/** No value, and why. */
export interface XskRefusal {
  readonly ok: false;
  readonly problem: XskProblem;
}

/** A value, or which call failed and why; goes where a `Result` goes. */
export type XskResult<T> = { readonly ok: true; readonly value: T } | XskRefusal;

/** Why a call was refused, and how to mend it. */
export interface Reason {
  /** One clause, which follows the name of the errno. */
  readonly why: string;
  readonly hint: string;
}

/**
 * What came of a system call that was refused.
 *
 * @param where what it was to be, e.g. `AF_XDP socket on interface 2, queue 0`
 * @param result of the call, a negated errno
 */
export function refused(where: string, call: string, result: number, { why, hint }: Reason): XskRefusal {
  const [, name, argument] = /^(\w+)\((\w*)\)$/.exec(call) ?? ['', call, ''];
  const what = name.endsWith('sockopt') ? argument.replace('XDP_', '') : name;
  const code = `xsk-${what.replaceAll('_', '-').toLowerCase()}`;
  return { ok: false, problem: { code, where, message: `${call}: ${errnoName(result)}, ${why}`, hint, call, errno: -result } };
}
