import { describe, expect, it } from 'vitest';
import { findProfile, IOMMU_WRITE } from '../../../src/nic/index.js';
import { burst, fixture, nicSettings, returning, simulate, udpFrame, xdpProgram } from '../../support/simulate.js';
import { RingWatch } from '../support.js';

const tiny = { rxRingSize: 512, txRingSize: 64 };

describe('XDP_TX', () => {
  it('a full ring drops what does not fit: 63 of 64 in one poll', () => {
    const run = simulate({ object: returning(3), frames: burst(64), nic: tiny });
    expect(run.outcomes).toEqual({ tx: 63, tx_ring_full: 1 });
    const { driver } = run.simulation.nic;
    expect(driver.counters(0)).toMatchObject({ xdpTx: 63, xdpTxErrors: 1, txPackets: 63 });
    expect(driver.ringUse(0).txFull).toBe(1);
    expect(run.ends.find(({ outcome }) => outcome === 'tx_ring_full')).toMatchObject({ packetId: 64, retval: 3 });
    expect(run.result.audit.ok).toBe(true);
  });

  it('the ring is usable again after completion, round and round', () => {
    const frames = Array.from({ length: 20 }, (_, round) => burst(64, 64, round * 1000)).flat();
    const run = simulate({ object: returning(3), frames, nic: tiny });
    expect(run.outcomes).toEqual({ tx: 20 * 63, tx_ring_full: 20 });
    expect(run.result.audit.ok).toBe(true);
  });

  it('frames leave in the order in which they came', () => {
    const frames = Array.from({ length: 200 }, (_, i) => ({ bytes: udpFrame(64 + i) }));
    const run = simulate({ object: returning(3), frames });
    expect(run.ends.map(({ packetId }) => packetId)).toEqual(frames.map((_, i) => i + 1));
    for (const { packetId, bytes } of run.ends) expect(bytes).toEqual(frames[packetId - 1].bytes);
  });

  it('the reflector sends back what it got, addresses swapped', () => {
    const run = simulate({ object: fixture('reflector'), frames: burst(1) });
    const [sent] = run.ends;
    expect(sent.outcome).toBe('tx');
    const frame = udpFrame(64);
    expect([...sent.bytes.subarray(0, 12)]).toEqual([...frame.subarray(6, 12), ...frame.subarray(0, 6)]);
    expect([...sent.bytes.subarray(26, 34)]).toEqual([...frame.subarray(30, 34), ...frame.subarray(26, 30)]);
  });
});

describe('XDP_TX to the other end of a veth', () => {
  const grows = xdpProgram('r2 = -8\ncall 44\nr0 = 3\nexit');
  const veth = nicSettings({ profile: findProfile('veth')!, rxRingSize: 256, txRingSize: 256, queues: 1 });
  const framesOf = (lengths: readonly number[]) => lengths.map((lenBytes) => ({ bytes: udpFrame(lenBytes) }));

  it('a frame longer than its MTU with header and VLAN tag ends the bulk, and what is behind it is lost', () => {
    const lengths = [...Array<number>(3).fill(100), 1511, ...Array<number>(12).fill(1510), ...Array<number>(4).fill(1510)];
    const run = simulate({ object: grows, frames: framesOf(lengths), nic: veth });
    expect(run.outcomes).toEqual({ tx: 3 + 4, tx_too_long: 13 });
    expect(run.ends.filter(({ outcome }) => outcome === 'tx_too_long').map(({ packetId }) => packetId)).toEqual(Array.from({ length: 13 }, (_, i) => i + 4));
    expect(run.simulation.nic.driver.counters(0)).toMatchObject({ xdpTx: 7, xdpTxFull: 13, xdpTxErrors: 13 });
    expect(run.result.audit.ok).toBe(true);
  });

  it('in generic mode it is lost alone, and the driver took it', () => {
    const run = simulate({ object: grows, frames: framesOf([1510, 1511, 1510]), nic: { ...veth, xdpMode: 'generic' } });
    expect(run.outcomes).toEqual({ tx: 2, tx_too_long: 1 });
    expect(run.result.audit.ok).toBe(true);
  });
});

describe('redirect to the own device', () => {
  it('sends through ndo_xdp_xmit, with a mapping of its own that is taken back', () => {
    const run = simulate({ object: fixture('redirect_self'), frames: burst(10) });
    expect(run.outcomes).toEqual({ redirect: 10 });
    expect(run.simulation.nic.driver.counters(0)).toMatchObject({ xdpRedirect: 10, xdpTx: 0, txXdpXmit: 10, txPackets: 10 });
    expect(run.ends.every(({ retval, bytes }) => retval === 4 && bytes.length === 64)).toBe(true);
    expect(run.result.audit.ok).toBe(true);
  });

  it('a full ring drops', () => {
    const run = simulate({ object: fixture('redirect_self'), frames: burst(64), nic: tiny });
    expect(run.outcomes).toEqual({ redirect: 63, tx_ring_full: 1 });
    expect(run.simulation.nic.driver.ringUse(0).txFull).toBe(1);
    expect(run.simulation.nic.driver.counters(0)).toMatchObject({ xdpRedirect: 64, xdpRedirectErrors: 0, txXdpXmit: 63, txXdpXmitErrors: 1 });
    expect(run.result.audit.ok).toBe(true);
  });

  it('MTU + 18 bytes may go, one more is too long (EMSGSIZE)', () => {
    const run = simulate({ object: fixture('redirect_self'), frames: [{ bytes: udpFrame(1518) }, { bytes: udpFrame(1519) }, { bytes: udpFrame(1522) }] });
    expect(run.outcomes).toEqual({ redirect: 1, redirect_too_long: 2 });
    expect(run.result.audit.ok).toBe(true);
  });
});

describe('a frame that the IOMMU does not let the device read', () => {
  it.each([
    ['XDP_TX', 1500, 64, 64],
    ['XDP_TX', 9000, 9014, 3520],
  ])('%s at MTU %i: %i bytes end with the %i of their first buffer', (_, mtu, len, linear) => {
    const watch = new RingWatch(nicSettings().profile);
    const run = simulate({
      object: returning(3, { frags: true }),
      frames: [{ bytes: udpFrame(len) }, { bytes: udpFrame(64, 9), tNs: 1 }],
      nic: { mtu, profile: watch.profile },
      before: ({ nic: { iommu } }) => watch.remap(iommu, 0, IOMMU_WRITE),
    });
    expect(run.outcomes).toEqual({ tx: 1, tx_dma_error: 1 });
    const lost = run.ends.find(({ outcome }) => outcome === 'tx_dma_error');
    expect(lost).toMatchObject({ packetId: 1, retval: 3 });
    expect(Buffer.compare(lost?.bytes ?? Buffer.alloc(0), udpFrame(len).subarray(0, linear))).toBe(0);
    expect(run.simulation.nic.device.counters).toMatchObject({ txPackets: 1, txDmaErrors: 1 });
  });
});
