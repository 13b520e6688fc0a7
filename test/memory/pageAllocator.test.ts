import { describe, expect, it } from 'vitest';
import { ProblemError } from '../../src/base/index.js';
import { HostMemory, Owner, PAGE_BYTES, PageAllocator } from '../../src/memory/index.js';
import { fc, prop } from '../support/property.js';

function allocatorOf(count: number): PageAllocator {
  return new PageAllocator(new HostMemory(4), count);
}

describe('PageAllocator', () => {
  it('hands out aligned pages, each once, then 0', () => {
    const allocator = allocatorOf(3);
    const pages = [allocator.alloc(Owner.pool), allocator.alloc(Owner.pool), allocator.alloc(Owner.stack)];
    expect(new Set(pages).size).toBe(3);
    expect(pages.every((page) => page > 0 && page % PAGE_BYTES === 0)).toBe(true);
    expect(allocator.alloc(Owner.pool)).toBe(0);
    expect(allocator.usedCount).toBe(3);
    expect(allocator.ledger.census()).toEqual({ pool: 2, stack: 1 });
    expect(allocator.ledger.violationCount).toBe(0);
  });

  it('hands out blocks of pages that lie side by side, and takes them back whole', () => {
    const allocator = allocatorOf(8);
    const [single, block] = [allocator.allocBlock(Owner.pool, 0), allocator.allocBlock(Owner.stack, 2)];
    expect(block % PAGE_BYTES).toBe(0);
    expect(allocator.ledger.census()).toMatchObject({ pool: 1, stack: 4 });
    expect(allocator.allocBlock(Owner.stack, 2)).toBe(0);
    allocator.moveBlock(block, 2, Owner.stack, Owner.txRing);
    allocator.ledger.packetId[allocator.ledger.indexOf(block) + 3] = 7;
    allocator.freeBlock(block, 2, Owner.txRing);
    allocator.freeBlock(single, 0, Owner.pool);
    expect(allocator.usedCount).toBe(0);
    expect(allocator.allocBlock(Owner.stack, 2)).toBe(block);
    expect(allocator.ledger.packetId[allocator.ledger.indexOf(block) + 3]).toBe(0);
    expect(allocator.usedCount).toBe(4);
    expect(allocator.ledger.violationCount).toBe(0);
  });

  it('gives no block when memory is to fail', () => {
    const allocator = allocatorOf(8);
    allocator.shouldFail = () => true;
    expect(allocator.allocBlock(Owner.stack, 1)).toBe(0);
    expect(allocator.usedCount).toBe(0);
  });

  it('gives the page that was freed last first, as it was left', () => {
    const memory = new HostMemory(4);
    const allocator = new PageAllocator(memory, 8);
    const [a, b] = [allocator.alloc(Owner.pool), allocator.alloc(Owner.pool)];
    memory.u8[b] = 0x5a;
    allocator.ledger.packetId[allocator.ledger.indexOf(b)] = 9;
    allocator.free(a, Owner.pool);
    allocator.free(b, Owner.pool);
    expect(allocator.alloc(Owner.pool)).toBe(b);
    expect(memory.u8[b]).toBe(0x5a);
    expect(allocator.ledger.packetId[allocator.ledger.indexOf(b)]).toBe(0);
    expect(allocator.alloc(Owner.pool)).toBe(a);
  });

  it('a double free is a violation and does not hand the page out twice', () => {
    const allocator = allocatorOf(2);
    const page = allocator.alloc(Owner.pool);
    allocator.free(page, Owner.pool);
    allocator.free(page, Owner.pool);
    expect(allocator.ledger.violations).toEqual([
      { buffer: `page 0 at 0x${page.toString(16)}`, expected: 'pool', found: 'free', next: 'free', packetId: 0 },
    ]);
    expect(allocator.usedCount).toBe(0);
    expect(new Set([allocator.alloc(Owner.pool), allocator.alloc(Owner.pool)]).size).toBe(2);
    expect(allocator.alloc(Owner.pool)).toBe(0);
  });

  it('a free by somebody else is a violation', () => {
    const allocator = allocatorOf(2);
    allocator.free(allocator.alloc(Owner.device), Owner.driver);
    expect(allocator.ledger.violations[0]).toMatchObject({ expected: 'driver', found: 'device', next: 'free' });
    expect(allocator.usedCount).toBe(0);
  });

  it('half pages have owners of their own; a page is taken and freed whole', () => {
    const allocator = new PageAllocator(new HostMemory(4), 3, { unitBytes: 2048 });
    const { ledger } = allocator;
    const page = allocator.alloc(Owner.pool);
    expect([ledger.unitName, ledger.count, ledger.bufferOf(page + 2050)]).toEqual(['half page', 6, page + 2048]);
    expect(ledger.census()).toEqual({ free: 4, pool: 2 });
    ledger.move(page + 2048, Owner.pool, Owner.device);
    ledger.packetId[ledger.indexOf(page + 2048)] = 4;
    ledger.move(page + 2048, Owner.device, Owner.pool);
    allocator.free(page, Owner.pool);
    expect([ledger.census(), ledger.violationCount, ledger.packetId[ledger.indexOf(page + 2048)]]).toEqual([{ free: 6 }, 0, 0]);
    expect(allocator.alloc(Owner.driver)).toBe(page);
    allocator.movePage(page, Owner.driver, Owner.txRing);
    expect([ledger.census(), allocator.usedCount]).toEqual([{ free: 4, txRing: 2 }, 1]);
    expect(() => new PageAllocator(new HostMemory(4), 3, { unitBytes: 1024 })).toThrow(RangeError);
  });

  it('a half that somebody else still has is a violation when its page is freed', () => {
    const allocator = new PageAllocator(new HostMemory(4), 3, { unitBytes: 2048 });
    const page = allocator.alloc(Owner.pool);
    allocator.ledger.move(page + 2048, Owner.pool, Owner.txRing);
    allocator.free(page, Owner.pool);
    expect(allocator.ledger.violations).toMatchObject([{ buffer: `half page 1 at 0x${(page + 2048).toString(16)}`, expected: 'pool', found: 'txRing' }]);
  });

  it('a page is free when its last reference is gone', () => {
    const allocator = allocatorOf(2);
    const page = allocator.alloc(Owner.stack, 1);
    const index = allocator.pageIndexOf(page + 100);
    expect([allocator.pages.refCount[index], allocator.pages.nid[index]]).toEqual([1, 1]);
    allocator.get(page);
    allocator.free(page, Owner.stack);
    expect([allocator.usedCount, allocator.ledger.census()]).toEqual([1, { free: 1, stack: 1 }]);
    allocator.free(page, Owner.stack);
    expect([allocator.usedCount, allocator.ledger.violationCount]).toEqual([0, 0]);
  });

  it('an address that is no page frees nothing', () => {
    const allocator = allocatorOf(2);
    allocator.free(16, Owner.pool);
    expect([allocator.ledger.violationCount, allocator.usedCount]).toEqual([1, 0]);
    expect(new Set([allocator.alloc(Owner.pool), allocator.alloc(Owner.pool), allocator.alloc(Owner.pool)])).toContain(0);
  });

  it('allocations fail when the hook says so', () => {
    let asked = 0;
    const allocator = new PageAllocator(new HostMemory(4), 4, { shouldFail: () => ++asked % 2 === 0 });
    expect([1, 2, 3, 4].map(() => allocator.alloc(Owner.pool) !== 0)).toEqual([true, false, true, false]);
    allocator.shouldFail = undefined;
    expect(allocator.alloc(Owner.pool)).not.toBe(0);
    expect([allocator.usedCount, asked]).toEqual([3, 4]);
  });

  it('more pages than memory are a problem', () => {
    expect(() => new PageAllocator(new HostMemory(1), 256)).toThrow(ProblemError);
  });

  it('where half pages have owners, a page that is one buffer has one all the same', () => {
    const allocator = new PageAllocator(new HostMemory(4), 4, { unitBytes: PAGE_BYTES / 2 });
    const { ledger } = allocator;
    const whole = allocator.alloc(Owner.pool, 0, true);
    const halves = allocator.alloc(Owner.pool);
    expect(ledger.census()).toMatchObject({ pool: 3 });
    for (const offBytes of [0, 2047, 2048, 4095]) {
      expect(ledger.bufferOf(whole + offBytes)).toBe(whole);
      expect(ledger.indexOf(whole + offBytes)).toBe(ledger.indexOf(whole));
      expect(ledger.bufferOf(halves + offBytes)).toBe(offBytes < 2048 ? halves : halves + 2048);
    }
    ledger.move(whole + 3000, Owner.pool, Owner.driver);
    expect(ledger.census()).toMatchObject({ pool: 2, driver: 1 });
    expect(ledger.describe(whole + 3000)).toMatch(/^page 0 at /);
    allocator.free(whole, Owner.driver);
    // The next one who gets it may have halves again.
    expect(allocator.alloc(Owner.pool)).toBe(whole);
    expect(ledger.bufferOf(whole + 2048)).toBe(whole + 2048);
    expect(ledger.violationCount).toBe(0);
  });

  prop([fc.array(fc.nat(99), { maxLength: 200 })])('any order of alloc and free: no page twice, used = handed out', (choices) => {
    const allocator = allocatorOf(16);
    const held: number[] = [];
    for (const choice of choices) {
      if (choice < 55) {
        const page = allocator.alloc(Owner.pool);
        expect(page === 0).toBe(held.length === 16);
        if (page === 0) continue;
        expect(held).not.toContain(page);
        held.push(page);
      } else if (held.length > 0) {
        allocator.free(held.splice(choice % held.length, 1)[0], Owner.pool);
      }
      expect(allocator.usedCount).toBe(held.length);
      expect(allocator.ledger.census()['pool'] ?? 0).toBe(held.length);
    }
    expect(allocator.ledger.violationCount).toBe(0);
  });
});
