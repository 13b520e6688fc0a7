import { HostMemory } from '../../../../src/memory/index.js';
import { DescriptorBatch } from '../../../../src/nic/device/batch.js';
import { RING_STATE_WORDS } from '../../../../src/nic/device/formats/descriptorFormat.js';
import type { DescriptorFormat, RingMemory } from '../../../../src/nic/device/formats/descriptorFormat.js';

/** One row of a batch; what is left out is 0. */
export type BatchRow = Partial<Record<BatchField, number>>;
export type BatchField = Exclude<keyof DescriptorBatch, 'count'>;

/** A batch with these rows, and room for more. */
export function batchOf(rows: readonly BatchRow[], capacity = Math.max(64, rows.length)): DescriptorBatch {
  const batch = new DescriptorBatch(capacity);
  rows.forEach((row, i) => setRow(batch, i, row));
  batch.count = rows.length;
  return batch;
}

export function setRow(batch: DescriptorBatch, index: number, row: BatchRow): void {
  for (const field of Object.keys(row) as BatchField[]) batch[field][index] = row[field] ?? 0;
}

/** A ring in host memory, as driver and device see it: the same bytes, private counters of their own. */
export interface TestRing {
  readonly memory: HostMemory;
  readonly driver: RingMemory;
  readonly device: RingMemory;
  /** Bytes of the ring from `offset` on, in hex. */
  hex(offset: number, bytes: number): string;
}

const IOVA_BASE = 0x40000000;
const RING_ALIGN_BYTES = 4096;

/**
 * Makes a ring of one direction and lets the format prepare it.
 *
 * @param memory where it is reserved; a memory of its own when left out
 */
export function makeRing(format: DescriptorFormat, direction: 'rx' | 'tx', size: number, memory: HostMemory = new HostMemory(4)): TestRing {
  const bytes = direction === 'rx' ? format.rxRingBytes(size) : format.txRingBytes(size);
  const address = memory.reserve(`${direction} ring`, bytes, RING_ALIGN_BYTES);
  const side = (): RingMemory => ({ address, iovaLow: (IOVA_BASE + address) | 0, size, state: new Int32Array(RING_STATE_WORDS) });
  const ring: TestRing = { memory, driver: side(), device: side(), hex: (offset, length) => Buffer.from(memory.u8.subarray(address + offset, address + offset + length)).toString('hex') };
  if (direction === 'rx') format.rxInit(memory, ring.driver);
  else format.txInit(memory, ring.driver);
  return ring;
}

const SHARED = new HostMemory(16);

/** Runs with an empty memory. Property tests take it, as a WebAssembly.Memory for each of their runs would use up the address space. */
export function inFreshMemory(run: (memory: HostMemory) => void): void {
  const mark = SHARED.mark();
  try {
    run(SHARED);
  } finally {
    SHARED.release(mark);
  }
}

/** A load or store of host memory. */
export interface Access {
  readonly kind: 'load' | 'store';
  readonly address: number;
  readonly bytes: number;
}

/** Host memory whose views write down every load and store, in order. Use it in place of `memory`, for calls of a format only. */
export function recordAccesses(memory: HostMemory): { memory: HostMemory; accesses: Access[] } {
  const accesses: Access[] = [];
  const array = <T extends Uint8Array | Uint16Array | Uint32Array | Int32Array>(view: T): T =>
    new Proxy(view, {
      get(target, key) {
        if (typeof key === 'string' && /^\d+$/.test(key)) accesses.push({ kind: 'load', address: Number(key) * target.BYTES_PER_ELEMENT, bytes: target.BYTES_PER_ELEMENT });
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        if (key === 'subarray' || key === 'fill' || key === 'set' || key === 'copyWithin') throw new Error(`recordAccesses does not follow ${key}(): load and store single elements`);
        return value.bind(target) as unknown;
      },
      set(target, key, value: number) {
        if (typeof key === 'string' && /^\d+$/.test(key)) accesses.push({ kind: 'store', address: Number(key) * target.BYTES_PER_ELEMENT, bytes: target.BYTES_PER_ELEMENT });
        return Reflect.set(target, key, value, target);
      },
    });
  const dataView = new Proxy(memory.view, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      const match = /^([gs]et)(?:Big)?(?:Ui|I)nt(\d+)$/.exec(String(key));
      return (address: number, ...rest: unknown[]): unknown => {
        if (match !== null) accesses.push({ kind: match[1] === 'get' ? 'load' : 'store', address, bytes: Number(match[2]) / 8 });
        return value.call(target, address, ...rest) as unknown;
      };
    },
  });
  const views = { u8: array(memory.u8), u16: array(memory.u16), u32: array(memory.u32), i32: array(memory.i32), view: dataView };
  return { memory: Object.create(memory, Object.fromEntries(Object.entries(views).map(([name, value]) => [name, { value }]))) as HostMemory, accesses };
}

/** Accesses of one kind that touch the bytes from `start` to before `end`. */
export function accessesWithin(accesses: readonly Access[], kind: Access['kind'], start: number, end: number): Access[] {
  return accesses.filter((each) => each.kind === kind && each.address < end && each.address + each.bytes > start);
}
