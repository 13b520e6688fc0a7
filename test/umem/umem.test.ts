import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { createUmem } from '../../src/umem/index.js';

const create = (chunkCount: number, chunkSizeBytes: number, headroomBytes: number) =>
  createUmem(new HostMemory(4), 'umem of queue 0', { chunkCount, chunkSizeBytes, headroomBytes });

describe('createUmem, by the checks of XDP_UMEM_REG', () => {
  it.each([
    [1, 2048, 0], [3, 2048, 0], [1, 4096, 0], [7, 4096, 100], [4, 2048, 1], [4, 4096, 3392], [4, 2048, 1344],
  ])('%i chunks of %i with headroom %i are fine', (count, size, headroom) => {
    const umem = unwrap(create(count, size, headroom));
    expect(umem.sizeBytes).toBe(count * size);
    expect(umem.address % 4096).toBe(0);
    expect(umem.frameSizeBytes).toBe(size - 256 - headroom);
    expect(umem.chunks.census()).toEqual({ application: count });
  });

  it.each([
    ['chunk size', 4, 1024, 0], ['chunk size', 4, 2047, 0], ['chunk size', 4, 3000, 0], ['chunk size', 4, 4097, 0], ['chunk size', 4, 8192, 0],
    ['chunk size', 4, NaN, 0], ['chunk count', 0, 4096, 0], ['chunk count', -1, 4096, 0], ['chunk count', 1.5, 4096, 0],
    ['headroom', 4, 4096, 3393], ['headroom', 4, 2048, 1345], ['headroom', 4, 4096, 0xffffffff], ['headroom', 4, 4096, -1], ['headroom', 4, 4096, 0.5],
  ])('EINVAL for %s: %d chunks of %d with headroom %d', (_, count, size, headroom) => {
    const result = create(count, size, headroom);
    expect(result.ok).toBe(false);
    if (result.ok) return;
    expect(result.problem).toMatchObject({ code: 'umem-einval', where: 'umem of queue 0' });
    expect(result.problem.message).toMatch(/EINVAL/);
    expect(result.problem.hint).toBeDefined();
  });

  it('the headroom limit is told in the hint', () => {
    const result = create(4, 2048, 1345);
    expect(!result.ok && result.problem.hint).toContain('0 to 1344');
  });
});

describe('Umem.chunkStart', () => {
  it('masks an address down to its chunk, and knows what lies outside', () => {
    const umem = unwrap(create(3, 2048, 0));
    expect([0, 1, 2047, 2048, 4096 + 123, 6143].map((off) => umem.chunkStart(off))).toEqual([0, 0, 0, 2048, 4096, 4096]);
    expect([-1, 6144, 0xffffffff].map((off) => umem.chunkStart(off))).toEqual([-1, -1, -1]);
  });
});
