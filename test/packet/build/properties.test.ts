import { describe, expect } from 'vitest';
import {
  checkChecksums, decode, decodePacket, describePacket, diffPackets, fieldAt, formatPacketDiff, packetFrom, packetTree, repairChecksums, verifyChecksums,
} from '../../../src/packet/index.js';
import { fc, prop } from '../../support/property.js';
import { randomPackets, stepsOf } from './support/randomPackets.js';

/** A random packet of which bytes were changed, and which was cut. */
const damagedPackets = fc.tuple(randomPackets, fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 8 }), fc.option(fc.nat(400), { freq: 3 })).map(([packet, changes, cut]) => {
  const bytes = stepsOf(packet).build();
  for (const [at, value] of changes) bytes[at % bytes.length] = value;
  return bytes.slice(0, cut ?? bytes.length);
});

const anyBytes = fc.oneof(damagedPackets, fc.uint8Array({ maxLength: 200 }));

describe('random well-formed packets', () => {
  prop([randomPackets], { numRuns: 500 })('are decoded to what was said of them', (packet) => {
    const decoded = decodePacket(stepsOf(packet).build());
    expect(decoded.faults).toEqual([]);
    expect(decoded.layers.map(({ name }) => name)).toEqual(packet.headers.map(({ name }) => (name === 'qinq' ? 'vlan' : name)));
    packet.headers.forEach(({ fields }, i) => {
      const found = decoded.layers[i]!.fields as Record<string, unknown>;
      for (const [name, value] of Object.entries(fields)) {
        if (name === 'segments' || (name === 'flags' && typeof value === 'string')) continue;
        if (name === 'options' && value instanceof Uint8Array) expect((found[name] as Uint8Array).subarray(0, value.length)).toEqual(value);
        else expect(found[name], `${packet.headers[i]!.name}.${name}`).toEqual(value);
      }
    });
    expect(decoded.payload).toEqual(packet.payload);
    expect(decoded.trailer).toHaveLength(0);
  });

  prop([randomPackets], { numRuns: 500 })('have right checksums, all of them', (packet) => {
    const bytes = stepsOf(packet).build();
    const checks = checkChecksums(bytes, 0, bytes.length);
    expect(checks.filter(({ state }) => state !== 'valid')).toEqual([]);
    const summed = packet.headers.filter(({ name, fields }) => ['ipv4', 'tcp', 'udp', 'icmp', 'icmpv6', 'sctp'].includes(name) || fields['checksumPresent'] === true);
    expect(checks).toHaveLength(summed.length);
  });

  prop([randomPackets, fc.nat(), fc.integer({ min: 1, max: 255 })], { numRuns: 300 })('a damaged checksum is found and repaired', (packet, draw, change) => {
    const good = stepsOf(packet).build();
    const checks = checkChecksums(good, 0, good.length);
    fc.pre(checks.length > 0);
    const check = checks[draw % checks.length]!;
    const bytes = good.slice();
    bytes[check.offBytes + 1] ^= change;
    fc.pre(bytes[check.offBytes] !== 0 || bytes[check.offBytes + 1] !== 0);
    expect(checkChecksums(bytes, 0, bytes.length).find(({ field }) => field === check.field)!.state).toBe('invalid');
    repairChecksums(bytes, 0, bytes.length);
    expect(bytes).toEqual(good);
  });

  prop([randomPackets, fc.integer({ min: 1, max: 63 })], { numRuns: 300 })('with another TTL have right checksums again', (packet, ttl) => {
    const bytes = stepsOf(packet).build();
    fc.pre(packet.headers.some(({ name }) => name === 'ipv4'));
    const changed = packetFrom(bytes).set('ipv4', { ttl }).build();
    expect(checkChecksums(changed, 0, changed.length).filter(({ state }) => state !== 'valid')).toEqual([]);
    const before = decodePacket(bytes).layer('ipv4')!.fields.ttl;
    const touched = diffPackets(bytes, changed).map(({ header, field }) => `${header}.${field}`);
    if (before === ttl) expect(touched).toEqual([]);
    else expect(touched).toContain('ipv4.ttl');
  });

  prop([randomPackets], { numRuns: 200 })('are not changed by padding', (packet) => {
    const bytes = stepsOf(packet).build();
    const padded = stepsOf(packet).pad(bytes.length + 7).build();
    expect(padded.subarray(0, bytes.length)).toEqual(bytes);
    const { trailer, faults } = decodePacket(padded);
    if (bytes.length !== padded.length) expect(trailer).toHaveLength(7);
    expect(faults).toEqual([]);
  });
});

describe('bytes of any kind', () => {
  prop([anyBytes], { numRuns: 3000 })('are taken apart and built again, byte for byte', (bytes) => {
    expect(packetFrom(bytes).build()).toEqual(bytes);
  });

  prop([anyBytes], { numRuns: 1000 })('make no reader throw', (bytes) => {
    const { layers, payload, payloadOffBytes, trailer, faults } = decodePacket(bytes);
    expect(layers.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0)).toBe(payloadOffBytes);
    expect(payloadOffBytes + payload.length + trailer.length).toBe(bytes.length);
    expect(faults.length).toBeLessThanOrEqual(2);
    expect(packetTree(bytes).length).toBeGreaterThanOrEqual(bytes.length === 0 ? 0 : 1);
    expect(describePacket(bytes)).not.toBe('');
    verifyChecksums(bytes, 0, bytes.length);
    for (let i = 0; i < bytes.length; i += 7) expect(fieldAt(bytes, bytes.length, i)).not.toBe('');
  });

  prop([anyBytes, anyBytes], { numRuns: 500 })('differ in something exactly if they differ', (one, other) => {
    expect(diffPackets(one, one)).toEqual([]);
    const differences = diffPackets(one, other);
    expect(differences.length > 0).toBe(Buffer.compare(one, other) !== 0);
    expect(formatPacketDiff(differences).split('\n').filter((line) => line !== '')).toHaveLength(differences.length);
  });

  prop([randomPackets, fc.nat(), fc.integer({ min: 1, max: 255 })], { numRuns: 500 })('with one other byte differ', (packet, draw, change) => {
    const bytes = stepsOf(packet).build();
    const other = bytes.slice();
    other[draw % bytes.length] ^= change;
    expect(diffPackets(bytes, other).length).toBeGreaterThan(0);
    expect(decode(other, 0, other.length).layers.length).toBeGreaterThan(0);
  });
});
