import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { ethernet } from '../../src/packet/index.js';
import { l2fwd, rxdrop } from '../../src/sim/index.js';
import { createTestNetwork, createTestNic } from '../../src/testing/index.js';
import type { TestNic } from '../../src/testing/index.js';
import { XDP_COPY, XDP_ZEROCOPY, xskFindings } from '../../src/umem/index.js';
import { XskSocket, XskUmem } from '../../src/xsk/index.js';

const object = (name: string): string => `fixtures/programs/${name}/${name}.o`;
const MACS = { src: '02:00:00:00:00:01', dst: '02:00:00:00:00:02' };
const udp = ethernet(MACS).ipv4({ src: '192.0.2.1', dst: '10.0.0.2' }).udp({ src: 5000, dst: 9000 }).payload('hello').pad();
const arp = ethernet({ dst: 'ff:ff:ff:ff:ff:ff' }).arp().pad();

describe('receive', () => {
  it('gives every packet with its end', () => {
    const nic = createTestNic(object('reflector'), { profile: 'ice', queues: 2 });
    const [reflected, passed, ...others] = nic.receive([udp, arp]);
    expect(others).toEqual([]);
    expect(reflected).toMatchObject({ packetId: 1, host: 'host', outcome: 'tx', verdict: 'XDP_TX', isDelivered: true, ifindex: 1, input: udp.build() });
    expect(reflected?.data).toEqual(udp.set('ipv4', { src: '10.0.0.2', dst: '192.0.2.1' }).set('udp', { src: 9000, dst: 5000 }).set('eth', { src: MACS.dst, dst: MACS.src }).build());
    expect(passed).toMatchObject({ packetId: 2, outcome: 'stack', verdict: 'XDP_PASS' });
    expect(nic.network.nowNs).toBeGreaterThanOrEqual(passed!.tNs);
    expect(nic.network.nics).toEqual([nic]);
  });

  it('takes nothing, one packet, and many; with a gap between them or without', () => {
    const nic = createTestNic(undefined);
    expect(nic.receive([])).toEqual([]);
    expect(nic.receive(arp.build()).map(({ outcome }) => outcome)).toEqual(['stack']);
    const arrivals = nic.receive([arp, arp, arp], 1_000_000).map(({ journey }) => Number(/at (\d+) ns/.exec(journey[0]!)![1]));
    expect([arrivals[1]! - arrivals[0]!, arrivals[2]! - arrivals[1]!]).toEqual([1_000_000, 1_000_000]);
    expect(nic.ended.length).toBe(4);
  });

  it('lets nothing arrive when a builder throws', () => {
    const nic = createTestNic(undefined);
    expect(() => nic.receive([arp, ethernet().ipv4().udp().payload(70_000)])).toThrow(RangeError);
    expect([nic.ended.length, nic.receive(arp)[0]?.packetId]).toEqual([0, 1]);
  });

  it('tells the way of a packet that could not be redirected', () => {
    const nic = createTestNic(object('redirect_devmap'), { program: 'redirect_devmap', maps: { devices: [{ key: 4, value: { ifindex: 77 } }] } });
    const [packet] = nic.receive(udp.pad(60));
    expect(packet?.isDelivered).toBe(false);
    expect(packet?.journey.map((line) => line.replace(/\d+ ns/, 'T ns'))).toMatchInlineSnapshot(`
      [
        "arrived at host, 60 bytes, at T ns",
        "program returned XDP_REDIRECT",
        "xdp_redirect_err: prog_id=1 action=REDIRECT ifindex=1 to_ifindex=77 err=-19 map_id=2 map_index=4",
        "xdp_exception: prog_id=1 action=REDIRECT ifindex=1",
        "ended at eth0, queue 0, as redirect_not_simulated: redirected by a DEVMAP to interfaces that this host does not have: Linux would not have let them into the map",
      ]
    `);
  });

  it('has no verdict for what the program did not see', () => {
    const nic = createTestNic(object('reflector'), { mtu: 1500 });
    const [packet] = nic.receive(ethernet(MACS).payload(3000));
    expect([packet?.verdict, packet?.isDelivered]).toEqual([undefined, false]);
    expect(packet?.outcomeText).toMatchInlineSnapshot(`"dropped by the MAC: longer than the MTU allows"`);
  });

  it('keeps metadata apart from the packet', () => {
    const [packet] = createTestNic(object('meta_writer')).receive(udp);
    expect([packet?.meta.length, packet?.data.length]).toEqual([8, 60]);
  });
});

