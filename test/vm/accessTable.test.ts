import { describe, expect, it } from 'vitest';
import { HostMemory } from '../../src/memory/index.js';
import { ACCESS_DENIED, ACCESS_IS_READ_ONLY, ACCESS_OK, AccessTable } from '../../src/vm/accessTable.js';
import { ACCESS_MAX_ROWS, VM_STATE_BYTES } from '../../src/vm/layout.js';

function table(): AccessTable {
  const memory = new HostMemory(1);
  return new AccessTable(memory, memory.reserve('state', VM_STATE_BYTES));
}

/** Two values of 5 bytes, 8 apart. */
const row = (start: number, writable = true) => ({ start, end: start + 16, strideBytes: 8, valueBytes: 5, writable });

describe('the access table', () => {
  it('allows what lies inside one value', () => {
    const rows = table();
    rows.add(row(1000));
    const check = (address: number, size: number): number => rows.check(address, size, true);
    expect([check(1000, 5), check(1004, 1), check(1008, 5), check(1010, 3)]).toEqual(Array(4).fill(ACCESS_OK));
    expect([check(999, 1), check(1000, 6), check(1005, 1), check(1004, 2), check(1012, 2), check(1016, 1)]).toEqual(Array(6).fill(ACCESS_DENIED));
  });

  it('lets nobody write to read-only values', () => {
    const rows = table();
    rows.add(row(1000, false));
    expect([rows.check(1000, 1, false), rows.check(1000, 1, true)]).toEqual([ACCESS_OK, ACCESS_IS_READ_ONLY]);
  });

  it('finds the row whatever the order they came in', () => {
    const rows = table();
    for (const start of [3000, 1000, 2000, 4000]) rows.add(row(start));
    expect([1000, 2000, 3000, 4000].map((start) => rows.check(start + 8, 5, true))).toEqual(Array(4).fill(ACCESS_OK));
    expect([500, 1016, 2500, 5000].map((address) => rows.check(address, 1, true))).toEqual(Array(4).fill(ACCESS_DENIED));
    rows.truncate(2);
    expect([rows.check(2000, 1, true), rows.check(3000, 1, true)]).toEqual([ACCESS_OK, ACCESS_DENIED]);
  });

  it('knows how much of a value is left', () => {
    const rows = table();
    rows.add(row(1000));
    expect([999, 1000, 1004, 1005, 1007, 1008, 1015, 1016].map((address) => rows.bytesLeft(address))).toEqual([0, 5, 1, 0, 0, 5, 0, 0]);
  });

  it('is full at some time', () => {
    const rows = table();
    for (let i = 0; i < ACCESS_MAX_ROWS; i++) rows.add(row(i * 16));
    expect(() => rows.add(row(ACCESS_MAX_ROWS * 16))).toThrow('maps in one virtual machine');
  });
});
