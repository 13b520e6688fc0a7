import { describe, expect, it } from 'vitest';
import { errnoName } from '../../../src/base/index.js';
import { checkSettings, maxFrameBytes, PROFILES, rxBufferBytes } from '../../../src/nic/index.js';
import type { NicProfile, NicSettings } from '../../../src/nic/index.js';
import { createSimulation } from '../../../src/sim/index.js';
import { returning } from '../../support/simulate.js';

/** Settings, the limit that they must keep, and the code of its problem. */
const SETTINGS = [
  ['queues', 'queues', 'nic-queues'],
  ['rxRingSize', 'rxRing', 'nic-ring-size'],
  ['txRingSize', 'txRing', 'nic-ring-size'],
  ['mtu', 'mtu', 'nic-mtu'],
  ['headroomBytes', 'headroom', 'nic-headroom'],
] as const;

const NONSENSE = [0, -1, 1.5, Number.NaN, Infinity, 2 ** 31, 2 ** 53, 1e300];

function usual(profile: NicProfile): NicSettings {
  return { profile, queues: profile.queues.default, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default, mtu: profile.mtu.default, ifindex: 1 };
}

it.each(['ice', undefined, {}])('refuses %o, which is no profile', (profile) => {
  const nic = { ...usual(PROFILES[0]!), profile: profile as unknown as NicProfile };
  expect(createSimulation({ object: returning(2), nic, seed: 1, cpus: 1 })).toMatchObject({ ok: false, problem: { code: 'nic-profile', hint: "give what findProfile('ice') gave" } });
});

describe.each(PROFILES)('$name', (profile) => {
  it.each(SETTINGS)('refuses %s beyond its limit with limit, reason and errno', (setting, of, code) => {
    const limit = profile[of];
    for (const value of [...NONSENSE, limit.min - 1, limit.max + 1]) {
      const problem = checkSettings({ ...usual(profile), [setting]: value });
      expect(problem, `${setting} ${value}`).toMatchObject({ code, where: `NIC ${profile.name}` });
      expect(problem?.message).toContain(`(${errnoName(limit.errno)})`);
      expect(problem?.message).toContain(limit.reason);
      expect(problem?.message).toMatch(/at least|at most|fixed at|whole numbers|powers of two|multiples of/);
      expect(problem?.hint).toContain(String(limit.min === limit.max ? limit.min : limit.max));
    }
  });

  it('refuses a program beyond the MTU that its buffers take, with the errno of the driver', () => {
    const { xdp } = profile;
    // The MAC of the model lets two VLAN tags in, which some drivers don't count: one buffer must hold them too.
    const most = Math.min(xdp.mtuMaxLinear, rxBufferBytes(profile) - maxFrameBytes(0));
    const made = createSimulation({ object: returning(2), nic: { ...usual(profile), mtu: Math.min(profile.mtu.max, Math.max(68, most + 1)) }, seed: 1, cpus: 1 });
    if ((xdp.features & 1) === 0) expect(made).toMatchObject({ ok: false, problem: { code: 'attach-no-native', message: expect.stringContaining('EOPNOTSUPP') } });
    else if (most >= profile.mtu.max) expect(made.ok).toBe(true);
    else expect(made).toMatchObject({ ok: false, problem: { code: 'attach-mtu', message: expect.stringContaining(errnoName(xdp.mtuErrno)), hint: expect.stringContaining(`--mtu ${most} or less`) } });
  });

  it('refuses to switch on what the device does not have', () => {
    for (const name of ['rxChecksum', 'rxVlanStrip', 'rxTimestamp'] as const) {
      const problem = checkSettings({ ...usual(profile), offloads: { [name]: true } });
      if (profile.offloads[name]) expect(problem).toBeUndefined();
      else expect(problem).toMatchObject({ code: 'nic-offload', message: expect.stringContaining('EOPNOTSUPP') });
    }
  });

  it('has room for its largest queues and rings, or says that it has not', () => {
    const made = createSimulation({
      object: returning(2), seed: 1, cpus: 1,
      nic: { ...usual(profile), mtu: 1000, queues: profile.queues.max, rxRingSize: profile.rxRing.max, txRingSize: profile.txRing.max },
    });
    if (!made.ok) expect(['host-memory-exhausted', 'attach-no-native']).toContain(made.problem.code);
  }, 60_000);
});

describe('settings that are of another kind than they should be', () => {
  const plain = usual(PROFILES[0]);
  const given = (more: object): NicSettings => ({ ...plain, ...more });

  it.each<[object, string, string]>([
    [{ isDmaCoherent: 'non-coherent' }, 'nic-dma', 'isDmaCoherent is non-coherent, and neither true nor false'],
    [{ offloads: { rxVlanStrip: 'off' } }, 'nic-offload', 'rxVlanStrip is off, and neither true nor false'],
    [{ offloads: { txChecksum: false } }, 'nic-offload', 'there is no offload txChecksum that can be switched'],
    [{ napi: { deferHardIrqs: 1.5 } }, 'nic-napi', 'deferHardIrqs of 1.5 is out of range (ERANGE)'],
    [{ napi: { deferHardIrqs: 2 ** 31 } }, 'nic-napi', 'deferHardIrqs of 2147483648 is out of range (ERANGE)'],
    [{ napi: { groFlushTimeout: 1 } }, 'nic-napi', 'NAPI has no setting groFlushTimeout'],
    [{ interruptDelayNs: 0.5 }, 'nic-coalesce', 'an interrupt delay of 0.5 ns is refused (EINVAL)'],
    [{ interruptDelayNs: 1e300 }, 'nic-coalesce', 'an interrupt delay of 1e+300 ns is refused (EINVAL)'],
    [{ faults: [] }, 'fault-plan', 'a plan has a list of faults, which may be empty'],
    [{ faults: { faults: [], seed: Number.NaN } }, 'fault-seed', 'NaN is no seed'],
    [{ faults: { faults: [{ kind: 'crc', rate: '0.5' }] } }, 'fault-rate', '0.5 is no probability'],
    [{ faults: { faults: [], watchdogNs: 0.1 } }, 'fault-time', 'a watchdog with a period of 0.1 ns'],
  ])('%j', (more, code, message) => {
    const problem = checkSettings(given(more));
    expect(problem?.code).toBe(code);
    expect(problem?.message).toContain(message);
    expect(problem?.hint).not.toBe('');
  });

  it.each([0, -1, 1.5, Number.NaN, 8193, 1e9, undefined] as number[])('%s CPUs are refused, and nothing hangs', (cpus) => {
    expect(createSimulation({ object: returning(2), seed: 1, cpus, nic: plain })).toMatchObject({ ok: false, problem: { code: 'host-cpus', message: `${String(cpus)} is no number of CPUs` } });
  });

  it('a seed that is no integer is a RangeError, not seed 0', () => {
    expect(() => createSimulation({ object: returning(2), seed: Number.NaN, cpus: 1, nic: plain })).toThrow(/NaN is no seed/);
  });
});
