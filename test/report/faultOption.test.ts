import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { parseFaultPlan } from '../../src/report/faultOption.js';

describe('--fault', () => {
  it('is a kind alone, or a kind with a rate, stretches of time, how long it lasts and what comes late', () => {
    expect(unwrap(parseFaultPlan(['crc', 'link:at=1s..2s,at=5s..5500ms', 'tx_stall:rate=0.25,for=1.5us', 'late:delay=20ns,again'], '2s'))).toEqual({
      faults: [
        { kind: 'crc' },
        { kind: 'link', windows: [{ fromNs: 1e9, toNs: 2e9 }, { fromNs: 5e9, toNs: 5.5e9 }] },
        { kind: 'tx_stall', rate: 0.25, durationNs: 1500 },
        { kind: 'late', delayNs: 20, raisesAgain: true },
      ],
      watchdogNs: 2e9,
    });
  });

  it('is no plan at all when nothing is asked for', () => {
    expect(unwrap(parseFaultPlan([], undefined))).toBeUndefined();
  });

  it.each([
    ['nonsense', undefined, 'fault-kind', 'there is no such fault'],
    ['', undefined, 'fault-kind', 'there is no such fault'],
    ['crc:', undefined, 'fault-syntax', "there is no ''"],
    ['crc:rate', undefined, 'fault-syntax', "'rate' makes no sense"],
    ['crc:rate=', undefined, 'fault-syntax', "'rate=' makes no sense"],
    ['crc:rate=x', undefined, 'fault-syntax', "'rate=x' makes no sense"],
    ['crc:rate=1.5', undefined, 'fault-rate', '1.5 is no probability'],
    ['crc:constructor=1', undefined, 'fault-syntax', "there is no 'constructor'"],
    ['link:at=1s', undefined, 'fault-syntax', "'at=1s' makes no sense"],
    ['link:at=1s..2s..3s', undefined, 'fault-syntax', "'at=1s..2s..3s' makes no sense"],
    ['link:at=2s..1s', undefined, 'fault-time', 'no stretch of time'],
    ['link:for=10', undefined, 'fault-syntax', "'for=10' makes no sense"],
    ['link:for=-1s', undefined, 'fault-syntax', "'for=-1s' makes no sense"],
    ['crc:for=1s', undefined, 'fault-option', 'no duration'],
    ['late:again=yes', undefined, 'fault-syntax', "'again=yes' makes no sense"],
    ['crc', '2', 'fault-syntax', "'2' is no time"],
    ['crc', '0s', 'fault-time', 'a watchdog with a period of 0 ns'],
  ])('%j, watchdog %s: %s', (fault, watchdog, code, message) => {
    const result = parseFaultPlan([fault], watchdog);
    expect(result.ok).toBe(false);
    if (result.ok) return;
    expect(result.problem.code).toBe(code);
    expect(result.problem.message).toContain(message);
    expect(result.problem.hint).not.toBe('');
  });

  it('is refused twice for one kind', () => {
    expect(parseFaultPlan(['crc', 'crc:rate=0.5'], undefined)).toMatchObject({ ok: false, problem: { code: 'fault-twice' } });
  });
});
