import type { MapSpec } from '../spec.js';

/** Update flags of bpf(2) and bpf_map_update_elem. */
export const BPF_ANY = 0;
export const BPF_NOEXIST = 1;
export const BPF_EXIST = 2;

/**
 * A live map. Program side and user side as in the kernel: programs pass addresses in host memory, user space passes bytes.
 * Results of update and delete are 0 or a negated errno.
 */
export interface BpfMap {
  readonly spec: MapSpec;
  readonly id: number;
  /** Address of its map block (layout.ts, MAP_*): the value of a map pointer in a register. */
  readonly blockAddress: number;

  // ── program side ──
  /** Address of the value (on a per-CPU map: of this CPU's), 0 when there is none. */
  lookup(keyAddress: number, cpu: number): number;
  update(keyAddress: number, valueAddress: number, flags: number, cpu: number): number;
  delete(keyAddress: number): number;

  // ── user side ──
  /** A copy of the value; per-CPU maps give one value per possible CPU, each rounded up to 8 bytes, as bpf(2) does. */
  lookupBytes(key: Uint8Array): Uint8Array | undefined;
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number;
  deleteBytes(key: Uint8Array): number;
  /** Copies of all entries, in an order that depends only on the history of the map. */
  entries(): IterableIterator<MapEntry>;
}

export interface MapEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}
