import { describe, expect, it } from 'vitest';
import { FlowSteering, HardwareClock, Rss } from '../../../src/nic/index.js';
import type { FlowRule } from '../../../src/nic/index.js';
import { RSS_KEY_MICROSOFT } from '../../../src/nic/index.js';

describe('what looks like a setting and is none is not taken', () => {
  it.each([['numbers', Array.from({ length: 40 }, () => 300)], ['a string', 'x'.repeat(40)], ['nothing', undefined]])('as RSS key: %s', (_what, key) => {
    const rss = new Rss(RSS_KEY_MICROSOFT, 4);
    expect(() => rss.setKey(key as never)).toThrow(/no Uint8Array/);
    expect(rss.key).toEqual(RSS_KEY_MICROSOFT);
  });

  it.each<[string, unknown, RegExp]>([
    ['the name of a method as flow type', { flowType: 'toString', action: 0 }, /there is no flow type toString/],
    ['a field that is misspelt', { flowType: 'tcp4', action: 0, srcPort: { value: 80 } }, /a flow rule has no field srcPort/],
    ['an address as text', { flowType: 'tcp4', action: 0, sourceIp: '1.2.3.4' }, /src-ip has no value, or a mask, of bytes/],
    ['an address of numbers that are no bytes', { flowType: 'tcp4', action: 0, sourceIp: { value: [1, 2, 3, 400] } }, /src-ip has no value, or a mask, of bytes/],
    ['a mask that is no bytes', { flowType: 'tcp4', action: 0, sourceIp: { value: Uint8Array.of(1, 2, 3, 4), mask: '255.0.0.0' } }, /src-ip has no value, or a mask, of bytes/],
  ])('as flow rule: %s', (_what, rule, says) => {
    const steering = new FlowSteering(8, 4);
    expect(steering.add(rule as FlowRule)).toMatchObject({ ok: false, problem: { code: 'flow-field', message: expect.stringMatching(says) } });
    expect(steering.count).toBe(0);
  });

  it.each([NaN, Infinity, 1.5, 1e300, undefined, '5'] as number[])('as time of a hardware clock: %s', (value) => {
    const clock = new HardwareClock(100);
    expect(() => clock.setTime(0, value)).toThrow(RangeError);
    expect(() => clock.adjustTime(0, value)).toThrow(RangeError);
    if (value !== undefined) expect(() => new HardwareClock(value)).toThrow(RangeError);
    expect(clock.timeAt(7)).toBe(107);
  });

  it('as frequency of a hardware clock: a string', () => {
    expect(() => new HardwareClock().adjustFrequency(0, '5' as never)).toThrow(TypeError);
  });

  it.each([NaN, Infinity, undefined] as number[])('as the time at which a hardware clock is set: %s', (nowNs) => {
    expect(() => new HardwareClock().setTime(nowNs, 5)).toThrow(/no time of the simulation/);
  });
});
