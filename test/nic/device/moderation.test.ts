import { describe, expect, it } from 'vitest';
import { compareDimStats, DIM_PROFILES, DIM_START, dimStats, nextDim } from '../../../src/nic/device/moderationDim.js';
import type { DimState } from '../../../src/nic/device/moderationDim.js';
import { itrIntervalNs, itrOf, ITR_START, nextItrClass } from '../../../src/nic/device/moderationItr.js';
import { decodeIntrMitigate, encodeIntrMitigate, R8169_BASE_NS } from '../../../src/nic/device/moderationR8169.js';
import { fc, prop } from '../../support/property.js';

describe('ITR of igb and igc', () => {
  it.each([
    ['lowest', 1, 8001, 'bulk', 'more than 8000 bytes on average'],
    ['lowest', 4, 513, 'low', 'fewer than 5 packets with more than 512 bytes'],
    ['lowest', 5, 5000, 'lowest', 'otherwise'],
    ['low', 9, 10_001, 'bulk', 'fewer than 10 packets'],
    ['low', 10, 12_010, 'bulk', 'more than 1200 bytes on average'],
    ['low', 36, 10_001, 'lowest', 'more than 35 packets'],
    ['low', 35, 10_001, 'low', '35 packets'],
    ['low', 2, 511, 'lowest', 'at most 2 packets with less than 512 bytes'],
    ['low', 3, 511, 'low', '3 packets'],
    ['bulk', 36, 25_001, 'low', 'more than 35 packets with more than 25000 bytes'],
    ['bulk', 35, 25_001, 'bulk', '35 packets'],
    ['bulk', 1, 1499, 'low', 'less than 1500 bytes'],
    ['bulk', 1, 1500, 'bulk', '1500 bytes'],
    ['low', 0, 0, 'low', 'no packets'],
  ] as const)('%s, %i packets of %i bytes: %s (%s)', (from, packets, bytes, to, _why) => {
    expect(nextItrClass(from, { packets, bytes })).toBe(to);
  });

  it('takes the slower ring, 4k on slow links, and never the fastest when conservative', () => {
    expect([itrOf('lowest', 'lowest', 1000, false), itrOf('lowest', 'lowest', 1000, true), itrOf('lowest', 'bulk', 1000, false), itrOf('low', 'lowest', 100, false)]).toEqual([56, 196, 980, 980]);
    expect(itrIntervalNs(ITR_START)).toBe(162_000);
  });

  it('at 2500 Mbit/s igc goes by its classes, and is not held at 4k interrupts', () => {
    expect([itrOf('low', 'lowest', 2500, true), itrOf('low', 'lowest', 10, true)]).toEqual([196, 980]);
  });
});

describe('IntrMitigate', () => {
  it('has its fields where the data sheet has them', () => {
    const moderation = decodeIntrMitigate({ register: 0x1234, scale: 1 }, R8169_BASE_NS.rtl8168[1000]);
    expect(moderation).toEqual({ txDelayNs: 40_000, txFrames: 8, rxDelayNs: 120_000, rxFrames: 16 });
  });

  it('the RTL8169 has units for slow links, too', () => {
    expect([R8169_BASE_NS.rtl8169[10], R8169_BASE_NS.rtl8169[100], R8169_BASE_NS.rtl8169[1000]]).toEqual([40_960, 2560, 320]);
  });

  it('refuses what no scale reaches', () => {
    const most = { rxDelayNs: 15 * 32 * 320, rxFrames: 60, txDelayNs: 0, txFrames: 0 };
    expect(encodeIntrMitigate(most, 320)).toEqual({ register: 0xff, scale: 3 });
    expect(encodeIntrMitigate({ ...most, rxDelayNs: most.rxDelayNs + 1 }, 320)).toBeUndefined();
    expect(encodeIntrMitigate({ ...most, rxFrames: 61 }, 320)).toBeUndefined();
  });

  it('refuses a count without a delay, which the chip can not do; a count of 1 is none', () => {
    const none = { rxDelayNs: 0, rxFrames: 0, txDelayNs: 0, txFrames: 0 };
    expect([encodeIntrMitigate({ ...none, rxFrames: 4 }, 5000), encodeIntrMitigate({ ...none, txFrames: 4, rxDelayNs: 5000 }, 5000)]).toEqual([undefined, undefined]);
    expect(encodeIntrMitigate({ ...none, rxDelayNs: 5000, rxFrames: 1, txFrames: 1 }, 5000)).toEqual({ register: 0x10, scale: 0 });
  });

  const frames = fc.integer({ min: 2, max: 60 });
  const delay = fc.integer({ min: 1, max: 15 * 32 * 2560 });
  prop([fc.record({ rxDelayNs: delay, txDelayNs: delay, rxFrames: frames, txFrames: frames })])('what it encodes is never less than asked for, by less than a unit', (asked) => {
    const encoded = encodeIntrMitigate(asked, 2560);
    expect(encoded).toBeDefined();
    if (encoded === undefined) return;
    const unitNs = 2560 * [1, 8, 16, 32][encoded.scale];
    const got = decodeIntrMitigate(encoded, 2560);
    for (const [more, unit] of [[got.rxDelayNs - asked.rxDelayNs, unitNs], [got.txDelayNs - asked.txDelayNs, unitNs], [got.rxFrames - asked.rxFrames, 4], [got.txFrames - asked.txFrames, 4]]) {
      expect(more).toBeGreaterThanOrEqual(0);
      expect(more).toBeLessThan(unit);
    }
  });
});

