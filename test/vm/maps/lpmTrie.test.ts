import { describe, expect, it } from 'vitest';
import { EEXIST, EINVAL, ENOENT, ENOSPC } from '../../../src/base/index.js';
import { KernelMap } from '../../../src/replay/index.js';
import { withKernel } from '../../support/kernelOracle.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { fc } from '../../support/property.js';
import { LiveMap, hex, u32 } from './support/liveMap.js';

const LPM_TRIE = 11;
const BPF_F_NO_PREALLOC = 1;
const VALUE = 4;

const lpm = (dataBytes: number, maxEntries: number) => map('routes', LPM_TRIE, 4 + dataBytes, VALUE, maxEntries, { flags: BPF_F_NO_PREALLOC });

const prefix = (prefixlen: number, data: readonly number[]): Uint8Array => Uint8Array.of(...u32(prefixlen), ...data);

const prefixlenOf = (key: Uint8Array): number => new DataView(key.buffer, key.byteOffset).getUint32(0, true);

/** The bits that count, as text. */
function bitsOf(key: Uint8Array): string {
  return [...key.subarray(4)].map((byte) => byte.toString(2).padStart(8, '0')).join('').slice(0, prefixlenOf(key));
}

interface Route {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A list of prefixes that is searched from end to end. */
class NaiveRoutes {
  readonly routes = new Map<string, Route>();
  readonly #maxPrefixlen: number;
  readonly #maxEntries: number;

  constructor(dataBytes: number, maxEntries: number) {
    this.#maxPrefixlen = dataBytes * 8;
    this.#maxEntries = maxEntries;
  }

  put(key: Uint8Array, value: Uint8Array, flags: number): number {
    if (flags > 2 || prefixlenOf(key) > this.#maxPrefixlen) return -EINVAL;
    const exists = this.routes.has(bitsOf(key));
    if (exists && flags === 1) return -EEXIST;
    if (!exists && flags === 2) return -ENOENT;
    if (!exists && this.routes.size === this.#maxEntries) return -ENOSPC;
    this.routes.set(bitsOf(key), { key, value });
    return 0;
  }

  remove(key: Uint8Array): number {
    if (prefixlenOf(key) > this.#maxPrefixlen) return -EINVAL;
    return this.routes.delete(bitsOf(key)) ? 0 : -ENOENT;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (prefixlenOf(key) > this.#maxPrefixlen) return undefined;
    const matching = [...this.routes].filter(([bits]) => bitsOf(key).startsWith(bits));
    return matching.sort(([a], [b]) => b.length - a.length)[0]?.[1].value;
  }

  /** Longer prefixes before the ones that contain them; else 0 before 1. */
  entries(): Route[] {
    const order = ([a]: [string, Route], [b]: [string, Route]): number => {
      if (a.startsWith(b)) return -1;
      return b.startsWith(a) || a > b ? 1 : -1;
    };
    return [...this.routes].sort(order).map(([, route]) => route);
  }
}

interface Step {
  readonly op: 'put' | 'get' | 'remove';
  readonly key: Uint8Array;
  readonly fill: number;
  readonly flags: number;
}

/** Few different bits, so that prefixes meet. */
const stepsOf = (dataBytes: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      op: fc.constantFrom('put', 'put', 'put', 'get', 'remove'),
      key: fc
        .tuple(
          fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 0, max: dataBytes * 8 }) }, { weight: 1, arbitrary: fc.constantFrom(dataBytes * 8 + 1, 2 ** 32 - 1) }),
          fc.array(fc.constantFrom(0, 0, 0x80, 0x81, 0xff, 0x01), { minLength: dataBytes, maxLength: dataBytes }),
        )
        .map(([prefixlen, data]) => prefix(prefixlen, data)),
      fill: fc.integer({ min: 0, max: 255 }),
      flags: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 4 })),
    }),
    { maxLength: 80 },
  );

const anyRun = fc
  .constantFrom(1, 2, 4, 5)
  .chain((dataBytes) => fc.tuple(fc.constant(dataBytes), fc.constantFrom(1, 3, 40), stepsOf(dataBytes)));

