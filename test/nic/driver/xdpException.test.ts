import { describe, expect, it } from 'vitest';
import { effectiveSettings, PROFILES } from '../../../src/nic/index.js';
import type { NicProfile } from '../../../src/nic/index.js';
import { TRACE_EXCEPTION, TRACE_REDIRECT_ERR } from '../../../src/xdp/index.js';
import { burst, nicSettings, returning, simulate, xdpProgram } from '../../support/simulate.js';
import type { Simulated, SimulateOptions } from '../../support/simulate.js';

const FRAMES = 200;
/** Profiles whose smallest TX ring doesn't hold what arrives at once. */
const FULL = ['plain', 'igb', 'igc', 'ixgbe', 'i40e', 'ice', 'mlx4', 'bnxt', 'virtio_net'];
const XDP_PROFILES = PROFILES.filter(({ xdp }) => xdp.features !== 0);

/** All frames at once through a NIC with the profile's own rings, but as few TX descriptors as it takes. */
function run(profile: NicProfile, object: SimulateOptions['object']): Simulated {
  const settings = effectiveSettings(nicSettings({ profile, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.min }));
  return simulate({ object, frames: burst(FRAMES), nic: settings });
}

const exceptions = ({ result }: Simulated): number => result.traceCounts[TRACE_EXCEPTION];

describe.each(XDP_PROFILES.map((profile) => [profile.name, profile] as const))('xdp_exception of %s', (name, profile) => {
  const tells = (failure: string): boolean => profile.xdp.untraced?.some((each) => each === failure) !== true;

  it('is hit for XDP_ABORTED, and for a number that is no verdict as the driver does it', () => {
    const aborted = run(profile, returning(0));
    expect(exceptions(aborted)).toBe(FRAMES);
    expect(aborted.result.traces[0]!.fields).toEqual([aborted.simulation.program.id, 0, 1]);
    const invalid = run(profile, returning(100));
    expect(exceptions(invalid)).toBe(tells('invalidVerdict') ? FRAMES : 0);
    if (tells('invalidVerdict')) expect(invalid.result.traces.at(-1)!.fields).toEqual([invalid.simulation.program.id, 100, 1]);
  });

  it('is hit for XDP_TX that found no place on the ring as the driver does it', () => {
    const { result, ...rest } = run(profile, returning(3));
    const full = rest.outcomes['tx_ring_full'] ?? 0;
    if (FULL.includes(name)) expect(full).toBeGreaterThan(0);
    expect(result.traceCounts[TRACE_EXCEPTION]).toBe(tells('txSend') ? full : 0);
  });

  it('is hit for a redirect that was refused as the driver does it', () => {
    const { result } = run(profile, xdpProgram('r1 = 9999\nr2 = 0\ncall 23\nexit'));
    // nfp has no redirect: XDP_REDIRECT is a number like others.
    const isRedirected = profile.quirks.redirectIsInvalid !== true;
    expect(result.traceCounts[TRACE_REDIRECT_ERR]).toBe(isRedirected ? FRAMES : 0);
    expect(result.traceCounts[TRACE_EXCEPTION]).toBe(!isRedirected || tells('redirect') ? FRAMES : 0);
    expect(result.traces.filter(({ tracepoint }) => tracepoint === TRACE_EXCEPTION).every(({ fields }) => fields[1] === 4)).toBe(true);
  });

  it('is never hit for XDP_DROP and XDP_PASS', () => {
    for (const retval of [1, 2]) expect(exceptions(run(profile, returning(retval)))).toBe(0);
    expect(name).toBe(profile.name);
  });
});
