import { ENOENT, errnoName } from '../base/index.js';
import { dumpOneByOne, isLargeArray, withoutZeros } from '../cases/index.js';
import type { MapDump } from '../cases/index.js';
import type { KernelBuffer } from './bpfSyscall.js';
import type { KernelBpf } from './kernelBpf.js';
import type { KernelMap } from './kernelMap.js';

/** Entries that one call asks for. */
const MAX_BATCH = 1 << 16;
/** A bucket of a hash must fit into a batch (else ENOSPC), and none comes near this many entries. */
const MIN_BATCH = 256;
const MAX_BATCH_BYTES = 64 << 20;
/** Position of a batch: a key, or the number of a bucket. Keys have at most 512 bytes (MAX_BPF_STACK). */
const POSITION_BYTES = 512;

/**
 * Reads whole maps by BPF_MAP_LOOKUP_BATCH: one system call for up to 65536 entries, where BPF_MAP_GET_NEXT_KEY and
 * BPF_MAP_LOOKUP_ELEM take two for each. For the map types that have batches: arrays and hashes, per-CPU or not, LRU, LPM.
 */
export class KernelDumper {
  readonly #kernel: KernelBpf;
  readonly #position: KernelBuffer;
  #keys: KernelBuffer;
  #values: KernelBuffer;

  constructor(kernel: KernelBpf) {
    this.#kernel = kernel;
    this.#position = kernel.syscalls.buffer(POSITION_BYTES);
    this.#keys = kernel.syscalls.buffer(4096);
    this.#values = kernel.syscalls.buffer(4096);
  }

  /** All entries, of a large array those that are not zero. The dump may be a view that the next one overwrites. */
  dump(map: KernelMap): MapDump {
    const { maxEntries, keySize } = map.spec;
    const room = Math.min(MAX_BATCH, Math.floor(MAX_BATCH_BYTES / (keySize + map.userValueBytes)));
    if (room < Math.min(maxEntries, MIN_BATCH)) return dumpOneByOne(map);
    this.#reserve(Math.min(room, maxEntries), map);
    const parts: MapDump[] = [];
    for (let isFirst = true; ; isFirst = false) {
      const { part, isLast } = this.#batch(map, Math.min(room, maxEntries), isFirst);
      const kept = isLargeArray(map.spec) ? withoutZeros(part) : part;
      if (isLast) return parts.length === 0 ? kept : joined([...parts, kept]);
      parts.push({ ...kept, keys: kept.keys.slice(), values: kept.values.slice() });
    }
  }

  #batch(map: KernelMap, room: number, isFirst: boolean): { readonly part: MapDump; readonly isLast: boolean } {
    const { fd, spec, userValueBytes } = map;
    const target = { position: this.#position, keysAddress: this.#keys.address, valuesAddress: this.#values.address, count: room };
    const { count, errno } = this.#kernel.mapLookupBatch(fd, target, isFirst);
    if (errno < 0 && errno !== -ENOENT) throw new Error(`KernelDumper.dump: map ${spec.name}: ${errnoName(errno)}`);
    const keys = this.#keys.bytes.subarray(0, count * spec.keySize);
    const values = this.#values.bytes.subarray(0, count * userValueBytes);
    return { part: { count, keys, values }, isLast: errno === -ENOENT };
  }

  #reserve(entries: number, { spec, userValueBytes }: KernelMap): void {
    const { syscalls } = this.#kernel;
    if (this.#keys.bytes.length < entries * spec.keySize) this.#keys = syscalls.buffer(entries * spec.keySize);
    if (this.#values.bytes.length < entries * userValueBytes) this.#values = syscalls.buffer(entries * userValueBytes);
  }
}

function joined(parts: readonly MapDump[]): MapDump {
  return {
    count: parts.reduce((sum, { count }) => sum + count, 0),
    keys: Buffer.concat(parts.map(({ keys }) => keys)),
    values: Buffer.concat(parts.map(({ values }) => values)),
  };
}
