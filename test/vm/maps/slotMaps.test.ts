import { describe, expect, it } from 'vitest';
import { E2BIG, EBADF, EEXIST, EINVAL, ENOENT, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { AccessTable } from '../../../src/vm/accessTable.js';
import { VM_STATE_BYTES } from '../../../src/vm/layout.js';
import { BPF_EXIST, BPF_NOEXIST } from '../../../src/vm/maps/map.js';
import { createMap } from '../../../src/vm/maps/mapTypes.js';
import { ProgArray } from '../../../src/vm/maps/progArray.js';
import { XskMap } from '../../../src/vm/maps/xskMap.js';
import type { LoadedProgram } from '../../../src/vm/program.js';
import { placeProgram } from '../../../src/vm/program.js';
import type { ProgramSpec } from '../../../src/vm/spec.js';
import { exit, map, movImm, program } from '../../replay/support/kernelPrograms.js';

const memory = new HostMemory(4);
const accessTable = new AccessTable(memory, memory.reserve('state', VM_STATE_BYTES));

function make(type: number, maxEntries: number) {
  return unwrap(createMap(map('m', type, 4, 4, maxEntries), { memory, accessTable, possibleCpus: 2, id: 1 }));
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

describe('XSKMAP, as bpf(2) treats it', () => {
  const xskMap = (): XskMap => make(17, 4) as XskMap;

  it('holds numbers from 1 on', () => {
    const live = xskMap();
    expect(live.updateBytes(u32(3), u32(1), 0)).toBe(0);
    expect([0, 1, 2, 3, 4, 0xffffffff].map((key) => live.redirectTarget(key))).toEqual([0, 0, 0, 1, 0, 0]);
    expect(live.updateBytes(u32(3), u32(0), 0)).toBe(-EBADF);
  });

  it('gives the errno of the kernel', () => {
    const live = xskMap();
    expect(live.updateBytes(u32(4), u32(1), 0)).toBe(-E2BIG);
    expect(live.updateBytes(u32(0), u32(1), 3)).toBe(-EINVAL);
    expect(live.updateBytes(u32(0), u32(1), BPF_EXIST)).toBe(-ENOENT);
    expect(live.updateBytes(u32(0), u32(1), BPF_NOEXIST)).toBe(0);
    expect(live.updateBytes(u32(0), u32(1), BPF_NOEXIST)).toBe(0);
    expect(live.updateBytes(u32(0), u32(2), BPF_NOEXIST)).toBe(-EEXIST);
    expect(live.updateBytes(u32(0), u32(2), BPF_EXIST)).toBe(0);
    expect(live.deleteBytes(u32(1))).toBe(0);
    expect(live.deleteBytes(u32(4))).toBe(-EINVAL);
    expect(live.lookupBytes()).toBeUndefined();
  });

  it('lists the slots that are filled', () => {
    const live = xskMap();
    live.updateBytes(u32(2), u32(9), 0);
    expect([...live.entries()]).toEqual([{ key: u32(2), value: u32(9) }]);
    live.deleteBytes(u32(2));
    expect([...live.entries()]).toEqual([]);
  });
});

describe('PROG_ARRAY, as bpf(2) treats it', () => {
  let nextId = 1;
  const load = (more: Partial<ProgramSpec> = {}): LoadedProgram => placeProgram(memory, program('p', [movImm(0, 2), exit], more), nextId++, new Map());
  const progArray = (): ProgArray => make(3, 2) as ProgArray;

  it('gives the id of a program', () => {
    const live = progArray();
    const loaded = load();
    expect(live.lookupBytes(u32(1))).toBeUndefined();
    expect(live.setProgram(1, loaded)).toBe(0);
    expect(live.lookupBytes(u32(1))).toEqual(u32(loaded.id));
    expect([...live.entries()]).toEqual([{ key: u32(1), value: u32(loaded.id) }]);
  });

  it('gives the errno of the kernel', () => {
    const live = progArray();
    expect(live.setProgram(2, load())).toBe(-E2BIG);
    expect(live.setProgram(2, undefined)).toBe(-E2BIG);
    expect(live.setProgram(0, undefined)).toBe(-ENOENT);
    expect(live.setProgram(0, load())).toBe(0);
    expect(live.deleteBytes(u32(0))).toBe(0);
    expect(live.lookupBytes(u32(0))).toBeUndefined();
    expect(live.updateBytes()).toBe(-EBADF);
  });

  it.each([
    ['with support for fragments', { frags: true }],
    ['for devmap', { attachType: 'devmap' }],
    ['for cpumap', { attachType: 'cpumap' }],
  ] as const)('that holds a plain program refuses one %s', (_, more) => {
    const live = progArray();
    expect(live.setProgram(0, load())).toBe(0);
    expect(live.setProgram(1, load(more))).toBe(-EINVAL);
    expect(progArray().setProgram(1, load(more))).toBe(0);
  });
});
