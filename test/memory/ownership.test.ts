import { describe, expect, it } from 'vitest';
import { Owner, OwnerLedger, ownerName } from '../../src/memory/index.js';

const BASE = 0x20000;

function ledgerOf(count: number, owner: Owner = Owner.pool): OwnerLedger {
  return new OwnerLedger('page', BASE, 4096, count, owner);
}

describe('Owner', () => {
  it('numbers are the order of the names', () => {
    Object.entries(Owner).forEach(([name, value], index) => {
      expect(value).toBe(index);
      expect(ownerName(value)).toBe(name);
    });
    expect(ownerName(77)).toBe('owner 77');
  });
});

describe('OwnerLedger', () => {
  it('a hand-over by the owner is silent', () => {
    const ledger = ledgerOf(4);
    ledger.move(BASE + 4096, Owner.pool, Owner.device);
    ledger.move(BASE + 4096 + 256, Owner.device, Owner.driver);
    expect(ledger.census()).toEqual({ pool: 3, driver: 1 });
    expect([ledger.violationCount, ledger.violations]).toEqual([0, []]);
  });

  it('a hand-over by somebody else is recorded with buffer, owners and packet, and happens all the same', () => {
    const ledger = ledgerOf(4);
    ledger.packetId[2] = 17;
    ledger.move(BASE + 2 * 4096 + 300, Owner.driver, Owner.txRing);
    expect(ledger.violations).toEqual([{ buffer: 'page 2 at 0x22000', expected: 'driver', found: 'pool', next: 'txRing', packetId: 17 }]);
    expect(ledger.census()).toEqual({ pool: 3, txRing: 1 });
  });

  it.each([
    ['below the first buffer', BASE - 1],
    ['behind the last buffer', BASE + 4 * 4096],
    ['NULL', 0],
  ])('an address %s is a violation and moves nothing', (_, address) => {
    const ledger = ledgerOf(4);
    ledger.move(address, Owner.pool, Owner.device);
    expect(ledger.violationCount).toBe(1);
    expect(ledger.violations[0]).toMatchObject({ expected: 'pool', found: 'owner -1', packetId: 0 });
    expect(ledger.census()).toEqual({ pool: 4 });
  });

  it('keeps the first 32 violations and counts all', () => {
    const ledger = ledgerOf(1);
    for (let i = 0; i < 100; i++) ledger.move(BASE, Owner.stack, Owner.pool);
    expect([ledger.violationCount, ledger.violations.length]).toEqual([100, 32]);
  });

  it('units of other sizes have their own numbers', () => {
    const ledger = new OwnerLedger('chunk', BASE, 2048, 8, Owner.application);
    expect([ledger.indexOf(BASE), ledger.indexOf(BASE + 2047), ledger.indexOf(BASE + 2048), ledger.indexOf(BASE + 7 * 2048 + 5)]).toEqual([0, 0, 1, 7]);
  });

  it('knows where the buffer of an address begins, wherever the first one lies', () => {
    for (const base of [BASE, 0x20800, 0xfff00000]) {
      const ledger = new OwnerLedger('half page', base, 2048, 8, Owner.free);
      expect([0, 1, 2047, 2048, 4095, 7 * 2048 + 99].map((offset) => ledger.bufferOf(base + offset) - base)).toEqual([0, 0, 0, 2048, 2048, 7 * 2048]);
    }
  });

  it('describes a buffer: who has it, who had it before, and the packet', () => {
    const ledger = ledgerOf(4);
    ledger.move(BASE + 4096, Owner.pool, Owner.device);
    expect(ledger.describe(BASE + 4096)).toBe('page 1 at 0x21000, now with device, before with pool');
    ledger.packetId[1] = 12;
    ledger.move(BASE + 4096, Owner.driver, Owner.txRing);
    expect(ledger.describe(BASE + 4096 + 256)).toBe('page 1 at 0x21000 (packet 12), now with txRing, before with device');
    expect(ledger.describe(BASE)).toBe('page 0 at 0x20000, now with pool, before with pool');
    expect(ledger.describe(BASE + 4 * 4096)).toBe('0x24000, which lies in no page');
    expect(ledger.describe(16)).toBe('0x10, which lies in no page');
  });

  it('units that are no power of two are a programmer error', () => {
    expect(() => new OwnerLedger('chunk', BASE, 3000, 8, Owner.application)).toThrow(RangeError);
  });
});
