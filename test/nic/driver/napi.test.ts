import { describe, expect, it } from 'vitest';
import { InterruptLine } from '../../../src/nic/device/interrupt.js';
import { busyPoll } from '../../../src/nic/driver/busyPoll.js';
import { Napi, NAPI_MISSED, NAPI_PREFER_BUSY_POLL, NAPI_SCHED } from '../../../src/nic/driver/napi.js';
import type { NapiSettings } from '../../../src/nic/driver/napi.js';
import { Softirq } from '../../../src/nic/driver/softirq.js';
import type { SoftirqSettings } from '../../../src/nic/driver/softirq.js';
import { fc, prop } from '../../support/property.js';
import { ManualScheduler } from '../support.js';

/** A queue of countable packets, its line and its NAPI, wired as a driver wires them. */
class Bench {
  readonly scheduler = new ManualScheduler();
  readonly softirq: Softirq;
  readonly napi: Napi;
  readonly line: InterruptLine;
  readonly log: [tNs: number, work: number][] = [];
  waiting = 0;
  polled = 0;
  duringPoll: () => void = () => {};

  constructor(napi: Partial<NapiSettings> = {}, softirq: Partial<SoftirqSettings> = {}, delayNs = 0) {
    this.softirq = new Softirq(this.scheduler, softirq);
    this.napi = new Napi(this.scheduler, this.softirq, 3, (budget) => this.#poll(budget), napi);
    this.line = new InterruptLine(this.scheduler, 3, delayNs, () => {
      this.line.mask();
      this.napi.schedule();
    });
  }

  arrive(packets: number): void {
    this.waiting += packets;
    this.line.raise(packets);
  }

  run(ns: number): void {
    this.scheduler.runUntil(this.scheduler.nowNs + ns);
  }

  #poll(budget: number): number {
    this.line.acknowledge();
    const work = Math.min(budget, this.waiting);
    this.waiting -= work;
    this.polled += work;
    this.log.push([this.scheduler.nowNs, work]);
    this.duringPoll();
    if (work < budget && this.napi.completeDone(work)) this.line.unmask();
    return work;
  }
}

describe('napi_schedule', () => {
  it('makes the first caller the owner; the next sets MISSED, and MISSED is one more poll', () => {
    const bench = new Bench();
    expect([bench.napi.schedule(), bench.napi.schedule(), bench.napi.has(NAPI_MISSED)]).toEqual([true, false, true]);
    bench.run(0);
    expect(bench.log.length).toBe(2);
    expect(bench.napi.state).toBe(0);
  });

  it('does nothing while disabled', () => {
    const bench = new Bench();
    bench.napi.schedule();
    bench.napi.disable();
    expect(bench.napi.schedule()).toBe(false);
    bench.run(0);
    expect(bench.log).toEqual([]);
    bench.napi.enable();
    expect(bench.napi.schedule()).toBe(true);
  });
});

describe('poll', () => {
  it('with the whole budget polls again, with less it ends', () => {
    const bench = new Bench();
    bench.arrive(150);
    bench.run(0);
    expect(bench.log.map(([, work]) => work)).toEqual([64, 64, 22]);
    expect(bench.line.raisedCount).toBe(1);
  });

  it('beyond its budget is a mistake of the driver', () => {
    const scheduler = new ManualScheduler();
    const napi: Napi = new Napi(scheduler, new Softirq(scheduler), 0, (budget) => {
      if (napi.polls === 1) return budget + 1;
      napi.completeDone(0);
      return 0;
    });
    napi.schedule();
    scheduler.runUntil(2000);
    expect(napi.mistakes).toEqual([{ code: 'budget-exceeded', message: 'queue 0: poll function exceeded its budget: 65 of 64' }]);
  });

  it('that completes and returns the whole budget is a mistake, and is not polled again', () => {
    const scheduler = new ManualScheduler();
    const napi: Napi = new Napi(scheduler, new Softirq(scheduler), 0, (budget) => {
      napi.completeDone(budget);
      return budget;
    });
    napi.schedule();
    scheduler.runUntil(2000);
    expect([napi.polls, napi.mistakes.map(({ code }) => code)]).toEqual([1, ['completed-with-whole-budget']]);
  });
});

