import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rng, toHex, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { parseIpAddress } from '../../../src/packet/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import type { NetNamespace } from '../../../src/replay/net/netNamespace.js';
import { parseNetwork, Vm } from '../../../src/vm/index.js';
import { TestRunner } from '../../../src/xdp/index.js';
import { withKernel } from '../../support/kernelOracle.js';
import { quietEnvironment, xdpProgram } from '../../support/xdpProgram.js';
import { namespaceTwin } from './namespaceTwin.js';
import type { TwinJson } from './namespaceTwin.js';

// bpf_fib_lookup against the running kernel: a network namespace and a scenario made from the same JSON are asked the same questions,
// drawn at random, and have to give the same code and the same 64 bytes.
//
//     FIB_SEED=7 FIB_LOOKUPS=50000 npx vitest run test/vm/network/fibKernel.test.ts

const SEED = Number(process.env.FIB_SEED ?? 1);
const LOOKUPS = Number(process.env.FIB_LOOKUPS ?? 3000);

const macs = (n: number): string => `02:00:00:00:00:0${n}`;

const interfaces: TwinJson['interfaces'] = [
  { ifindex: 1, name: 'lo', mac: '00:00:00:00:00:00', mtu: 65536, forwarding: true, addresses: ['127.0.0.1/8', '::1/128'] },
  { ifindex: 2, name: 'eth0', mac: macs(2), mtu: 1500, addresses: ['10.0.2.1/24', '2001:db8:2::1/64'] },
  { ifindex: 3, name: 'eth1', mac: macs(3), mtu: 1400, addresses: ['10.0.3.1/24', '10.0.3.129/25', '2001:db8:3::1/64', '2001:db8:100:f::1/64', 'fe80::3/64'] },
  { ifindex: 4, name: 'eth2', mac: macs(4), mtu: 1280, addresses: ['10.0.4.1/30', 'fe80::4/64'] },
  { ifindex: 5, name: 'eth3', mac: macs(5), forwarding: false, addresses: ['10.0.5.1/24', '2001:db8:5::1/64'] },
  { ifindex: 6, name: 'eth4', mac: macs(6) },
];

const routes: NonNullable<TwinJson['routes']> = [
  { to: '0.0.0.0/0', via: '10.0.3.254', dev: 'eth1', metric: 100 },
  { to: '10.1.0.0/16', via: '10.0.2.254', dev: 'eth0' },
  { to: '10.1.0.0/16', via: '10.0.3.254', dev: 'eth1', metric: 5 },
  { to: '10.1.7.0/24', dev: 'eth2', src: '10.0.2.1' },
  { to: '10.1.8.0/24', via: '10.0.2.253', dev: 'eth0', mtu_lock: 900 },
  { to: '10.1.9.0/24', type: 'blackhole' },
  { to: '10.1.10.0/24', type: 'unreachable' },
  { to: '10.1.11.0/24', type: 'prohibit' },
  { to: '10.1.12.0/24', type: 'throw' },
  { to: '10.1.13.0/24', via: '2001:db8:2::fe', dev: 'eth0' },
  { to: '10.1.14.0/24', via: '10.0.2.254', dev: 'eth0', tos: 16 },
  { to: '10.1.14.0/24', via: '10.0.3.254', dev: 'eth1' },
  { to: '10.1.15.0/24', dev: 'eth4' },
  // seg6 with one segment: an IPv6 header and a routing header of 24 bytes.
  { to: '10.1.16.0/24', dev: 'eth0', encap: 64 },
  { to: '10.2.0.0/16', via: '10.0.4.2', dev: 'eth2', table: 100 },
  { to: '10.1.0.0/16', type: 'blackhole', table: 100 },
  { to: '::/0', via: '2001:db8:3::fe', dev: 'eth1' },
  { to: '2001:db8:100::/48', via: '2001:db8:2::fe', dev: 'eth0' },
  { to: '2001:db8:100:7::/64', dev: 'eth2' },
  { to: '2001:db8:100:8::/64', via: '2001:db8:2::fd', dev: 'eth0', mtu_lock: 1300, src: '2001:db8:2::1' },
  { to: '2001:db8:100:9::/64', type: 'blackhole' },
  { to: '2001:db8:100:a::/64', type: 'unreachable' },
  { to: '2001:db8:100:b::/64', type: 'prohibit' },
  { to: '2001:db8:100:d::/64', dev: 'eth4' },
  { to: '2001:db8:100:e::/64', dev: 'eth1', encap: 64 },
  { to: '2001:db8:200::/48', via: '2001:db8:3::fe', dev: 'eth1', table: 100, metric: 7 },
];

