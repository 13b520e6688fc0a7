import { describe, expect, it } from 'vitest';
import {
  checkChecksums, decodePacket, describePacket, diffPackets, ethernet, formatPacketDiff, geneveOption, ipv4RecordRoute, isDifferenceName, ipv4RouterAlert, ipv6Option, ipv6RouterAlert,
  noOperation, packetFrom, packetTree, raw, sctpData, TCP_SYN, tcpMaximumSegmentSize, tcpSack, tcpSackPermitted, tcpTimestamps, tcpWindowScale,
} from '../../../src/packet/index.js';
import type { ComputedPath, PacketEnd } from '../../../src/packet/index.js';

const hello = ethernet().ipv4({ ttl: 3 }).udp({ src: 1234, dst: 53 }).payload('hello');

/** What differs from the right packet, as `header.field`. */
function touched(packet: PacketEnd, from: PacketEnd = hello): string[] {
  return diffPackets(from.build(), packet.build()).map(({ header, field }) => `${header}.${field}`);
}

describe('steps', () => {
  it('give new packets and leave those before as they are', () => {
    const start = ethernet().ipv4();
    const one = start.udp({ dst: 1 });
    const other = start.udp({ dst: 2 });
    const before = one.build();
    one.pad(100).break('udp.checksum').set('ipv4', { ttl: 1 });
    one.build().fill(0);
    expect(one.build()).toEqual(before);
    expect(decodePacket(other.build()).layer('udp')!.fields.dst).toBe(2);
  });

  it('are text in one line, also when there is no such packet', () => {
    expect(`${hello}`).toBe('IPv4 10.0.0.1:1234 > 10.0.0.2:53 UDP 5');
    expect(String(ethernet().ipv4().udp().payload(70_000))).toMatch(/^a packet that can't be built: udp.length/);
  });

  it('do not see later changes of what they were given', () => {
    const data = Uint8Array.of(1, 2, 3);
    const options = Uint8Array.of(1, 1, 1, 1);
    const packet = ethernet().ipv4({ options }).udp().payload(data).trailer(data);
    const before = packet.build();
    data.fill(9);
    options.fill(0);
    expect(packet.build()).toEqual(before);
  });

  it('say which header follows', () => {
    const types = (packet: PacketEnd, name: 'eth' | 'vlan' | 'ipv4' | 'gre') => {
      const fields: Record<string, unknown> = { ...decodePacket(packet.build()).layer(name)!.fields };
      return fields['type'] ?? fields['protocol'];
    };
    expect(types(ethernet().vlan(), 'eth')).toBe(0x8100);
    expect(types(ethernet().qinq().vlan(), 'eth')).toBe(0x88a8);
    expect(types(ethernet().vlan({ tpid: 0x9100 }), 'eth')).toBe(0x9100);
    expect(types(ethernet().qinq().mpls(), 'vlan')).toBe(0x8847);
    expect(types(ethernet().ipv4().ipv4(), 'ipv4')).toBe(4);
    expect(types(ethernet().ipv4().ipv6(), 'ipv4')).toBe(41);
    expect(types(ethernet().ipv4().mpls().ipv4(), 'ipv4')).toBe(137);
    expect(types(ethernet().ipv6().gre().ethernet(), 'gre')).toBe(0x6558);
    expect(types(ethernet().payload('x'), 'eth')).toBe(0x88b5);
    expect(decodePacket(ethernet().ipv6().build()).layer('ipv6')!.fields.nextHeader).toBe(59);
  });

  it('take flags as letters or bits, payload as text, bytes or a number of bytes', () => {
    const flags = (said: string | number) => decodePacket(ethernet().ipv4().tcp({ flags: said }).build()).layer('tcp')!.fields.flags;
    expect([flags('S'), flags(TCP_SYN), flags('SA'), flags('S.'), flags(''), flags('FSRPAUEC')]).toEqual([2, 2, 0x12, 0x12, 0, 0xff]);
    const payload = (said: string | number | Uint8Array) => decodePacket(ethernet().ipv4().udp().payload(said).build()).payload;
    expect([payload('é'), payload(Uint8Array.of(7)), payload(258).subarray(254)]).toEqual([Uint8Array.of(0xc3, 0xa9), Uint8Array.of(7), Uint8Array.of(254, 255, 0, 1)]);
  });

  it('let raw bytes stand for any header', () => {
    const packet = ethernet({ type: 0x1234 }).raw(Uint8Array.of(1, 2, 3)).ipv4().udp().build();
    expect(packet.subarray(12, 17)).toEqual(Uint8Array.of(0x12, 0x34, 1, 2, 3));
    const inner = raw(ethernet({ type: 0x0800 }).build()).raw(packet.subarray(17)).build();
    expect(checkChecksums(inner, 0, inner.length).map(({ state }) => state)).toEqual(['valid', 'valid']);
  });
});

describe('fields that are given', () => {
  it.each<[PacketEnd, string[]]>([
    [hello.set('udp', { checksum: 0xdead }), ['udp.checksum']],
    [hello.set('ipv4', { totalLength: 44 }), ['ipv4.totalLength', 'ipv4.checksum']],
    [hello.set('ipv4', { checksum: 1 }), ['ipv4.checksum']],
    [hello.set('udp', { length: 0xffff }), ['udp.length', 'udp.checksum']],
    [hello.set('ipv4', { version: 5 }), ['ipv4.version', 'ipv4.checksum', 'ipv4.fault', 'udp.undefined', 'payload.length', 'payload.0-32']],
    [hello.set('ipv4', { totalLength: 9 }), ['ipv4.totalLength', 'ipv4.checksum', 'ipv4.fault', 'udp.undefined', 'payload.length', 'payload.0-32']],
    [hello.set('ipv4', { protocol: 6 }), ['ipv4.protocol', 'ipv4.checksum', 'udp.undefined', 'tcp.undefined', 'payload.length', 'payload.0-12']],
  ])('stay as they are (%#)', (packet, fields) => {
    expect(touched(packet)).toEqual(fields);
  });

  it('become computed again', () => {
    expect(touched(hello.set('udp', { checksum: 1, dst: 99 }).set('udp', { checksum: undefined, dst: 53 }))).toEqual([]);
  });
});

describe('break', () => {
  const tunnel = ethernet().ipv4().udp().vxlan().ethernet().ipv4({ id: 9 }).tcp();

  it.each<[ComputedPath, string[]]>([
    ['udp.checksum', ['udp.checksum']],
    ['ipv4.checksum', ['ipv4.checksum']],
    ['udp.length', ['udp.length', 'udp.checksum']],
    ['ipv4.totalLength', ['ipv4.totalLength', 'ipv4.checksum']],
    ['eth.type', ['eth.type', 'ipv4.undefined', 'udp.undefined', 'payload.length', 'payload.0-32']],
  ])('%s: what covers it is right about the wrong value', (path, fields) => {
    expect(touched(hello.break(path))).toEqual(fields);
  });

  it('finds headers inside of a tunnel, and outer checksums cover the wrong one', () => {
    const bytes = tunnel.break('tcp.checksum').break('ipv4#2.checksum').build();
    const states = checkChecksums(bytes, 0, bytes.length).map(({ field, state }) => [field, state]);
    expect(states).toEqual([['ipv4.checksum', 'valid'], ['udp.checksum', 'valid'], ['ipv4#2.checksum', 'invalid'], ['tcp.checksum', 'invalid']]);
  });

  it('takes what to do with the right value', () => {
    expect(decodePacket(hello.break('ipv4.totalLength', (right) => right + 100).build()).faults).toEqual([
      { kind: 'missing', header: 'ipv4', offBytes: 14, message: 'ipv4 counts 100 bytes more than the packet has' },
    ]);
  });

  it('never makes a UDP checksum that says that there is none, nor the other zero', () => {
    for (let word = 0; word <= 0xffff; word += 7) {
      const bytes = ethernet().ipv4().udp().payload(Uint8Array.of(word >>> 8, word)).break('udp.checksum').build();
      expect(checkChecksums(bytes, 0, bytes.length)[1]!.state).toBe('invalid');
    }
  });

  it.each([
    [() => hello.break('tcp.checksum'), 'the packet has no tcp; it has eth, ipv4, udp'],
    [() => hello.break('ipv4#2.checksum'), 'the packet has no ipv4#2'],
    [() => hello.break('udp.src' as ComputedPath), 'udp.src is not computed; udp.dst, udp.length, udp.checksum are'],
    [() => hello.break('udp.dst'), 'udp.dst was given a value'],
    [() => hello.set('icmp', { id: 1 }), 'the packet has no icmp'],
  ])('throws for what is not there (%#)', (act, message) => {
    expect(act).toThrow(message);
  });
});

describe('what makes no sense throws at once', () => {
  it.each<[() => unknown, string]>([
    [() => ethernet({ dst: '02:00:00:00:00' }), 'eth.dst: 02:00:00:00:00 is no Ethernet address such as 02:00:00:00:00:01'],
    [() => ethernet({ dst: '02:00:00:00:00:0g' }), 'eth.dst'],
    [() => ethernet().ipv4({ src: '10.0.0' }), 'ipv4.src: 10.0.0 is no IPv4 address such as 10.0.0.1'],
    [() => ethernet().ipv4({ src: '::1' }), 'ipv4.src'],
    [() => ethernet().ipv4({ src: '10.0.0.256' }), 'ipv4.src'],
    [() => ethernet().ipv4({ src: '010.0.0.1' }), 'ipv4.src'],
    [() => ethernet().ipv6({ src: '10.0.0.1' }), 'ipv6.src: 10.0.0.1 is no IPv6 address such as 2001:db8::1'],
    [() => ethernet().ipv4({ ttl: 256 }), 'ipv4.ttl: 256 is no unsigned number of 8 bits'],
    [() => ethernet().ipv4({ ttl: -1 }), 'ipv4.ttl'],
    [() => ethernet().ipv4({ ttl: 1.5 }), 'ipv4.ttl'],
    [() => ethernet().ipv4({ dontFragment: 1 as unknown as boolean }), 'ipv4.dontFragment: 1 is not true or false'],
    [() => ethernet().ipv4().tcp({ flags: 'SX' }), "tcp.flags: 'X' in 'SX' is no flag"],
    [() => ethernet().ipv4().icmp({ type: 3, seq: 4 }), 'icmp.seq: messages of type 3 have no such field'],
    [() => ethernet().ipv4({ ttk: 4 } as object), 'ipv4 has no field ttk; it has version, ihl'],
    [() => ethernet().vlan(7 as unknown as object), 'vlan: 7 is no object with fields; write some of them by name: '],
    [() => ethernet().payload({} as Uint8Array), 'payload takes a text, bytes (Uint8Array), or a number of bytes'],
    [() => describePacket(ethernet() as unknown as Uint8Array), 'describePacket takes the bytes of a packet (Uint8Array), and got a builder: call its build()'],
    [() => decodePacket('ff' as unknown as Uint8Array), 'decodePacket takes the bytes of a packet (Uint8Array), but got string'],
    [() => packetFrom(ethernet() as unknown as Uint8Array), 'packetFrom takes the bytes'],
    [() => packetTree(null as unknown as Uint8Array), 'packetTree takes the bytes of a packet (Uint8Array), but got null'],
    [() => ethernet().ipv4({ options: new Uint8Array(44) }).build(), "ipv4.ihl: 16 doesn't fit its 4 bits"],
    [() => ethernet().ipv4().udp().payload(65_528).build(), "udp.length: 65536 doesn't fit its 16 bits; give it a value of your own, or less to carry"],
    [() => ethernet().ipv6().routing({ data: new Uint8Array(5) }), "routing.data: with 5 bytes the header isn't a multiple of 8 bytes long"],
    [() => (ethernet() as unknown as ReturnType<typeof raw>).udp(), "udp can't follow eth; to have it there all the same, put raw(new Uint8Array(0)) between them"],
    [() => (hello as unknown as ReturnType<typeof raw>).vxlan(), "vxlan can't follow payload"],
  ])('%#: %s', (act, message) => {
    expect(act).toThrow(message);
  });

  it('and much is an error of types already', () => {
    const wrong = [
      // @ts-expect-error UDP needs IP
      () => ethernet().udp(),
      // @ts-expect-error ICMPv6 needs IPv6
      () => ethernet().ipv4().icmpv6(),
      // @ts-expect-error extension headers need IPv6
      () => ethernet().ipv4().routing(),
      // @ts-expect-error nothing follows TCP
      () => ethernet().ipv4().tcp().vxlan(),
      // @ts-expect-error VXLAN needs a frame
      () => ethernet().ipv4().udp().vxlan().ipv4(),
      // @ts-expect-error no such field
      () => ethernet().ipv4({ ttk: 1 }),
      // @ts-expect-error a port is a number
      () => ethernet().ipv4().udp({ src: '53' }),
      // @ts-expect-error no such computed field
      () => hello.break('udp.src'),
      // @ts-expect-error no IP, no fragments
      () => ethernet().arp().fragments(100),
    ];
    for (const act of wrong) expect(act).toBeTypeOf('function');
    const decoded = decodePacket(hello.build());
    const ttl: number = decoded.layer('ipv4')!.fields.ttl;
    const src: string = decoded.layer('ipv4')!.fields.src;
    const fragments: boolean = decoded.layer('ipv4')!.fields.moreFragments;
    const options: Uint8Array = decoded.layer('ipv4')!.fields.options;
    expect([ttl, src, fragments, options]).toEqual([3, '10.0.0.1', false, new Uint8Array(0)]);
    for (const layer of decoded.layers) if (layer.name === 'udp') expect(layer.fields.src satisfies number).toBe(1234);
  });
});

describe('packetFrom', () => {
  it('computes again what was right, and leaves what was wrong', () => {
    const next = packetFrom(hello.build()).set('ipv4', { dst: '10.9.9.9' });
    expect(touched(next)).toEqual(['ipv4.checksum', 'ipv4.dst', 'udp.checksum']);
    expect(checkChecksums(next.build(), 0, 47).map(({ state }) => state)).toEqual(['valid', 'valid']);
    const wrong = hello.set('udp', { checksum: 0xdead });
    expect(touched(packetFrom(wrong.build()).set('ipv4', { dst: '10.9.9.9' }), wrong)).toEqual(['ipv4.checksum', 'ipv4.dst']);
  });

  it('goes on with headers and with payload', () => {
    const start = packetFrom(ethernet().ipv4().udp({ dst: 53 }).build());
    expect(start.payload('x').build()).toEqual(ethernet().ipv4().udp({ dst: 53 }).payload('x').build());
  });

  it('keeps the kind of a tag', () => {
    const bytes = ethernet().qinq({ id: 5 }).vlan({ id: 6 }).ipv4().udp().build();
    expect(packetFrom(bytes).set('vlan#2', { id: 7 }).build()).toEqual(ethernet().qinq({ id: 5 }).vlan({ id: 7 }).ipv4().udp().build());
  });
});

describe('what is printed', () => {
  it('in a line', () => {
    const inner = ethernet().ipv6().sctp().chunk({ type: 1 }).chunk(sctpData());
    expect([
      hello,
      inner,
      ethernet().vlan({ id: 7 }).mpls({ label: 17 }).mpls().ipv4().gre({ key: 1 }).ipv6().icmpv6({ id: 3 }),
      ethernet().ipv4().udp().vxlan({ vni: 9 }).ethernet().arp(),
      ethernet().ipv6().udp().geneve({ vni: 9 }).ipv4().ipv4().tcp({ flags: 'S' }),
      ethernet().ipv4().udp().vxlan().payload('short'),
      ethernet().mpls().payload('x'),
      ethernet().ipv4().gre().payload('xyz'),
    ].map((packet) => describePacket(packet.build()))).toEqual([
      'IPv4 10.0.0.1:1234 > 10.0.0.2:53 UDP 5',
      'IPv6 [2001:db8::1]:49152 > [2001:db8::2]:80 SCTP [INIT, DATA]',
      'VLAN 7 MPLS 17 MPLS 16 IPv4 10.0.0.1 > 10.0.0.2 GRE: IPv6 2001:db8::1 > 2001:db8::2 ICMPv6 echo request id 3 seq 0 len 0',
      'IPv4 10.0.0.1:49152 > 10.0.0.2:4789 VXLAN 9: ARP who-has 10.0.0.2 tell 10.0.0.1',
      'IPv6 [2001:db8::1]:49152 > [2001:db8::2]:6081 GENEVE 9: IPv4 10.0.0.1 > 10.0.0.2: IPv4 10.0.0.1:49152 > 10.0.0.2:80 TCP [S] seq 0 win 65535 len 0',
      'IPv4 10.0.0.1:49152 > 10.0.0.2:4789 VXLAN 1 5 (eth header truncated)',
      'MPLS 16 Ethernet 02:00:00:00:00:01 > 02:00:00:00:00:02 payload 1',
      'IPv4 10.0.0.1 > 10.0.0.2 GRE 3',
    ]);
  });

  it('as a tree', () => {
    expect(packetTree(hello.break('udp.checksum').trailer(Uint8Array.of(0)).build()).slice(4)).toEqual([
      'ipv4 [14-33]',
      '  version: 4 [14]',
      '  ihl: 5 (20 bytes) [14]',
      '  dscp: 0 [15]',
      '  ecn: 0 [15]',
      '  totalLength: 33 [16-17]',
      '  id: 0 [18-19]',
      '  reserved: false [20]',
      '  dontFragment: false [20]',
      '  moreFragments: false [20]',
      '  fragmentOffset: 0 [20-21]',
      '  ttl: 3 [22]',
      '  protocol: 17 (UDP) [23]',
      '  checksum: 0xa3ca (right) [24-25]',
      '  src: 10.0.0.1 [26-29]',
      '  dst: 10.0.0.2 [30-33]',
      'udp [34-41]',
      '  src: 1234 [34-35]',
      '  dst: 53 [36-37]',
      '  length: 13 [38-39]',
      '  checksum: 0xa3f9 (wrong, should be 0xa2f8) [40-41]',
      'payload [42-46]',
      '  68656c6c6f hello',
      'trailer [47]',
      '  00 .',
    ]);
  });

  it('with options in words', () => {
    const optionLine = (packet: PacketEnd) => packetTree(packet.build()).find((line) => line.startsWith('  options:'));
    const tcp = [tcpMaximumSegmentSize(1460), noOperation(), tcpWindowScale(7), tcpSackPermitted(), tcpTimestamps(1, 2), tcpSack([[3, 4]])];
    expect([
      ethernet().ipv4().tcp({ options: tcp }),
      ethernet().ipv4({ options: [ipv4RouterAlert(), ipv4RecordRoute(2), Uint8Array.of(0, 7)] }),
      ethernet().ipv4().tcp({ options: Uint8Array.of(9, 3, 0, 2, 1, 0, 0, 0) }),
      ethernet().ipv6().hopByHop({ options: [ipv6RouterAlert(), ipv6Option(0xc2, Uint8Array.of(0, 1, 0, 0))] }),
      ethernet().ipv4().udp().geneve({ options: [geneveOption(0x102, 0x83, new Uint8Array(4)), geneveOption(1, 2)] }).ipv4(),
      ethernet().ipv4().udp().geneve({ options: Uint8Array.of(0, 1, 2, 3) }).ipv4(),
    ].map((packet) => optionLine(packet)?.replace(/^.*?\((.*)\).*$/, '$1'))).toEqual([
      'mss 1460, nop, window scale 7, sack permitted, timestamps 1 2, sack 3-4, end',
      'router alert 0, record route for 2, end',
      'option 9, cut',
      'router alert 0, jumbo payload 65536, padN 4',
      'option 0x0102/131, option 0x0001/2',
      'cut',
    ]);
  });

  it('with what is wrong', () => {
    expect(packetTree(hello.build().subarray(0, 40)).slice(-4)).toEqual([
      'payload [34-39]', '  04d20035000d ...5..', '! ipv4 counts 7 bytes more than the packet has', '! udp is not wholly there',
    ]);
    const deep = raw(ethernet({ type: 0x8847 }).build()).payload(new Uint8Array(400_000)).build();
    expect(decodePacket(deep).faults.map(({ kind }) => kind)).toEqual(['too-deep']);
    expect(decodePacket(deep).layers).toHaveLength(64);
    expect(packetFrom(deep).build()).toEqual(deep);
  });
});

describe('diffPackets', () => {
  it('matches headers by name, so those behind a new one are compared', () => {
    const tagged = ethernet().vlan({ id: 7 }).ipv4({ ttl: 2 }).udp({ src: 1234, dst: 53 }).payload('hallo!');
    expect(formatPacketDiff(diffPackets(hello.build(), tagged.build()))).toBe([
      'eth.type          expected 0x0800 (IPv4), got 0x8100 (VLAN)',
      'ipv4.totalLength  expected 33, got 34',
      'ipv4.ttl          expected 3, got 2',
      'ipv4.checksum     expected 0xa3ca (right), got 0xa4c9 (right)',
      'udp.length        expected 13, got 14',
      'udp.checksum      expected 0xa2f8 (right), got 0xa2d9 (right)',
      'vlan              expected none, got pcp 0, dei false, id 7, type 0x0800 (IPv4)',
      'payload.length    expected 5 bytes, got 6 bytes',
      'payload.1         expected 65, got 61',
      'payload.5         expected none, got 21',
    ].join('\n'));
  });

  it('says that headers are in another order', () => {
    const [one, other] = [ethernet().ipv4().ipv6().udp(), ethernet().ipv6().ipv4().udp()];
    expect(diffPackets(one.build(), other.build())).toContainEqual({ header: 'headers', field: undefined, expected: 'eth ipv4 ipv6 udp', actual: 'eth ipv6 ipv4 udp' });
  });

  it('shows what is in a header that makes no sense, and says which one is cut', () => {
    const bytes = hello.build();
    expect(formatPacketDiff(diffPackets(bytes, hello.set('ipv4', { ihl: 4 }).build())).split('\n').slice(0, 3)).toEqual([
      'ipv4.ihl        expected 5 (20 bytes), got 4 (16 bytes)',
      'ipv4.checksum   expected 0xa3ca (right), got 0xa4ca (unverifiable)',
      'ipv4.fault      expected none, got ipv4 has a version or a length that makes no sense',
    ]);
    expect(diffPackets(bytes, bytes.subarray(0, 38))).toContainEqual({
      header: 'udp', field: undefined, expected: 'src 1234, dst 53, length 13, checksum 0xa2f8 (right)', actual: 'udp is not wholly there',
    });
  });

  it('keeps long differences short', () => {
    const [one, other] = [ethernet().ipv4().udp().payload(1000), ethernet().ipv4().udp().payload(new Uint8Array(1000).fill(0xff))];
    const differences = diffPackets(one.build(), other.build());
    expect(differences.length).toBeLessThan(15);
    expect(Math.max(...differences.map(({ expected }) => expected!.length))).toBeLessThan(80);
  });
});

it('differences have names of headers and fields', () => {
  const yes = ['eth', 'ipv4.ttl', 'ipv4.options', 'udp#2.checksum', 'vlan#2', 'ipv4.fault', 'payload', 'payload.3-7', 'trailer', 'headers'];
  const no = ['', 'ip', 'ip.ttl', 'ipv4.', 'ipv4.ttk', '.ttl', 'udp#', 'udp#x.dst', 'toString', '__proto__'];
  expect(yes.filter(isDifferenceName)).toEqual(yes);
  expect(no.filter(isDifferenceName)).toEqual([]);
});
