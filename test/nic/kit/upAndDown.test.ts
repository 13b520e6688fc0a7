import { describe, expect, it } from 'vitest';
import { ChipCmd, CmdRxEnb, DRIVER_MISTAKES, findProfile, IntrMask, PROFILES, r8169Xdp, R8169_STEPS, makeR8169Xdp } from '../../../src/nic/index.js';
import type { DeviceRegisters, DriverKernel, XdpDriver, XdpDriverFactory } from '../../../src/nic/index.js';
import { createSimulation } from '../../../src/sim/index.js';
import { MIXED_VERDICTS, mixedFrames, r8169Settings, runDriver } from './support.js';

/** The example driver, with something done to kernel and registers first, and entry points exchanged. */
function changed(tamper: (kernel: DriverKernel, regs: DeviceRegisters) => void, entries: (driver: XdpDriver) => Partial<XdpDriver> = () => ({})): XdpDriverFactory {
  return (kernel, regs) => {
    tamper(kernel, regs);
    const driver = r8169Xdp(kernel, regs);
    return { ...driver, ...entries(driver) };
  };
}

const untouched = (): void => {};
const frames = mixedFrames(300, [1, 2, 3]);

describe('what a driver forgets on the way up, down and around is named', () => {
  it.each<[keyof typeof DRIVER_MISTAKES, string, XdpDriverFactory, RegExp]>([
    ['receiver-off', 'ndo_open', changed(untouched, () => ({ open() {}, stop() {} })), /^ndo_open returned, and the receiver is off/],
    ['receiver-off', 'ndo_open', changed((_kernel, regs) => {
      const write = regs.write8.bind(regs);
      regs.write8 = (offset, value) => write(offset, offset === ChipCmd ? value & ~CmdRxEnb : value);
    }), /nobody wrote CmdRxEnb to ChipCmd/],
    ['interrupt-left-off', 'ndo_open', changed((_kernel, regs) => {
      const write = regs.write16.bind(regs);
      regs.write16 = (offset, value) => {
        if (offset !== IntrMask) write(offset, value);
      };
    }), /^ndo_open returned with IntrMask 0/],
    ['transmitter-off', 'NAPI poll', changed((_kernel, regs) => {
      const write = regs.write8.bind(regs);
      regs.write8 = (offset, value) => write(offset, offset === ChipCmd ? value & CmdRxEnb : value);
    }), /^NPQ is written to TxPoll while the transmitter is off/],
    ['ring-left-empty', 'NAPI poll', (kernel, regs) => {
      let pages = kernel.rxRingSize;
      const alloc = kernel.page_pool_dev_alloc_pages.bind(kernel);
      // The ring is filled once. Later the driver is told "none" without the pool being asked, as if it didn't ask.
      kernel.page_pool_dev_alloc_pages = (pool) => (pages-- > 0 ? alloc(pool) : 0);
      return r8169Xdp(kernel, regs);
    }, /^poll ended with not one page on the RX ring/],
    ['length-wrong', 'NAPI poll', makeR8169Xdp({ ...R8169_STEPS, rtl_prepare_xdp: (tp, page, len) => R8169_STEPS.rtl_prepare_xdp(tp, page, len + 4) }), /^the xdp_buff of packet 1 has 56 bytes, but by its descriptor the packet has 52, without the FCS: the program sees too much$/],
    ['pool-not-destroyed', 'ndo_stop', changed((kernel) => (kernel.page_pool_destroy = untouched)), /^ndo_stop returned without page_pool_destroy\(\) of page_pool 1/],
    ['pool-not-destroyed', 'ndo_stop', changed(untouched, () => ({ stop() {} })), /^ndo_stop returned without page_pool_destroy\(\)/],
  ])('%s in %s', (code, where, driver, says) => {
    const run = runDriver(driver, frames);
    const found = run.judgement.find((each) => each.code === code);
    expect(found?.message).toMatch(says);
    expect(found?.where).toBe(where);
    expect(run.result.audit.ok).toBe(false);
  });

  it('a driver that is async is told so at once, and its error comes out nowhere else', () => {
    const late = (): never => {
      throw new Error('later');
    };
    for (const entry of ['open', 'stop', 'interrupt', 'poll', 'xdpXmit']) {
      const driver = changed(untouched, () => ({ [entry]: async () => late() }));
      const made = createSimulation({ object: MIXED_VERDICTS, nic: r8169Settings(), seed: 1, cpus: 1, driver });
      if (entry === 'open') expect(made).toMatchObject({ ok: false, problem: { code: 'driver-async', where: 'the driver, open()' } });
      else expect(made.ok).toBe(true);
    }
    expect(() => runDriver(changed(untouched, () => ({ poll: (async () => late()) as never })), frames)).toThrow(/gives a Promise/);
    expect(createSimulation({ object: MIXED_VERDICTS, nic: r8169Settings(), seed: 1, cpus: 1, driver: (async () => late()) as never })).toMatchObject({ ok: false, problem: { code: 'driver-async' } });
  });
});

describe('a driver of one\'s own on a NIC that it is not for', () => {
  it.each(PROFILES.filter(({ name }) => name !== 'r8169-xdp').map(({ name }) => name))('%s: is refused with the NIC to use', (name) => {
    const profile = findProfile(name)!;
    const nic = { profile, queues: profile.queues.default, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default, mtu: 1500, ifindex: 1 };
    const made = createSimulation({ object: MIXED_VERDICTS, nic, seed: 1, cpus: 4, driver: r8169Xdp });
    expect(made).toMatchObject({ ok: false, problem: { code: 'driver-nic', where: `NIC ${name}`, hint: 'use the NIC r8169-xdp' } });
  });

  it('a headroom that no driver of one\'s own would get is refused, and the profile\'s own is none', () => {
    const made = (headroomBytes: number) => createSimulation({ object: MIXED_VERDICTS, nic: r8169Settings({ headroomBytes }), seed: 1, cpus: 1, driver: r8169Xdp });
    expect(made(512)).toMatchObject({ ok: false, problem: { code: 'driver-headroom', message: expect.stringContaining('512 bytes reaches no driver of your own') } });
    expect(made(256).ok).toBe(true);
  });
});