describe('a NIC', () => {
  it('has what it sent, and what it sent since', () => {
    const nic = createTestNic(object('reflector'));
    nic.receive(udp);
    expect(nic.takeSent().length).toBe(1);
    expect(nic.takeSent()).toEqual([]);
    nic.receive([udp, udp]);
    expect(nic.takeSent().map(({ packetId, host, ifindex, queue }) => [packetId, host, ifindex, queue])).toEqual([[2, 'host', 1, 0], [3, 'host', 1, 0]]);
    expect(nic.sent.length).toBe(3);
    expect(nic.sent[0]!.data).toEqual(nic.ended[0]!.data);
  });

  it('has the counters of its driver, maps, variables and log of its program', () => {
    const nic = createTestNic(object('count_percpu'), { profile: 'ice', queues: 1, cpus: 2 });
    nic.receive([udp, udp]);
    expect(nic.statistics).toMatchObject({ rx_queue_0_packets: 2 });
    expect(nic.maps.get('packets_by_source').sum('192.0.2.1')).toEqual({ packets: 2, bytes: 120 });
    expect(nic.maps).toBe(nic.maps);
    const switching = createTestNic(object('switch_drop'), { globals: { drop_all: true } });
    switching.receive(udp);
    expect([switching.globals.get('drop_all'), switching.globals.get('dropped')]).toEqual([true, 1]);
    switching.globals.set('drop_all', false);
    expect(switching.receive(udp)[0]?.verdict).toBe('XDP_PASS');
    const logging = createTestNic(object('printk'));
    logging.receive(udp);
    expect(logging.log[1]).toBe('frame: 60 bytes, type 0800, 1454 to the full 1514');
  });

  it.each(['aya_log_new', 'aya_log_old'])('has the log lines of %s', (name) => {
    const nic = createTestNic(object(name));
    nic.receive(arp);
    nic.receive(udp);
    expect(nic.log).toEqual([expect.any(String), 'no IPv4', expect.stringContaining('192.0.2.1')]);
  });

  it('takes map entries with bigints and bytes', () => {
    const nic = createTestNic(object('count_hash'), { maps: { packets_by_source: [{ key: '192.0.2.1', value: { packets: 2n ** 60n, bytes: 0 } }, { key: Uint8Array.of(192, 0, 2, 2), value: { packets: 1, bytes: 1 } }] } });
    nic.receive(udp);
    expect(nic.maps.get('packets_by_source').get('192.0.2.1')).toEqual({ packets: (2n ** 60n + 1n).toString(), bytes: 60 });
    expect(nic.maps.get('packets_by_source').has('192.0.2.2')).toBe(true);
    // Hex without letters would be a decimal number.
    const multi = createTestNic(object('multi'), { program: 'drop_udp', maps: { dropped: [{ key: Uint8Array.of(17, 0, 0, 0), value: 5 }] } });
    expect(multi.maps.get('dropped').get(17)).toBe(5);
    expect(() => createTestNic(object('multi'), { program: 'drop_udp', maps: { dropped: [{ key: Uint8Array.of(17), value: 5 }] } })).toThrow('key of map dropped has 4 bytes, not 1; give all of them');
  });

  it('without a program has no maps', () => {
    const nic = createTestNic(undefined);
    expect(() => nic.maps).toThrowErrorMatchingInlineSnapshot(`[ProblemError: host.eth0: the NIC has no program; give createTestNic an object, or the NIC an \`xdp\`]`);
    expect(() => nic.globals).toThrow('the NIC has no program');
  });

  it('is refused with the reason', () => {
    expect(() => createTestNic(undefined, { profile: 'e9999' })).toThrow(/there is no NIC e9999; use one of: plain, /);
    expect(() => createTestNic(undefined, { queues: 1000 })).toThrow('queue count 1000 is refused (EINVAL): at most 64');
    expect(() => createTestNic(object('switch_drop'), { globals: { drop: true } })).toThrow('there is no global variable drop');
    expect(() => createTestNic(object('switch_drop'), { maps: { drops: [] } })).toThrow('no map drops');
    expect(() => createTestNic(object('multi'))).toThrow('drop_udp, drop_tcp');
    expect(() => createTestNic('no/such.o')).toThrow('there is no such file');
    expect(() => createTestNic(undefined, { cpus: 0 })).toThrow("host host, cpus: it can't be 0; give a whole number from 1 to ");
  });

  it.each<[string, object, string]>([
    ['name', { nic: 'ice' }, 'createTestNic: there is no option nic; use some of: profile, queues, mtu, mode, '],
    ['mode', { mode: 'nativ' }, "eth0, mode: it can't be nativ; give one of: native, generic, offload"],
    ['kernel', { kernel: '6.2' }, "host host, kernel: there is no '6.2'; use one of: 6.1, 6.6, 6.18"],
    ['mac', { mac: new Uint8Array(5) }, 'eth0, mac: it can\'t be 0,0,0,0,0; give six bytes'],
    ['memory', { applicationBytes: NaN }, 'host host, applicationBytes: it can\'t be NaN; give a whole number of bytes'],
    ['profile', { profile: {} }, 'NIC eth0, profile: it can\'t be an object with nothing in it; give what findProfile gave, or one of: plain'],
    ['application', { xsk: { application: 'l2fwd' } }, 'AF_XDP application on interface 1, queue 0: it is no function that makes one'],
    ['socket mode', { xsk: { application: rxdrop, mode: 'zero' } }, "host host, NIC eth0, AF_XDP sockets: there is no mode 'zero'; use one of: auto, copy, zerocopy"],
    ['chunks', { xsk: { application: rxdrop, chunkCount: NaN } }, 'NIC eth0, AF_XDP sockets: chunkCount, chunkSizeBytes and the four rings are not all numbers from 0 on'],
    ['rings', { xsk: { application: rxdrop, rings: { rx: 64 } } }, 'FILL ring size undefined is no whole number of 32 bits'],
    ['headroom', { xsk: { application: rxdrop, headroomBytes: 2 ** 32 } }, 'frameHeadroom 4294967296 is no whole number of 32 bits'],
    ['driver', { driver: {} }, "NIC eth0, driver: it can't be an object with nothing in it; give a function that makes a driver"],
    ['misspelt name', { queue: 2 }, 'createTestNic: there is no option queue; did you mean queues? use some of: profile, '],
    ['misspelt setting', { settings: { rxRing: 64 } }, 'NIC eth0, settings: there is no option rxRing; did you mean rxRingSize? use some of: profile, '],
    ['settings', { settings: 5 }, "NIC eth0, settings: it can't be 5; give an object with some of: profile, "],
    ['AF_XDP setting', { xsk: { aplication: rxdrop } }, 'NIC eth0, xsk: there is no option aplication; did you mean application? use some of: application, mode, '],
    ['application alone', { xsk: rxdrop }, "NIC eth0, xsk: it can't be the function rxdrop; give an object with some of: application, mode, "],
    ['no application', { xsk: { mode: 'copy' } }, 'AF_XDP application on interface 1, queue 0: it is no function that makes one'],
    ['network', { network: 'network.json' }, "host host, network: it can't be network.json; give routes, neighbours and sockets as in docs/network.md"],
    ['seed', { seed: NaN }, "createTestNetwork, seed: it can't be NaN; give a whole number from 0 to 4294967295"],
    ['queues', { queues: '2' }, "NIC eth0, queues: it can't be 2; give a whole number"],
    ['MTU', { mtu: '1500' }, "NIC eth0, mtu: it can't be 1500; give a whole number of bytes"],
  ])('of the wrong kind in JavaScript are refused, too: %s', (_name, options, message) => {
    expect(() => createTestNic(undefined, options)).toThrow(message);
  });

  it('times and packets that are none are refused, and nothing arrives', () => {
    const nic = createTestNic(undefined);
    for (const gapNs of [NaN, -1, Infinity]) expect(() => nic.receive([arp, arp], gapNs)).toThrow(`receive(packets, gapNs): it can't be ${gapNs}; give nanoseconds from 0 on`);
    for (const forNs of [NaN, -1]) expect(() => nic.network.settle(forNs)).toThrow(`settle(forNs): it can't be ${forNs}`);
    expect(() => nic.receive('arp' as unknown as Uint8Array)).toThrow('packet: arp is no packet; give bytes (Uint8Array) or a builder');
    expect(() => createTestNic(5 as unknown as string)).toThrow('object: 5 is no compiled object; give the path of the .o');
    expect(nic.ended).toEqual([]);
  });

  it('takes no packets after the end', () => {
    const nic = createTestNic(undefined);
    nic.receive(arp);
    expect(nic.network.finish()).toBe(nic.network.finish());
    expect(nic.network.finish().hosts[0]?.result.audit.ok).toBe(true);
    expect(() => nic.receive(arp)).toThrowErrorMatchingInlineSnapshot(`[ProblemError: network: the network is shut down: finish() or toHaveNoLeaks did that; do it at the end of the test, or make another network]`);
  });
});