describe('napi_complete_done', () => {
  it.each([
    [{ deferHardIrqs: 2 }, [1000]],
    [{ groFlushTimeoutNs: 100 }, [1000]],
    [{ deferHardIrqs: 2, groFlushTimeoutNs: 100 }, [1000, 1100, 1200]],
  ])('%o polls at %o: deferral needs both settings', (settings, times) => {
    const bench = new Bench(settings);
    bench.arrive(1);
    bench.run(10_000);
    expect(bench.log.map(([tNs]) => tNs)).toEqual(times);
    bench.arrive(1);
    bench.run(0);
    expect(bench.line.raisedCount).toBe(2);
  });

  it('work reloads the counter; what comes in the meantime needs no interrupt', () => {
    const bench = new Bench({ deferHardIrqs: 1, groFlushTimeoutNs: 100 });
    bench.arrive(1);
    bench.run(50);
    bench.arrive(1);
    bench.run(1000);
    expect(bench.log).toEqual([[1000, 1], [1100, 1], [1200, 0]]);
    expect(bench.line.raisedCount).toBe(1);
  });
});

describe('net_rx_action', () => {
  it('stops at 300 packets over all queues, counts a squeeze and goes on in the next run', () => {
    const scheduler = new ManualScheduler();
    const softirq = new Softirq(scheduler);
    const order: number[] = [];
    const napis: Napi[] = Array.from({ length: 6 }, (_, queue) => new Napi(scheduler, softirq, queue, (budget) => {
      order.push(queue);
      if (napis[queue].polls === 1) return budget;
      napis[queue].completeDone(0);
      return 0;
    }));
    for (const napi of napis) napi.schedule();
    scheduler.runUntil(2000);
    expect([softirq.timeSqueeze, softirq.runs]).toEqual([1, 3]);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]);
  });

  it('one busy queue is polled once per run', () => {
    const bench = new Bench();
    bench.arrive(400);
    bench.run(0);
    expect([bench.softirq.timeSqueeze, bench.softirq.runs, bench.polled]).toEqual([0, 7, 400]);
  });

  it('stops after its time when packets cost some, and frees the CPU only then', () => {
    const bench = new Bench({}, { packetCostNs: 10_000, budgetUsecs: 1000, budget: 10_000 });
    bench.arrive(129);
    bench.run(10_000_000);
    expect(bench.log.map(([tNs, work]) => [tNs, work])).toEqual([[1000, 64], [641_000, 64], [1_281_000, 1]]);
  });
});

describe('busy poll', () => {
  it('takes the NAPI from the application, twice its budget, and hands the rest to the softirq', () => {
    const bench = new Bench();
    bench.line.mask();
    bench.arrive(20);
    expect(busyPoll(bench.napi)).toBe(16);
    expect(bench.napi.has(NAPI_SCHED)).toBe(true);
    bench.run(0);
    expect(bench.polled).toBe(20);
  });

  it('preferred, it keeps the softirq away until gro_flush_timeout', () => {
    const bench = new Bench({ deferHardIrqs: 1, groFlushTimeoutNs: 500 });
    bench.line.mask();
    bench.arrive(20);
    expect(busyPoll(bench.napi, 8, true)).toBe(16);
    bench.run(499);
    expect(bench.polled).toBe(16);
    bench.run(1);
    expect(bench.polled).toBe(20);
  });

  it('that gets the NAPI leaves no word to anybody: without timers, the softirq polls what is left with its whole budget', () => {
    const bench = new Bench();
    bench.line.mask();
    bench.arrive(100);
    expect(busyPoll(bench.napi, 8, true)).toBe(16);
    expect(bench.napi.has(NAPI_PREFER_BUSY_POLL)).toBe(false);
    bench.run(0);
    expect(bench.polled).toBe(100);
  });

  it('that finds the softirq at work leaves word that it prefers to poll', () => {
    const bench = new Bench({ deferHardIrqs: 1, groFlushTimeoutNs: 500 });
    bench.arrive(100);
    bench.duringPoll = () => expect(busyPoll(bench.napi, 8, true)).toBe(0);
    bench.run(0);
    expect([bench.polled, bench.napi.has(NAPI_PREFER_BUSY_POLL)]).toEqual([64, false]);
    bench.run(500);
    expect(bench.polled).toBe(100);
  });
});

