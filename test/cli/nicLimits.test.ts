import { beforeAll, describe, expect, it } from 'vitest';
import { NETDEV_XDP_ACT_BASIC, PROFILES } from '../../src/nic/index.js';
import { errnoName } from '../../src/base/index.js';
import { ensureBuilt, sim } from '../support/simCommand.js';

const RUN = ['run', 'fixtures/programs/reflector/reflector.o', '--pcap', 'fixtures/pcaps/dns.pcap', '--nic'];

/** One line on standard error, nothing on standard output, exit status 2. */
async function refused(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await sim(...RUN, ...args);
  expect(exitCode).toBe(2);
  expect(stdout).toBe('');
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  return stderr;
}

describe.each(PROFILES)('sim run --nic $name', (profile) => {
  beforeAll(ensureBuilt);

  it('refuses settings beyond its limits with limit, reason and errno', async () => {
    for (const [option, limit] of [
      ['--queues', profile.queues], ['--rx-ring', profile.rxRing], ['--tx-ring', profile.txRing], ['--mtu', profile.mtu], ['--headroom', profile.headroom],
    ] as const) {
      const line = await refused(profile.name, option, String(limit.max + 1));
      expect(line, `${option} of ${profile.name}`).toContain(errnoName(limit.errno));
      expect(line, `${option} of ${profile.name}`).toContain(limit.reason);
      expect(line, `${option} of ${profile.name}`).toContain(String(limit.max));
    }
  });

  it("says why a program can't be attached", async () => {
    if ((profile.xdp.features & NETDEV_XDP_ACT_BASIC) === 0) {
      expect(await refused(profile.name, '--mode', 'native')).toContain('EOPNOTSUPP');
      return;
    }
    // Where the device itself takes no larger frames, the driver has nothing to refuse.
    if (profile.mtu.max <= profile.xdp.mtuMaxLinear) return;
    const line = await refused(profile.name, '--mtu', String(Math.min(profile.mtu.max, profile.xdp.mtuMaxLinear + 100)));
    expect(line).toContain(errnoName(profile.xdp.mtuErrno));
    expect(line).toMatch(/at most \d+/);
  });
});