describe('hosts with links', () => {
  const network = () => createTestNetwork({
    hosts: {
      client: { nics: { eth0: {} } },
      balancer: {
        objects: { mirror: object('reflector'), counter: object('count_hash') },
        nics: { north: { xdp: 'mirror' }, south: { xdp: { object: 'counter' } }, bare: { xdp: null } },
        maps: { counter: { packets_by_source: [{ key: '10.9.9.9', value: { packets: 1, bytes: 1 } }] } },
        globals: {},
      },
    },
    links: [{ between: ['client.eth0', 'balancer.north'], delayNs: 5000 }],
  });

  it('have NICs by name, numbered in their order', () => {
    const { nics } = network();
    expect(nics.map(({ name, ifindex }) => [name, ifindex])).toEqual([['client.eth0', 1], ['balancer.north', 1], ['balancer.south', 2], ['balancer.bare', 3]]);
    expect(() => network().nic('client.eth1')).toThrowErrorMatchingInlineSnapshot(`[ProblemError: client.eth1: there is no such NIC; did you mean client.eth0? use one of: client.eth0, balancer.north, balancer.south, balancer.bare]`);
  });

  it('receive where there is no link', () => {
    const both = network();
    expect(both.nic('balancer.south').receive(udp)[0]).toMatchObject({ host: 'balancer', ifindex: 2, outcome: 'stack' });
    expect([...both.nic('balancer.south').maps.get<string, { packets: number }>('packets_by_source')].map(({ value }) => value.packets)).toEqual([1, 1]);
    expect(both.nic('balancer.bare').receive(udp)[0]?.verdict).toBeUndefined();
    expect(() => both.nic('balancer.north').receive(udp)).toThrowErrorMatchingInlineSnapshot(`[ProblemError: balancer.north: frames can't be put on this wire: there is a link or a capture at this NIC; let the NIC at the other end send them]`);
  });

  it('send to one another', () => {
    const wired = createTestNetwork({
      hosts: {
        edge: { objects: { forward: object('redirect_devmap'), count: object('count_hash') }, nics: { in: { xdp: { object: 'forward', program: 'redirect_devmap' } }, out: { xdp: 'count' } }, maps: { forward: { devices: [{ key: 4, value: { ifindex: 'out' } }] } } },
        server: { objects: { mirror: object('reflector') }, nics: { eth0: {} } },
      },
      links: [['edge.out', 'server.eth0']],
    });
    const ended = wired.nic('edge.in').receive(udp);
    expect(ended.map(({ host, outcome }) => [host, outcome])).toEqual([['edge', 'redirect'], ['server', 'tx'], ['edge', 'stack']]);
    expect(wired.nic('edge.out').sent.length).toBe(1);
    expect(wired.nic('server.eth0').sent.length).toBe(1);
    expect(wired.finish().linkAudit.ok).toBe(true);
  });

  it('say what is wrong with them', () => {
    const hosts = { a: { nics: { eth0: {} } } };
    expect(() => createTestNetwork({ hosts, links: [['a.eth0', 'b.eth0']] })).toThrowErrorMatchingInlineSnapshot(`[ProblemError: b.eth0: there is no such NIC; use one of: a.eth0]`);
    expect(() => createTestNetwork({ hosts, links: [['a', 'a.eth0']] })).toThrowErrorMatchingInlineSnapshot(`[ProblemError: link of a: there is no such NIC; write HOST.NIC]`);
    expect(() => createTestNetwork({ hosts: { a: { nics: { eth0: { xdp: 'fw' } } } } })).toThrowErrorMatchingInlineSnapshot(`[ProblemError: NIC eth0: there is no object fw; the host has none: give it \`objects\`]`);
    expect(() => createTestNetwork({ hosts: { a: { objects: { fw: object('dnat') }, nics: { eth0: {} }, globals: { wf: { transmit: true } } } } })).toThrowErrorMatchingInlineSnapshot(`[ProblemError: host a: there is no object wf; did you mean fw? use one of: fw]`);
    expect(() => createTestNetwork({ hosts: { a: { nics: {} } } })).toThrowErrorMatchingInlineSnapshot(`[ProblemError: host a: it has no NIC; give it one]`);
    expect(() => network().nic('client.eht0')).toThrow('client.eht0: there is no such NIC; did you mean client.eth0? use one of: ');
  });

  const nics = { eth0: {} };
  it.each<[string, unknown, string]>([
    ['nothing', undefined, "createTestNetwork: it can't be undefined; give an object with some of: hosts, links, seed"],
    ['no hosts', {}, "createTestNetwork, hosts: it can't be undefined; give hosts by name: { hosts: "],
    ['a list of hosts', { hosts: [{ nics }] }, "createTestNetwork, hosts: it can't be a list of 1; give hosts by name: { hosts: "],
    ['host for hosts', { host: { a: { nics } } }, 'createTestNetwork: there is no option host; did you mean hosts? use some of: hosts, links, seed'],
    ['an undefined host', { hosts: { a: undefined } }, "host a: it can't be undefined; give an object with some of: objects, nics, "],
    ['a host without nics', { hosts: { a: {} } }, "host a, nics: it can't be undefined; give NICs by name: { nics: { eth0: {} } }"],
    ['nic for nics', { hosts: { a: { nic: nics } } }, 'host a: there is no option nic; did you mean nics? use some of: objects, nics, '],
    ['an undefined NIC', { hosts: { a: { nics: { eth0: undefined } } } }, "NIC eth0: it can't be undefined; give an object with some of: profile, "],
    ['an object without its name', { hosts: { a: { nics, objects: 'fw.o' } } }, "host a, objects: it can't be fw.o; give compiled objects by name"],
    ['variables without their object', { hosts: { a: { nics, objects: { fw: object('dnat') }, globals: { fw: true } } } }, "host a, globals of fw: it can't be true; give variables by name"],
    ['elements without their map', { hosts: { a: { nics, objects: { fw: object('count_hash') }, maps: { fw: [] } } } }, "host a, maps of fw: it can't be a list of 0; give elements by map"],
    ['a misspelt program', { hosts: { a: { nics: { eth0: { xdp: { object: 'fw', prog: 'drop_udp' } } }, objects: { fw: object('multi') } } } }, 'NIC eth0, xdp: there is no option prog; did you mean program? use some of: object, program'],
    ['a link for a list of links', { hosts: { a: { nics } }, links: 'a.eth0' }, "createTestNetwork, links: it can't be a.eth0; give a list of links"],
    ['a flat list of links', { hosts: { a: { nics } }, links: ['a.eth0', 'b.eth0'] }, "createTestNetwork, links: it can't be a.eth0; give an object with some of: between, "],
    ['a link with one end', { hosts: { a: { nics } }, links: [['a.eth0']] }, "createTestNetwork, links: it can't be a list of 1; give both ends of a link: ['a.eth0', 'b.eth0']"],
    ['a link without ends', { hosts: { a: { nics } }, links: [{ delayNs: 5 }] }, "createTestNetwork, links: it can't be undefined; give both ends of a link"],
    ['a misspelt delay', { hosts: { a: { nics } }, links: [{ between: ['a.eth0', 'a.eth0'], delayNS: 5 }] }, 'createTestNetwork, links: there is no option delayNS; did you mean delayNs? use some of: between, '],
    ['a number at an end', { hosts: { a: { nics } }, links: [[1, 2]] }, 'link of 1: there is no such NIC; write HOST.NIC'],
  ])('from plain JavaScript that are misspelt or incomplete say how to mend it: %s', (_, options, message) => {
    expect(() => createTestNetwork(options as Parameters<typeof createTestNetwork>[0])).toThrow(message);
  });
});