describe('whatever comes', () => {
  const step = fc.record({ wait: fc.integer({ min: 0, max: 300 }), packets: fc.integer({ min: 0, max: 200 }), busy: fc.integer({ min: 0, max: 16 }), prefer: fc.boolean() });
  prop([
    fc.record({ deferHardIrqs: fc.integer({ min: 0, max: 3 }), groFlushTimeoutNs: fc.constantFrom(0, 1, 100, 1000) }),
    fc.record({ budget: fc.integer({ min: 1, max: 400 }), packetCostNs: fc.constantFrom(0, 0, 7, 5000) }),
    fc.constantFrom(0, 50, 1000),
    fc.array(step, { maxLength: 40 }),
  ])('every packet is polled in the end, and no poll runs inside another', (napi, softirq, delayNs, steps) => {
    const bench = new Bench(napi, softirq, delayNs);
    let arrived = 0;
    for (const { wait, packets, busy, prefer } of steps) {
      bench.run(wait);
      arrived += packets;
      if (packets > 0) bench.arrive(packets);
      if (busy > 0) busyPoll(bench.napi, busy, prefer);
    }
    bench.run(1e9);
    expect(bench.polled).toBe(arrived);
    expect(bench.napi.mistakes).toEqual([]);
    expect(bench.napi.state & NAPI_SCHED).toBe(0);
  });

  const kept = fc.record({ wait: fc.integer({ min: 0, max: 300 }), packets: fc.integer({ min: 1, max: 200 }), isLost: fc.boolean() });
  prop([fc.constantFrom('mask' as const, 'arm' as const), fc.constantFrom(0, 50, 1000), fc.array(kept, { maxLength: 40 })])(
    'what lies unpolled is there because an interrupt was lost',
    (policy, delayNs, steps) => {
      const scheduler = new ManualScheduler();
      let [waiting, polled, isLossy] = [0, 0, false];
      const napi: Napi = new Napi(scheduler, new Softirq(scheduler), 0, (budget) => {
        const work = Math.min(budget, waiting);
        waiting -= work;
        polled += work;
        if (work < budget && napi.completeDone(work)) line.unmask(polled);
        return work;
      });
      const onInterrupt = (): void => {
        line.mask();
        napi.schedule();
      };
      const line = new InterruptLine(scheduler, 0, delayNs, onInterrupt, { policy, drop: () => isLossy });
      for (const { wait, packets, isLost } of steps) {
        scheduler.runUntil(scheduler.nowNs + wait);
        isLossy = isLost;
        waiting += packets;
        line.raise(packets);
      }
      scheduler.runUntil(scheduler.nowNs + 1e9);
      if (line.lostCount === 0) expect(waiting).toBe(0);
      // The driver's watchdog: one poll from anywhere gets everything, and the line works again.
      isLossy = false;
      napi.schedule();
      scheduler.runUntil(scheduler.nowNs + 1e9);
      expect(waiting).toBe(0);
      waiting++;
      line.raise(1);
      scheduler.runUntil(scheduler.nowNs + 1e9);
      expect(waiting).toBe(0);
    },
  );
});
