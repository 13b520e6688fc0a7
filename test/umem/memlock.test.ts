import { expect, it } from 'vitest';
import { HostMemory } from '../../src/memory/index.js';
import { EventQueue } from '../../src/sim/eventQueue.js';
import {
  AF_XDP, AfXdp, SOCK_RAW, SOL_XDP, XDP_COPY, XDP_RX_RING, XDP_SHARED_UMEM, XDP_UMEM_COMPLETION_RING, XDP_UMEM_FILL_RING, XDP_UMEM_REG,
} from '../../src/umem/index.js';
import { fc, prop } from '../support/property.js';
import { u32Bytes } from './support.js';

// RLIMIT_MEMLOCK. What the kernel gives is asked in test/replay/xskMemlock.test.ts.

const PAGE = 4096;
const ENOBUFS = 105;
const IFINDEX = 1;

/** Applications with this limit, one device with a queue for each, and memory that is long enough. */
class Host {
  readonly events = new EventQueue(0);
  readonly afXdp: AfXdp;
  readonly #area: bigint;

  constructor(memlockBytes: number) {
    this.afXdp = new AfXdp({ memory: new HostMemory(16), scheduler: this.events, memlockBytes });
    this.afXdp.addDevice({ ifindex: IFINDEX, rxQueues: 8, txQueues: 8, mtu: 1500, xskTransmit: () => 0, kick: () => {} });
    this.#area = this.afXdp.mmapAnonymous(64 * PAGE).address;
  }

  open(): number {
    return this.afXdp.socket(SOCK_RAW, 0);
  }

  register(fd: number, pages: number): number {
    const view = new DataView(new ArrayBuffer(32));
    view.setBigUint64(0, this.#area, true);
    view.setBigUint64(8, BigInt(pages * PAGE), true);
    view.setUint32(16, PAGE, true);
    return this.afXdp.setsockopt(fd, SOL_XDP, XDP_UMEM_REG, new Uint8Array(view.buffer));
  }

  bind(fd: number, queue: number, flags = XDP_COPY, sharedFd = 0): number {
    this.afXdp.setsockopt(fd, SOL_XDP, XDP_RX_RING, u32Bytes(8));
    if (flags === XDP_COPY) for (const ring of [XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING]) this.afXdp.setsockopt(fd, SOL_XDP, ring, u32Bytes(8));
    return this.afXdp.bind(fd, new Uint8Array(Uint32Array.of(AF_XDP | (flags << 16), IFINDEX, queue, sharedFd).buffer));
  }

  settle(): void {
    while (this.events.nextNs < Infinity) this.events.step();
  }
}

it('a UMEM is locked as long as a pool has it: until the queue is given back, and while another socket shares it', () => {
  const host = new Host(16 * PAGE);
  const [owner, other, next] = [host.open(), host.open(), host.open()] as const;
  expect([host.register(owner, 16), host.bind(owner, 0), host.bind(other, 0, XDP_SHARED_UMEM, owner)]).toEqual([0, 0, 0]);
  host.afXdp.close(owner);
  host.settle();
  expect(host.register(next, 1)).toBe(-ENOBUFS);
  host.afXdp.close(other);
  expect(host.register(next, 1)).toBe(-ENOBUFS);
  host.settle();
  expect(host.register(next, 16)).toBe(0);
});

it.each([-1, Number.NaN])('a limit of %s bytes is a mistake', (memlockBytes) => {
  expect(() => new Host(memlockBytes)).toThrow(RangeError);
});

const step = fc.oneof(fc.record({ open: fc.integer({ min: 1, max: 20 }) }), fc.record({ close: fc.nat(7) }));

prop([fc.integer({ min: 0, max: 40 }), fc.array(step, { maxLength: 40 })])('at any time the UMEMs that are there fit into the limit, and what fits is taken', (limit, steps) => {
  const host = new Host(limit * PAGE);
  const locked = new Map<number, number>();
  for (const each of steps) {
    if ('open' in each) {
      const fd = host.open();
      const used = [...locked.values()].reduce((sum, pages) => sum + pages, 0);
      const fits = used + each.open <= limit;
      expect(host.register(fd, each.open)).toBe(fits ? 0 : -ENOBUFS);
      if (fits) locked.set(fd, each.open);
      else host.afXdp.close(fd);
    } else {
      const fd = [...locked.keys()][each.close];
      if (fd === undefined) continue;
      host.afXdp.close(fd);
      locked.delete(fd);
    }
  }
});
