import { describe, expect, it } from 'vitest';
import { HostMemory } from '../../src/memory/index.js';
import { ADDRESS_BYTES, ConsumerQueue, ProducerQueue } from '../../src/umem/index.js';
import { fc, prop } from '../support/property.js';

const consumer = (size: number, trusts = false): ConsumerQueue => new ConsumerQueue(new HostMemory(1), 'FILL ring', size, ADDRESS_BYTES, trusts);
const producer = (size: number): ProducerQueue => new ProducerQueue(new HostMemory(1), 'COMPLETION ring', size, ADDRESS_BYTES);

describe('ConsumerQueue', () => {
  it('reads the producer only when its window is empty, and publishes what it took at that moment', () => {
    const queue = consumer(8);
    queue.ring.producer = 2;
    expect([queue.peek(), queue.cachedProd]).toEqual([true, 2]);
    queue.release();
    queue.ring.producer = 3;
    queue.release();
    expect([queue.cachedProd, queue.ring.consumer]).toEqual([2, 0]);
    expect([queue.peek(), queue.cachedProd, queue.ring.consumer]).toEqual([true, 3, 2]);
  });

  it('entries does not publish', () => {
    const queue = consumer(8);
    queue.ring.producer = 5;
    queue.peek();
    for (let n = 0; n < 3; n++) queue.release();
    queue.ring.producer = 7;
    expect([queue.entries(2), queue.cachedProd]).toEqual([2, 5]);
    expect([queue.entries(4), queue.cachedProd, queue.ring.consumer]).toEqual([4, 7, 0]);
    expect(queue.entries(5)).toBe(4);
  });

  it.each([[false, 8], [true, 20]])('a producer 20 ahead on a ring of 8, believed: %s, makes %i entries', (trusts, entries) => {
    const queue = consumer(8, trusts);
    queue.ring.producer = 20;
    expect(queue.entries(100)).toBe(entries);
  });
});

describe('ProducerQueue', () => {
  it('reads the consumer only when it seems to be full', () => {
    const queue = producer(2);
    expect([queue.reserve(), queue.reserve(), queue.reserve()]).toEqual([true, true, false]);
    queue.ring.consumer = 1;
    expect(queue.reserve()).toBe(true);
    expect(queue.cachedCons).toBe(1);
  });

  it('shows what was reserved with submit, or so many with submitMore', () => {
    const queue = producer(4);
    queue.reserveAddress(2048, 7);
    queue.reserveAddress(4096, 0);
    expect(queue.ring.producer).toBe(0);
    queue.submitMore(1);
    expect(queue.ring.producer).toBe(1);
    queue.submit();
    expect(queue.ring.producer).toBe(2);
    expect([...queue.ring.u32.subarray(queue.ring.entryWord(0), queue.ring.entryWord(0) + 4)]).toEqual([2048, 7, 4096, 0]);
  });
});

describe('a producer and a consumer on one ring', () => {
  const start = fc.oneof(fc.constantFrom(0, 0xfffffff0, 0xffffffff, 0x7fffffff), fc.integer({ min: 0, max: 0xffffffff }));

  prop([fc.constantFrom(1, 2, 4, 16), start, fc.array(fc.boolean(), { maxLength: 200 })])('are first in, first out, from any index on', (size, index, isProduce) => {
    const out = producer(size);
    const into = consumer(size);
    for (const queue of [out, into]) Object.assign(queue, { cachedProd: index, cachedCons: index });
    Object.assign(into.ring, { producer: index, consumer: index });
    Object.assign(out.ring, { producer: index, consumer: index });
    const model: number[] = [];
    isProduce.forEach((produce, step) => {
      if (produce) {
        const fits = model.length < size;
        expect(out.reserveAddress(step, 0)).toBe(fits);
        if (fits) model.push(step);
        out.submit();
      } else {
        expect(into.peek()).toBe(model.length > 0);
        if (model.length === 0) return;
        expect(out.ring.u32[out.ring.entryWord(into.cachedCons)]).toBe(model.shift());
        into.release();
        into.publish();
      }
      // Each has its own memory here: what one publishes is carried to the other.
      into.ring.producer = out.ring.producer;
      out.ring.consumer = into.ring.consumer;
      expect(into.ring.used).toBe(model.length);
    });
  });
});
