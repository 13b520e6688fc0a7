import { closeSync } from 'node:fs';
import { EACCES, EBADF, EINVAL, ENOENT, ENOTSUPP, EOPNOTSUPP, EPERM, errnoName, fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { isMapOfMapsType } from '../vm/index.js';
import type { MapSpec } from '../vm/index.js';
import type { KernelBuffer } from './bpfSyscall.js';
import type { KernelBpf, MapCreateFields } from './kernelBpf.js';
import { needsBtf, takesBtf } from './kernelBtf.js';
import type { KernelBtf } from './kernelBtf.js';
import {
  BPF_F_NO_PREALLOC, BPF_F_RDONLY_PROG, BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
  BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_PERF_EVENT_ARRAY,
} from './uapi.js';

const PERCPU_TYPES: readonly number[] = [
  BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
];

/** The kernel gives root as much memory as a map asks for, and an object file may ask for anything. */
const MAX_MAP_BYTES = 1 << 30;

function estimateBytes(spec: MapSpec): number {
  return spec.maxEntries * Math.max(1, spec.keySize + spec.valueSize);
}

/** Errnos that say "nothing to read here": no such key, or a map whose values user space can't read (XSKMAP). */
const NO_VALUE: readonly number[] = [-ENOENT, -EOPNOTSUPP, -ENOTSUPP];

/**
 * A map in the running kernel, seen from user space. Its methods are those of the user side of the simulator's maps, with the
 * same results, so that one test can drive either.
 */
export class KernelMap {
  readonly spec: MapSpec;
  readonly fd: number;
  /** Bytes of a value in user space: on a per-CPU map one value per possible CPU, each rounded up to 8 bytes. */
  readonly userValueBytes: number;
  readonly #kernel: KernelBpf;
  readonly #key: KernelBuffer;
  readonly #nextKey: KernelBuffer;
  readonly #value: KernelBuffer;
  #open = true;

  constructor(kernel: KernelBpf, spec: MapSpec, fd: number) {
    this.spec = spec;
    this.fd = fd;
    this.userValueBytes = PERCPU_TYPES.includes(spec.type)
      ? Math.ceil(spec.valueSize / 8) * 8 * kernel.possibleCpus
      : spec.valueSize;
    this.#kernel = kernel;
    this.#key = kernel.syscalls.buffer(spec.keySize);
    this.#nextKey = kernel.syscalls.buffer(spec.keySize);
    this.#value = kernel.syscalls.buffer(this.userValueBytes);
  }

  /** A copy of the value; `undefined` when the key has none or the kernel lets nobody read this kind of map. */
  lookupBytes(key: Uint8Array): Uint8Array | undefined {
    this.#takeKey(key);
    const result = this.#kernel.mapLookup(this.fd, this.#key, this.#value);
    if (NO_VALUE.includes(result)) return undefined;
    if (result < 0) throw new Error(`KernelMap.lookupBytes: map ${this.spec.name}: ${errnoName(result)}`);
    return this.#value.bytes.slice();
  }

  /** @returns 0 or a negated errno */
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    if (value.length !== this.userValueBytes) {
      throw new RangeError(`KernelMap.updateBytes: a value of map ${this.spec.name} has ${this.userValueBytes} bytes, not ${value.length}`);
    }
    this.#takeKey(key);
    this.#value.bytes.set(value);
    return this.#kernel.mapUpdate(this.fd, this.#key, this.#value, flags);
  }

  /** @returns 0 or a negated errno */
  deleteBytes(key: Uint8Array): number {
    this.#takeKey(key);
    return this.#kernel.mapDelete(this.fd, this.#key);
  }

  /** Copies of all entries, in the kernel's order: by index for arrays, by a hash with a random seed for hashes. */
  *entries(): IterableIterator<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
    let position: KernelBuffer | undefined;
    for (;;) {
      const result = this.#kernel.mapGetNextKey(this.fd, position, this.#nextKey);
      if (NO_VALUE.includes(result)) return;
      if (result < 0) throw new Error(`KernelMap.entries: map ${this.spec.name}: ${errnoName(result)}`);
      const key = this.#nextKey.bytes.slice();
      const value = this.lookupBytes(key);
      if (value !== undefined) yield { key, value };
      this.#takeKey(key);
      position = this.#key;
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.fd);
  }

  #takeKey(key: Uint8Array): void {
    if (key.length !== this.spec.keySize) {
      throw new RangeError(`KernelMap: a key of map ${this.spec.name} has ${this.spec.keySize} bytes, not ${key.length}`);
    }
    this.#key.bytes.set(key);
  }
}

