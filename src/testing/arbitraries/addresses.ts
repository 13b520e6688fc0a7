import * as fc from 'fast-check';

/** `192.0.2.1` of a number in host order. */
export function dottedQuadOf(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}`;
}

/**
 * Any IPv4 address; as often as not one that is special: unspecified, loopback, private, documentation, multicast, broadcast.
 *
 * @example
 * fc.assert(fc.property(ipv4Address(), (src) => program.testRun({ data: ethernet().ipv4({ src }).udp() }).verdict === 'XDP_PASS'));
 */
export function ipv4Address(): fc.Arbitrary<string> {
  const special = fc.constantFrom('10.0.0.1', '192.0.2.1', '198.51.100.7', '127.0.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.1', '169.254.0.1');
  return fc.oneof({ withCrossShrink: true }, special, fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(dottedQuadOf));
}

/**
 * Any IPv6 address; as often as not a special one.
 *
 * @example
 * fc.assert(fc.property(ipv6Address(), (src) => program.testRun({ data: ethernet().ipv6({ src }).udp() }).verdict === 'XDP_PASS'));
 */
export function ipv6Address(): fc.Arbitrary<string> {
  const special = fc.constantFrom('2001:db8::1', '::', '::1', 'fe80::1', 'ff02::1', '::ffff:192.0.2.1', '64:ff9b::192.0.2.1');
  const words = fc.tuple(u32(), u32(), u32(), u32());
  const group = (value: number): string => `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;
  return fc.oneof({ withCrossShrink: true }, special, words.map((each) => each.map(group).join(':')));
}

/**
 * Any MAC address; as often as not a unicast one that is locally administered, or a special one.
 *
 * @example
 * fc.assert(fc.property(macAddress(), (src) => program.testRun({ data: ethernet({ src }).arp() }).verdict === 'XDP_PASS'));
 */
export function macAddress(): fc.Arbitrary<string> {
  const special = fc.constantFrom('02:00:00:00:00:01', 'ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01', '33:33:00:00:00:01');
  const any = fc.integer({ min: 0, max: 2 ** 48 - 1 }).map((value) => {
    const digits = value.toString(16).padStart(12, '0');
    return `${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4, 6)}:${digits.slice(6, 8)}:${digits.slice(8, 10)}:${digits.slice(10)}`;
  });
  return fc.oneof({ withCrossShrink: true }, special, any);
}

function u32(): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 2 ** 32 - 1 });
}

/**
 * Any port; as often as not one that programs look at.
 *
 * @example
 * fc.assert(fc.property(port(), (dst) => program.testRun({ data: ethernet().ipv4().udp({ dst }) }).verdict === 'XDP_PASS'));
 */
export function port(): fc.Arbitrary<number> {
  return fc.oneof({ withCrossShrink: true }, fc.constantFrom(53, 80, 443, 0, 65535, 4789, 6081), fc.integer({ min: 0, max: 65535 }));
}

/**
 * Any port but those of VXLAN and GENEVE, behind which a parser looks for a tunnel.
 *
 * @example
 * fc.assert(fc.property(servicePort(), (dst) => program.testRun({ data: ethernet().ipv4().tcp({ dst }) }).verdict === 'XDP_PASS'));
 */
export function servicePort(): fc.Arbitrary<number> {
  return port().map((each) => (each === 4789 || each === 6081 ? 443 : each));
}
