import { describe, expect, it } from 'vitest';
import { fromHex } from '../../src/base/index.js';
import {
  addToSum, fold, internetChecksum, isChecksumValid, pseudoHeaderSumV4, pseudoHeaderSumV6, updateChecksum, updateChecksum32, verifyChecksums,
} from '../../src/packet/index.js';
import { fc, prop } from '../support/property.js';
import * as frames from './support/frames.js';

/** RFC 1071 by the book: add a word, carry around at once. */
function slowChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i]! * 256 + (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return 0xffff - sum;
}

describe('internetChecksum', () => {
  it('sums the example of RFC 1071 section 3 to ddf2', () => {
    const example = fromHex('0001 f203 f4f5 f6f7')!;
    expect(fold(addToSum(0, example, 0, 8))).toBe(0xddf2);
    expect(internetChecksum(example, 0, 8)).toBe(0x220d);
  });

  prop([fc.uint8Array({ maxLength: 200 }), fc.nat(10)])('equals adding word by word with carry, at any offset', (bytes, offBytes) => {
    const placed = new Uint8Array(offBytes + bytes.length + 3).fill(0xa5);
    placed.set(bytes, offBytes);
    expect(internetChecksum(placed, offBytes, bytes.length)).toBe(slowChecksum(bytes));
  });

  it('stays exact for the longest packet full of ones', () => {
    const bytes = new Uint8Array(262144).fill(0xff);
    expect(fold(addToSum(0, bytes, 0, bytes.length))).toBe(0xffff);
    bytes[7] = 0;
    expect(internetChecksum(bytes, 0, bytes.length)).toBe(0x00ff);
  });

  prop([fc.uint8Array({ minLength: 2, maxLength: 100 }), fc.nat(48)])('put into the range, makes it valid; any other value does not', (bytes, word) => {
    const at = (word * 2) % (bytes.length - (bytes.length % 2));
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    view.setUint16(at, 0);
    const checksum = internetChecksum(bytes, 0, bytes.length);
    view.setUint16(at, checksum);
    expect(isChecksumValid(0, bytes, 0, bytes.length)).toBe(bytes.some((byte) => byte !== 0)); // all zero has no negative zero to be valid with
    view.setUint16(at, (checksum + 1) & 0xffff);
    if (checksum !== 0xffff && checksum + 1 !== 0xffff) expect(isChecksumValid(0, bytes, 0, bytes.length)).toBe(false);
  });
});

