import { describe, expect, it } from 'vitest';
import { findProfile, nicStatistics, PROFILES } from '../../../src/nic/index.js';
import { burst, returning, simulate } from '../../support/simulate.js';

/** What `ethtool -S` shows after ten frames of 64 bytes that got this verdict. */
function statisticsAfter(name: string, verdict: number, count = 10): Map<string, number> {
  const profile = findProfile(name)!;
  const nic = { profile, queues: 1, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default };
  return nicStatistics(simulate({ object: returning(verdict), frames: burst(count), nic }).simulation.nic);
}

describe('ethtool -S', () => {
  it.each(PROFILES)('$name: no name twice, none longer than ETH_GSTRING_LEN', ({ statistics }) => {
    const names = statistics.flatMap((row) => ('name' in row ? [row.name] : row.perQueue.map(([name]) => name)));
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => name.length > 31)).toEqual([]);
  });

  it.each([
    // The teaching NIC counts each verdict as what it is, and failures by themselves.
    ['plain', 0, { rx_queue_0_packets: 10, rx_queue_0_bytes: 640, rx_queue_0_xdp_exceptions: 10, rx_queue_0_xdp_drop: 0, rx_missed: 0 }],
    ['plain', 1, { rx_queue_0_xdp_drop: 10, rx_queue_0_xdp_exceptions: 0, tx_queue_0_packets: 0 }],
    ['plain', 2, { rx_queue_0_xdp_pass: 10, rx_queue_0_xdp_tx: 0 }],
    ['plain', 3, { rx_queue_0_xdp_tx: 10, tx_queue_0_packets: 10, tx_queue_0_bytes: 640, rx_pp_recycle_cached: 10 }],
    ['plain', 4, { rx_queue_0_xdp_redirect: 0, rx_queue_0_xdp_redirect_errors: 10 }],
    // mlx5e_xdp_handle: what is aborted, and a redirect that failed, is a drop; packets that pass have no XDP counter.
    ['mlx5', 0, { rx_xdp_drop: 10, rx_packets: 0, rx_packets_phy: 10 }],
    ['mlx5', 1, { rx_xdp_drop: 10, rx0_xdp_drop: 10, rx_packets: 0 }],
    ['mlx5', 2, { rx_xdp_drop: 0, rx_packets: 10, rx_bytes: 640, rx0_packets: 10 }],
    ['mlx5', 3, { rx_xdp_drop: 0, rx_xdp_tx_xmit: 10, rx0_xdp_tx_xmit: 10, tx_packets: 0, tx_packets_phy: 10 }],
    ['mlx5', 4, { rx_xdp_drop: 10, rx_xdp_redirect: 0 }],
    ['mlx4', 0, { rx_xdp_drop: 10, rx0_xdp_drop: 10 }],
    ['mlx4', 4, { rx_xdp_drop: 0, rx_xdp_redirect_fail: 10 }],
    ['mvneta', 2, { rx_xdp_pass: 10, good_frames_received: 10, good_octets_received: 640 }],
    ['mvneta', 4, { rx_xdp_drop: 0 }],
    ['mtk_eth_soc', 4, { rx_xdp_drop: 10, rx_xdp_redirect: 0 }],
    ['ena', 0, { queue_0_rx_xdp_aborted: 10, queue_0_rx_xdp_invalid: 0 }],
    ['ena', 5, { queue_0_rx_xdp_aborted: 0, queue_0_rx_xdp_invalid: 10 }],
    ['ena', 4, { queue_0_rx_xdp_aborted: 10 }],
    ['virtio_net', 0, { rx_queue_0_xdp_packets: 10, rx_queue_0_xdp_drops: 10, rx_queue_0_drops: 10 }],
    ['virtio_net', 3, { rx_queue_0_xdp_tx: 10, tx_queue_0_xdp_tx: 10, tx_queue_0_xdp_tx_drops: 0 }],
    ['virtio_net', 4, { rx_queue_0_xdp_redirects: 10, rx_queue_0_xdp_drops: 10 }],
    ['veth', 0, { rx_queue_0_xdp_packets: 10, rx_queue_0_xdp_bytes: 500, rx_queue_0_xdp_drops: 10, rx_queue_0_drops: 0 }],
    ['veth', 4, { rx_queue_0_drops: 10, rx_queue_0_xdp_redirect: 0 }],
    // nfp: XDP_REDIRECT is no action; octeontx2: what is aborted passes. Neither has XDP counters.
    ['nfp', 4, { rvec_0_rx_pkts: 10, dev_rx_pkts: 10 }],
    ['octeontx2', 0, { rx_frames: 10, 'rxq0: frames': 10 }],
    ['r8169-xdp', 1, { rx_packets: 10, unicast: 10, broadcast: 0, rx_missed: 0, rx_errors: 0 }],
    ['bnxt', 1, { rx_good_frames: 10, '[0]: rx_discards': 0 }],
    ['i40e', 1, { rx_packets: 10, 'rx-0.packets': 10 }],
  ])('%s, verdict %d', (name, verdict, values) => {
    expect(Object.fromEntries(statisticsAfter(name, verdict))).toMatchObject(values);
  });

  it('octeontx2 passes what is aborted', () => {
    const profile = findProfile('octeontx2')!;
    expect(simulate({ object: returning(0), frames: burst(10), nic: { profile, rxRingSize: 1024, txRingSize: 1024 } }).outcomes).toEqual({ stack: 10 });
  });

  it('igb counts a frame without a descriptor for the device and for its queue', () => {
    const profile = findProfile('igb')!;
    const statistics = nicStatistics(simulate({ object: returning(1), frames: burst(1000), nic: { profile, rxRingSize: 64, txRingSize: 64, interruptDelayNs: 1e6 } }).simulation.nic);
    const missed = statistics.get('rx_missed_errors')!;
    expect(missed).toBeGreaterThan(0);
    expect([statistics.get('rx_no_buffer_count'), statistics.get('rx_queue_0_drops'), statistics.get('rx_packets')]).toEqual([missed, missed, 1000 - missed]);
  });

  it('a full TX ring: ena counts XDP_TX as sent, mlx5 and virtio_net as full and dropped', () => {
    const after = (name: string) => {
      const found = findProfile(name)!;
      // A poll fills a ring that is smaller than its budget.
      const profile = { ...found, txRing: { ...found.txRing, min: 16 } };
      const run = simulate({ object: returning(3), frames: burst(64), nic: { profile, rxRingSize: 256, txRingSize: 16 } });
      return { statistics: Object.fromEntries(nicStatistics(run.simulation.nic)), full: run.outcomes['tx_ring_full'] ?? 0, sent: run.outcomes['tx'] ?? 0 };
    };
    const mlx5 = after('mlx5');
    expect(mlx5.full).toBeGreaterThan(0);
    expect(mlx5.statistics).toMatchObject({ rx_xdp_tx_full: mlx5.full, rx_xdp_drop: mlx5.full, rx_xdp_tx_xmit: mlx5.sent });
    const ena = after('ena');
    expect(ena.full).toBeGreaterThan(0);
    expect(ena.statistics).toMatchObject({ queue_0_rx_xdp_tx: ena.full + ena.sent, queue_0_rx_xdp_aborted: 0 });
    const virtio = after('virtio_net');
    expect(virtio.statistics).toMatchObject({ tx_queue_0_xdp_tx_drops: virtio.full, rx_queue_0_xdp_drops: virtio.full });
  });
});
