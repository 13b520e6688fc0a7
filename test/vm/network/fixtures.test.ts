import { describe, expect, it } from 'vitest';
import { toHex, unwrap } from '../../../src/base/index.js';
import { parseIpAddress } from '../../../src/packet/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import { parseNetwork } from '../../../src/vm/index.js';
import type { Endpoint } from '../../../src/vm/index.js';
import { readPackets } from '../../support/fixtures.js';
import { withKernel } from '../../support/kernelOracle.js';
import { fixture } from '../../support/simulate.js';
import { quietEnvironment } from '../../support/xdpProgram.js';
import { TestMachine } from '../support/differential.js';
import { namespaceTwin } from './namespaceTwin.js';

// The fixture programs that ask the network, each with a scenario.

const XDP_ABORTED = 0;
const XDP_DROP = 1;
const XDP_PASS = 2;
const XDP_TX = 3;
const XDP_REDIRECT = 4;

const machineFor = (name: string, network: object): TestMachine =>
  new TestMachine(fixture(name), { ...quietEnvironment(), network: unwrap(parseNetwork(network, 'test')) });

/** Packet 1 of http.pcap: a SYN from 192.0.2.1 to 192.0.2.2. */
const [SYN] = readPackets('http.pcap').map(({ data }) => data);
const tuple = (packet: Uint8Array): { src: string; dst: string } => {
  const view = new DataView(packet.buffer, packet.byteOffset);
  const end = (address: number, port: number): string => `${packet.subarray(address, address + 4).join('.')}:${view.getUint16(port)}`;
  return { src: end(26, 34), dst: end(30, 36) };
};
const endOf = (text: string): Endpoint => ({ address: parseIpAddress(text.split(':')[0]!)!, port: Number(text.split(':')[1]) });
const { src, dst } = tuple(SYN!);
const port = dst.split(':')[1]!;

/** What the receiver of the SYN sends back, to an address that the sender has got. */
function replyTo(address: string): Uint8Array {
  const reply = SYN!.slice();
  reply.set([...SYN!.subarray(30, 34), ...parseIpAddress(address)!], 26);
  reply.set([...SYN!.subarray(36, 38), ...SYN!.subarray(34, 36)], 34);
  return reply;
}

describe('fib_forward', () => {
  const interfaces = [
    { ifindex: 1, name: 'eth0', mac: '02:00:00:00:00:01', addresses: ['192.0.2.254/24'] },
    { ifindex: 2, name: 'eth1', mac: '02:00:00:00:00:02', mtu: 68 },
  ];
  const neighbours = [{ to: dst.split(':')[0], dev: 'eth0', mac: '02:00:00:00:01:02' }];

  it('rewrites addresses, counts the TTL down and redirects', () => {
    const machine = machineFor('fib_forward', { interfaces, neighbours });
    const { retval, dataOut } = machine.run({ data: SYN! }, 'fib_forward');
    expect(retval).toBe(XDP_REDIRECT);
    expect(machine.vm.redirect.targetIndex).toBe(1);
    expect(toHex(dataOut.subarray(0, 12))).toBe('020000000102020000000001');
    expect(dataOut[22]).toBe(SYN![22]! - 1);
  });

  const cases: [string, object, number][] = [
    ['a neighbour that is not known', { interfaces }, XDP_PASS],
    ['a neighbour that is being asked', { interfaces, neighbours: [{ ...neighbours[0], state: 'incomplete' }] }, XDP_PASS],
    ['no forwarding', { interfaces: [{ ...interfaces[0], forwarding: false }], neighbours }, XDP_PASS],
    ['a blackhole', { interfaces, neighbours, routes: [{ to: '192.0.2.2/32', type: 'blackhole' }] }, XDP_DROP],
    ['a way that is too narrow for any packet of more than 68 bytes', { interfaces, routes: [{ to: '192.0.2.2/32', dev: 'eth1' }] }, XDP_PASS],
    ['a network that is down', { interfaces: [{ ...interfaces[0], up: false }], neighbours }, XDP_PASS],
    ['a VRF whose table has no route', { interfaces: [{ ...interfaces[0], addresses: [], vrf: 10 }], neighbours, routes: [{ to: '192.0.2.0/24', dev: 'eth0' }] }, XDP_REDIRECT],
    ['a VRF whose table has one', { interfaces: [{ ...interfaces[0], addresses: [], vrf: 10 }], neighbours, routes: [{ to: '192.0.2.0/24', type: 'prohibit', table: 10 }] }, XDP_DROP],
  ];
  it.each(cases)('%s', (_what, network, verdict) => {
    expect(machineFor('fib_forward', network).run({ data: SYN! }, 'fib_forward').retval).toBe(verdict);
  });
});

describe('mtu_check', () => {
  it.each([
    [SYN!.length + 50 - 14, XDP_PASS],
    [SYN!.length + 50 - 15, XDP_DROP],
  ])('an MTU of %i', (mtu, verdict) => {
    expect(machineFor('mtu_check', { interfaces: [{ ifindex: 1, mtu }] }).run({ data: SYN! }, 'mtu_check').retval).toBe(verdict);
  });
});

