import type { MapSpec } from '../spec.js';

/** Offset of the bpf_spin_lock in a value, `undefined` when it has none that counts. */
export function spinLockOf(spec: MapSpec): number | undefined {
  return spec.valueFields?.find(({ kind }) => kind === 'bpf_spin_lock')?.offBytes;
}
