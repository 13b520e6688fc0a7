import type { Btf, ObjectSpec } from '../../vm/index.js';
import { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../verdict.js';

/** What libxdp keeps of a program for its dispatcher. */
export interface RunConfig {
  /** Programs run by rising numbers; 0 to 2^32 - 1. */
  readonly priority: number;
  /** Verdicts after which the next program runs. All others end the chain. */
  readonly chainCallActions: readonly number[];
}

export const DEFAULT_PRIORITY = 50;
export const DEFAULT_CHAIN_CALL_ACTIONS: readonly number[] = [XDP_PASS];

const SECTION = '.xdp_run_config';

/** Names that `chain call actions` may have, in libxdp and on command lines. */
export const CHAIN_ACTIONS = { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT } as const;

/**
 * What an object says about one of its programs, in the form of libxdp (XDP_RUN_CONFIG, xdp/xdp_helpers.h): a variable `_PROGRAM` in the section `.xdp_run_config`, whose type is a
 * struct of pointers to arrays. Nothing is read from the variable's bytes, each number is the length of an array.
 *
 *     struct {
 *       __uint(priority, 10);
 *       __uint(XDP_PASS, 1);   // goes on after XDP_PASS: so it does when this is left out
 *       __uint(XDP_DROP, 1);   // and after XDP_DROP
 *     } XDP_RUN_CONFIG(PROGRAM);
 */
export function readRunConfig({ btf }: Pick<ObjectSpec, 'btf'>, program: string): RunConfig {
  const numbers = btf === undefined ? new Map<string, number>() : configNumbers(btf, program);
  const isDefault = (action: number): boolean => DEFAULT_CHAIN_CALL_ACTIONS.includes(action);
  return {
    priority: numbers.get('priority') ?? DEFAULT_PRIORITY,
    chainCallActions: Object.entries(CHAIN_ACTIONS).filter(([name, action]) => (numbers.has(name) ? numbers.get(name) !== 0 : isDefault(action))).map(([, action]) => action),
  };
}

function configNumbers(btf: Btf, program: string): Map<string, number> {
  const numbers = new Map<string, number>();
  const section = btf.type(btf.find('datasec', SECTION) ?? 0);
  if (section.kind !== 'datasec') return numbers;
  const variable = section.variables.find(({ typeId }) => btf.type(typeId).name === `_${program}`);
  const struct = variable === undefined ? undefined : btf.type(btf.resolve(variable.typeId));
  if (struct?.kind !== 'struct') return numbers;
  for (const { name, typeId } of struct.members) {
    const pointer = btf.type(btf.resolve(typeId));
    const array = pointer.kind === 'ptr' ? btf.type(btf.resolve(pointer.typeId)) : undefined;
    if (array?.kind === 'array') numbers.set(name, array.count);
  }
  return numbers;
}
