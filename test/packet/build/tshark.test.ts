import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { checkChecksums, decodePacket, ethernet, ipv4RouterAlert, PcapWriter, sctpData } from '../../../src/packet/index.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { randomPackets, stepsOf } from './support/randomPackets.js';
import type { Said } from './support/randomPackets.js';

const hasTshark = spawnSync('tshark', ['--version']).status === 0;
if (!hasTshark) console.warn('SKIPPED: tshark is not installed, so nothing checks what the packet builder makes against Wireshark');

const folder = temporaryFolder();
const PACKETS = 200;

/** Wireshark's names for our headers; those without one make no protocol of their own there. */
const PROTOCOLS: Partial<Record<Said['name'], string>> = {
  eth: 'eth', vlan: 'vlan', qinq: 'ieee8021ad', arp: 'arp', ipv4: 'ip', ipv6: 'ipv6', hopopts: 'ipv6.hopopts', routing: 'ipv6.routing', dstopts: 'ipv6.dstopts', ah: 'ah',
  tcp: 'tcp', udp: 'udp', icmp: 'icmp', icmpv6: 'icmpv6', sctp: 'sctp', gre: 'gre', vxlan: 'vxlan', geneve: 'geneve', mpls: 'mpls',
};

const STATUS_FIELDS = ['ip.checksum.status', 'udp.checksum.status', 'tcp.checksum.status', 'icmp.checksum.status', 'icmpv6.checksum.status', 'sctp.checksum.status', 'gre.checksum.status'];
const GOOD = '1';
const BAD = '0';

/** Wireshark's names for fields of ours. */
const FIELDS: Readonly<Record<string, readonly [Said['name'], string]>> = {
  'eth.dst': ['eth', 'dst'], 'eth.src': ['eth', 'src'], 'vlan.id': ['vlan', 'id'], 'ieee8021ad.id': ['qinq', 'id'], 'vlan.priority': ['vlan', 'pcp'], 'arp.opcode': ['arp', 'oper'], 'arp.src.proto_ipv4': ['arp', 'spa'],
  'ip.src': ['ipv4', 'src'], 'ip.dst': ['ipv4', 'dst'], 'ip.ttl': ['ipv4', 'ttl'], 'ip.len': ['ipv4', 'totalLength'], 'ip.id': ['ipv4', 'id'], 'ip.dsfield.dscp': ['ipv4', 'dscp'],
  'ip.checksum': ['ipv4', 'checksum'], 'ipv6.src': ['ipv6', 'src'], 'ipv6.plen': ['ipv6', 'payloadLength'], 'ipv6.hlim': ['ipv6', 'hopLimit'], 'ipv6.flow': ['ipv6', 'flowLabel'],
  'tcp.srcport': ['tcp', 'src'], 'tcp.seq_raw': ['tcp', 'seq'], 'tcp.ack_raw': ['tcp', 'ack'], 'tcp.flags': ['tcp', 'flags'], 'tcp.window_size_value': ['tcp', 'window'],
  'udp.dstport': ['udp', 'dst'], 'udp.length': ['udp', 'length'], 'udp.checksum': ['udp', 'checksum'], 'icmp.type': ['icmp', 'type'], 'icmpv6.checksum': ['icmpv6', 'checksum'],
  'sctp.srcport': ['sctp', 'src'], 'sctp.verification_tag': ['sctp', 'tag'], 'sctp.checksum': ['sctp', 'checksum'], 'sctp.chunk_length': ['chunk', 'length'], 'gre.key': ['gre', 'key'],
  'gre.sequence_number': ['gre', 'sequence'], 'vxlan.vni': ['vxlan', 'vni'], 'geneve.vni': ['geneve', 'vni'], 'mpls.label': ['mpls', 'label'], 'mpls.exp': ['mpls', 'tc'], 'mpls.ttl': ['mpls', 'ttl'],
};

const CHECK_ALL = ['ip.check_checksum', 'udp.check_checksum', 'tcp.check_checksum'].flatMap((name) => ['-o', `${name}:TRUE`]);

/** One row of fields per packet. */
function dissect(frames: readonly Uint8Array[], fields: readonly string[], options: readonly string[] = []): string[][] {
  const path = folder.write('packets.pcap', '');
  const writer = unwrap(PcapWriter.create(path));
  frames.forEach((frame, i) => writer.writePacket(frame, 0, frame.length, i, 0));
  unwrap(writer.close());
  const chosen = ['-T', 'fields', ...fields.flatMap((field) => ['-e', field])];
  const output = execFileSync('tshark', ['-r', path, ...CHECK_ALL, '-o', 'sctp.checksum:CRC 32c', ...options, ...chosen], {
    encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 2 ** 26,
  });
  return output.split('\n').slice(0, -1).map((line) => line.split('\t'));
}

