import { expect, it } from 'vitest';
import { HostMemory } from '../../src/memory/index.js';
import { KernelXsk } from '../../src/replay/xsk/kernelXsk.js';
import { EventQueue } from '../../src/sim/eventQueue.js';
import { AfXdp, SOCK_RAW, SOL_XDP, XDP_UMEM_REG } from '../../src/umem/index.js';
import type { Mapping, XskSyscalls } from '../../src/umem/index.js';
import { openUnprivileged } from '../support/unprivileged.js';
import { withKernelSockets } from '../support/xskSides.js';

const PAGE = 4096;
const AREA_BYTES = 40 * PAGE;
/** Longer than the kernel takes to unlock the pages of a UMEM that was closed. */
const RELEASE_MS = 60;

/** One process without CAP_IPC_LOCK, on the kernel or on the model. */
interface Process {
  readonly calls: XskSyscalls;
  /** What the body does counts against the limit. */
  run<T>(body: () => T): T;
  settle(): void;
}

interface Reg {
  readonly address?: bigint;
  readonly chunkSize?: number;
  readonly headroom?: number;
  readonly flags?: number;
}

/** What the process asks for, on sockets by number. */
class Registrar {
  readonly #process: Process;
  readonly #area: Mapping;
  readonly #fds: number[];

  constructor(process: Process, sockets: number) {
    this.#process = process;
    this.#area = process.calls.mmapAnonymous(AREA_BYTES);
    this.#fds = Array.from({ length: sockets }, () => process.calls.socket(SOCK_RAW, 0));
  }

  register(socket: number, lenBytes: number, { address = this.#area.address, chunkSize = PAGE, headroom = 0, flags = 0 }: Reg = {}): number {
    const bytes = new Uint8Array(32);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, address, true);
    view.setBigUint64(8, BigInt(lenBytes), true);
    [chunkSize, headroom, flags].forEach((word, i) => view.setUint32(16 + 4 * i, word, true));
    return this.#process.run(() => this.#process.calls.setsockopt(this.#fds[socket]!, SOL_XDP, XDP_UMEM_REG, bytes));
  }

  close(socket: number): void {
    this.#process.calls.close(this.#fds[socket]!);
    this.#fds[socket] = -1;
    this.#process.settle();
  }

  closeAll(): void {
    this.#fds.forEach((fd, socket) => {
      if (fd >= 0) this.close(socket);
    });
    this.#process.calls.munmap(this.#area);
  }
}

const SCENARIOS: Record<string, (app: Registrar, limitPages: number) => number[]> = {
  'as many pages as the limit has, and one more': (app, limit) => [app.register(0, (limit + 1) * PAGE), app.register(0, Math.max(1, limit) * PAGE)],
  'what comes before it, and what after': (app, limit) => {
    const tooLong = (limit + 1) * PAGE;
    return [
      app.register(0, tooLong, { headroom: PAGE }), app.register(0, tooLong, { flags: 0x80 }), app.register(0, tooLong, { address: 1n }),
      app.register(0, tooLong, { address: 1n << 20n }), app.register(0, Math.max(1, limit) * PAGE, { address: 1n << 20n }), app.register(0, 2 ** 40), app.register(0, Math.max(1, limit) * PAGE),
      app.register(0, tooLong),
    ];
  },
  'memory that is not there is not locked': (app, limit) => [app.register(0, Math.max(1, limit) * PAGE, { address: 1n << 20n }), app.register(1, Math.max(1, limit) * PAGE), app.register(2, PAGE)],
  'all sockets together': (app) => [app.register(0, 10 * PAGE), app.register(1, 7 * PAGE), app.register(1, 6 * PAGE), app.register(2, PAGE)],
  'the pages of a socket that is closed': (app) => {
    const before = [app.register(0, 16 * PAGE), app.register(1, PAGE)];
    app.close(0);
    return [...before, app.register(1, 16 * PAGE)];
  },
  'the same memory twice counts twice': (app) => [app.register(0, 9 * PAGE), app.register(1, 9 * PAGE)],
  'a rest behind unaligned chunks takes a page': (app, limit) => [app.register(0, limit * PAGE + 2048, { chunkSize: 2048, flags: 1 }), app.register(0, Math.max(1, limit) * PAGE - 1, { chunkSize: 2048, flags: 1 })],
};

await withKernelSockets('RLIMIT_MEMLOCK without CAP_IPC_LOCK', async (net) => {
  const unprivileged = await openUnprivileged();
  const kernel = (memlockBytes: number): Process => ({
    calls: new KernelXsk(net),
    run: (body) => unprivileged(memlockBytes, body),
    settle: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RELEASE_MS),
  });
  const model = (memlockBytes: number | undefined): Process => ({
    calls: new AfXdp({ memory: new HostMemory(16), scheduler: new EventQueue(0), memlockBytes }),
    run: (body) => body(),
    settle: () => {},
  });
  const observe = (process: Process, scenario: (app: Registrar, limit: number) => number[], limit: number): number[] => {
    const app = new Registrar(process, 3);
    try {
      return scenario(app, limit);
    } finally {
      app.closeAll();
    }
  };

  it.each(Object.entries(SCENARIOS).flatMap(([name, scenario]) => [0, 1, PAGE - 1, PAGE, 16 * PAGE, 17 * PAGE - 1].map((bytes) => [name, bytes, scenario] as const)))(
    '%s: a limit of %i bytes', (_, bytes, scenario) => {
      const pages = Math.floor(bytes / PAGE);
      const real = observe(kernel(bytes), scenario, pages);
      expect(real).toContain(-105);
      expect(observe(model(bytes), scenario, pages)).toEqual(real);
    },
  );

  it('root has CAP_IPC_LOCK, and no limit', () => {
    const scenario = SCENARIOS['all sockets together']!;
    const real = observe({ ...kernel(0), run: (body) => body() }, scenario, 0);
    expect(real).not.toContain(-105);
    expect(observe(model(undefined), scenario, 0)).toEqual(real);
  });
});
