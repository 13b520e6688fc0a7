import { describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { unwrap } from '../../../src/base/index.js';
import { loadIntoKernel, testRun } from '../../../src/replay/index.js';
import { loadObjectBytes } from '../../../src/vm/loader/loadObjectBytes.js';
import { bytes } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { TestMachine, testEnvironment } from '../support/differential.js';

const MS = 1e6;

const load = (name: string) => unwrap(loadObjectBytes(readFileSync(new URL(`objects/${name}`, import.meta.url)), name));

/** objects/ticking.c: the packet's bytes say what happens to which timer. */
const ticking = load('ticking.o');

interface Order {
  readonly key?: number;
  readonly nsecs: number;
  /** BPF_F_TIMER_ABS 1, BPF_F_TIMER_CPU_PIN 2. */
  readonly flags?: number;
  /** The callback arms itself again so often. */
  readonly again?: number;
  /** 1 delete the element afterwards, 2 replace it, 3 cancel the timer, 4 cancel it in its callback, 5 (in ticking_wrong.o) read NULL in the callback. */
  readonly after?: number;
  readonly isArray?: boolean;
}

function packetOf({ key = 0, nsecs, flags = 0, again = 0, after = 0, isArray = false }: Order): Uint8Array {
  const packet = bytes(64);
  const view = new DataView(packet.buffer);
  view.setUint32(0, key, true);
  view.setUint32(4, flags, true);
  view.setBigUint64(8, BigInt.asUintN(64, BigInt(nsecs)), true);
  view.setUint32(16, again, true);
  view.setUint32(20, after, true);
  view.setUint32(24, isArray ? 1 : 0, true);
  return packet;
}

interface Fired {
  readonly count: number;
  readonly keys: number;
  readonly result: number;
}

function firedOf(value: Uint8Array): Fired {
  const view = new DataView(value.buffer, value.byteOffset);
  return { count: view.getUint32(0, true), keys: view.getUint32(4, true), result: view.getInt32(8, true) };
}

class Clock {
  readonly environment = testEnvironment({ tNs: 1e9, possibleCpus: 2 });
  readonly machine: TestMachine;

  constructor(object = ticking) {
    this.machine = new TestMachine(object, this.environment);
  }

  order(order: Order): number {
    const { fault, retval } = this.machine.run({ data: packetOf(order) }, 'ticking');
    expect(fault?.message).toBeUndefined();
    return retval | 0;
  }

  /** Lets the time go on: moments at which a callback ran, in ms since the start. */
  goOn(ms: number): number[] {
    const { vm } = this.machine;
    const end = this.environment.tNs + ms * MS;
    const moments: number[] = [];
    while (vm.nextTimerNs <= end) {
      this.environment.tNs = vm.nextTimerNs;
      const before = this.fired.count;
      expect(vm.runNextTimer()).toBe(0);
      if (this.fired.count !== before) moments.push((this.environment.tNs - 1e9) / MS);
    }
    this.environment.tNs = end;
    return moments;
  }

  get fired(): Fired {
    return firedOf([...this.machine.loaded.maps.get('fired')!.entries()][0]!.value);
  }
}

describe('timers', () => {
  it('fire when their time has come, with map, key and value', () => {
    const clock = new Clock();
    clock.order({ key: 7, nsecs: 5 * MS });
    clock.order({ key: 1, nsecs: 2 * MS, isArray: true });
    expect(clock.goOn(1)).toEqual([]);
    expect(clock.goOn(9)).toEqual([2, 5]);
    expect(clock.fired).toMatchObject({ count: 2, keys: 17 });
    expect(clock.goOn(100)).toEqual([]);
  });

  it('of one time fire in the order in which they were armed', () => {
    const clock = new Clock();
    for (const key of [3, 1, 2]) clock.order({ key, nsecs: MS });
    clock.goOn(1);
    expect(clock.fired.keys).toBe(312);
  });

  it('can be armed for a moment, and again by their callback', () => {
    const clock = new Clock();
    clock.order({ nsecs: 1e9 + 3 * MS, flags: 1, again: 2 });
    // In the callback it is armed for 10 ms from then on.
    expect(clock.goOn(100)).toEqual([3, 13, 23]);
  });

  it('for a moment that is over fire at once', () => {
    const clock = new Clock();
    clock.order({ nsecs: 5, flags: 1 });
    expect(clock.machine.vm.nextTimerNs).toBeLessThan(clock.environment.tNs);
    expect(clock.machine.vm.runNextTimer()).toBe(0);
    expect(clock.machine.vm.runNextTimer()).toBeUndefined();
    expect(clock.fired.count).toBe(1);
  });

  it('go with their element, and when it is replaced or they are cancelled', () => {
    for (const after of [1, 2, 3]) {
      const clock = new Clock();
      clock.order({ key: 9, nsecs: MS, after });
      expect([after, clock.goOn(5), clock.machine.vm.nextTimerNs]).toEqual([after, [], Infinity]);
    }
    const array = new Clock();
    array.order({ key: 1, nsecs: MS, after: 2, isArray: true });
    expect(array.goOn(5)).toEqual([]);
    // The place of a deleted element is another one's, without a timer.
    const clock = new Clock();
    clock.order({ key: 9, nsecs: 3 * MS, after: 1 });
    clock.order({ key: 8, nsecs: MS });
    expect(clock.goOn(5)).toEqual([1]);
  });

  it('fire on the CPU that armed them', () => {
    const clock = new Clock();
    clock.environment.cpu = 1;
    clock.order({ nsecs: MS });
    clock.environment.cpu = 0;
    clock.goOn(1);
    expect(clock.environment.cpu).toBe(1);
  });

  it('can not be cancelled by their own callback', () => {
    const clock = new Clock();
    clock.order({ nsecs: MS, after: 4 });
    clock.goOn(1);
    expect(clock.fired.result).toBe(-35);
  });

  it('name the place of a fault in their callback', () => {
    const clock = new Clock(load('ticking_wrong.o'));
    clock.order({ nsecs: MS, after: 5 });
    clock.environment.tNs += MS;
    const { vm } = clock.machine;
    expect(vm.runNextTimer()).not.toBe(0);
    expect(vm.fault()).toMatchObject({ name: 'bad-access', program: 'ticking' });
    expect(vm.fault().source?.file).toContain('ticking.c');
    // The next packet runs as ever.
    expect(clock.order({ nsecs: MS })).toBe(2);
  });
});

withKernel('timers in the kernel', (kernel) => {
  const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  it.each<[string, Order]>([
    ['in an array', { key: 1, nsecs: MS, isArray: true }],
    ['in a hash', { key: 7, nsecs: MS }],
    ['that arm themselves again', { key: 7, nsecs: MS, again: 3 }],
    ['for a moment that is over', { key: 4, nsecs: 5, flags: 1 }],
    ['of an element that is deleted', { key: 7, nsecs: 20 * MS, after: 1 }],
    ['of an element that is replaced', { key: 7, nsecs: 20 * MS, after: 2 }],
    ['of an element of an array that is replaced', { key: 1, nsecs: 20 * MS, after: 2, isArray: true }],
    ['that are cancelled', { key: 7, nsecs: 20 * MS, after: 3 }],
    ['that cancel themselves', { key: 7, nsecs: MS, after: 4 }],
  ])('%s', async (_what, order) => {
    using theirs = unwrap(loadIntoKernel(kernel, ticking, 'ticking'));
    const { retval } = testRun(theirs, { data: packetOf(order) });
    await later(100);
    const clock = new Clock();
    expect(clock.order(order)).toBe(retval | 0);
    clock.goOn(100);
    expect(clock.fired).toEqual(firedOf([...unwrap(theirs.object.map('fired')).entries()][0]!.value));
  });
});
