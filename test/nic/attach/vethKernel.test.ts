import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkAttach, findProfile } from '../../../src/nic/index.js';
import type { NicSettings } from '../../../src/nic/index.js';
import { AttachLab, BPF_F_XDP_HAS_FRAGS } from '../../support/kernelAttach.js';
import { withKernel } from '../../support/kernelOracle.js';
import { nicSettings, returning, simulationOf } from '../../support/simulate.js';

const FLAGS = { native: 4, generic: 2 } as const;

withKernel('the driver of veth, the model against the kernel', (kernel) => {
  let lab: AttachLab;
  let linear: number;
  let frags: number;
  beforeAll(async () => {
    lab = await AttachLab.open(kernel);
    linear = lab.load({});
    frags = lab.load({ flags: BPF_F_XDP_HAS_FRAGS });
  });
  afterAll(() => lab.close());

  const profile = findProfile('veth')!;
  const programs = { linear: simulationOf({ object: returning(2) }).program, frags: simulationOf({ object: returning(2, { frags: true }) }).program };

  /** What attaching gives: errno and the kernel's sentence. */
  function model(settings: Partial<NicSettings>, program: keyof typeof programs): { errno: number; says: string } {
    const problem = checkAttach(nicSettings({ profile, rxRingSize: 256, txRingSize: 256, ...settings }), programs[program]);
    return { errno: problem?.errno ?? 0, says: problem?.kernelSays ?? '' };
  }

  let count = 0;
  // One MTU below the model's own bound, which has two VLAN tags in it; beyond 3506 the kernel refuses too.
  const cases = [1500, 3498, 3507, 9000].flatMap((mtu) => (['linear', 'frags'] as const).flatMap((program) => (['native', 'generic'] as const).map((mode) => [mtu, program, mode] as const)));
  it.each(cases)('peer MTU %i, %s program, %s', (mtu, program, mode) => {
    const ifindex = lab.addVeth(`v${count++}`, { mtu, peerMtu: mtu });
    expect(model({ mtu, xdpMode: mode }, program)).toEqual(lab.setXdp(ifindex, program === 'linear' ? linear : frags, FLAGS[mode]));
  });

  it('a peer with more transmit queues than this end has receive queues', () => {
    const ifindex = lab.addVeth('queues', { queues: 1, peerQueues: 2 });
    expect(model({ features: ['many-peer-queues'] }, 'linear')).toEqual(lab.setXdp(ifindex, linear, FLAGS.native));
    expect(model({ features: ['many-peer-queues'], xdpMode: 'generic' }, 'linear')).toEqual(lab.setXdp(ifindex, linear, FLAGS.generic));
  });

  it('a refusal is final: without a mode it is the same, and nothing is attached', () => {
    const ifindex = lab.addVeth('final', { mtu: 9000, peerMtu: 9000 });
    expect(lab.setXdp(ifindex, linear, 0)).toEqual(model({ mtu: 9000 }, 'linear'));
    expect(lab.xdpState(ifindex)).toEqual({ native: 0, generic: 0, offload: 0 });
  });
});
