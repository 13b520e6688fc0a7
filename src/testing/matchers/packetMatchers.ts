import { checkChecksums, differenceNames, diffPackets, formatPacketDiff, isDifferenceName, packetTree, summarize } from '../../packet/index.js';
import type { ChecksumCheck } from '../../packet/index.js';
import { checkOptionNames, didYouMean, hex } from '../../base/index.js';
import { packetBytesOf } from '../program/objectSource.js';
import type { PacketBytes } from '../program/objectSource.js';
import { result, wrongSubject } from './matcher.js';
import type { MatcherResult } from './matcher.js';
import { journeyOf, packetSubject } from './subject.js';

/** What doesn't count when packets are compared. */
export interface PacketComparison {
  /** Fields by header, `ipv4.ttl` or `udp#2.checksum`; a header alone is all of it; `payload`, `trailer`. */
  readonly ignore?: readonly string[];
}

/**
 * The packet is this one, byte for byte. A failure lists what differs, header by header.
 *
 * @throws TypeError for a field to be ignored that no header has, also with `.not`
 * @example expect(run).toEqualPacket(packetFrom(run.input).set('ipv4', { dst: '198.51.100.10' }), { ignore: ['ipv4.id'] })
 */
export function toEqualPacket(received: unknown, expected: PacketBytes, comparison: PacketComparison = {}): MatcherResult {
  checkOptionNames('toEqualPacket', comparison, { ignore: true });
  const { ignore = [] } = comparison;
  if (!Array.isArray(ignore)) throw new TypeError("toEqualPacket: what is to be ignored is a list, such as { ignore: ['ipv4.id'] }");
  const stranger = (ignore as readonly string[]).find((name) => !isDifferenceName(String(name)));
  if (stranger !== undefined) throw new TypeError(`toEqualPacket: no header has a field ${stranger}; ${didYouMean(stranger, differenceNames(stranger))}ignore fields such as ipv4.ttl or udp#2.checksum, headers such as vlan, payload or trailer`);
  const actual = bytesOf('toEqualPacket', received);
  const wanted = packetBytesOf(expected);
  const differences = diffPackets(wanted, actual).filter(({ header, field }) => !ignore.includes(header) && !ignore.includes(`${header}.${field ?? ''}`));
  const details = [...(differences.length === 0 ? [] : formatPacketDiff(differences).split('\n')), `expected: ${summarize(wanted, 0, wanted.length)}`, `got:      ${summarize(actual, 0, actual.length)}`, ...journey(received)];
  const more = differences.length === 0 ? {} : { actual: packetTree(actual), expected: packetTree(wanted) };
  return result(differences.length === 0, differences.length === 0 ? 'this packet' : `this packet; ${differences.length} ${differences.length === 1 ? 'field differs' : 'fields differ'}`, details, more);
}

/**
 * Every checksum of the packet is right: IP, TCP, UDP, ICMP, SCTP, through tunnels. One that may be left out and is doesn't count as wrong.
 *
 * @throws what a builder throws
 * @example expect(run).toHaveValidChecksums()
 */
export function toHaveValidChecksums(received: unknown): MatcherResult {
  const bytes = bytesOf('toHaveValidChecksums', received);
  const checks = checkChecksums(bytes, 0, bytes.length);
  const wrong = checks.filter(({ state }) => state === 'invalid');
  return result(wrong.length === 0, wrong.length === 0 ? 'valid checksums' : `valid checksums, but ${wrong.length} of ${checks.length} ${wrong.length === 1 ? 'is' : 'are'} wrong`, [...(wrong.length === 0 ? checks : wrong).map(checkText), ...journey(received)]);
}

function checkText({ field, offBytes, state, found, expected }: ChecksumCheck): string {
  return `${field} at byte ${offBytes}: ${state}, ${hex(found)}${expected === undefined || expected === found ? '' : `, expected ${hex(expected)}`}`;
}

/** Bytes of a run, of a packet of a NIC, of a frame that was sent, of a builder, or bytes. */
function bytesOf(matcher: string, received: unknown): Uint8Array {
  if (received instanceof Uint8Array) return received;
  if (typeof received !== 'object' || received === null) return wrongSubject(matcher, 'a packet', received);
  if ('build' in received && typeof received.build === 'function') return packetBytesOf(received as PacketBytes);
  if ('data' in received && received.data instanceof Uint8Array) return received.data;
  return wrongSubject(matcher, 'what testRun() or receive() gave, a sent frame, a builder or bytes', received);
}

function journey(received: unknown): readonly string[] {
  const hasJourney = typeof received === 'object' && received !== null && 'verdict' in received && 'input' in received;
  return hasJourney ? journeyOf(packetSubject('', received)) : [];
}
