import fc from 'fast-check';
import { ethernet, formatIpv4, formatIpv6, formatMac, geneveOption, ipv4RouterAlert, option, tcpTimestamps } from '../../../../src/packet/index.js';
import type { AnyStep, HeaderName } from '../../../../src/packet/index.js';

/** A header with the fields that are said of it. */
export interface Said {
  readonly name: HeaderName | 'qinq';
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A random packet: headers by which typed steps were called, and what they carry. */
export interface RandomPacket {
  readonly headers: readonly Said[];
  readonly payload: Uint8Array;
}

const bits = (width: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** width - 1 });
const bytes = (lengthBytes: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: lengthBytes, maxLength: lengthBytes });
export const macs = bytes(6).map((mac) => formatMac(mac, 0));
// 198.18.0.0/15 and 2001:db8::/32 have no meaning of their own, unlike multicast or loopback.
export const ipv4Addresses = bytes(2).map((tail) => formatIpv4(Uint8Array.of(198, 18, ...tail), 0));
export const ipv6Addresses = bytes(4).map((tail) => formatIpv6(Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, ...new Uint8Array(8), ...tail), 0));
/** Of no protocol that anybody would guess by its port. */
const ports = fc.integer({ min: 50_000, max: 60_000 });

function some<T extends Record<string, fc.Arbitrary<unknown>>>(name: Said['name'], fields: T): fc.Arbitrary<Said> {
  return fc.record(fields, { requiredKeys: [] }).map((said) => ({ name, fields: said as Said['fields'] }));
}

const eth = some('eth', { dst: macs.map((mac) => `02${mac.slice(2)}`), src: macs.map((mac) => `02${mac.slice(2)}`) });
const vlanFields = { pcp: bits(3), dei: fc.boolean(), id: fc.integer({ min: 1, max: 4094 }) };
const tags = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  some('vlan', vlanFields).map((tag) => [tag]),
  fc.tuple(some('qinq', vlanFields), some('vlan', vlanFields)),
);
const arp = some('arp', { oper: fc.constantFrom(1, 2), sha: macs, spa: ipv4Addresses, tha: macs, tpa: ipv4Addresses });
const ipv4 = some('ipv4', {
  dscp: bits(6), ecn: bits(2), id: bits(16), dontFragment: fc.boolean(), ttl: fc.integer({ min: 1, max: 255 }), src: ipv4Addresses, dst: ipv4Addresses,
  options: fc.constantFrom(ipv4RouterAlert(), new Uint8Array(0)),
});
const ipv6 = some('ipv6', { trafficClass: bits(8), flowLabel: bits(20), hopLimit: fc.integer({ min: 1, max: 255 }), src: ipv6Addresses, dst: ipv6Addresses });
const ipv6Options = { options: fc.constantFrom(Uint8Array.of(5, 2, 0, 0, 1, 0), Uint8Array.of(1, 4, 0, 0, 0, 0)) };
const extensions = fc.tuple(
  fc.option(some('hopopts', ipv6Options)),
  fc.option(fc.record({ segments: fc.array(ipv6Addresses, { minLength: 1, maxLength: 3 }), left: bits(1) }).map(
    ({ segments, left }): Said => ({ name: 'routing', fields: { segments, segmentsLeft: left } }),
  )),
  fc.option(some('dstopts', ipv6Options)),
  fc.option(some('ah', { spi: fc.integer({ min: 256, max: 2 ** 32 - 1 }), sequence: bits(32) }), { freq: 2 }),
).map((all) => all.filter((each) => each !== null));
const tcp = some('tcp', {
  src: ports, dst: ports, seq: bits(32), ack: bits(32), flags: fc.constantFrom('S', 'S.', 'PA', 'F.', 'R', 0x10), window: bits(16),
  options: fc.constantFrom(tcpTimestamps(1, 2), option(3, Uint8Array.of(7)), new Uint8Array(0)),
});
const udp = some('udp', { src: ports, dst: ports }).map(({ name, fields }): Said => ({ name, fields: { dst: 50_001, ...fields } }));
const icmp = fc.oneof(some('icmp', { id: bits(16), seq: bits(16) }), fc.record({ type: fc.constantFrom(60, 200), rest: bits(32) }).map((fields): Said => ({ name: 'icmp', fields })));
const icmpv6 = fc.oneof(
  some('icmpv6', { id: bits(16), seq: bits(16) }),
  fc.record({ type: fc.constantFrom(135, 136), target: ipv6Addresses }).map((fields): Said => ({ name: 'icmpv6', fields })),
);
const chunk = fc.record({ type: fc.constant(0), flags: fc.constant(3), value: fc.uint8Array({ minLength: 13, maxLength: 40 }) }).map((fields): Said => ({ name: 'chunk', fields }));
const sctp = fc.tuple(some('sctp', { src: ports, dst: ports, tag: bits(32) }), fc.array(chunk, { minLength: 1, maxLength: 3 })).map(([header, chunks]) => [header, ...chunks]);
const gre = some('gre', { checksumPresent: fc.boolean(), key: bits(32), sequence: bits(32) });
const vxlan = some('vxlan', { vni: bits(24) });
const geneve = some('geneve', { vni: bits(24), options: fc.constantFrom(geneveOption(0x0102, 3, Uint8Array.of(1, 2, 3, 4)), new Uint8Array(0)) });
const labels = fc.array(some('mpls', { label: fc.integer({ min: 16, max: 2 ** 20 - 1 }), tc: bits(3), ttl: bits(8) }), { minLength: 1, maxLength: 3 });

