import { describe, expect, it } from 'vitest';
import { checkOffload, findProfile, NFP_FIRMWARE } from '../../src/nic/index.js';
import { isDeviceBound } from '../../src/vm/index.js';
import type { BpfMap, MapSpec, ObjectSpec } from '../../src/vm/index.js';
import { fixtureObjects } from '../support/fixtures.js';
import { fc, prop } from '../support/property.js';
import { burst, returning, simulate, udpFrame, xdpProgram } from '../support/simulate.js';
import type { SeenPacket, Simulated, TimedFrame } from '../support/simulate.js';
import { faultPlans } from './everyProfile/faultPlans.js';

const profile = findProfile('nfp')!;
const counters: MapSpec = {
  name: 'counters', type: 1 + 1, keySize: 4, valueSize: 8, maxEntries: 4, flags: 0, keyTypeId: 0, valueTypeId: 0, dataSection: undefined, initialValue: undefined, initialPrograms: [],
};

function offload(object: ObjectSpec, frames: readonly TimedFrame[], queues = 1): Simulated {
  return simulate({ object, frames, nic: { profile, queues, rxRingSize: 512, txRingSize: 512, xdpMode: 'offload' } });
}

describe('a program in the device of nfp', () => {
  it.each([
    [2, 'stack', 'offloadPassPackets'],
    [1, 'xdp_drop', 'offloadDropPackets'],
    [3, 'tx', 'offloadTxPackets'],
    [0, 'xdp_aborted', 'offloadAbortedPackets'],
    [4, 'xdp_invalid_verdict', 'offloadAbortedPackets'],
    [77, 'xdp_invalid_verdict', 'offloadAbortedPackets'],
  ] as const)('verdict %i: %s', (verdict, outcome, counter) => {
    const { outcomes, simulation, ends, result } = offload(returning(verdict), burst(10, 100));
    expect(outcomes).toEqual({ [outcome]: 10 });
    expect(ends.every(({ retval, bytes }) => retval === verdict && bytes.length === 100)).toBe(true);
    const { device, driver, offload: program } = simulation.nic;
    const { offloadPassPackets, offloadDropPackets, offloadTxPackets, offloadAbortedPackets } = device.counters;
    expect({ offloadPassPackets, offloadDropPackets, offloadTxPackets, offloadAbortedPackets }).toEqual({ offloadPassPackets: 0, offloadDropPackets: 0, offloadTxPackets: 0, offloadAbortedPackets: 0, [counter]: 10 });
    expect(device.counters.txPackets).toBe(verdict === 3 ? 10 : 0);
    expect([...program!.verdicts].reduce((sum, count) => sum + count, 0)).toBe(10);
    // The driver has no program: it runs nothing, and sees only what was passed.
    expect([...driver.verdicts]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(driver.counters(0).rxPackets).toBe(verdict === 2 ? 10 : 0);
    expect(result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
  });

  it('runs before the transfer: what it drops takes no descriptor', () => {
    const frames = burst(3000, 100);
    const dropped = offload(returning(1), frames);
    expect(dropped.outcomes).toEqual({ xdp_drop: 3000 });
    expect(dropped.simulation.nic.device.counters.rxMissed).toBe(0);
  });

  it('what it writes is what the host receives, and hash and queue are those of the new bytes', () => {
    // Every frame gets the same source address.
    const object = xdpProgram(`
      r2 = *(u32 *)(r1 + 0)
      r3 = *(u32 *)(r1 + 4)
      r4 = r2
      r4 += 42
      if r4 > r3 goto pc+1
      *(u32 *)(r2 + 26) = 99
      r0 = 2
      exit`);
    const frames = Array.from({ length: 64 }, (_, flow): TimedFrame => {
      const bytes = udpFrame(80);
      bytes[28] = flow;
      return { bytes };
    });
    const native = simulate({ object, frames, nic: { profile, queues: 4, rxRingSize: 512, txRingSize: 512 } });
    const inDevice = offload(object, frames, 4);
    expect(inDevice.ends.map(({ bytes }) => bytes)).toEqual(inDevice.ends.map(({ packetId }) => native.ends.find((end) => end.packetId === packetId)!.bytes));
    expect(new Set(native.ends.map(({ queue }) => queue)).size).toBeGreaterThan(1);
    expect(new Set(inDevice.ends.map(({ queue }) => queue)).size).toBe(1);
  });

  it.each([
    [-64, 164, 0], [-65, 100, -22], [20, 80, 0], [86, 14, 0], [87, 100, -22],
  ])('bpf_xdp_adjust_head by %i leaves %i bytes: %i', (delta, lenBytes, result) => {
    const { ends, simulation } = offload(adjusting(44, delta), burst(1, 100));
    expect(ends[0]!.bytes.length).toBe(lenBytes);
    expect(storedResult(simulation)).toBe(result);
    expect(ends[0]!.bytes.subarray(Math.max(0, -delta))).toEqual(udpFrame(100).subarray(Math.max(0, result < 0 ? 0 : delta)).subarray(result < 0 ? Math.max(0, -delta) : 0));
  });

  it.each([
    [1, 100, -22], [0, 100, 0], [-1, 99, 0], [-86, 14, 0], [-87, 100, -22],
  ])('bpf_xdp_adjust_tail by %i leaves %i bytes: %i; it only makes packets shorter', (delta, lenBytes, result) => {
    const { ends, simulation } = offload(adjusting(65, delta), burst(1, 100));
    expect(ends[0]!.bytes).toEqual(udpFrame(100).subarray(0, lenBytes));
    expect(storedResult(simulation)).toBe(result);
  });

  it('is stopped when it does what it must not, with the packet', () => {
    const { outcomes, result } = offload(xdpProgram('r1 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r1 + 2000)\nexit'), burst(3, 100));
    expect(outcomes).toEqual({ program_fault: 3 });
    expect(result.faults.map(({ packetId, fault }) => [packetId, fault.name])).toEqual([[1, 'bad-access'], [2, 'bad-access'], [3, 'bad-access']]);
  });

  it('frames that the MAC refuses it never sees', () => {
    const { outcomes, ends, simulation } = offload(returning(1), [{ bytes: new Uint8Array(10) }, { bytes: udpFrame(1600) }, { bytes: udpFrame(100) }]);
    expect(outcomes).toEqual({ rx_runt: 1, rx_over_length: 1, xdp_drop: 1 });
    expect(ends.map(({ retval }) => retval)).toEqual([-1, -1, 1]);
    expect([...simulation.nic.offload!.verdicts]).toEqual([0, 1, 0, 0, 0, 0]);
  });
});

/** Calls a helper with a number and keeps what it gives in `counters`. */
function adjusting(helper: number, delta: number): ObjectSpec {
  return xdpProgram(`
    r2 = ${delta}
    call ${helper}
    *(u64 *)(r10 - 8) = r0
    *(u32 *)(r10 - 12) = 0
    r1 = map counters
    r2 = r10
    r2 += -12
    r3 = r10
    r3 += -8
    r4 = 0
    call 2
    r0 = 2
    exit`, { maps: [counters] });
}

function storedResult({ loaded }: Simulated['simulation']): number {
  const value = loaded.maps.get('counters')!.lookupBytes(new Uint8Array(4))!;
  return Number(new DataView(value.buffer, value.byteOffset).getBigInt64(0, true));
}

describe('what the device takes', () => {
  it('gives the same verdicts, bytes and maps as the driver', () => {
    let compared = 0;
    const frames = [60, 64, 100, 300, 1514].map((lenBytes, i) => ({ bytes: udpFrame(lenBytes, i), tNs: i * 1000 }));
    for (const { spec } of fixtureObjects()) {
      for (const program of spec.programs) {
        if (program.type !== 'xdp' || program.attachType !== 'xdp' || program.problem !== undefined || program.frags || isDeviceBound(program)) continue;
        if (checkOffload(program, spec.maps, NFP_FIRMWARE, 1500, '') !== undefined) continue;
        // A longer tail or more headroom is what the two don't share.
        if (['adjust_tail'].includes(program.name)) continue;
        const [native, inDevice] = (['native', 'offload'] as const).map((xdpMode) => simulate({ object: spec, program: program.name, frames, nic: { profile, queues: 1, rxRingSize: 512, txRingSize: 512, xdpMode } }));
        expect([program.name, inDevice.ends.map(endOf).sort()]).toEqual([program.name, native.ends.map(endOf).sort()]);
        for (const [name, map] of inDevice.simulation.loaded.maps) expect([name, entriesOf(map)]).toEqual([name, entriesOf(native.simulation.loaded.maps.get(name)!)]);
        compared++;
      }
    }
    expect(compared).toBeGreaterThanOrEqual(8);
  });

  it('sends perf events with the number of the packet', () => {
    const events: MapSpec = { ...counters, name: 'events', type: 4, valueSize: 4 };
    const object = xdpProgram(`
      *(u64 *)(r10 - 8) = 77
      r2 = map events
      r3 = 0xffffffff ll
      r4 = r10
      r4 += -8
      r5 = 8
      call 25
      r0 = 1
      exit`, { maps: [events] });
    const { result } = offload(object, burst(3, 100));
    expect(result.events.map(({ packetId, bytes }) => [packetId, bytes[0]])).toEqual([[1, 77], [2, 77], [3, 77]]);
  });
});

describe('random frames and faults', () => {
  // Byte 14 of a frame chooses: if it is even, the packet gets shorter by a byte, and half of it is the verdict; else it is the verdict.
  const object = xdpProgram(`
    r6 = r1
    r2 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r7 = 1
    r4 = r2
    r4 += 15
    if r4 > r3 goto pc+8
    r7 = *(u8 *)(r2 + 14)
    r8 = r7
    r8 &= 1
    if r8 != 0 goto pc+4
    r1 = r6
    r2 = -1
    call 65
    r7 >>= 1
    r0 = r7
    exit`);

  prop([fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 200 }), fc.option(faultPlans, { nil: undefined }), fc.integer({ min: 1, max: 4 })], { numRuns: 25 })(
    'each packet ends once, and the counters are what the verdicts were', (frames, faults, queues) => {
      const timed = frames.map((bytes, i) => ({ bytes, tNs: i * 2000 }));
      const { result, simulation, ends } = simulate({ object, frames: timed, nic: { profile, queues, rxRingSize: 256, txRingSize: 256, xdpMode: 'offload', faults } });
      expect(ends.length).toBe(frames.length);
      expect(result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
      const { device, offload: inDevice } = simulation.nic;
      const { offloadPassPackets, offloadDropPackets, offloadTxPackets, offloadAbortedPackets } = device.counters;
      const [aborted, dropped, passed, sent, redirected, others] = inDevice!.verdicts;
      expect([offloadAbortedPackets, offloadDropPackets, offloadPassPackets, offloadTxPackets]).toEqual([aborted! + redirected! + others!, dropped, passed, sent]);
      expect(ends.filter(({ outcome }) => outcome === 'tx').length).toBe(sent);
    });
});

function endOf({ packetId, outcome, retval, bytes }: SeenPacket): string {
  return `${packetId} ${outcome} ${retval} ${Buffer.from(bytes).toString('hex')}`;
}

function entriesOf(map: BpfMap): string[] {
  return [...map.entries()].map(({ key, value }) => `${Buffer.from(key).toString('hex')}=${Buffer.from(value).toString('hex')}`).sort();
}
