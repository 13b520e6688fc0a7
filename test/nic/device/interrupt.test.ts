import { describe, expect, it } from 'vitest';
import { InterruptLine } from '../../../src/nic/device/interrupt.js';
import { fc, prop } from '../../support/property.js';
import { ManualScheduler } from '../support.js';

/** A line of queue 5 with a handler that only notes the time. */
function lineWith(delayNs: number) {
  const scheduler = new ManualScheduler();
  const times: number[] = [];
  const line = new InterruptLine(scheduler, 5, delayNs, (queue) => {
    expect(queue).toBe(5);
    times.push(scheduler.nowNs);
  });
  return { scheduler, line, times };
}

describe('InterruptLine', () => {
  it('without delay fires at once, once for all that came', () => {
    const { scheduler, line, times } = lineWith(0);
    line.raise(1);
    line.raise(1);
    scheduler.runUntil(1000);
    expect([times, line.raisedCount]).toEqual([[1000], 1]);
    line.raise(1);
    scheduler.runUntil(2000);
    expect(times).toEqual([1000, 1000]);
  });

  it('fires the delay after the first frame, not after the last', () => {
    const { scheduler, line, times } = lineWith(100);
    line.raise(1);
    scheduler.runUntil(1060);
    line.raise(1);
    scheduler.runUntil(1099);
    expect(times).toEqual([]);
    scheduler.runUntil(5000);
    expect(times).toEqual([1100]);
  });

  it('fires with the 32nd frame', () => {
    const { scheduler, line, times } = lineWith(100);
    line.raise(31);
    scheduler.runUntil(1010);
    expect(times).toEqual([]);
    line.raise(1);
    scheduler.runUntil(5000);
    expect(times).toEqual([1010]);
  });

  it('an interrupt that the 32nd frame overtook does not cut the next delay short', () => {
    const { scheduler, line, times } = lineWith(100);
    line.raise(1);
    scheduler.runUntil(1010);
    line.raise(31);
    scheduler.runUntil(1020);
    line.raise(1);
    scheduler.runUntil(5000);
    expect(times).toEqual([1010, 1120]);
  });

  it('masked it stays silent, and fires when it is unmasked', () => {
    const { scheduler, line, times } = lineWith(100);
    line.mask();
    line.raise(1);
    scheduler.runUntil(3000);
    expect(times).toEqual([]);
    line.unmask();
    scheduler.runUntil(3000);
    expect(times).toEqual([3000]);
  });

  it('masked after it was scheduled it stays silent too, and what is pending is not lost', () => {
    const { scheduler, line, times } = lineWith(100);
    line.raise(1);
    line.mask();
    scheduler.runUntil(1500);
    expect(times).toEqual([]);
    line.unmask();
    scheduler.runUntil(5000);
    expect(times).toEqual([1500]);
  });

  it('what was acknowledged needs no interrupt', () => {
    const { scheduler, line, times } = lineWith(100);
    line.raise(40);
    line.mask();
    line.acknowledge();
    line.unmask();
    scheduler.runUntil(5000);
    expect(times).toEqual([]);
    line.raise(1);
    scheduler.runUntil(6000);
    expect(times).toEqual([5100]);
  });

  it('has a delay and a frame count per direction', () => {
    const scheduler = new ManualScheduler();
    const times: number[] = [];
    const line = new InterruptLine(scheduler, 0, { rxDelayNs: 100, rxFrames: 4, txDelayNs: 1000, txFrames: 2 }, () => times.push(scheduler.nowNs));
    line.raise(1, 'tx');
    scheduler.runUntil(1050);
    line.raise(3, 'rx');
    scheduler.runUntil(1200);
    line.raise(1, 'tx');
    scheduler.runUntil(1210);
    line.raise(1, 'tx');
    scheduler.runUntil(5000);
    expect(times).toEqual([1150, 1210]);
  });

  it('keeps the least interval between two interrupts', () => {
    const scheduler = new ManualScheduler();
    const times: number[] = [];
    const line = new InterruptLine(scheduler, 0, { rxDelayNs: 0, rxFrames: 0, txDelayNs: 0, txFrames: 0, minIntervalNs: 500 }, () => times.push(scheduler.nowNs));
    for (let tNs = 1000; tNs < 2000; tNs += 100) {
      line.raise(1);
      scheduler.runUntil(tNs);
    }
    scheduler.runUntil(9000);
    expect(times).toEqual([1000, 1500, 2000]);
  });

  it("an 'arm' line fires once per arming; arming looks again, so nothing that came meanwhile is lost", () => {
    const scheduler = new ManualScheduler();
    const times: number[] = [];
    const line = new InterruptLine(scheduler, 0, 0, () => times.push(scheduler.nowNs), { policy: 'arm' });
    line.raise(1);
    scheduler.runUntil(1100);
    line.raise(2);
    scheduler.runUntil(1200);
    expect(times).toEqual([1000]);
    line.unmask(3);
    scheduler.runUntil(1300);
    expect(times).toEqual([1000]);
    line.raise(1);
    scheduler.runUntil(1400);
    line.raise(1);
    line.unmask(4);
    scheduler.runUntil(1500);
    expect(times).toEqual([1000, 1300, 1400]);
  });

  it('a lost interrupt is counted and takes its events with it; the next event fires again', () => {
    const scheduler = new ManualScheduler();
    let fired = 0;
    let isLossy = true;
    const line = new InterruptLine(scheduler, 0, 0, () => fired++, { drop: () => isLossy });
    line.raise(1);
    scheduler.runUntil(2000);
    expect([fired, line.raisedCount, line.lostCount]).toEqual([0, 0, 1]);
    isLossy = false;
    line.raise(1);
    scheduler.runUntil(3000);
    expect([fired, line.raisedCount, line.lostCount]).toEqual([1, 1, 1]);
  });

  prop([fc.constantFrom(0, 1, 50, 1000), fc.array(fc.record({ wait: fc.integer({ min: 0, max: 120 }), frames: fc.integer({ min: 1, max: 40 }) }), { maxLength: 60 })])(
    'fires exactly when its rule says',
    (delayNs, arrivals) => {
      const { scheduler, line, times } = lineWith(delayNs);
      const expected: number[] = [];
      let firstNs = Infinity;
      let frames = 0;
      const fire = (tNs: number): void => {
        expected.push(tNs);
        firstNs = Infinity;
        frames = 0;
      };
      for (const arrival of arrivals) {
        const tNs = scheduler.nowNs + arrival.wait;
        if (firstNs + delayNs <= tNs) fire(firstNs + delayNs);
        scheduler.runUntil(tNs);
        line.raise(arrival.frames);
        firstNs = Math.min(firstNs, tNs);
        frames += arrival.frames;
        if (frames >= 32) fire(tNs);
        scheduler.runUntil(tNs);
      }
      scheduler.runUntil(scheduler.nowNs + 10_000);
      if (firstNs !== Infinity) fire(firstNs + delayNs);
      expect(times).toEqual(expected);
    },
  );
});
