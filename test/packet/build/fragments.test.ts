import { describe, expect, it } from 'vitest';
import { checkChecksums, decodePacket, ethernet, ipv4RouterAlert, noOperation, option, raw } from '../../../src/packet/index.js';
import { fc, prop } from '../../support/property.js';

const fieldsOf = (frame: Uint8Array) => decodePacket(frame).layer('ipv4')!.fields;
const fragmentOf = (frame: Uint8Array) => decodePacket(frame).layer('fragment')!.fields;
/** What the IP packet carries, with what was taken for headers of it. */
const carried = (frame: Uint8Array, lastHeader: 'ipv4' | 'fragment'): Uint8Array => {
  const { offBytes, lengthBytes } = decodePacket(frame).layer(lastHeader)!;
  return frame.subarray(offBytes + lengthBytes);
};
const joined = (frames: readonly Uint8Array[], lastHeader: 'ipv4' | 'fragment'): Uint8Array => Uint8Array.from(frames.flatMap((frame) => [...carried(frame, lastHeader)]));

describe('fragments of IPv4', () => {
  const datagram = ethernet().vlan({ id: 3 }).ipv4({ id: 0x77 }).udp({ dst: 53 }).payload(3000);

  it('are what an MTU of 1500 makes of 3008 bytes', () => {
    const frames = datagram.fragments(1500);
    expect(frames.map((frame) => [frame.length - 18, fieldsOf(frame).fragmentOffset, fieldsOf(frame).moreFragments, fieldsOf(frame).id])).toEqual([
      [1500, 0, true, 0x77], [1500, 185, true, 0x77], [68, 370, false, 0x77],
    ]);
    expect(joined(frames, 'ipv4')).toEqual(carried(datagram.build(), 'ipv4'));
  });

  it('are the packet itself when it fits', () => {
    expect(datagram.fragments(3028)).toEqual([datagram.build()]);
    expect(datagram.fragments(3027)).toHaveLength(2);
  });

  it('have all options in the first one, the copied ones in all', () => {
    const options = [noOperation(), option(7, Uint8Array.of(4, 0, 0, 0, 0)), ipv4RouterAlert()];
    const frames = ethernet().ipv4({ options }).udp().payload(100).fragments(60);
    expect(fieldsOf(frames[0]!).options).toHaveLength(12);
    for (const frame of frames.slice(1)) expect(fieldsOf(frame).options).toEqual(ipv4RouterAlert());
    expect(frames.every((frame) => frame.length - 14 <= 60)).toBe(true);
  });

  it('carry on a fragment', () => {
    const frames = ethernet().ipv4({ fragmentOffset: 100, moreFragments: true, protocol: 17 }).payload(100).fragments(68);
    expect(frames.map((frame) => [fieldsOf(frame).fragmentOffset, fieldsOf(frame).moreFragments])).toEqual([[100, true], [106, true], [112, true]]);
  });

  it('are padded and broken each', () => {
    const frames = ethernet().ipv4().udp().payload(20).pad().break('ipv4.checksum').break('udp.checksum').fragments(36);
    expect(frames.map(({ length }) => length)).toEqual([60, 60]);
    for (const frame of frames) expect(checkChecksums(frame, 0, frame.length)[0]!.state).toBe('invalid');
  });

  it('are those of the outer packet in a tunnel', () => {
    const tunnel = ethernet().ipv4().udp().vxlan().ethernet().ipv4({ dontFragment: true }).udp().payload(100);
    expect(joined(tunnel.fragments(100), 'ipv4')).toEqual(carried(tunnel.build(), 'ipv4'));
  });

  it.each([
    [() => ethernet().ipv4({ dontFragment: true }).udp().payload(100).fragments(68), '128 bytes are more than 68, and ipv4.dontFragment is set'],
    [() => ethernet().ipv4().udp().payload(100).fragments(27), 'an MTU of 27 bytes has no room for headers of 20 bytes and 8 bytes of payload'],
    [() => ethernet().ipv6().udp().payload(100).fragments(48), 'an MTU of 48 bytes has no room for headers of 48 bytes and 8 bytes of payload'],
    [() => raw(new Uint8Array(100)).fragments(60), 'the packet has no IP header'],
  ])('throw when they can\'t be (%#)', (act, message) => {
    expect(act).toThrow(message);
  });
});

describe('fragments of IPv6', () => {
  it('have the headers up to the routing header, and a fragment header', () => {
    const packet = ethernet().ipv6().hopByHop().destinationOptions().routing({ segments: ['2001:db8::7'] }).destinationOptions().udp().payload(1000);
    const frames = packet.fragments(488, { id: 0xabcd });
    expect(frames).toHaveLength(3);
    for (const frame of frames) {
      expect(frame.length - 14).toBeLessThanOrEqual(488);
      expect(decodePacket(frame).layers.slice(0, 6).map(({ name }) => name)).toEqual(['eth', 'ipv6', 'hopopts', 'dstopts', 'routing', 'fragment']);
      expect(fragmentOf(frame)).toMatchObject({ id: 0xabcd, nextHeader: 60 });
      expect(decodePacket(frame).faults).toEqual([]);
    }
    expect(frames.map((frame) => [fragmentOf(frame).fragmentOffset, fragmentOf(frame).moreFragments])).toEqual([[0, true], [50, true], [100, false]]);
    const whole = packet.build();
    const routing = decodePacket(whole).layer('routing')!;
    expect(joined(frames, 'fragment')).toEqual(whole.subarray(routing.offBytes + routing.lengthBytes));
  });

  it('have UDP in the first one only', () => {
    const frames = ethernet().ipv6().udp().payload(1000).fragments(500);
    expect(frames.map((frame) => fragmentOf(frame).nextHeader)).toEqual([17, 17, 17]);
    expect(frames.map((frame) => decodePacket(frame).layer('udp') !== undefined)).toEqual([true, false, false]);
  });
});

prop([fc.boolean(), fc.integer({ min: 1, max: 4000 }), fc.integer({ min: 68, max: 1500 })])('fragments together are the packet', (isIpv6, payloadBytes, mtuBytes) => {
  const start = ethernet();
  const packet = (isIpv6 ? start.ipv6() : start.ipv4()).udp().payload(payloadBytes);
  const frames = packet.fragments(mtuBytes);
  const whole = packet.build();
  if (frames.length === 1) {
    expect(frames).toEqual([whole]);
    return;
  }
  expect(whole.length - 14).toBeGreaterThan(mtuBytes);
  expect(joined(frames, isIpv6 ? 'fragment' : 'ipv4')).toEqual(whole.subarray(14 + (isIpv6 ? 40 : 20)));
  for (const frame of frames) {
    expect(frame.length - 14).toBeLessThanOrEqual(mtuBytes);
    expect(checkChecksums(frame, 0, frame.length).some(({ state }) => state === 'invalid')).toBe(false);
  }
});