const neighbours: NonNullable<TwinJson['neighbours']> = [
  { to: '10.0.2.254', dev: 'eth0', mac: '02:00:00:00:01:fe' },
  { to: '10.0.2.253', dev: 'eth0', mac: '02:00:00:00:01:fd' },
  { to: '10.0.3.254', dev: 'eth1', mac: '02:00:00:00:02:fe', state: 'stale' },
  { to: '10.0.3.10', dev: 'eth1', mac: '02:00:00:00:02:0a', state: 'permanent' },
  { to: '10.0.4.2', dev: 'eth2', mac: '02:00:00:00:03:02' },
  { to: '10.1.7.5', dev: 'eth2', mac: '02:00:00:00:03:05' },
  { to: '2001:db8:2::fe', dev: 'eth0', mac: '02:00:00:00:04:fe' },
  { to: '2001:db8:2::fd', dev: 'eth0', mac: '02:00:00:00:04:fd' },
  { to: '2001:db8:3::fe', dev: 'eth1', mac: '02:00:00:00:05:fe' },
  { to: '2001:db8:100:7::5', dev: 'eth2', mac: '02:00:00:00:06:05' },
];

const rules: NonNullable<TwinJson['rules']> = [
  { priority: 100, fwmark: 7, table: 100 },
  { priority: 110, from: '10.9.0.0/16', action: 'prohibit' },
  { priority: 120, to: '10.1.200.0/24', action: 'blackhole' },
  { priority: 130, iif: 'eth2', table: 100 },
  { priority: 100, family: 6, fwmark: 7, table: 100 },
  { priority: 110, family: 6, from: '2001:db8:9::/48', action: 'unreachable' },
];

const DESTINATIONS_V4 = [
  '10.1.0.1', '10.1.7.5', '10.1.7.6', '10.1.8.1', '10.1.9.1', '10.1.10.1', '10.1.11.1', '10.1.12.1', '10.1.13.1', '10.1.14.1', '10.1.15.1', '10.1.16.1', '10.1.200.3', '10.2.3.4',
  '10.0.2.1', '10.0.2.254', '10.0.2.255', '10.0.2.0', '10.0.3.10', '10.0.3.200', '10.0.4.2', '10.0.5.9', '127.0.0.1', '127.3.3.3', '8.8.8.8', '224.0.0.1', '255.255.255.255', '0.0.0.0',
];
const SOURCES_V4 = ['10.9.1.1', '10.0.2.77', '192.0.2.1', '0.0.0.0'];
const DESTINATIONS_V6 = [
  '2001:db8:100::1', '2001:db8:100:7::5', '2001:db8:100:7::6', '2001:db8:100:8::1', '2001:db8:100:9::1', '2001:db8:100:a::1', '2001:db8:100:b::1', '2001:db8:100:d::1', '2001:db8:100:e::1',
  '2001:db8:200::1', '2001:db8:2::1', '2001:db8:2::fe', '2001:db8:3::99', '2001:db8:5::9', '2001:4860::8', 'fe80::1', 'ff02::1', '::1', '::',
];
const SOURCES_V6 = ['2001:db8:9::1', '2001:db8:2::77', 'fe80::2', '2001:db8:ffff::1', '::'];
const TABLES = [0, 100, 101, 253, 254, 255, 1000];
const PLENS = [64, 64, 64, 64, 63, 65, 20];

const WORDS = [0, 8, 16, 24, 32, 40, 48, 56];

/** Parameters, flags and length lie in the packet, and the answer goes there; helpers want it in the stack. */
const lookup = xdpProgram(`
  r6 = *(u32 *)(r1 + 0)
  r2 = *(u32 *)(r1 + 4)
  r3 = r6
  r3 += 72
  if r3 > r2 goto out
  ${WORDS.map((at) => `r3 = *(u64 *)(r6 + ${at})\n*(u64 *)(r10 - ${72 - at}) = r3`).join('\n')}
  *(u64 *)(r10 - 8) = 0
  r4 = *(u32 *)(r6 + 64)
  r3 = *(u32 *)(r6 + 68)
  if r3 > 72 goto out
  if r3 == 0 goto out
  r2 = r10
  r2 += -72
  call 69
  ${WORDS.map((at) => `r3 = *(u64 *)(r10 - ${72 - at})\n*(u64 *)(r6 + ${at}) = r3`).join('\n')}
  exit
out: r0 = 999
  exit`);

