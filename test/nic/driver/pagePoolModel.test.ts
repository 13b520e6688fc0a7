import { describe, expect } from 'vitest';
import { fc, prop } from '../../support/property.js';
import { PoolBench } from './poolSupport.js';

const PAGES = 150;

/**
 * A page_pool told as a story: cache, ring and free pages are lists. No mapping, no ledger.
 *
 * The ring frees its places in batches of 16; `#taken` are the ones that were consumed but don't count as free yet.
 */
class NaivePool {
  readonly counters: Record<string, number> = {};
  readonly out = new Set<number>();
  hold = 0;
  release = 0;
  /** The page allocator: last freed, first taken. */
  readonly free: number[];
  readonly cache: number[] = [];
  readonly ring: number[] = [];
  #taken = 0;
  #consumed = 0;
  /** Pieces that are out, by page; the page that pieces are cut from, and how many were. */
  readonly #pieces = new Map<number, number>();
  #current: { page: number; cut: number } | undefined;
  readonly #halves: boolean;
  readonly #ringSize: number;

  constructor(halves: boolean, ringSize: number, firstPage: number) {
    this.#halves = halves;
    this.#ringSize = ringSize;
    this.free = Array.from({ length: PAGES }, (_, index) => firstPage + (PAGES - 1 - index) * 4096);
  }

  count(name: string): void {
    this.counters[name] = (this.counters[name] ?? 0) + 1;
  }

  alloc(): number {
    const buffer = this.#halves ? this.#cut() : this.#take();
    if (buffer !== 0) this.out.add(buffer);
    return buffer;
  }