describe('incremental update', () => {
  it('computes the example of RFC 1624 section 4', () => {
    expect(updateChecksum(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });

  const header = fc.uint8Array({ minLength: 20, maxLength: 60 }).filter((bytes) => bytes.length % 2 === 0);

  prop([header, fc.nat(100), fc.nat(0xffff)])('of a word equals computing anew', (bytes, word, newWord) => {
    fc.pre(bytes.some((byte, i) => i >= 12 && byte !== 0)); // with another word that isn't zero there is only one zero
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const at = (word % 6) * 2;
    const before = internetChecksum(bytes, 0, bytes.length);
    const updated = updateChecksum(before, view.getUint16(at), newWord);
    view.setUint16(at, newWord);
    expect(updated).toBe(internetChecksum(bytes, 0, bytes.length));
  });

  prop([header, fc.nat(0xffffffff)])('of an address equals computing anew', (bytes, address) => {
    fc.pre(bytes.some((byte, i) => i >= 16 && byte !== 0));
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const before = internetChecksum(bytes, 0, bytes.length);
    const updated = updateChecksum32(before, view.getUint32(12), address);
    view.setUint32(12, address);
    expect(updated).toBe(internetChecksum(bytes, 0, bytes.length));
  });
});

describe('pseudo headers', () => {
  prop([fc.uint8Array({ minLength: 40, maxLength: 40 }), fc.nat(255), fc.nat(0xffff)])('IPv4: as if its 12 bytes were there', (ip, protocol, length) => {
    const pseudo = Uint8Array.from([...ip.subarray(12, 20), 0, protocol, length >>> 8, length & 0xff]);
    expect(fold(pseudoHeaderSumV4(ip, 0, protocol, length))).toBe(fold(addToSum(0, pseudo, 0, 12)));
  });

  prop([fc.uint8Array({ minLength: 40, maxLength: 40 }), fc.nat(255), fc.nat(0xffffffff)])('IPv6: as if its 40 bytes were there', (ip, nextHeader, length) => {
    const pseudo = new Uint8Array(40);
    pseudo.set(ip.subarray(8));
    new DataView(pseudo.buffer).setUint32(32, length);
    pseudo[39] = nextHeader;
    expect(fold(pseudoHeaderSumV6(ip, 0, nextHeader, length))).toBe(fold(addToSum(0, pseudo, 0, 40)));
  });
});

describe('verifyChecksums', () => {
  const verify = (frame: Uint8Array) => verifyChecksums(frame, 0, frame.length);

  it.each([
    ['udpDatagram', 'valid', 'valid', 'udp'],
    ['udpPadded', 'valid', 'valid', 'udp'],
    ['udpWithoutChecksum', 'valid', 'absent', 'udp'],
    ['udpChecksumZero', 'valid', 'valid', 'udp'],
    ['tcpSegment', undefined, 'valid', 'tcp'],
    ['tcpSyn', 'valid', 'valid', 'tcp'],
    ['icmpEcho', 'valid', 'valid', 'icmp'],
    ['icmpUnreachable', 'valid', 'valid', 'icmp'],
    ['vlanTagged', 'valid', 'valid', 'udp'],
    ['qinq', 'valid', 'valid', 'udp'],
    ['arpRequest', undefined, undefined, undefined],
    ['neighborSolicitation', undefined, 'valid', 'icmpv6'],
    ['icmpv6Echo', undefined, 'valid', 'icmpv6'],
    ['firstFragment', 'valid', 'unverifiable', 'udp'],
    ['laterFragment', 'valid', undefined, undefined],
    ['ipv6Fragment', undefined, 'unverifiable', 'udp'],
    ['ipv6Extensions', undefined, 'valid', 'udp'],
    ['sctp', 'valid', 'invalid', 'sctp'],
    ['lldp', undefined, undefined, undefined],
  ] as const)('%s', (name, ipv4, upper, upperName) => {
    expect(verify(frames[name])).toEqual({ ipv4, upper, upperName });
  });

  it('tells which checksum a changed byte breaks', () => {
    const changed = (frame: Uint8Array, at: number): Uint8Array => frame.map((byte, i) => (i === at ? byte ^ 0x10 : byte));
    expect(verify(changed(frames.udpDatagram, 22))).toMatchObject({ ipv4: 'invalid', upper: 'valid' }); // TTL
    expect(verify(changed(frames.udpDatagram, 26))).toMatchObject({ ipv4: 'invalid', upper: 'invalid' }); // source address
    expect(verify(changed(frames.udpDatagram, 42))).toMatchObject({ ipv4: 'valid', upper: 'invalid' }); // payload
    expect(verify(changed(frames.udpPadded, 59))).toMatchObject({ ipv4: 'valid', upper: 'valid' }); // padding
    expect(verify(changed(frames.icmpEcho, 44))).toMatchObject({ ipv4: 'valid', upper: 'invalid' });
    expect(verify(changed(frames.neighborSolicitation, 80))).toMatchObject({ upper: 'invalid' });
  });

  it('does not judge a packet that was cut', () => {
    expect(verifyChecksums(frames.tcpSegment, 0, frames.tcpSegment.length - 1)).toMatchObject({ upper: 'unverifiable' });
  });

  it('finds UDP over IPv6 without a checksum invalid (RFC 8200 section 8.1)', () => {
    const frame = frames.ipv6Fragment.slice();
    frame.set([0, 0], 14 + 40 + 8 + 6);
    expect(verify(frame)).toMatchObject({ upper: 'invalid' });
  });
});
