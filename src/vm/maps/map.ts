import type { HostMemory } from '../../memory/index.js';
import type { AccessTable } from '../accessTable.js';
import type { MapSpec, ProgramSpec } from '../spec.js';

/** Update flags of bpf(2) and bpf_map_update_elem. */
export const BPF_ANY = 0;
export const BPF_NOEXIST = 1;
export const BPF_EXIST = 2;
export const BPF_F_LOCK = 4;

// Creation flags (include/uapi/linux/bpf.h).
export const BPF_F_NO_PREALLOC = 1 << 0;
export const BPF_F_NO_COMMON_LRU = 1 << 1;
export const BPF_F_NUMA_NODE = 1 << 2;
export const BPF_F_RDONLY = 1 << 3;
export const BPF_F_WRONLY = 1 << 4;
export const BPF_F_ZERO_SEED = 1 << 6;
export const BPF_F_RDONLY_PROG = 1 << 7;
export const BPF_F_WRONLY_PROG = 1 << 8;
export const BPF_F_MMAPABLE = 1 << 10;
export const BPF_F_PRESERVE_ELEMS = 1 << 11;
export const BPF_F_INNER_MAP = 1 << 12;

// What a program may do to a map by helpers, bits of `BpfMap.programOps` (check_map_func_compatibility, kernel/bpf/verifier.c).
export const MAP_OP_LOOKUP = 1;
export const MAP_OP_UPDATE = 2;
export const MAP_OP_DELETE = 4;
export const MAP_OP_REDIRECT = 8;
export const MAP_OP_PUSH = 16;
export const MAP_OP_POP = 32;
export const MAP_OP_PEEK = 64;
export const MAP_OP_RINGBUF = 128;
export const MAP_OP_PERF_EVENT = 256;
export const MAP_OP_USER_RINGBUF = 512;

/**
 * A live map. Program side and user side as in the kernel: programs pass addresses in host memory, user space passes bytes.
 * Results of update and delete are 0 or a negated errno.
 */
export interface BpfMap {
  readonly spec: MapSpec;
  readonly id: number;
  /** Address of its map block (layout.ts, MAP_*): the value of a map pointer in a register. */
  readonly blockAddress: number;
  /** One value for each possible CPU. */
  readonly isPerCpu: boolean;
  /** MAP_OP_* bits. */
  readonly programOps: number;
  /** Only maps that tie programs to one kind: false when this one is of another kind than those before (programOwner.ts). */
  adopt?(program: ProgramSpec): boolean;

  // ── program side; addresses have been checked ──
  /** Address of the value (on a per-CPU map: of this CPU's), 0 when there is none. */
  lookup(keyAddress: number, cpu: number): number;
  update(keyAddress: number, valueAddress: number, flags: number, cpu: number): number;
  delete(keyAddress: number): number;

  // ── user side ──
  /** A copy of the value; per-CPU maps give one value per possible CPU, each rounded up to 8 bytes, as bpf(2) does. */
  lookupBytes(key: Uint8Array): Uint8Array | undefined;
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number;
  deleteBytes(key: Uint8Array): number;
  /** The next key in the order that user space sees, the first one for a key that isn't there; left out where a rule of userMap.ts says which. */
  nextKeyBytes?(key: Uint8Array | undefined): Uint8Array | undefined;
  /** Copies of all entries, in an order that depends only on the history of the map. */
  entries(): IterableIterator<MapEntry>;
}

export interface MapEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A map that always has all its elements, at first all zero (ARRAY, PERCPU_ARRAY). It may have millions of them, and most never touched. */
export interface PlainArray extends BpfMap {
  /** Copies of the elements that are not zero (on a per-CPU map: on any CPU), in order, found without looking at each of the others. */
  nonZeroEntries(): IterableIterator<MapEntry>;
}

export function isPlainArray(map: BpfMap): map is PlainArray {
  return 'nonZeroEntries' in map;
}

/** A map that bpf_redirect_map takes (XSKMAP, DEVMAP, CPUMAP). Its slots hold plain numbers; xdp/ knows what they stand for. */
export interface RedirectMap extends BpfMap {
  /** Flags that bpf_redirect_map may get besides the two bits of the fallback action. */
  readonly redirectFlagMask: number;
  /** Number in this slot, 0 when the slot is empty or the key is out of range. */
  redirectTarget(key: number): number;
}

/** A map without keys (QUEUE, STACK, BLOOM_FILTER). Addresses have been checked; results are 0 or a negated errno. */
export interface QueueLikeMap extends BpfMap {
  push(valueAddress: number, flags: number): number;
  /** Writes a whole value to `valueAddress`, whatever the result. */
  pop(valueAddress: number): number;
  /** With `peekReads` asks for the value at `valueAddress`; else writes a whole value there, whatever the result. */
  peek(valueAddress: number): number;
  readonly peekReads: boolean;
}

/** Where a map lives: everything that its constructor needs besides its definition. */
export interface MapPlace {
  readonly memory: HostMemory;
  readonly accessTable: AccessTable;
  readonly possibleCpus: number;
  readonly id: number;
  /** `VmEnvironment.isDevice`. */
  readonly isDevice?: ((ifindex: number) => boolean) | undefined;
  /** Live maps of the machine by id, for maps of maps; left out: there are no others. */
  readonly findMap?: (id: number) => BpfMap | undefined;
}