describe('AF_XDP', () => {
  it.each(['copy', 'zerocopy'] as const)('applications run on every queue, mode %s', (mode) => {
    const nic = createTestNic(object('xsk_redirect'), { profile: 'ice', queues: 2, xsk: { application: l2fwd, mode } });
    const ended = nic.receive(Array.from({ length: 30 }, (_, i) => udp.set('udp', { src: 5000 + i })));
    expect(new Set(ended.map(({ outcome }) => outcome))).toEqual(new Set(['xsk']));
    expect(nic.sockets.map(({ isZeroCopy, queueId }) => [isZeroCopy, queueId])).toEqual([[mode === 'zerocopy', 0], [mode === 'zerocopy', 1]]);
    expect(nic.sent.length).toBe(30);
    expect(nic.sent.every(({ data }) => data.length === 60)).toBe(true);
  });

  /** A socket of the test's own on queue 0, with `filled` of its 8 chunks on FILL. */
  function openSocket(nic: TestNic, { bindFlags, filled }: { readonly bindFlags: number; readonly filled: number }): XskSocket {
    const area = nic.syscalls.mmapAnonymous(8 * 4096);
    if (typeof area === 'number') throw new Error('no memory');
    const umem = unwrap(XskUmem.create(nic.syscalls, area, 8 * 4096, { fillSize: 8, compSize: 8 }));
    umem.rings.fill.reserve(filled);
    for (let i = 0; i < filled; i++) umem.rings.fill.setAddr(umem.rings.fill.index + i, i * 4096);
    umem.rings.fill.submit(filled);
    const socket = unwrap(XskSocket.create(umem, nic.ifindex, 0, { rxSize: 8, txSize: 8, bindFlags }));
    nic.maps.get<number, string>('xsks_map').set(0, socket);
    return socket;
  }

  it.each([[XDP_COPY, false], [XDP_ZEROCOPY, true]])('sockets that the test opens receive and send, bind flags %i', (bindFlags, isZeroCopy) => {
    const nic = createTestNic(object('xsk_redirect'), { profile: 'ice' });
    const socket = openSocket(nic, { bindFlags, filled: 4 });
    expect([socket.isZeroCopy, nic.sockets.length]).toEqual([isZeroCopy, 1]);
    const [packet] = nic.receive(udp);
    expect(packet?.outcome).toBe('xsk');
    const { rx, tx, umem } = socket;
    expect(rx.peek(8)).toBe(1);
    const [addr, len] = [rx.addr(rx.index), rx.len(rx.index)];
    const at = umem.getData(addr);
    expect(umem.u8.slice(at, at + len)).toEqual(udp.build());
    rx.release(1);
    expect(tx.reserve(1)).toBe(1);
    tx.setDesc(tx.index, addr, len);
    tx.submit(1);
    expect(socket.sendto()).toBe(0);
    nic.network.settle();
    expect(nic.takeSent().map(({ data, packetId }) => [data, packetId])).toEqual([[udp.build(), packet?.packetId]]);
    expect(socket.completion.peek(8)).toBe(1);
    expect(nic.network.finish().hosts[0]?.result.audit.ok).toBe(true);
  });

  it('a FILL ring that starves is found and explained', () => {
    const nic = createTestNic(object('xsk_redirect'), { profile: 'plain' });
    openSocket(nic, { bindFlags: XDP_COPY, filled: 2 });
    const ended = nic.receive([udp, udp, udp]);
    expect(ended.map(({ isDelivered }) => isDelivered)).toEqual([true, true, false]);
    const [finding] = xskFindings(nic.sockets).filter(({ code }) => code === 'fill-starvation');
    expect(finding).toMatchObject({ count: 1, queue: 0, ring: 'FILL' });
  });

  it('an XSKMAP takes sockets that there are, and no others', () => {
    const nic = createTestNic(object('xsk_redirect'), { xsk: { application: rxdrop, mode: 'copy' } });
    const map = nic.maps.get<number, string>('xsks_map');
    expect(map.size).toBe(1);
    map.set(3, 'socket 0');
    expect(map.size).toBe(2);
    expect(() => map.set(1, 'socket 1')).toThrowErrorMatchingInlineSnapshot(`[ProblemError: map xsks_map: value "socket 1" is no socket; use "socket 0" to "socket 0"]`);
    expect(map.delete(0)).toBe(true);
    expect(nic.receive(udp)[0]?.outcome).toBe('stack');
  });
});

