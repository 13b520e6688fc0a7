import type { HostMemory } from '../memory/index.js';
import type { AccessTable } from './accessTable.js';
import { ACCESS_MAX_ROWS, FAULT_NONE, VM_REGS } from './layout.js';
import { elementOfValue } from './maps/elementOfValue.js';
import { elementWalk } from './maps/forEachElement.js';
import { mapTypeName } from './maps/mapTypes.js';
import type { Timer, Timers } from './timers.js';

interface TimerParts {
  readonly memory: HostMemory;
  readonly accessTable: AccessTable;
  readonly timers: Timers;
  readonly stateAddress: number;
}

/**
 * Runs a timer's callback on (map, key, value) (bpf_timer_cb, kernel/bpf/helpers.c, 6.18); nothing when its value is gone or it was cancelled. The
 * key is for reading only.
 *
 * @param call runs a function on what stands in r1 to r5: 0 or a fault code
 */
export function runTimer(timer: Timer, parts: TimerParts, call: (programId: number, insnIndex: number, prepare: () => void) => number): number {
  const { memory, accessTable, timers, stateAddress } = parts;
  const { map, callback } = timer;
  const field = map.spec.valueFields?.find(({ kind }) => kind === 'bpf_timer');
  if (callback === undefined || field === undefined || !timers.isLive(timer)) return FAULT_NONE;
  const value = timer.address - field.offBytes;
  const element = elementOfValue(map, value);
  if (element === undefined) return FAULT_NONE;
  const keyAddress = element.keyAddress === 0 ? timers.arrayKeyAddress : element.keyAddress;
  if (element.keyAddress === 0) memory.view.setUint32(keyAddress, element.index, true);
  const walk = elementWalk(map, mapTypeName(map.spec.type), memory, keyAddress);
  if (walk === undefined || accessTable.count === ACCESS_MAX_ROWS) throw new Error(`runTimer: map ${map.spec.name} has no keys that can be shown`);
  accessTable.add(walk.keys);
  timers.running = timer;
  const code = call(callback.programId, callback.insnIndex, () => {
    const { u32 } = memory;
    [map.blockAddress, keyAddress, value].forEach((argument, index) => {
      const register = (stateAddress + VM_REGS + (index + 1) * 8) >>> 2;
      u32[register] = argument;
      u32[register + 1] = 0;
    });
  });
  timers.running = undefined;
  accessTable.remove(walk.keys.start);
  return code;
}
