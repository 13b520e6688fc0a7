import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { RUN_DEFAULTS, runCapture, runScenario } from '../../src/report/index.js';
import type { RunOptions } from '../../src/report/index.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const run = (name: string, more: Partial<RunOptions>) =>
  runCapture({ ...RUN_DEFAULTS, queues: undefined, object: `fixtures/programs/${name}/${name}.o`, pcap: 'fixtures/pcaps/mixed.pcap', set: [], map: [], ...more });

/** Code of the refusal, or the mode that the program ran in. */
function outcome(nic: string, mode: string, more: Partial<RunOptions> = {}): string {
  const result = run('reflector', { nic, mode, ...more });
  return result.ok ? result.value.mode : result.problem.code;
}

describe('sim run --mode', () => {
  it.each([
    ['mlx5', 'auto', 'native'],
    ['nfp', 'auto', 'native'],
    ['r8169', 'auto', 'generic'],
    ['r8169', 'generic', 'generic'],
    ['mlx5', 'generic', 'generic'],
    ['nfp', 'offload', 'offload'],
    ['mlx5', 'offload', 'bind-no-offload'],
    ['r8169', 'native', 'attach-no-native'],
    ['r8169', 'offload', 'bind-no-ndo'],
    ['mlx5', 'skb', 'unknown-mode'],
  ])('%s %s: %s', (nic, mode, expected) => {
    expect(outcome(nic, mode)).toBe(expected);
  });

  it('a refusal of the driver is final: auto does not fall back', () => {
    expect(outcome('mlx5', 'auto', { feature: ['lro'] })).toBe('attach-lro');
    expect(outcome('igc', 'auto', { mtu: 1600 })).toBe('attach-mtu');
    expect(outcome('mlx5', 'auto', { feature: ['sr-iov'] })).toBe('nic-feature');
  });

  it.each([
    ['igb', 'auto', 'native'],
    ['igb', 'generic', 'tx-contract-mode'],
    ['r8169', 'auto', 'tx-contract-mode'],
    ['nfp', 'offload', 'tx-contract-mode'],
  ])('the contract about checksums on XDP_TX needs a driver that sends: %s %s: %s', (nic, mode, expected) => {
    expect(outcome(nic, mode, { xdpTxContract: 'checksum' })).toBe(expected);
    expect(outcome(nic, mode, { xdpTxContract: 'none' })).not.toBe('tx-contract-mode');
  });

  it('in generic mode no driver is asked', () => {
    expect(outcome('mlx5', 'generic', { feature: ['lro'] })).toBe('generic');
    expect(outcome('igc', 'generic', { mtu: 1600 })).toBe('generic');
    expect(run('rx_hints', { nic: 'mlx5', mode: 'generic' })).toMatchObject({ ok: false, problem: { code: 'attach-bound-generic' } });
  });

  it('what ends in the device ends as it does in the driver, and ethtool counts it', () => {
    const native = unwrap(run('reflector', { nic: 'nfp', mode: 'native' }));
    const offload = unwrap(run('reflector', { nic: 'nfp', mode: 'offload' }));
    expect(offload.outcomes).toEqual(native.outcomes);
    expect(offload.verdicts).toEqual(native.verdicts);
    expect(offload.maps).toEqual(native.maps);
    expect(offload.ethtool).toMatchObject({ bpf_pass_pkts: offload.verdicts['XDP_PASS'], bpf_app1_pkts: 0, bpf_app2_pkts: offload.verdicts['XDP_TX'], bpf_app3_pkts: 0 });
    expect(native.ethtool).toMatchObject({ bpf_pass_pkts: 0, bpf_app2_pkts: 0 });
    expect(offload.audit.ok).toBe(true);
  });

  it('maps of a program in the device', () => {
    const native = unwrap(run('count_hash', { nic: 'nfp', mode: 'native' }));
    const offload = unwrap(run('count_hash', { nic: 'nfp', mode: 'offload' }));
    expect(offload.maps).toEqual(native.maps);
    expect(offload.outcomes).toEqual(native.outcomes);
  });

  it('says what can not run in the device', () => {
    const result = run('xsk_redirect', { nic: 'nfp', mode: 'offload' });
    expect(result.ok ? undefined : result.problem).toMatchObject({
      code: 'offload-map-type', where: 'program xsk_redirect on NIC nfp', message: 'map xsks_map is of type XSKMAP: only ARRAY and HASH maps lie in the device (EINVAL)',
    });
  });
});

describe('sim scenario', () => {
  const folder = temporaryFolder();

  /** The load balancer's scenario with an nfp as its first server. */
  function balanced(mode: string) {
    const text = readFileSync('fixtures/scenarios/load-balancer.json', 'utf8').replaceAll('"../', `"${resolve('fixtures')}/`);
    const scenario = JSON.parse(text) as { hosts: { nics: unknown[] }[] };
    scenario.hosts[1]!.nics = [{ name: 'eth0', profile: 'nfp', xdp: { mode } }];
    return unwrap(runScenario({ scenario: folder.write(`${mode}.json`, JSON.stringify(scenario)) }));
  }

  it('what a program in the device sends back goes over the link, without a packet in the driver', () => {
    const [native, offload] = [balanced('native'), balanced('offload')];
    expect(offload.links).toEqual(native.links);
    expect(offload.outcomes).toEqual(native.outcomes);
    const { verdicts, counters, sent } = offload.hosts[1]!.nics[0]!;
    expect(verdicts['XDP_TX']).toBe(sent.packets);
    expect(sent.packets).toBeGreaterThan(0);
    expect(counters).toMatchObject({ tx_packets: sent.packets, rx_queue_0_packets: 0 });
    expect(offload.audit.ok).toBe(true);
  });
});
