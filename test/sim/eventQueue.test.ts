import { describe, expect, it } from 'vitest';
import { EventQueue } from '../../src/sim/index.js';
import { fc, prop } from '../support/property.js';

describe('EventQueue', () => {
  it('runs by time, equal times in the order of their calls', () => {
    const events = new EventQueue(100);
    const seen: string[] = [];
    const a = events.register((argument) => seen.push(`a${argument}@${events.nowNs}`));
    const b = events.register((argument) => seen.push(`b${argument}@${events.nowNs}`));
    events.schedule(200, a, 1);
    events.schedule(100, b, 2);
    events.schedule(200, b, 3);
    events.schedule(150.5, a, 4);
    expect(events.nextNs).toBe(100);
    while (events.step());
    expect(seen).toEqual(['b2@100', 'a4@150.5', 'a1@200', 'b3@200']);
    expect([events.nowNs, events.nextNs, events.step()]).toEqual([200, Infinity, false]);
  });

  it('an event that is scheduled for now by an event runs after those that were there', () => {
    const events = new EventQueue(0);
    const seen: number[] = [];
    const handler = events.register((argument) => {
      seen.push(argument);
      if (argument === 1) events.schedule(events.nowNs, handler, 3);
    });
    events.schedule(0, handler, 1);
    events.schedule(0, handler, 2);
    while (events.step());
    expect(seen).toEqual([1, 2, 3]);
  });

  it('the past is a programmer error', () => {
    const events = new EventQueue(50);
    const handler = events.register(() => {});
    expect(() => events.schedule(49.9, handler, 0)).toThrow(/before the present/);
  });

  /** Schedule so many ns from now, or (null) run the next event. */
  const action = fc.option(fc.integer({ min: 0, max: 30 }), { nil: null, freq: 2 });

  prop([fc.array(action, { maxLength: 400 }), fc.constantFrom(0, 1e9, 2 ** 52)])('any order of calls equals a sorted list', (actions, startNs) => {
    const events = new EventQueue(startNs);
    const ran: number[] = [];
    const handler = events.register((argument) => ran.push(argument));
    const model: { tNs: number; id: number }[] = [];
    const expected: number[] = [];
    const runNext = (): void => {
      const next = model.shift();
      expect(events.step()).toBe(next !== undefined);
      if (next === undefined) return;
      expected.push(next.id);
      expect(events.nowNs).toBe(next.tNs);
    };
    actions.forEach((delayNs, id) => {
      if (delayNs === null) runNext();
      else {
        const tNs = events.nowNs + delayNs;
        events.schedule(tNs, handler, id);
        model.push({ tNs, id });
        // A stable sort: equal times keep the order of their calls.
        model.sort((left, right) => left.tNs - right.tNs);
      }
      expect(events.nextNs).toBe(model[0]?.tNs ?? Infinity);
    });
    while (model.length > 0) runNext();
    expect(ran).toEqual(expected);
  });
});