const join = (...parts: fc.Arbitrary<readonly Said[]>[]): fc.Arbitrary<readonly Said[]> => fc.tuple(...parts).map((all) => all.flat());
const one = (said: fc.Arbitrary<Said>): fc.Arbitrary<readonly Said[]> => said.map((each) => [each]);

function upper(depth: number, isIpv6: boolean): fc.Arbitrary<readonly Said[]> {
  const plain = [one(tcp), one(udp), one(isIpv6 ? icmpv6 : icmp), sctp];
  if (depth === 0) return fc.oneof(...plain);
  const outerUdp = one(some('udp', { src: ports }));
  return fc.oneof(
    ...plain.map((arbitrary) => ({ weight: 2, arbitrary })),
    ip(depth - 1),
    join(one(gre), fc.oneof(frame(depth - 1), ip(depth - 1), join(labels, ip(depth - 1)))),
    join(outerUdp, one(vxlan), frame(depth - 1)),
    join(outerUdp, one(geneve), fc.oneof(frame(depth - 1), ip(depth - 1))),
  );
}

function ip(depth: number): fc.Arbitrary<readonly Said[]> {
  return fc.oneof(join(one(ipv4), upper(depth, false)), join(one(ipv6), extensions, upper(depth, true)));
}

function frame(depth: number): fc.Arbitrary<readonly Said[]> {
  return join(one(eth), tags, fc.oneof({ weight: 8, arbitrary: ip(depth) }, { weight: 1, arbitrary: join(labels, ip(depth)) }, { weight: 1, arbitrary: one(arp) }));
}

/** What would follow these isn't payload: ARP and chunks have none, and neighbor messages have options. */
const isComplete = ({ name, fields }: Said): boolean => name === 'arp' || name === 'chunk' || fields['target'] !== undefined;

/** Well-formed packets of every header, at most two tunnels deep. */
export const randomPackets: fc.Arbitrary<RandomPacket> = fc.tuple(frame(2), fc.uint8Array({ maxLength: 64 })).map(([headers, payload]) => ({
  headers,
  payload: isComplete(headers.at(-1)!) ? new Uint8Array(0) : payload,
}));

const METHODS: Partial<Record<Said['name'], string>> = { eth: 'ethernet', hopopts: 'hopByHop', dstopts: 'destinationOptions', ah: 'authentication' };

/** The builder of a random packet, by the methods that a user calls. */
export function stepsOf({ headers, payload }: RandomPacket): AnyStep {
  const [first, ...others] = headers;
  let steps: unknown = ethernet(first!.fields);
  for (const { name, fields } of others) steps = (steps as Record<string, (said: object) => unknown>)[METHODS[name] ?? name]!(fields);
  return (steps as AnyStep).payload(payload) as AnyStep;
}
