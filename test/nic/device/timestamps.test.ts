import { describe, expect, it } from 'vitest';
import { CycleCounter, extendTimestamp32, HardwareClock, timestampLow32 } from '../../../src/nic/device/timestamps.js';
import { fc, prop } from '../../support/property.js';

const SECOND = 1e9;
const HOUR = 3600 * SECOND;

describe('HardwareClock', () => {
  it('shows simulation time with an offset', () => {
    const clock = new HardwareClock(500);
    expect([clock.timeAt(0), clock.timeAt(SECOND)]).toEqual([500, SECOND + 500]);
    clock.adjustTime(SECOND, -700);
    expect([clock.timeAt(SECOND), clock.timeAt(2 * SECOND)]).toEqual([SECOND - 200, 2 * SECOND - 200]);
    clock.setTime(3 * SECOND, 0);
    expect(clock.timeAt(3 * SECOND + 7)).toBe(7);
  });

  it('runs by scaled ppm: 65536 is one microsecond a second', () => {
    const clock = new HardwareClock();
    expect(clock.adjustFrequency(SECOND, 65536)).toEqual({ ok: true, value: undefined });
    expect([clock.timeAt(SECOND), clock.timeAt(2 * SECOND), clock.timeAt(11 * SECOND)]).toEqual([SECOND, 2 * SECOND + 1000, 11 * SECOND + 10_000]);
    clock.adjustFrequency(11 * SECOND, -65536 * 100);
    expect(clock.timeAt(12 * SECOND)).toBe(12 * SECOND + 10_000 - 100_000);
  });

  prop([fc.integer({ min: -HOUR, max: HOUR }), fc.integer({ min: -6e5 * 65536, max: 6e5 * 65536 }), fc.integer({ min: 0, max: HOUR }), fc.integer({ min: -HOUR, max: HOUR })])(
    'momentOf: the first moment from now on at which it shows a time', (offsetNs, scaledPpm, nowNs, aheadNs) => {
      const clock = new HardwareClock(offsetNs);
      expect(clock.adjustFrequency(0, scaledPpm).ok).toBe(Math.abs(scaledPpm) * 1000 <= clock.maxAdjustmentPpb * 65536);
      const timeNs = clock.timeAt(nowNs) + aheadNs;
      const momentNs = clock.momentOf(timeNs, nowNs);
      expect(momentNs >= nowNs && clock.timeAt(momentNs) >= timeNs).toBe(true);
      expect(momentNs === nowNs || clock.timeAt(momentNs - 1) < timeNs).toBe(true);
    },
  );

  it('refuses a frequency beyond the hardware, and runs on as before', () => {
    const clock = new HardwareClock(0, 1000);
    expect(clock.adjustFrequency(0, 65537)).toMatchObject({ ok: false, problem: { code: 'ptp-frequency', message: expect.stringContaining('ERANGE') } });
    expect(clock.adjustFrequency(0, Number.NaN).ok).toBe(false);
    expect(clock.timeAt(SECOND)).toBe(SECOND);
    expect(clock.adjustFrequency(0, -65536).ok).toBe(true);
  });

  prop([fc.array(fc.tuple(fc.integer({ min: 0, max: HOUR }), fc.integer({ min: -4_000_000_000, max: 4_000_000_000 })), { maxLength: 8 })])(
    'never jumps nor runs backwards when only its frequency changes',
    (changes) => {
      const clock = new HardwareClock();
      let nowNs = 0;
      let shown = 0;
      for (const [passedNs, scaledPpm] of changes) {
        nowNs += passedNs;
        const before = clock.timeAt(nowNs);
        expect(before).toBeGreaterThanOrEqual(shown);
        expect(clock.adjustFrequency(nowNs, scaledPpm).ok).toBe(true);
        expect(clock.timeAt(nowNs)).toBe(before);
        shown = before;
      }
    },
  );
});

describe('CycleCounter', () => {
  prop([fc.integer({ min: 0, max: 100 * HOUR }), fc.constantFrom(78_125, 156_250, 275_000, 1_000_000)])('turns into time again within a cycle', (nowNs, kHz) => {
    const counter = new CycleCounter(kHz);
    const cycles = counter.cyclesAt(nowNs);
    expect(Number.isSafeInteger(cycles)).toBe(true);
    const lateNs = nowNs - counter.nsOf(cycles);
    expect(lateNs).toBeGreaterThanOrEqual(0);
    expect(lateNs).toBeLessThan(1e6 / kHz + 1);
  });

  it('is time itself at 1 GHz', () => {
    expect(new CycleCounter(1_000_000).cyclesAt(123_456_789)).toBe(123_456_789);
  });
});

describe('extendTimestamp32', () => {
  prop([fc.integer({ min: 3 * SECOND, max: 1000 * HOUR }), fc.integer({ min: -2_147_483_648, max: 2_147_483_647 })])(
    'is the whole time of a stamp up to 2^31 ns before and less than that after the cached time',
    (cachedNs, deltaNs) => {
      const timeNs = cachedNs + deltaNs;
      expect(extendTimestamp32(cachedNs, timestampLow32(timeNs))).toBe(timeNs);
    },
  );

  it('is wrong by 2^32 ns when the cached time is too old', () => {
    expect(extendTimestamp32(10 * SECOND, timestampLow32(13 * SECOND))).toBe(13 * SECOND - 2 ** 32);
  });

  it('is exact up to 2^53', () => {
    const timeNs = 2 ** 53 - 3_000_000_001;
    expect(extendTimestamp32(timeNs + 1_000_000_000, timestampLow32(timeNs))).toBe(timeNs);
  });
});