describe.skipIf(!hasTshark)('tshark', () => {
  const seed = 20_261_127;
  const packets = fc.sample(randomPackets, { seed, numRuns: PACKETS });
  const frames = packets.map((packet) => stepsOf(packet).build());

  it(`finds the headers of ${PACKETS} random packets (seed ${seed}), and all checksums right`, () => {
    const rows = dissect(frames, ['frame.protocols', '_ws.malformed', ...STATUS_FIELDS]);
    expect(rows).toHaveLength(PACKETS);
    const seen = new Set<string>();
    rows.forEach(([protocols, malformed, ...statuses], i) => {
      const names = packets[i]!.headers.flatMap(({ name }) => PROTOCOLS[name] ?? []);
      // A whole label stack is one protocol there.
      const stack = names.filter((name, at) => name !== 'mpls' || names[at - 1] !== 'mpls');
      expect(protocols!.split(':').filter((name) => !['ethertype', 'data'].includes(name)), `packet ${i}`).toEqual(stack);
      expect(malformed, `packet ${i}`).toBe('');
      const checked = checkChecksums(frames[i]!, 0, frames[i]!.length);
      expect(statuses.flatMap((status) => (status === '' ? [] : status.split(','))), `packet ${i}: ${stack.join(' ')}`).toEqual(checked.map(() => GOOD));
      for (const name of stack) seen.add(name);
    });
    expect([...seen].sort()).toEqual(Object.values(PROTOCOLS).sort());
  });

  it('reads the same values in their fields', () => {
    const fields = Object.keys(FIELDS);
    const rows = dissect(frames, fields);
    const seen = new Set<string>();
    rows.forEach((row, i) => {
      const { layers } = decodePacket(frames[i]!);
      fields.forEach((field, column) => {
        const [header, name] = FIELDS[field]!;
        const values = layers.filter((_, at) => packets[i]!.headers[at]!.name === header).map((layer) => (layer.fields as Record<string, unknown>)[name]).filter((value) => value !== undefined);
        const theirs = row[column] === '' ? [] : row[column]!.split(',').map((text) => (typeof values[0] === 'number' ? Number(text) : text));
        expect(theirs, `packet ${i}, ${field}`).toEqual(values);
        if (values.length > 0) seen.add(field);
      });
    });
    expect([...seen].sort()).toEqual(fields.sort());
  });

  it('finds each checksum wrong that was broken', () => {
    const broken = [
      ethernet().ipv4().udp().break('ipv4.checksum'),
      ethernet().ipv4().udp().break('udp.checksum'),
      ethernet().ipv6().routing({ segments: ['2001:db8::7', '2001:db8::8'], segmentsLeft: 1 }).tcp().break('tcp.checksum'),
      ethernet().ipv4().icmp().break('icmp.checksum'),
      ethernet().ipv6().icmpv6().break('icmpv6.checksum'),
      ethernet().ipv4().sctp().chunk(sctpData({}, new Uint8Array(5))).break('sctp.checksum'),
      ethernet().ipv4().gre({ checksumPresent: true }).ipv4().udp().break('gre.checksum'),
    ];
    const states = dissect(broken.map((packet) => packet.build()), STATUS_FIELDS).map((row) => STATUS_FIELDS.filter((_, column) => row[column]!.split(',').includes(BAD)));
    expect(states).toEqual(STATUS_FIELDS.map((field) => [field]));
  });

  it('puts fragments together again, and then the checksum is right', () => {
    const defragment = ['-o', 'ip.defragment:TRUE', '-o', 'ipv6.defragment:TRUE'];
    const datagrams = [
      ethernet().ipv4({ id: 7, options: ipv4RouterAlert() }).udp({ src: 50_000, dst: 50_001 }).payload(4000),
      ethernet().ipv6().hopByHop().routing({ segments: ['2001:db8::9'], segmentsLeft: 1 }).destinationOptions().udp({ src: 50_000, dst: 50_001 }).payload(4000),
    ];
    for (const datagram of datagrams) {
      const parts = datagram.fragments(1280);
      const rows = dissect(parts, ['udp.length', 'udp.checksum.status'], defragment);
      expect(rows).toEqual(parts.map((_, i) => (i === parts.length - 1 ? ['4008', GOOD] : ['', ''])));
    }
  });
});
