import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { createSimulation } from '../../../src/sim/index.js';
import { mvpp2Profile } from '../../../src/nic/profiles/mvpp2.js';
import { burst, nicSettings, returning, simulate, xdpProgram } from '../../support/simulate.js';

const nic = { profile: mvpp2Profile, rxRingSize: mvpp2Profile.rxRing.default, txRingSize: mvpp2Profile.txRing.default };

/** Verdict of a program that asks for so many bytes before the packet: XDP_TX when it gets them, XDP_DROP when not. */
function verdictOfGrowing(bytes: number): number {
  const object = xdpProgram(`r2 = -${bytes}\ncall 44\nif r0 == 0 goto fits\nr0 = 1\nexit\nfits:\nr0 = 3\nexit`);
  return simulate({ object, frames: burst(1, 300), nic }).ends[0].retval;
}

describe('mvpp2', () => {
  it('leaves 224 bytes before the packet, 40 of them for struct xdp_frame', () => {
    expect([verdictOfGrowing(184), verdictOfGrowing(185)]).toEqual([3, 1]);
  });

  it('takes an MTU of what a page holds behind them, and says why no more', () => {
    const withMtu = (mtu: number) => createSimulation({ object: returning(2), nic: nicSettings({ ...nic, mtu }), seed: 1, cpus: 1 });
    unwrap(withMtu(3530));
    expect(withMtu(3531)).toMatchObject({ ok: false, problem: { message: expect.stringContaining('a page holds no more behind 224 bytes of headroom') } });
  });

  it('rounds rings as mvpp2_check_ringparam_valid does', () => {
    const { simulation } = simulate({ object: returning(2), frames: burst(3), nic: { ...nic, rxRingSize: 1000, txRingSize: 1000 } });
    expect(simulation.nic.settings).toMatchObject({ rxRingSize: 1008, txRingSize: 1024 });
  });
});