/**
 * BPF_MAP_CREATE. The map of a data section gets its first value and, when it is read-only for programs, is frozen: only
 * then does the verifier take its bytes for constants, as it does after libbpf has loaded an object.
 *
 * Types of key and value are for people, so a map that the kernel refuses with them is made without, as libbpf does; but not one with a
 * bpf_spin_lock, bpf_timer or the like, which programs could not use then: that is `kernel-map-needs-btf`.
 *
 * A map of maps is made with a map like `spec.innerMap`, which is closed again; what it holds is up to the caller.
 *
 * @param btf types of the object; `undefined` when it has none
 * @param initialValue first value of a data section map, with the variables that were set
 */
export function createKernelMap(kernel: KernelBpf, spec: MapSpec, where: string, btf: KernelBtf | undefined, initialValue: Uint8Array | undefined): Result<KernelMap> {
  if (!isMapOfMapsType(spec.type) || spec.innerMap === undefined) return createPlainMap(kernel, spec, where, btf, initialValue, undefined);
  // The kernel only looks at what it is like. Whatever that map would hold, two levels are one too many.
  const inner = createPlainMap(kernel, spec.innerMap, where, btf, undefined, undefined);
  if (!inner.ok) return inner;
  try {
    return createPlainMap(kernel, spec, where, btf, undefined, inner.value.fd);
  } finally {
    inner.value.close();
  }
}

function createPlainMap(
  kernel: KernelBpf,
  spec: MapSpec,
  where: string,
  btf: KernelBtf | undefined,
  initialValue: Uint8Array | undefined,
  innerMapFd: number | undefined,
): Result<KernelMap> {
  if (estimateBytes(spec) > MAX_MAP_BYTES && (spec.flags & BPF_F_NO_PREALLOC) === 0) {
    return fail({
      code: 'kernel-map-too-big',
      message: `map ${spec.name} would take ${spec.maxEntries} entries of ${spec.keySize + spec.valueSize} bytes at once`,
      where,
      hint: `replay makes no map over ${MAX_MAP_BYTES} bytes; lower max_entries`,
    });
  }
  const fields = {
    type: spec.type,
    keySize: spec.keySize,
    valueSize: spec.valueSize,
    maxEntries: spec.type === BPF_MAP_TYPE_PERF_EVENT_ARRAY && spec.maxEntries === 0 ? kernel.possibleCpus : spec.maxEntries,
    flags: spec.flags,
    mapExtra: spec.mapExtra,
    innerMapFd,
    name: spec.name,
  };
  const fd = createWithBtf(kernel, fields, spec, where, btf);
  if (!fd.ok) return fd;

  const map = new KernelMap(kernel, spec, fd.value);
  if (initialValue === undefined) return ok(map);
  let result = map.updateBytes(new Uint8Array(spec.keySize), initialValue, 0);
  if (result === 0 && (spec.flags & BPF_F_RDONLY_PROG) !== 0) result = kernel.mapFreeze(map.fd);
  if (result === 0) return ok(map);
  map.close();
  return fail(mapProblem(spec, where, 'fill', result));
}

function createWithBtf(kernel: KernelBpf, fields: Omit<MapCreateFields, 'btf'>, spec: MapSpec, where: string, btf: KernelBtf | undefined): Result<number> {
  const special = btf === undefined ? undefined : needsBtf(btf.types, spec.valueTypeId);
  let refusal = btf?.problem?.message;
  if (btf?.fd !== undefined && takesBtf(spec)) {
    const fd = kernel.mapCreate({ ...fields, btf: { fd: btf.fd, keyTypeId: spec.keyTypeId, valueTypeId: spec.valueTypeId } });
    if (fd >= 0) return ok(fd);
    refusal = `the kernel refused the map with it: ${errnoName(fd)}`;
  }
  if (special !== undefined) {
    return fail({
      code: 'kernel-map-needs-btf',
      message: `map ${spec.name} holds a ${special}, for which it needs BTF: ${refusal ?? `a map of type ${spec.type} takes none`}`,
      where,
      hint: 'use a map type that may hold it; compile with -g by a clang that the kernel knows',
    });
  }
  const fd = kernel.mapCreate(fields);
  return fd >= 0 ? ok(fd) : fail(mapProblem(spec, where, 'create', fd));
}

const HINTS = new Map([
  [-EPERM, 'run it as root, or with CAP_BPF and CAP_NET_ADMIN'],
  [-EBADF, 'say what the inner maps are like: __array(values, struct { ... }), or innerMaps of loadObject'],
  [-EINVAL, 'check key size, value size, max_entries and flags of this map type'],
  [-EACCES, 'check the flags of the map'],
]);

function mapProblem(spec: MapSpec, where: string, what: 'create' | 'fill', errno: number) {
  const hint = HINTS.get(errno);
  return {
    code: `kernel-map-${what}`,
    message: `the kernel refused to ${what} map ${spec.name} (type ${spec.type}, key ${spec.keySize}, value ${spec.valueSize}, ` +
      `${spec.maxEntries} entries, flags 0x${spec.flags.toString(16)}): ${errnoName(errno)}`,
    where,
    ...(hint === undefined ? {} : { hint }),
  };
}