describe('sk_lookup', () => {
  it.each([
    ['a listener', [{ protocol: 'tcp', local: `0.0.0.0:${port}` }], XDP_PASS],
    ['a connection', [{ protocol: 'tcp', local: dst, remote: src }], XDP_PASS],
    ['an IPv6 socket for both', [{ protocol: 'tcp', local: `[::]:${port}` }], XDP_PASS],
    ['an IPv6 socket', [{ protocol: 'tcp', local: `[::]:${port}`, v6only: true }], XDP_DROP],
    ['one on another interface', [{ protocol: 'tcp', local: `0.0.0.0:${port}`, bound_dev: 2 }], XDP_DROP],
    ['one on this interface', [{ protocol: 'tcp', local: `0.0.0.0:${port}`, bound_dev: 1 }], XDP_PASS],
    ['one in another namespace', [{ protocol: 'tcp', local: `0.0.0.0:${port}`, netns: 3 }], XDP_DROP],
    ['a UDP socket', [{ protocol: 'udp', local: `0.0.0.0:${port}` }], XDP_DROP],
  ])('%s', (_what, sockets, verdict) => {
    const network = { interfaces: [{ ifindex: 1 }, { ifindex: 2 }], sockets };
    expect(machineFor('sk_lookup', network).run({ data: SYN! }, 'sk_lookup')).toMatchObject({ fault: undefined, retval: verdict });
  });
});

describe('sockets', () => {
  const counters = (machine: TestMachine, map: string): bigint[] => {
    const cells = machine.loaded.maps.get(map)!;
    return Array.from({ length: cells.spec.maxEntries }, (_, index) => Buffer.from(cells.lookupBytes(new Uint8Array(Uint32Array.of(index).buffer))!).readBigInt64LE());
  };
  const KINDS = ['full', 'any', 'tcp', 'tcp6', 'time-wait', 'request', 'udp6', 'unix', 'mptcp'];
  const kinds = (machine: TestMachine): string[] => KINDS.filter((_, index) => counters(machine, 'found')[index] === 1n);

  it.each([
    ['nothing', [], []],
    ['a connection', [{ protocol: 'tcp', local: dst, remote: src }], ['full', 'any', 'tcp']],
    ['an IPv6 listener for both', [{ protocol: 'tcp', local: `[::]:${port}` }], ['full', 'any', 'tcp', 'tcp6']],
    ['a connection that has ended', [{ protocol: 'tcp', local: dst, remote: src, state: 'time-wait' }], ['any', 'time-wait']],
    ['a UDP socket', [{ protocol: 'udp', local: `0.0.0.0:${port}` }], []],
  ])('%s', (_what, sockets, found) => {
    const machine = machineFor('sockets', { sockets });
    expect(machine.run({ data: SYN! }, 'sockets')).toMatchObject({ fault: undefined, retval: XDP_PASS });
    expect(kinds(machine)).toEqual(found);
  });

  it('an embryonic connection is none yet, and leads to its listener', () => {
    const sockets = [{ protocol: 'tcp', local: `0.0.0.0:${port}` }, { protocol: 'tcp', local: dst, remote: src, state: 'new-syn-recv' }];
    const machine = machineFor('sockets', { sockets });
    expect(machine.run({ data: SYN! }, 'sockets').retval).toBe(XDP_PASS);
    expect(kinds(machine)).toEqual(['full', 'any', 'request']);
  });

  it('a listener makes cookies, and refuses an acknowledgement of none', () => {
    const machine = machineFor('sockets', { sockets: [{ protocol: 'tcp', local: `0.0.0.0:${port}` }], syncookies: { mode: 2 } });
    expect(machine.run({ data: SYN! }, 'sockets').retval).toBe(XDP_PASS);
    const ack = SYN!.slice();
    ack[47] = 0x10;
    expect(machine.run({ data: ack }, 'sockets').retval).toBe(XDP_DROP);
    // The MSS of the SYN is 1460.
    expect(counters(machine, 'results')).toEqual([1460n, -2n, -22n, -22n]);
  });
});

describe('syncookie', () => {
  it('makes a cookie that comes back good, by the secrets of the scenario', () => {
    const run = (syncookies: object): string => {
      const machine = machineFor('syncookie', { syncookies });
      expect(machine.run({ data: SYN! }, 'syncookie').retval).toBe(XDP_TX);
      return toHex(machine.loaded.maps.get('.bss')!.lookupBytes(new Uint8Array(4))!);
    };
    // The MSS of the SYN is 1460.
    expect(run({})).toBe('b405000000000000');
    expect(run({ secrets: '5a'.repeat(64) })).toBe('b405000000000000');
  });

  it('is never aborted', () => {
    const machine = machineFor('syncookie', {});
    const verdicts = readPackets('mixed.pcap').map(({ data }) => machine.run({ data }, 'syncookie').retval);
    expect(verdicts).not.toContain(XDP_ABORTED);
    expect(verdicts).toContain(XDP_TX);
  });
});