const listed = (entries: Iterable<Route>): string[] => [...entries].map(({ key, value }) => `${bitsOf(key)} ${hex(key)}=${hex(value)}`);

describe('LPM_TRIE', () => {
  it('is what a list of prefixes says, from the program side and from the user side', () => {
    fc.assert(
      fc.property(anyRun, fc.boolean(), ([dataBytes, maxEntries, steps], isUser) => {
        const live = new LiveMap(lpm(dataBytes, maxEntries));
        const naive = new NaiveRoutes(dataBytes, maxEntries);
        for (const { op, key, fill, flags } of steps) {
          const value = new Uint8Array(VALUE).fill(fill);
          if (op === 'put') expect(isUser ? live.map.updateBytes(key, value, flags) : live.put(key, value, flags)).toBe(naive.put(key, value, flags));
          else if (op === 'get') expect(isUser ? live.map.lookupBytes(key) : live.get(key)).toEqual(naive.get(key));
          else expect(isUser ? live.map.deleteBytes(key) : live.remove(key)).toBe(naive.remove(key));
        }
        expect(listed(live.map.entries())).toEqual(listed(naive.entries()));
      }),
      { numRuns: 400 },
    );
  });

  it('stays within its memory through many changes of a full map', () => {
    const live = new LiveMap(lpm(2, 64));
    const naive = new NaiveRoutes(2, 64);
    for (let i = 0; i < 20_000; i++) {
      const key = prefix((i * 7) % 17, [(i * 31) & 0xff, (i * 57) & 0xff]);
      const value = u32(i);
      if (i % 3 === 0) expect(live.remove(key)).toBe(naive.remove(key));
      else expect(live.put(key, value)).toBe(naive.put(key, value, 0));
    }
    expect(listed(live.map.entries())).toEqual(listed(naive.entries()));
  });

  it('leaves the old value to who holds its address', () => {
    const live = new LiveMap(lpm(1, 1));
    const key = prefix(8, [7]);
    live.put(key, u32(1));
    const old = live.find(key);
    live.put(key, u32(2));
    expect(live.valueAt(old)).toEqual(u32(1));
    expect(live.get(key)).toEqual(u32(2));
    live.remove(key);
    live.put(key, u32(3));
    expect(live.valueAt(old)).toEqual(u32(1));
  });

  it('takes keys and values of wrong sizes for an error', () => {
    const { map: routes } = new LiveMap(lpm(4, 1));
    expect(routes.updateBytes(new Uint8Array(7), new Uint8Array(4), 0)).toBe(-EINVAL);
    expect(routes.updateBytes(new Uint8Array(8), new Uint8Array(5), 0)).toBe(-EINVAL);
    expect(routes.lookupBytes(new Uint8Array(9))).toBeUndefined();
    expect(routes.deleteBytes(new Uint8Array(9))).toBe(-EINVAL);
  });
});

withKernel('LPM_TRIE, against the kernel', (kernel) => {
  it('any operations give the same results, and the same entries in the same order', () => {
    fc.assert(
      fc.property(anyRun, ([dataBytes, maxEntries, steps]) => {
        const spec = lpm(dataBytes, maxEntries);
        const { map: ours } = new LiveMap(spec);
        const theirs = new KernelMap(kernel, spec, kernel.mapCreate(spec));
        try {
          for (const { op, key, fill, flags } of steps) {
            const value = new Uint8Array(VALUE).fill(fill);
            if (op === 'put') expect(ours.updateBytes(key, value, flags)).toBe(theirs.updateBytes(key, value, flags));
            else if (op === 'get') expect(ours.lookupBytes(key)).toEqual(theirs.lookupBytes(key));
            else expect(ours.deleteBytes(key)).toBe(theirs.deleteBytes(key));
          }
          expect(listed(ours.entries())).toEqual(listed(theirs.entries()));
        } finally {
          theirs.close();
        }
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});
