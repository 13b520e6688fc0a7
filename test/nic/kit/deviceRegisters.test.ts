import { describe, expect, it } from 'vitest';
import { CPlusCmd, IntrMask, IntrMitigateRegister, IntrStatus, r8169Xdp, RxConfig, RxOK, TxOK } from '../../../src/nic/index.js';
import type { DeviceRegisters } from '../../../src/nic/index.js';
import { mixedFrames, runDriver } from './support.js';

/** Runs the example driver, with a look at the registers after each of its entry points. */
function watched(look: (regs: DeviceRegisters, entry: 'open' | 'interrupt' | 'poll') => void) {
  return runDriver((kernel, regs) => {
    const driver = r8169Xdp(kernel, regs);
    const after = <T>(entry: 'open' | 'interrupt' | 'poll', call: () => T): T => {
      const value = call();
      look(regs, entry);
      return value;
    };
    return {
      ...driver,
      open: () => after('open', () => driver.open()),
      interrupt: () => after('interrupt', () => driver.interrupt()),
      poll: (budget) => after('poll', () => driver.poll(budget)),
    };
  }, mixedFrames(100, [1, 3]));
}

describe('the registers', () => {
  it('keep what is written to those that nothing hangs on, in their widths', () => {
    watched((regs, entry) => {
      if (entry !== 'open') return;
      regs.write32(RxConfig, 0x0a0b0c0d);
      expect([regs.read8(RxConfig), regs.read16(RxConfig), regs.read32(RxConfig)]).toEqual([0x0d, 0x0c0d, 0x0a0b0c0d]);
    });
  });

  it('have the interrupt masked and its status cleared by the handler, and the mask set again by the poll', () => {
    const seen: [string, number, number][] = [];
    const run = watched((regs, entry) => seen.push([entry, regs.read16(IntrMask), regs.read16(IntrStatus)]));
    expect(run.judgement).toEqual([]);
    expect(seen[0]).toEqual(['open', 0x1f, 0]);
    expect(seen[1]).toEqual(['interrupt', 0, 0]);
    expect(seen.at(-1)).toEqual(['poll', 0x1f, 0]);
  });

  it('clear only the status bits that are written as ones', () => {
    const run = runDriver((kernel, regs) => {
      const driver = r8169Xdp(kernel, regs);
      return {
        ...driver,
        interrupt() {
          expect(regs.read16(IntrStatus)).toBe(RxOK | TxOK);
          regs.write16(IntrStatus, TxOK);
          expect(regs.read16(IntrStatus)).toBe(RxOK);
          driver.interrupt();
        },
      };
    }, mixedFrames(10, [1]));
    expect(run.outcomes).toEqual({ xdp_drop: 10 });
  });

  it('delay interrupts by IntrMitigate, in units that CPlusCmd chooses', () => {
    // RX time 3, 16 frames; a unit of 5 microseconds at the second scale is 8 times as long.
    const run = watched((regs, entry) => {
      if (entry !== 'open') return;
      regs.write16(CPlusCmd, 1);
      regs.write16(IntrMitigateRegister, 0x0034);
    });
    expect(run.simulation.nic.device.interrupt(0).moderation).toMatchObject({ rxDelayNs: 120_000, rxFrames: 16, txDelayNs: 0 });
    expect(run.judgement).toEqual([]);
  });
});