describe('DIM', () => {
  const stats = (bytes: number, packets = 100, events = 10) => ({ bytes, packets, events });
  const state = (some: Partial<DimState>): DimState => ({ ...DIM_START, previous: stats(1000), ...some });

  it('has five profiles per table', () => {
    for (const table of Object.values(DIM_PROFILES)) expect(table.length).toBe(5);
    expect(DIM_PROFILES.rxEqe.map(({ usecs }) => usecs)).toEqual([1, 8, 64, 128, 256]);
  });

  it('rates are per millisecond, rounded up; no time is no measurement', () => {
    expect(dimStats(10, 1500, 3000)).toEqual({ packets: 4, bytes: 500, events: 22 });
    expect(dimStats(10, 1500, 0)).toBeUndefined();
  });

  it.each([
    [stats(1111), 'better'], [stats(1109), 'same'], [stats(889), 'worse'],
    [stats(1000, 120), 'better'], [stats(1000, 80), 'worse'],
    [stats(1000, 100, 8), 'better'], [stats(1000, 100, 12), 'worse'],
  ] as const)('%o is %s', (now, verdict) => {
    expect(compareDimStats(now, stats(1000))).toBe(verdict);
  });

  it('parked on top it stays, and keeps what it compares with, until something changes', () => {
    expect(nextDim(state({}), stats(1050))).toEqual(state({}));
    expect(nextDim(state({}), stats(2000))).toMatchObject({ tune: 'going-left', profile: 0, stepsLeft: 1, tired: 1 });
    expect(nextDim(state({ profile: 0 }), stats(2000))).toMatchObject({ tune: 'going-right', profile: 1 });
  });

  it('goes on while it gets better, and turns when not', () => {
    expect(nextDim(state({ tune: 'going-right' }), stats(2000))).toMatchObject({ tune: 'going-right', profile: 2 });
    expect(nextDim(state({ tune: 'going-right' }), stats(1000))).toMatchObject({ tune: 'going-left', profile: 0, stepsLeft: 1 });
  });

  it('parks at an edge', () => {
    expect(nextDim(state({ tune: 'going-right', profile: 4, tired: 3 }), stats(2000))).toMatchObject({ tune: 'parking-on-top', profile: 4, tired: 0 });
    expect(nextDim(state({ tune: 'going-left', profile: 0 }), stats(2000))).toMatchObject({ tune: 'parking-on-top', profile: 0 });
  });

  it('parks on top after one step back from several', () => {
    expect(nextDim(state({ tune: 'going-left', profile: 2, stepsRight: 3, stepsLeft: 1 }), stats(2000))).toMatchObject({ tune: 'parking-on-top', profile: 2 });
  });

  it('gets tired after ten steps and rests as many measurements', () => {
    let now = nextDim(state({ tune: 'going-right', tired: 10 }), stats(2000));
    expect(now).toMatchObject({ tune: 'parking-tired', tired: 10 });
    for (let i = 0; i < 9; i++) now = nextDim(now, stats(2000));
    expect(now).toMatchObject({ tune: 'parking-tired', tired: 1 });
    expect(nextDim(now, stats(2000))).toMatchObject({ tune: 'going-left', profile: 0 });
  });

  prop([fc.array(fc.record({ bytes: fc.nat(5000), packets: fc.nat(500), events: fc.nat(100) }), { maxLength: 200 })])('never leaves its table', (measurements) => {
    let now = DIM_START;
    for (const measured of measurements) {
      const before = now.profile;
      now = nextDim(now, measured);
      expect(DIM_PROFILES.rxEqe[now.profile]).toBeDefined();
      expect(Math.abs(now.profile - before)).toBeLessThanOrEqual(1);
    }
  });
});
