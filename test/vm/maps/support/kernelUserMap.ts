import { closeSync } from 'node:fs';
import { ENOENT, errnoName } from '../../../../src/base/index.js';
import type { KernelBpf, KernelBuffer } from '../../../../src/replay/index.js';
import type { MapCreateFields } from '../../../../src/replay/kernelBpf.js';
import type { MapEntry } from '../../../../src/vm/maps/map.js';
import type { BatchResult, CountResult, KeyResult, ValueResult } from '../../../../src/vm/maps/userMap.js';
import type { MapSpec } from '../../../../src/vm/spec.js';

const [LOOKUP_ELEM, UPDATE_ELEM, DELETE_ELEM, GET_NEXT_KEY, LOOKUP_AND_DELETE_ELEM, FREEZE] = [1, 2, 3, 4, 21, 22];
const [LOOKUP_BATCH, LOOKUP_AND_DELETE_BATCH, UPDATE_BATCH, DELETE_BATCH] = [24, 25, 26, 27];
const PERCPU_TYPES = [5, 6, 10];
const HASH_TYPES = [1, 5, 9, 10, 13];
const ATTR_BYTES = 56;

/** A map in the running kernel with the commands of `UserMap`: the same arguments and results, so that one test drives both. */
export class KernelUserMap {
  readonly spec: MapSpec;
  readonly fd: number;
  readonly valueBytes: number;
  readonly #kernel: KernelBpf;
  readonly #attr: KernelBuffer;

  constructor(kernel: KernelBpf, spec: MapSpec, more: Pick<MapCreateFields, 'btf' | 'innerMapFd'> = {}) {
    this.spec = spec;
    this.valueBytes = PERCPU_TYPES.includes(spec.type) ? Math.ceil(spec.valueSize / 8) * 8 * kernel.possibleCpus : spec.valueSize;
    this.#kernel = kernel;
    this.#attr = kernel.syscalls.buffer(ATTR_BYTES);
    this.fd = kernel.mapCreate({ ...spec, ...more });
    if (this.fd < 0) throw new Error(`KernelUserMap: ${errnoName(this.fd)}`);
  }

  lookup(key: Uint8Array | undefined, flags = 0, value?: Uint8Array): ValueResult {
    const room = this.#buffer(value ?? new Uint8Array(this.valueBytes));
    const errno = this.#element(LOOKUP_ELEM, key, room, flags);
    return errno === 0 && value === undefined ? { errno, value: room.bytes.slice() } : { errno };
  }

  update(key: Uint8Array | undefined, value: Uint8Array | undefined, flags = 0): number {
    return this.#element(UPDATE_ELEM, key, value && this.#buffer(value), flags);
  }

  delete(key: Uint8Array | undefined): number {
    return this.#element(DELETE_ELEM, key, undefined, 0);
  }

  nextKey(key: Uint8Array | undefined): KeyResult {
    const room = this.#buffer(new Uint8Array(this.spec.keySize));
    const errno = this.#element(GET_NEXT_KEY, key, room, 0);
    return errno === 0 ? { errno, key: room.bytes.slice() } : { errno };
  }

  lookupAndDelete(key: Uint8Array | undefined, flags = 0): ValueResult {
    const room = this.#buffer(new Uint8Array(this.valueBytes));
    const errno = this.#element(LOOKUP_AND_DELETE_ELEM, key, room, flags);
    return errno === 0 ? { errno, value: room.bytes.slice() } : { errno };
  }

  lookupBatch(position: Uint8Array | undefined, count: number, elemFlags = 0): BatchResult {
    return this.#readBatch(LOOKUP_BATCH, position, count, elemFlags);
  }

  lookupAndDeleteBatch(position: Uint8Array | undefined, count: number, elemFlags = 0): BatchResult {
    return this.#readBatch(LOOKUP_AND_DELETE_BATCH, position, count, elemFlags);
  }

