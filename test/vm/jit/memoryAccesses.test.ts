import { describe, expect, it } from 'vitest';
import { memoryAccesses } from '../../../src/vm/index.js';
import type { MapSpec } from '../../../src/vm/index.js';
import { fixtureObjects } from '../../support/fixtures.js';
import { xdpProgram } from '../../support/xdpProgram.js';

const map: MapSpec = { name: 'm', type: 1, keySize: 4, valueSize: 24, maxEntries: 16, flags: 0, keyTypeId: 0, valueTypeId: 0, dataSection: undefined, initialValue: undefined, initialPrograms: [] };

function accessesOf(text: string) {
  const { programs, maps } = xdpProgram(text, { maps: [map] });
  return memoryAccesses(programs[0]!, maps).map(({ insnIndex, target, fromBytes, toBytes, isWrite, operation }) => [insnIndex, target, fromBytes, toBytes, isWrite ? 'write' : 'read', operation]);
}

describe('memoryAccesses', () => {
  it('follows pointers to context, packet, stack and map values', () => {
    expect(accessesOf(`
      r6 = *(u32 *)(r1 + 0)
      r7 = *(u32 *)(r1 + 4)
      *(u32 *)(r10 - 4) = 0
      r1 = map m
      r2 = r10
      r2 += -4
      call 1
      if r0 == 0 goto pc+4
      r1 = *(u16 *)(r0 + 8)
      *(u8 *)(r0 + 23) = 1
      lock *(u64 *)(r0 + 0) += r1
      *(u64 *)(r10 - 16) = r1
      r0 = 2
      exit`)).toEqual([
      [0, 'context', 0, 4, 'read', 'ldx'], [1, 'context', 4, 8, 'read', 'ldx'], [2, 'stack', -4, 0, 'write', 'st'], [9, 'map value', 8, 10, 'read', 'ldx'],
      [10, 'map value', 23, 24, 'write', 'st'], [11, 'map value', 0, 8, 'write', 'add'], [12, 'stack', -16, -8, 'write', 'stx'],
    ]);
  });

  it('gives the bounds of an offset that varies', () => {
    expect(accessesOf(`
      r6 = *(u32 *)(r1 + 0)
      r7 = *(u32 *)(r1 + 4)
      r2 = r6
      r2 += 64
      if r2 > r7 goto pc+4
      r3 = *(u8 *)(r6 + 14)
      r3 &= 15
      r6 += r3
      r4 = *(u16 *)(r6 + 20)
      r0 = 2
      exit`).slice(2)).toEqual([[5, 'packet', 14, 15, 'read', 'ldx'], [8, 'packet', 20, 37, 'read', 'ldx']]);
  });

  it('says unknown where it does not know, and nothing of what can\'t be reached', () => {
    expect(accessesOf('r2 = *(u64 *)(r10 - 8)\nr3 = *(u8 *)(r2 + 3)\nr0 = 2\nexit\nr4 = *(u8 *)(r10 - 1)\nexit')).toEqual([[0, 'stack', -8, 0, 'read', 'ldx'], [1, 'unknown', -Infinity, Infinity, 'read', 'ldx']]);
  });

  it('is at hand for every program of the fixtures, each instruction once', () => {
    for (const { spec } of fixtureObjects()) {
      for (const program of spec.programs.filter(({ type, problem }) => type === 'xdp' && problem === undefined)) {
        const at = memoryAccesses(program, spec.maps).map(({ insnIndex }) => insnIndex);
        expect(at).toEqual([...new Set(at)].sort((a, b) => a - b));
      }
    }
  });
});
