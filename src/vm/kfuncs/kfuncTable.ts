import type { HelperSupport } from '../helpers/helper.js';
import { HELPERS, helperName } from '../helpers/helperTable.js';
import type { KfuncSpec } from './kfunc.js';
import { rcuReadLock, rcuReadUnlock } from './rcuKfuncs.js';

function row(name: string, support?: HelperSupport): KfuncSpec {
  return { name, xdp: true, support };
}

/**
 * Kernel functions of 6.18 that its verifier lets an XDP program call. A new one is its function in a family's file and a row here.
 * Their numbers in the kernel are those of one build (BTF ids), so they go by name.
 */
export const KFUNCS: readonly KfuncSpec[] = [
  row('bpf_rcu_read_lock', rcuReadLock),
  row('bpf_rcu_read_unlock', rcuReadUnlock),
];

/** Kfuncs are called by numbers of our own, beyond those of the helpers: this and a row's index. */
export const KFUNC_ID_BASE = 4096;

const INDEX_BY_NAME: ReadonlyMap<string, number> = new Map(KFUNCS.map(({ name }, index) => [name, index]));

/** The number by which the machine calls a kfunc; `undefined` for one that the table doesn't have. */
export function kfuncId(name: string): number | undefined {
  const index = INDEX_BY_NAME.get(name);
  return index === undefined ? undefined : KFUNC_ID_BASE + index;
}

/** The kfunc of this name, if the table has it. */
export function findKfunc(name: string): KfuncSpec | undefined {
  const index = INDEX_BY_NAME.get(name);
  return index === undefined ? undefined : KFUNCS[index];
}

/** How the helper or kfunc that the machine calls by this number works. */
export function calleeSupport(id: number): HelperSupport | undefined {
  return id < KFUNC_ID_BASE ? HELPERS[id]?.support : KFUNCS[id - KFUNC_ID_BASE]?.support;
}

/** Name of the helper or kfunc that the machine calls by this number. */
export function calleeName(id: number): string {
  return KFUNCS[id - KFUNC_ID_BASE]?.name ?? helperName(id);
}