  updateBatch(entries: readonly MapEntry[], elemFlags = 0): CountResult {
    const keys = this.#buffer(Buffer.concat(entries.map(({ key }) => key)));
    const values = this.#buffer(Buffer.concat(entries.map(({ value }) => value)));
    return this.#batch(UPDATE_BATCH, undefined, undefined, keys, values, entries.length, elemFlags);
  }

  deleteBatch(keys: readonly Uint8Array[], elemFlags = 0): CountResult {
    return this.#batch(DELETE_BATCH, undefined, undefined, this.#buffer(Buffer.concat(keys)), undefined, keys.length, elemFlags);
  }

  freeze(): number {
    this.#attr.bytes.fill(0);
    this.#attr.view.setUint32(0, this.fd, true);
    return this.#kernel.syscalls.bpf(FREEZE, this.#attr, 4);
  }

  close(): void {
    closeSync(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #buffer(bytes: Uint8Array): KernelBuffer {
    const buffer = this.#kernel.syscalls.buffer(bytes.length);
    buffer.bytes.set(bytes);
    return buffer;
  }

  // 0 map_fd  8 key (address)  16 value or next_key (address)  24 flags (u64)
  #element(command: number, key: Uint8Array | undefined, value: KernelBuffer | undefined, flags: number): number {
    const keyBuffer = key === undefined || key.length === 0 ? undefined : this.#buffer(key);
    const { view } = this.#attr;
    this.#attr.bytes.fill(0);
    view.setUint32(0, this.fd, true);
    view.setBigUint64(8, BigInt(keyBuffer?.address ?? 0), true);
    view.setBigUint64(16, BigInt(value?.address ?? 0), true);
    view.setUint32(24, flags, true);
    return this.#kernel.syscalls.bpf(command, this.#attr, 32);
  }

  #readBatch(command: number, position: Uint8Array | undefined, count: number, elemFlags: number): BatchResult {
    const room = Math.min(count, 4096);
    const keys = this.#buffer(new Uint8Array(room * this.spec.keySize));
    const values = this.#buffer(new Uint8Array(room * this.valueBytes));
    const positionBytes = HASH_TYPES.includes(this.spec.type) ? 4 : this.spec.keySize;
    const out = this.#buffer(new Uint8Array(positionBytes).fill(0xee));
    const result = this.#batch(command, position && this.#buffer(position), out, keys, values, count, elemFlags);
    const entries = Array.from({ length: result.count ?? 0 }, (_, i) => ({
      key: keys.bytes.slice(i * this.spec.keySize, (i + 1) * this.spec.keySize),
      value: values.bytes.slice(i * this.valueBytes, (i + 1) * this.valueBytes),
    }));
    return { ...result, entries, position: out.bytes.every((byte) => byte === 0xee) ? undefined : out.bytes.slice() };
  }

  // 0 in_batch  8 out_batch  16 keys  24 values (addresses)  32 count  36 map_fd  40 elem_flags (u64)  48 flags (u64)
  #batch(
    command: number, inBatch: KernelBuffer | undefined, outBatch: KernelBuffer | undefined, keys: KernelBuffer, values: KernelBuffer | undefined,
    count: number, elemFlags: number,
  ): CountResult {
    const { view } = this.#attr;
    this.#attr.bytes.fill(0);
    for (const [offset, buffer] of [[0, inBatch], [8, outBatch], [16, keys], [24, values]] as const) {
      view.setBigUint64(offset, BigInt(buffer?.address ?? 0), true);
    }
    view.setUint32(32, count, true);
    view.setUint32(36, this.fd, true);
    view.setUint32(40, elemFlags, true);
    const errno = this.#kernel.syscalls.bpf(command, this.#attr, ATTR_BYTES);
    const written = view.getUint32(32, true);
    // A count that is as it was has not been written, unless all went well up to the end of the map.
    return { errno, count: written === count && errno !== 0 && errno !== -ENOENT ? undefined : written };
  }
}

