import { describe, expect, it } from 'vitest';
import { PACKET_IPV4, PACKET_IPV6, PACKET_TCP, PACKET_UDP } from '../../../src/nic/device/batch.js';
import { R8169_CHIPS, r8169PadTo, r8169UsesChecksum } from '../../../src/nic/driver/r8169Quirks.js';
import type { R8169Frame } from '../../../src/nic/driver/r8169Quirks.js';

const { rtl8169, rtl8101e, rtl8102e, rtl8168b, rtl8168c, rtl8168, rtl8168evl, rtl8125, rtl8126 } = R8169_CHIPS;

const tcp = (lenBytes: number): R8169Frame => ({ lenBytes, packetType: PACKET_IPV4 | PACKET_TCP, l4Start: 34, udpDestinationPort: 0 });
/** @param transportBytes UDP header and payload, behind 14 bytes of Ethernet and 20 of IPv4 */
const udp = (transportBytes: number, udpDestinationPort: number): R8169Frame => ({ lenBytes: 34 + transportBytes, packetType: PACKET_IPV4 | PACKET_UDP, l4Start: 34, udpDestinationPort });

describe('r8169: padding by the driver', () => {
  it('pads short frames to 60 bytes on the chips that do it wrongly', () => {
    const frame = tcp(54);
    expect([rtl8169, rtl8168b, rtl8168c, rtl8168, rtl8102e].map((chip) => r8169PadTo(chip, frame))).toEqual([0, 0, 0, 0, 0]);
    expect([rtl8168evl, rtl8125, rtl8126].map((chip) => r8169PadTo(chip, frame))).toEqual([60, 60, 60]);
  });

  it.each([
    // 34 + 47 = 81; at 47 bytes of UDP and more there is nothing to do, and 60 is what any frame gets.
    [8, 319, 81],
    [46, 320, 81],
    [47, 319, 60],
    [46, 321, 60],
    // From 4 bytes on there is a destination port; below 8 bytes the header itself is filled up, 34 + 8 = 42.
    [4, 319, 81],
    [3, 319, 60],
  ])('RTL8125: UDP with %i bytes to port %i is padded to %i', (transportBytes, port, padTo) => {
    expect(r8169PadTo(rtl8125, udp(transportBytes, port))).toBe(padTo);
    expect(r8169PadTo(rtl8126, udp(transportBytes, port))).toBe(60);
    expect(r8169PadTo(rtl8168, udp(transportBytes, port))).toBe(0);
  });

  it('RTL8125: a header that is cut off behind long IPv6 extension headers, and frames from 175 bytes on', () => {
    const behind = (l4Start: number, transportBytes: number): R8169Frame => ({ ...udp(0, 319), lenBytes: l4Start + transportBytes, l4Start });
    expect(r8169PadTo(rtl8125, behind(100, 3))).toBe(108);
    expect(r8169PadTo(rtl8125, behind(100, 4))).toBe(147);
    expect(r8169PadTo(rtl8125, behind(134, 40))).toBe(181);
    expect(r8169PadTo(rtl8125, behind(135, 40))).toBe(60);
    expect(r8169PadTo(rtl8125, { ...behind(100, 4), packetType: PACKET_IPV4 | PACKET_TCP })).toBe(60);
  });
});

describe('r8169: checksums by the hardware', () => {
  it('not below 60 bytes, on no chip', () => {
    for (const chip of Object.values(R8169_CHIPS)) expect(r8169UsesChecksum(chip, 1500, tcp(59))).toBe(false);
    expect(r8169UsesChecksum(rtl8168, 1500, tcp(60))).toBe(true);
  });

  it('not where the driver pads: such a chip is never asked', () => {
    for (const chip of [rtl8168evl, rtl8125, rtl8126]) expect(r8169UsesChecksum(chip, 1500, tcp(1514))).toBe(false);
  });

  it('not at an MTU beyond 1500, but for the PCI chips', () => {
    expect([rtl8169, rtl8168b, rtl8168c, rtl8168].map((chip) => r8169UsesChecksum(chip, 1501, tcp(1514)))).toEqual([true, false, false, false]);
    expect([rtl8169, rtl8168b, rtl8168c, rtl8168].map((chip) => r8169UsesChecksum(chip, 1500, tcp(1514)))).toEqual([true, true, true, true]);
  });

  it('not when the transport header begins where 10 bits do not reach', () => {
    const at = (l4Start: number): R8169Frame => ({ ...tcp(1514), l4Start });
    expect([r8169UsesChecksum(rtl8168, 1500, at(1023)), r8169UsesChecksum(rtl8168, 1500, at(1024))]).toEqual([true, false]);
    expect(r8169UsesChecksum(rtl8168b, 1500, at(1024))).toBe(true);
  });

  it('of IPv6 only in layout v2', () => {
    const frame: R8169Frame = { ...tcp(1514), packetType: PACKET_IPV6 | PACKET_TCP, l4Start: 54 };
    expect([rtl8169, rtl8168b, rtl8168c, rtl8168].map((chip) => r8169UsesChecksum(chip, 1500, frame))).toEqual([false, false, true, true]);
  });
});

it('r8169: largest MTU and TX layout by chip', () => {
  // n KiB less 14 bytes of header, 4 of VLAN tag and 4 of FCS.
  expect(Object.fromEntries(Object.entries(R8169_CHIPS).map(([name, { mtuMax, layout }]) => [name, [mtuMax, layout]]))).toEqual({
    rtl8169: [7146, 'v1'],
    rtl8101e: [1500, 'v1'],
    rtl8102e: [1500, 'v2'],
    rtl8168b: [4074, 'v1'],
    rtl8168c: [6122, 'v2'],
    rtl8168: [9194, 'v2'],
    rtl8168evl: [9194, 'v2'],
    rtl8125: [16362, 'v2'],
    rtl8126: [16362, 'v2'],
  });
  expect(rtl8101e.hasJumboChecksum).toBe(false);
});
