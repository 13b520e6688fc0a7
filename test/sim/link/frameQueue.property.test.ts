import { describe, expect } from 'vitest';
import { FrameQueue } from '../../../src/sim/link/frameQueue.js';
import { fc, prop } from '../../support/property.js';

/** A frame of `len` bytes goes in, or the first one comes out (`undefined`). */
const step = fc.oneof({ arbitrary: fc.integer({ min: 1, max: 3000 }), weight: 3 }, { arbitrary: fc.constant(undefined), weight: 2 }, { arbitrary: fc.integer({ min: 1, max: 70 }), weight: 3 });

describe('FrameQueue', () => {
  prop([fc.array(step, { maxLength: 600, size: 'max' })], { numRuns: 200 })('gives back what it got, in its order, byte for byte', (steps) => {
    const queue = new FrameQueue();
    const model: { id: number; bytes: Uint8Array }[] = [];
    const target = new Uint8Array(4000);
    let id = 0;
    const takeFirst = (): void => {
      const first = model.shift()!;
      expect([queue.firstPacketId, queue.firstHops, queue.firstSentNs, queue.firstArrivalNs, queue.firstLenBytes]).toEqual([first.id, first.id % 7, first.id * 2, first.id * 3, first.bytes.length + 1]);
      queue.copyFirst(target, 100);
      expect(Buffer.compare(target.subarray(100, 100 + first.bytes.length), first.bytes)).toBe(0);
      queue.shift();
    };
    for (const len of steps) {
      if (len !== undefined) {
        id++;
        const bytes = Uint8Array.from({ length: len }, (_, i) => (i * 31 + id) & 255);
        const memory = new Uint8Array(len + 50);
        memory.set(bytes, 37);
        queue.push(id * 3, id * 2, id, id % 7, memory, 37, len + 1, len);
        model.push({ id, bytes });
      } else if (model.length > 0) {
        takeFirst();
      }
      expect(queue.count).toBe(model.length);
      expect(queue.usedBytes).toBe(model.reduce((sum, { bytes }) => sum + bytes.length, 0));
    }
    while (model.length > 0) takeFirst();
    expect(queue.firstArrivalNs).toBe(Infinity);
  });
});
