import { describe, expect, it } from 'vitest';
import { E2BIG, EBADF, EEXIST, EINVAL, ENOENT, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import { AccessTable } from '../../../src/vm/accessTable.js';
import { VM_STATE_BYTES } from '../../../src/vm/layout.js';
import { BPF_EXIST, BPF_NOEXIST } from '../../../src/vm/maps/map.js';
import { createMap } from '../../../src/vm/maps/mapTypes.js';
import { ProgArray } from '../../../src/vm/maps/progArray.js';
import { XskMap } from '../../../src/vm/maps/xskMap.js';
import type { LoadedProgram } from '../../../src/vm/program.js';
import { placeProgram } from '../../../src/vm/program.js';
import type { ObjectSpec, ProgramSpec } from '../../../src/vm/spec.js';
import { exit, map, movImm, program } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { TestMachine, textObject } from '../support/differential.js';

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

/** Looks slot 0 up and returns a u32 of what it gets, 77 when the slot is empty. */
const readSocket = (offBytes: number): ObjectSpec => textObject(`
  *(u32 *)(r10 - 4) = 0
  r1 = map socks
  r2 = r10
  r2 += -4
  call 1
  if r0 == 0 goto none
  r0 = *(u32 *)(r0 + ${offBytes})
  exit
  none: r0 = 77
  exit`, [map('socks', 17, 4, 4, 4)]);

describe('what a program reads of an AF_XDP socket', () => {
  it('is its queue_id, and nothing else', () => {
    for (const [offBytes, isRead] of [[0, true], [4, false], [2, false]] as const) {
      const machine = new TestMachine(readSocket(offBytes));
      const live = machine.loaded.maps.get('socks') as XskMap;
      expect(machine.run({ data: new Uint8Array(64) }).retval).toBe(77);
      live.setQueues((socket) => 10 + socket);
      expect(live.updateBytes(u32(0), u32(3), 0)).toBe(0);
      const { retval, fault } = machine.run({ data: new Uint8Array(64) });
      if (isRead) expect([retval, fault]).toEqual([12, undefined]);
      else expect(fault).toBeDefined();
    }
  });
});

withKernel('what a program reads of an AF_XDP socket', (kernel) => {
  it('that is not bound', () => {
    const machine = new TestMachine(readSocket(0));
    (machine.loaded.maps.get('socks') as XskMap).updateBytes(u32(0), u32(1), 0);
    using theirs = new KernelObject(kernel, readSocket(0));
    const main = unwrap(theirs.loadProgram('main'));
    unwrap(theirs.putXskSocket('socks', 0));
    expect(machine.run({ data: new Uint8Array(64) }).retval).toBe(testRun(main, { data: new Uint8Array(64) }).retval);
  });

  it('ends behind queue_id', () => {
    using theirs = new KernelObject(kernel, readSocket(4));
    expect(theirs.loadProgram('main').ok).toBe(false);
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