  #cut(): number {
    const current = this.#current;
    if (current?.cut === 1) {
      current.cut = 2;
      this.#pieces.set(current.page, (this.#pieces.get(current.page) ?? 0) + 1);
      return current.page + 2048;
    }
    let page: number;
    if (current !== undefined && this.#pieces.get(current.page) === 0) {
      this.count('recycle_cached');
      this.count('alloc_fast');
      page = current.page;
    } else {
      // Nothing is cut from the page any more, also when there is no other.
      this.#current = undefined;
      page = this.#take();
      if (page === 0) return 0;
    }
    this.#current = { page, cut: 1 };
    this.#pieces.set(page, 1);
    return page;
  }

  #take(): number {
    if (this.cache.length > 0) this.count('alloc_fast');
    else if (this.ring.length > 0) {
      this.count('alloc_refill');
      for (let i = 0; i < 64 && this.ring.length > 0; i++) this.#refillOne();
    } else {
      this.count('alloc_empty');
      const fresh = this.free.splice(-64).reverse();
      if (fresh.length > 0) this.count('alloc_slow');
      this.hold += fresh.length;
      this.cache.push(...fresh);
    }
    return this.cache.pop() ?? 0;
  }

  #refillOne(): void {
    this.cache.push(this.ring.shift() ?? 0);
    this.#consumed++;
    this.#taken++;
    if (this.#taken >= (this.#ringSize < 32 ? 1 : 16) || this.#consumed % this.#ringSize === 0) this.#taken = 0;
  }

  #leave(page: number): void {
    this.release++;
    this.free.push(page);
  }

  toRing(page: number): boolean {
    if (this.ring.length + this.#taken >= this.#ringSize) return false;
    this.ring.push(page);
    this.count('recycle_ring');
    return true;
  }

  /** A whole page is back: true when it has found its place in the cache. */
  #toCache(page: number): boolean {
    if (this.cache.length === 128) {
      this.count('recycle_cache_full');
      return false;
    }
    this.cache.push(page);
    this.count('recycle_cached');
    return true;
  }

  put(buffer: number, direct: boolean): void {
    const page = this.#lastOf(buffer);
    if (page === undefined || (direct && this.#toCache(page)) || this.toRing(page)) return;
    this.count('recycle_ring_full');
    this.#leave(page);
  }

  bulk(buffers: readonly number[]): void {
    const pages = buffers.map((buffer) => this.#lastOf(buffer)).filter((page) => page !== undefined);
    while (pages.length > 0 && this.toRing(pages[0])) pages.shift();
    if (pages.length > 0) this.count('recycle_ring_full');
    for (const page of pages) this.#leave(page);
  }

  /** A buffer is given back: its page, when no piece of it is out or still to be cut. */
  #lastOf(buffer: number): number | undefined {
    this.out.delete(buffer);
    if (!this.#halves) return buffer;
    const page = buffer - (buffer % 4096);
    const left = (this.#pieces.get(page) ?? 0) - 1;
    this.#pieces.set(page, left);
    return left === 0 && this.#current?.page !== page ? page : undefined;
  }
}

interface Real {
  readonly bench: PoolBench;
}

function check(model: NaivePool, { bench }: Real, halves: boolean): void {
  const { pool, allocator, iommu } = bench;
  const perPage = halves ? 2 : 1;
  const { pool: idle = 0, driver = 0, free = 0 } = allocator.ledger.census();
  expect({
    counters: Object.fromEntries(Object.entries(pool.stats).filter(([, value]) => value !== 0)),
    counts: [pool.holdCount, pool.releaseCount, pool.inflight, pool.idle, allocator.usedCount, iommu.mappedCount],
    owners: [idle, driver, free],
    wrong: [allocator.ledger.violationCount, pool.mistakes.count, iommu.faultCount],
  }).toEqual({
    counters: model.counters,
    counts: [
      model.hold, model.release, (model.hold - model.release) * perPage, (model.hold - model.release) * perPage - model.out.size,
      model.hold - model.release, model.hold - model.release,
    ],
    owners: [pool.idle, model.out.size, model.free.length * perPage],
    wrong: [0, 0, 0],
  });
}

/** Buffers that are out, so many from a place that the seed chose. */
function pick(model: NaivePool, start: number, count: number): number[] {
  const all = [...model.out];
  const first = all.length === 0 ? 0 : start % all.length;
  return [...all.slice(first), ...all.slice(0, first)].slice(0, count);
}

type Command = fc.Command<NaivePool, Real>;

class Step implements Command {
  readonly #name: string;
  readonly #run: (model: NaivePool, real: Real) => void;
  readonly #halves: boolean;

  constructor(name: string, halves: boolean, run: (model: NaivePool, real: Real) => void) {
    this.#name = name;
    this.#halves = halves;
    this.#run = run;
  }

  check(): boolean {
    return true;
  }

  run(model: NaivePool, real: Real): void {
    this.#run(model, real);
    check(model, real, this.#halves);
  }

  toString(): string {
    return this.#name;
  }
}

function commandsOf(halves: boolean): fc.Arbitrary<Iterable<Command>> {
  const count = fc.integer({ min: 1, max: 100 });
  const place = fc.tuple(fc.nat(), count);
  return fc.commands(
    [
      count.map((n) => new Step(`alloc ${n}`, halves, (model, { bench }) => {
        expect(bench.alloc(n)).toEqual(Array.from({ length: n }, () => model.alloc()));
      })),
      ...[true, false].map((direct) => place.map(([start, n]) => new Step(`${direct ? 'direct' : 'ring'} ${n} from ${start}`, halves, (model, { bench }) => {
        for (const buffer of pick(model, start, n)) {
          if (direct) bench.toCache([buffer]);
          else bench.toRing([buffer]);
          model.put(buffer, direct);
        }
      }))),
      place.map(([start, n]) => new Step(`bulk ${n} from ${start}`, halves, (model, { bench }) => {
        const buffers = pick(model, start, n);
        bench.inBulk(buffers);
        model.bulk(buffers);
      })),
    ],
    { size: 'large', maxCommands: 60 },
  );
}

describe('PagePool against a naive model', () => {
  for (const halves of [false, true]) {
    prop([commandsOf(halves), fc.constantFrom(1, 7, 16, 33, 64)], { numRuns: 60 })(
      `any order of alloc, direct, ring and bulk: ${halves ? 'fragments' : 'pages'}`,
      (commands, poolSize) => {
        const setup = (): { model: NaivePool; real: Real } => {
          const bench = new PoolBench({ pages: PAGES, iommuPages: PAGES, poolSize, bufferBytes: halves ? 2048 : 4096 });
          return { model: new NaivePool(halves, poolSize, bench.allocator.ledger.baseAddress), real: { bench } };
        };
        let ended: ReturnType<typeof setup> | undefined;
        fc.modelRun(() => (ended = setup()), commands);
        if (ended === undefined) return;
        const { bench } = ended.real;
        bench.toRing([...ended.model.out]);
        bench.pool.destroy();
        expect([bench.pool.inflight, bench.pool.idle, bench.allocator.usedCount, bench.iommu.mappedCount]).toEqual([0, 0, 0, 0]);
        expect(bench.pool.warnings).toEqual([]);
      },
    );
  }
});