it('an application that gives the device a chunk twice loses packets, and the audit blames nobody else', () => {
  const nic = createTestNic(object('xsk_redirect'), { profile: 'ice' });
  const umem = unwrap(XskUmem.create(nic.syscalls, nic.syscalls.mmapAnonymous(65536), 65536, { fillSize: 8, compSize: 8 }));
  const { fill } = unwrap(XskSocket.create(umem, nic.ifindex, 0, { bindFlags: XDP_ZEROCOPY }));
  fill.reserve(8);
  for (let i = 0; i < 8; i++) fill.setAddr(fill.index + i, 0);
  fill.submit(8);
  nic.receive([udp, arp]);
  expect(nic.network.finish().hosts[0]?.result.audit).toMatchObject({ ok: true, checks: expect.arrayContaining([expect.objectContaining({ name: 'packets', detail: expect.stringContaining('an application had given the device a chunk twice') })]) });
});

it('an XSKMAP takes sockets as the kernel has them; what is no data is refused by any map', () => {
  const nic = createTestNic(object('xsk_redirect'), { xsk: { application: rxdrop } });
  const map = nic.maps.get<number, unknown>('xsks_map');
  map.delete(0);
  map.set(0, nic.sockets[0]!);
  expect(nic.receive(udp)[0]?.outcome).toBe('xsk');
  const loop: { self?: unknown } = {};
  loop.self = loop;
  expect(() => map.set(0, loop)).toThrow('it has more than 64 levels, or contains itself');
  expect(() => map.set(0, nic)).toThrow('a TestNic is no data; give numbers');
});