describe('conntrack', () => {
  const run = (machine: TestMachine): number => machine.run({ data: SYN! }, 'conntrack').retval;
  const mark = (machine: TestMachine): string => {
    const hit = machine.vm.network.conntrack.find(
      { source: endOf(src), destination: endOf(dst) },
      { protocol: 6, zone: 0, zoneDirections: 3, netns: undefined }, 0,
    );
    return `${hit?.direction} ${hit?.connection.mark}`;
  };

  it('counts a mark of a connection up', () => {
    const machine = machineFor('conntrack', { conntrack: [{ protocol: 'tcp', original: { src, dst }, status: ['seen_reply', 'assured'], mark: 7 }] });
    expect([run(machine), run(machine), mark(machine)]).toEqual([XDP_PASS, XDP_PASS, '0 9']);
  });

  it('knows it by its reply', () => {
    const machine = machineFor('conntrack', { conntrack: [{ protocol: 'tcp', original: { src: dst, dst: src } }] });
    expect([run(machine), mark(machine)]).toEqual([XDP_PASS, '1 1']);
  });

  it('takes a connection for a long one when its reply comes, under the address that it got', () => {
    const machine = machineFor('conntrack', {});
    unwrap(machine.loaded.setVariable('learn', 'true'));
    unwrap(machine.loaded.setVariable('nat_address', '203.0.113.9'));
    expect(run(machine)).toBe(XDP_PASS);
    const found = (): string => {
      const hit = machine.vm.network.conntrack.find(
        { source: endOf(src), destination: endOf(dst) },
        { protocol: 6, zone: 0, zoneDirections: 3, netns: undefined }, machine.environment.tNs,
      );
      return hit === undefined ? 'none' : `${hit.connection.reply.destination.address.join('.')} 0x${hit.connection.status.toString(16)}`;
    };
    // Of enum ip_conntrack_status: SEEN_REPLY 2, ASSURED 4, CONFIRMED 8, SRC_NAT 16, SRC_NAT_DONE 128.
    expect(found()).toBe('203.0.113.9 0x9a');
    expect(machine.run({ data: replyTo('203.0.113.9') }, 'conntrack').retval).toBe(XDP_PASS);
    expect(found()).toBe('203.0.113.9 0x9e');
    machine.environment.tNs += 119e9;
    expect(found()).toBe('203.0.113.9 0x9e');
    machine.environment.tNs += 2e9;
    expect(found()).toBe('none');
  });

  it('drops packets of none, or makes one that ends after its 30 seconds', () => {
    expect(run(machineFor('conntrack', {}))).toBe(XDP_DROP);
    const machine = machineFor('conntrack', {});
    unwrap(machine.loaded.setVariable('learn', 'true'));
    expect([run(machine), mark(machine), run(machine), mark(machine)]).toEqual([XDP_PASS, '0 0', XDP_PASS, '0 1']);
    machine.environment.tNs += 29e9;
    expect([run(machine), mark(machine)]).toEqual([XDP_PASS, '0 2']);
    machine.environment.tNs += 2e9;
    expect([run(machine), mark(machine)]).toEqual([XDP_PASS, '0 0']);
  });
});

withKernel('conntrack, as the running kernel does it', (kernel) => {
  // Connections are made, so in a network namespace of its own.
  it('learns, replaces the source and takes the reply', { timeout: 30_000 }, async () => {
    const address = '203.0.113.9';
    const machine = machineFor('conntrack', {});
    unwrap(machine.loaded.setVariable('learn', 'true'));
    unwrap(machine.loaded.setVariable('nat_address', address));
    const object = new KernelObject(kernel, fixture('conntrack'), { variables: { learn: Uint8Array.of(1), nat_address: parseIpAddress(address)! } });
    const namespace = await namespaceTwin({ interfaces: [] });
    const seen: string[] = [];
    try {
      const program = unwrap(object.loadProgram('conntrack'));
      const zero = new Uint8Array(4);
      namespace.enter(() => {
        for (const data of [SYN!, SYN!, replyTo('192.0.2.1'), replyTo(address), SYN!]) {
          const [theirs, ours] = [testRun(program, { data }).retval, machine.run({ data }, 'conntrack').retval];
          const [theirBss, ourBss] = [unwrap(object.map('.bss')), machine.loaded.maps.get('.bss')!].map((map) => toHex(map.lookupBytes(zero)!));
          expect([ours, ourBss]).toEqual([theirs, theirBss]);
          seen.push(`${theirs} ${theirBss}`);
        }
      });
    } finally {
      namespace.close();
      object.close();
    }
    // The last 8 bytes are `status` before the packet: only the last one comes to a connection that is assured.
    expect(seen.map((line) => parseInt(line.slice(-16, -14), 16))).toEqual([0, 0x9a, 0x9a, 0x9a, 0x9e]);
    // The third, to the sender's old address, belongs to no connection and begins one.
    expect(seen.map((line) => Number(line[0]))).toEqual([XDP_PASS, XDP_PASS, XDP_PASS, XDP_PASS, XDP_PASS]);
  });
});