function drawQuestion(rng: Rng): Uint8Array {
  const pick = <T>(from: readonly T[]): T => from[rng.below(from.length)]!;
  const bytes = new Uint8Array(72);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 64; i++) bytes[i] = rng.below(256);
  const isV4 = rng.below(2) === 0;
  bytes[0] = rng.below(50) === 0 ? pick([0, 1, 7, 255]) : isV4 ? 2 : 10;
  view.setUint16(6, pick([0, 100, 900, 901, 1280, 1281, 1300, 1336, 1337, 1436, 1437, 1301, 1400, 1401, 1500, 1501, 65535]), true);
  view.setUint32(8, pick([1, 2, 2, 3, 3, 4, 5, 6, 99]), true);
  bytes[12] = pick([0, 16, 17, 4, 255]);
  bytes.set(parseIpAddress(pick(isV4 ? SOURCES_V4 : SOURCES_V6))!, 16);
  bytes.set(parseIpAddress(pick(isV4 ? DESTINATIONS_V4 : DESTINATIONS_V6))!, 32);
  view.setUint32(48, pick(TABLES), true);
  view.setUint32(52, pick([0, 7, 8]), true);
  view.setUint32(64, rng.below(30) === 0 ? 64 : rng.below(64), true);
  view.setUint32(68, rng.below(20) === 0 ? pick(PLENS) : 64, true);
  return bytes;
}

/** `codes`: what has to occur. */
const situations: readonly (TwinJson & { readonly name: string; readonly codes: readonly number[] })[] = [
  { name: 'without rules', codes: [0, 1, 2, 3, 4, 5, 6, 7, 8, -22, -19, -97], interfaces, routes, neighbours },
  { name: 'with rules', codes: [0, 1, 2, 3, 4, 5, 6, 7, 8], interfaces, routes, rules, neighbours },
  { name: 'without addresses', codes: [0, 9], interfaces: interfaces.map((each) => (each.name === 'lo' ? each : { ...each, addresses: [] })), routes: routes.filter(({ src }) => src === undefined), neighbours },
  { name: 'nothing but a loopback', codes: [4, 5, -19], interfaces: [{ ...interfaces[0]!, forwarding: false }] },
];

for (const situation of situations) {
  withKernel(`bpf_fib_lookup, ${situation.name}`, (kernel) => {
    let namespace: NetNamespace;
    beforeAll(async () => {
      namespace = await namespaceTwin(situation);
    });
    afterAll(() => namespace.close());

    it('gives what the kernel gives, drawn at random', { timeout: 120_000 }, () => {
      const { name: _name, codes: expectedCodes, ...json } = situation;
      const memory = new HostMemory(16);
      const vm = new Vm({ memory, environment: { ...quietEnvironment(), network: unwrap(parseNetwork(json, 'test')) } });
      const program = unwrap(vm.load(lookup)).program('main')!;
      const runner = new TestRunner(memory, vm);
      const loaded = new KernelObject(kernel, lookup);
      const rng = new Rng(SEED);
      const codes = new Map<number, number>();
      const differences: string[] = [];
      try {
        const theirs = unwrap(loaded.loadProgram('main'));
        namespace.enter(() => {
          for (let i = 0; i < LOOKUPS; i++) {
            const data = drawQuestion(rng);
            const expected = testRun(theirs, { data });
            const observed = runner.run(program, { data });
            if (observed.fault !== undefined) throw new Error(observed.fault.message);
            codes.set(expected.retval | 0, (codes.get(expected.retval | 0) ?? 0) + 1);
            const text = (retval: number, bytes: Uint8Array): string => `${retval | 0} ${toHex(bytes.subarray(0, 64))}`;
            const [kernelText, ourText] = [text(expected.retval, expected.dataOut), text(observed.retval, observed.dataOut)];
            if (kernelText !== ourText) differences.push(`lookup ${i}: asked ${toHex(data)}\n  kernel ${kernelText}\n  ours   ${ourText}`);
          }
        });
      } finally {
        loaded.close();
      }
      console.info(`bpf_fib_lookup, ${situation.name}: ${LOOKUPS} lookups, codes ${JSON.stringify([...codes].sort(([a], [b]) => a - b))}`);
      expect(`${differences.length} differences\n${differences.slice(0, 12).join('\n')}`).toBe('0 differences\n');
      expect([...codes.keys()]).toEqual(expect.arrayContaining([...expectedCodes]));
    });
  });
}
