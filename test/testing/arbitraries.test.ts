import { describe, expect, it } from 'vitest';
import { checkChecksums, decodePacket } from '../../src/packet/index.js';
import type { HeaderName } from '../../src/packet/index.js';
import { loadProgram } from '../../src/testing/index.js';
import { anyFrame, capture, flow, mapOperations, mutatedPacket, packet, packetBytes, ringOperations, valueOfType } from '../../src/testing/arbitraries/index.js';
import type { PacketOptions, Protocol } from '../../src/testing/arbitraries/index.js';
import { fc, prop } from '../support/property.js';

const wrongChecksums = (bytes: Uint8Array): unknown[] => checkChecksums(bytes, 0, bytes.length).filter(({ state }) => state === 'invalid');

/** The smallest packet for which the property fails. */
function shrunk(options: Parameters<typeof packetBytes>[0], isFine: (bytes: Uint8Array) => boolean): Uint8Array {
  const { counterexample } = fc.check(fc.property(packetBytes(options), isFine), { seed: 7, numRuns: 1000 });
  return counterexample![0];
}

describe('packet', () => {
  prop([packetBytes()], { numRuns: 500 })('is well-formed: no faults, no wrong checksum', (bytes) => {
    expect(decodePacket(bytes).faults).toEqual([]);
    expect(wrongChecksums(bytes)).toEqual([]);
  });

  it.each<[Protocol, HeaderName]>([['udp', 'udp'], ['tcp', 'tcp'], ['icmp', 'icmp'], ['icmpv6', 'icmpv6'], ['arp', 'arp'], ['sctp', 'sctp'], ['gre', 'gre'], ['vxlan', 'vxlan'], ['geneve', 'geneve'], ['mpls', 'mpls']])('of %s has that header', (protocol, header) => {
    fc.assert(fc.property(packetBytes({ protocols: [protocol] }), (bytes) => decodePacket(bytes).layer(header as 'udp') !== undefined), { numRuns: 30 });
  });

  it.each<[PacketOptions, string]>([
    [{ protocols: [] }, 'packet({ protocols }): there is nothing to draw from; give a list of some of: udp, tcp'],
    [{ protocols: ['quic' as Protocol] }, 'packet({ protocols }): there is no quic; use some of: udp, tcp'],
    [{ ipVersions: [] }, 'packet({ ipVersions }): there is nothing to draw from; give a list of some of: 4, 6'],
    [{ ipVersions: [5 as 4] }, 'packet({ ipVersions }): there is no 5'],
    [{ protocols: ['udp', 'icmp'], ipVersions: [6] }, 'packet({ ipVersions }): icmp is drawn with IPv4 only; add 4 to ipVersions, or leave icmp out'],
    [{ maxPayloadBytes: 65_536 }, 'packet({ maxPayloadBytes }): 65536 is out of range; use a whole number from 0 to 65000'],
    [{ vlanTags: NaN }, 'packet({ vlanTags }): NaN is out of range'],
  ])('refuses %o', (options, message) => {
    expect(() => packet(options)).toThrow(message);
  });

  it.each([4, 6] as const)('of IPv%i alone has no other version, whatever the protocol', (version) => {
    const other = version === 4 ? 'ipv6' : 'ipv4';
    fc.assert(fc.property(packetBytes({ ipVersions: [version], vlanTags: 0 }), (bytes) => decodePacket(bytes).layers[1]?.name !== other), { numRuns: 300 });
  });

  it('shrinks to the plainest packet that still fails, which is well-formed', () => {
    const smallest = shrunk({ protocols: ['tcp', 'udp'] }, (bytes) => decodePacket(bytes).layer('udp') === undefined);
    expect(decodePacket(smallest).layers.map(({ name }) => name)).toEqual(['eth', 'ipv4', 'udp']);
    expect([smallest.length, wrongChecksums(smallest), decodePacket(smallest).faults]).toEqual([42, [], []]);
    const tagged = shrunk({}, (bytes) => decodePacket(bytes).layer('vlan') === undefined);
    expect(decodePacket(tagged).layers.filter(({ name }) => name === 'vlan').length).toBe(1);
    expect(wrongChecksums(tagged)).toEqual([]);
  });

  it('a seed gives the same packets again', () => {
    expect(fc.sample(packetBytes(), { seed: 42, numRuns: 50 })).toEqual(fc.sample(packetBytes(), { seed: 42, numRuns: 50 }));
  });

  it('can be said more of', () => {
    fc.assert(fc.property(packet({ protocols: ['udp'] }), (each) => each.pad().build().length >= 60), { numRuns: 20 });
  });
});

