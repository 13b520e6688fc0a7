import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { PAGE_BYTES } from '../../../src/memory/index.js';

// What user space sees of the kernel's rings: memory that both share. Only where `withKernel` runs, so koffi is there.

const PROT_READ = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
/** perf_event_open(2), x86-64. */
const SYS_PERF_EVENT_OPEN = 298;
const PERF_TYPE_SOFTWARE = 1;
const PERF_COUNT_SW_BPF_OUTPUT = 10;
const PERF_SAMPLE_RAW = 1 << 10;
const PERF_EVENT_ATTR_BYTES = 112;
const PERF_RECORD_SAMPLE = 9;
const PERF_DATA_HEAD = 1024;
const PERF_DATA_TAIL = 1032;

const libc = koffi.load(null);
const mmap = libc.func('mmap', 'void *', ['uintptr_t', 'size_t', 'int', 'int', 'int', 'long']);
const munmap = libc.func('munmap', 'int', ['void *', 'size_t']);
const syscall = libc.func('syscall', 'long', ['long', 'void *', 'long', 'long', 'long', 'long']);
const ioctl = libc.func('ioctl', 'int', ['int', 'unsigned long', 'long']);

class SharedMemory {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly #pointer: unknown;

  constructor(fd: number, sizeBytes: number, offBytes: number, protection: number) {
    this.#pointer = mmap(0, sizeBytes, protection, MAP_SHARED, fd, offBytes);
    if (BigInt(this.#pointer as bigint) === 0xffffffffffffffffn) throw new Error(`mmap: errno ${koffi.errno()}`);
    const memory = koffi.view(this.#pointer, sizeBytes);
    this.view = new DataView(memory);
    this.bytes = new Uint8Array(memory);
  }

  u64(at: number): number {
    return Number(this.view.getBigUint64(at, true));
  }

  close(): void {
    munmap(this.#pointer, this.bytes.length);
  }
}

/** A RINGBUF as libbpf maps it: the consumer's page, which it may write, then the producer's page and twice the data. */
export class KernelRing {
  readonly #consumer: SharedMemory;
  readonly #producer: SharedMemory;
  readonly #sizeBytes: number;

  constructor(fd: number, sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#consumer = new SharedMemory(fd, PAGE_BYTES, 0, PROT_READ_WRITE);
    this.#producer = new SharedMemory(fd, PAGE_BYTES + 2 * sizeBytes, PAGE_BYTES, PROT_READ);
  }

  get consumerPos(): number {
    return this.#consumer.u64(0);
  }

  get producerPos(): number {
    return this.#producer.u64(0);
  }

  /** The ring itself, headers and all. */
  get data(): Uint8Array {
    return this.#producer.bytes.subarray(PAGE_BYTES, PAGE_BYTES + this.#sizeBytes);
  }

  /** Records up to the first busy one. */
  consume(): Uint8Array[] {
    const records: Uint8Array[] = [];
    while (this.consumerPos < this.producerPos) {
      const at = PAGE_BYTES + (this.consumerPos % this.#sizeBytes);
      const len = this.#producer.view.getUint32(at, true);
      if (len >= 0x80000000) break;
      const sizeBytes = len & 0x3fffffff;
      if (len < 0x40000000) records.push(this.#producer.bytes.slice(at + 8, at + 8 + sizeBytes));
      this.#consumer.view.setBigUint64(0, BigInt(this.consumerPos + Math.ceil((sizeBytes + 8) / 8) * 8), true);
    }
    return records;
  }

  close(): void {
    this.#consumer.close();
    this.#producer.close();
  }
}

/** A USER_RINGBUF as libbpf maps it: the consumer's page, then the producer's page and twice the data, which user space may write. */
export class KernelUserRing {
  readonly #consumer: SharedMemory;
  readonly #producer: SharedMemory;
  readonly #sizeBytes: number;

  constructor(fd: number, sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#consumer = new SharedMemory(fd, PAGE_BYTES, 0, PROT_READ);
    this.#producer = new SharedMemory(fd, PAGE_BYTES + 2 * sizeBytes, PAGE_BYTES, PROT_READ_WRITE);
  }

  get consumerPos(): number {
    return this.#consumer.u64(0);
  }

  set producerPos(pos: number) {
    this.#producer.view.setBigUint64(0, BigInt(pos), true);
  }

  get data(): Uint8Array {
    return this.#producer.bytes.subarray(PAGE_BYTES, PAGE_BYTES + this.#sizeBytes);
  }

  close(): void {
    this.#consumer.close();
    this.#producer.close();
  }
}

/** The event of one CPU that bpf_perf_event_output writes to, with a ring of `pages` pages or none. */
export class KernelPerfEvent {
  readonly fd: number;
  readonly #ring: SharedMemory | undefined;
  readonly #sizeBytes: number;

  constructor(cpu: number, pages: number) {
    const attr = new DataView(new ArrayBuffer(PERF_EVENT_ATTR_BYTES));
    attr.setUint32(0, PERF_TYPE_SOFTWARE, true);
    attr.setUint32(4, PERF_EVENT_ATTR_BYTES, true);
    attr.setBigUint64(8, BigInt(PERF_COUNT_SW_BPF_OUTPUT), true);
    attr.setBigUint64(16, 1n, true); // sample_period
    attr.setBigUint64(24, BigInt(PERF_SAMPLE_RAW), true);
    attr.setUint32(48, 1, true); // wakeup_events
    this.fd = syscall(SYS_PERF_EVENT_OPEN, new Uint8Array(attr.buffer), -1, cpu, -1, 0);
    if (this.fd < 0) throw new Error(`perf_event_open: errno ${koffi.errno()}`);
    this.#sizeBytes = pages * PAGE_BYTES;
    this.#ring = pages === 0 ? undefined : new SharedMemory(this.fd, PAGE_BYTES + this.#sizeBytes, 0, PROT_READ_WRITE);
    ioctl(this.fd, 0x2400, 0); // PERF_EVENT_IOC_ENABLE
  }

  /** Raw samples since the last call, as perf_buffer of libbpf hands them out. */
  samples(): Uint8Array[] {
    const ring = this.#ring;
    if (ring === undefined) return [];
    const samples: Uint8Array[] = [];
    const head = ring.u64(PERF_DATA_HEAD);
    let tail = ring.u64(PERF_DATA_TAIL);
    const bytesAt = (pos: number, length: number): Uint8Array =>
      Uint8Array.from({ length }, (_, i) => ring.bytes[PAGE_BYTES + ((pos + i) % this.#sizeBytes)]!);
    while (tail < head) {
      // struct perf_event_header: u32 type, u16 misc, u16 size; of a sample then u32 size and the raw data.
      const header = new DataView(bytesAt(tail, 12).buffer);
      if (header.getUint32(0, true) === PERF_RECORD_SAMPLE) samples.push(bytesAt(tail + 12, header.getUint32(8, true)));
      tail += header.getUint16(6, true);
    }
    ring.view.setBigUint64(PERF_DATA_TAIL, BigInt(tail), true);
    return samples;
  }

  close(): void {
    this.#ring?.close();
    closeSync(this.fd);
  }
}
