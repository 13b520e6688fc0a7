import { describe, expect, it } from 'vitest';
import { Chance, Outage } from '../../../../src/nic/device/faults/chance.js';
import { checkFaultPlan, checkSettings, FAULT_KINDS, findFaultKind } from '../../../../src/nic/index.js';
import type { FaultKind, FaultPlan, FaultSetting } from '../../../../src/nic/index.js';
import { nicSettings } from '../../../support/simulate.js';

const strikes = (chance: Chance, count: number, nowNs = 0): boolean[] => Array.from({ length: count }, () => chance.strikes(nowNs));

describe('a plan', () => {
  it.each<[string, string, FaultSetting]>([
    ['fault-kind', 'no such fault', { kind: 'gremlins' as FaultKind }],
    ['fault-rate', '1.5 is no probability', { kind: 'crc', rate: 1.5 }],
    ['fault-rate', '-1 is no probability', { kind: 'crc', rate: -1 }],
    ['fault-rate', 'NaN is no probability', { kind: 'crc', rate: NaN }],
    ['fault-time', 'from -1 ns to 5 ns', { kind: 'link', windows: [{ fromNs: -1, toNs: 5 }] }],
    ['fault-time', 'from 5 ns to 5 ns', { kind: 'link', windows: [{ fromNs: 5, toNs: 5 }] }],
    ['fault-time', '0 ns is no time', { kind: 'tx_stall', durationNs: 0 }],
    ['fault-time', 'never written back', { kind: 'late', delayNs: Infinity }],
    ['fault-option', 'no duration', { kind: 'crc', durationNs: 5 }],
    ['fault-option', 'nothing comes late', { kind: 'crc', delayNs: 5 }],
    ['fault-option', 'nothing comes late', { kind: 'link', raisesAgain: true }],
  ])('is refused with %s: %s', (code, message, setting) => {
    const problem = checkFaultPlan({ faults: [setting] });
    expect(problem).toMatchObject({ code, where: `fault ${setting.kind}` });
    expect(problem?.message).toContain(message);
    expect(problem?.hint).not.toBe('');
    expect(checkSettings(nicSettings({ faults: { faults: [setting] } }))).toEqual(problem);
  });

  it('has each kind once, and a watchdog that can tick', () => {
    expect(checkFaultPlan({ faults: [{ kind: 'crc' }, { kind: 'crc' }] })).toMatchObject({ code: 'fault-twice' });
    expect(checkFaultPlan({ faults: [], watchdogNs: 0 })).toMatchObject({ code: 'fault-time', where: 'watchdog' });
    expect(checkFaultPlan({ faults: [], watchdogNs: Infinity })).toMatchObject({ code: 'fault-time' });
  });

  it('may have every kind', () => {
    const plan: FaultPlan = { faults: FAULT_KINDS.map(({ kind }) => ({ kind, rate: 0.5, windows: [{ fromNs: 0, toNs: Infinity }] })), watchdogNs: 2e9 };
    expect(checkFaultPlan(plan)).toBeUndefined();
    for (const { kind } of FAULT_KINDS) expect(findFaultKind(kind)?.kind).toBe(kind);
  });
});

describe('the dice', () => {
  it('are the same for the same seed, and others for each kind and seed', () => {
    const throwOf = (kind: FaultKind, seed: number): string => strikes(new Chance({ kind, rate: 0.5 }, seed, 0), 64).join();
    expect(throwOf('crc', 7)).toBe(throwOf('crc', 7));
    const all = FAULT_KINDS.flatMap(({ kind }) => [throwOf(kind, 7), throwOf(kind, 8)]);
    expect(new Set(all).size).toBe(all.length);
  });

  it('strike as often as the rate says', () => {
    for (const rate of [0, 0.1, 0.5, 1]) {
      const chance = new Chance({ kind: 'crc', rate }, 1, 0);
      strikes(chance, 10_000);
      expect(chance.count / 10_000).toBeCloseTo(rate, 1);
    }
  });

  it('strike within windows only, which begin when the NIC is set up', () => {
    const chance = new Chance({ kind: 'crc', windows: [{ fromNs: 10, toNs: 20 }, { fromNs: 30, toNs: 31 }] }, 1, 1000);
    expect([1009, 1010, 1019, 1020, 1030, 1031].map((nowNs) => chance.strikes(nowNs))).toEqual([false, true, true, false, true, false]);
    expect(chance.count).toBe(3);
  });
});

describe('an outage', () => {
  it('lasts as long as its window', () => {
    const setting: FaultSetting = { kind: 'link', windows: [{ fromNs: 10, toNs: 20 }] };
    const chance = new Chance(setting, 1, 0);
    const link = new Outage(chance, setting);
    expect([9, 10, 15, 19, 20].map((nowNs) => link.check(nowNs))).toEqual([0, 20, 20, 20, 0]);
    expect(chance.count).toBe(1);
    const unasked = new Outage(chance, setting);
    expect([9, 10, 19, 20].map((nowNs) => unasked.isDown(nowNs))).toEqual([false, true, true, false]);
  });

  it('lasts as long as it is told when the dice begin it', () => {
    const setting: FaultSetting = { kind: 'tx_stall', rate: 1, durationNs: 5 };
    const chance = new Chance(setting, 1, 0);
    const stall = new Outage(chance, setting);
    // At 6 it is up again, which is no opportunity.
    expect([1, 5, 6, 7].map((nowNs) => stall.check(nowNs))).toEqual([6, 6, 0, 12]);
    expect(chance.count).toBe(2);
  });

  it('ends with a reset, for the rest of its window', () => {
    const setting: FaultSetting = { kind: 'tx_stall', windows: [{ fromNs: 0, toNs: 100 }, { fromNs: 200, toNs: 300 }] };
    const stall = new Outage(new Chance(setting, 1, 0), setting);
    expect(stall.check(5)).toBe(100);
    stall.reset(7);
    expect([8, 99, 150, 200].map((nowNs) => stall.check(nowNs))).toEqual([0, 0, 0, 300]);
  });
});
