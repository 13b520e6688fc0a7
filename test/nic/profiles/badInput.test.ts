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