describe('mutatedPacket', () => {
  prop([mutatedPacket()], { numRuns: 300 })('never has less than an Ethernet header, and decoding takes anything', ({ data }) => {
    expect(data.length).toBeGreaterThanOrEqual(14);
    decodePacket(data);
  });

  it('tells what was done', () => {
    const [some] = fc.sample(mutatedPacket(), { seed: 3, numRuns: 1 });
    expect(some!.mutations.length).toBeGreaterThan(0);
    expect(some!.mutations.every(({ what }) => ['truncate', 'byte', 'field', 'append'].includes(what))).toBe(true);
  });
});

describe('flow', () => {
  prop([flow({ protocols: ['tcp'] })])('of TCP has sequence numbers that add up', ({ packets }) => {
    const expected = { client: -1, server: -1 };
    for (const { from, data } of packets) {
      const parsed = decodePacket(data);
      const { seq, flags } = parsed.layer('tcp')!.fields;
      if (expected[from] >= 0) expect(seq).toBe(expected[from]);
      expected[from] = (Number(seq) + parsed.payload.length + ((Number(flags) & 3) !== 0 ? 1 : 0)) >>> 0;
      expect(wrongChecksums(data)).toEqual([]);
    }
  });

  prop([flow({ protocols: ['udp'] })])('of UDP alternates', ({ packets }) => {
    packets.forEach(({ from }, i) => expect(from).toBe(i % 2 === 0 ? 'client' : 'server'));
  });
});

prop([capture()])('a capture does not go back in time', (packets) => {
  const times = packets.map(({ tSec, tNsec }) => tSec * 1e9 + tNsec);
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

prop([ringOperations({ chunks: 4, hasInvalid: true })])('ring operations stay with their chunks', (operations) => {
  for (const operation of operations) if ('chunk' in operation) expect(operation.chunk).toBeLessThanOrEqual(4);
});

describe('operations on a map', () => {
  const program = loadProgram('fixtures/programs/count_hash/count_hash.o');
  const map = program.maps.get<string, { packets: number; bytes: number }>('packets_by_source');

  prop([mapOperations(map as never)])('agree with a plain Map', (operations) => {
    const model = new Map<string, unknown>();
    for (const { key } of map.entries()) map.delete(key);
    for (const operation of operations) {
      const key = operation.key as string;
      if (operation.op === 'set') {
        map.set(key, operation.value as never);
        model.set(key, operation.value);
      } else if (operation.op === 'delete') {
        expect(map.delete(key)).toBe(model.delete(key));
      } else {
        expect(map.get(key)).toEqual(model.get(key));
      }
    }
    expect(map.size).toBe(model.size);
  });
});

it('what other arbitraries refuse', () => {
  expect(() => flow({ protocols: ['icmp' as 'udp'] })).toThrow('flow({ protocols }): there is no icmp; use some of: tcp, udp');
  expect(() => ringOperations({ chunks: 0 })).toThrow('ringOperations({ chunks }): 0 is out of range');
  expect(() => anyFrame(13)).toThrow('anyFrame(maxBytes): 13 is out of range; use a whole number from 14 to 65536');
});

it('a long value is drawn at its beginning only, so that it costs no more than a short one', () => {
  fc.assert(fc.property(valueOfType(undefined, 0, 1_000_000), (hex) => /^[0-9a-f]{128}0{1999872}$/.test(String(hex))), { numRuns: 3 });
});