it('memory for applications comes to an end, and it is said how there is more', () => {
  const { syscalls } = createTestNic(undefined, { applicationBytes: 65536 });
  expect(() => syscalls.mmapAnonymous(2 ** 30)).toThrow('mmapAnonymous: the host has no room for 1073741824 bytes more; map less, or give the host more memory for applications (applicationBytes)');
  for (const lenBytes of [0, -1, NaN, Infinity]) expect(() => syscalls.mmapAnonymous(lenBytes)).toThrow(`AfXdp.mmapAnonymous: ${lenBytes} is no number of bytes`);
});

it.each([[1, 1_000_000], [2, 2 ** 31], [8, 1_000_000]])('with a producer index of FILL (%i entries) that makes no sense (+%i) the device is not blamed for a chunk that it was given twice', (fillSize, jump) => {
  const nic = createTestNic(object('xsk_redirect'), { profile: 'ice' });
  const umem = unwrap(XskUmem.create(nic.syscalls, nic.syscalls.mmapAnonymous(65536), 65536, { fillSize, compSize: 8 }));
  const socket = unwrap(XskSocket.create(umem, nic.ifindex, 0, { rxSize: 4, bindFlags: XDP_ZEROCOPY }));
  for (let i = 0; i < 12; i++) {
    socket.fill.submit(jump);
    nic.receive(udp);
  }
  const { audit } = nic.network.finish().hosts[0]!.result;
  expect(audit.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(xskFindings(nic.sockets).map(({ code }) => code)).toContain('index-beyond-ring');
});
