import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { afterAll, describe, expect, it } from 'vitest';
import { ethernet, ipv4RouterAlert, ipv6RouterAlert } from '../../../src/packet/index.js';
import type { IpPacketEnd } from '../../../src/packet/index.js';
import { NetNamespace } from '../../../src/replay/net/netNamespace.js';
import { NetSyscalls } from '../../../src/replay/net/netSyscalls.js';
import { PacketSocket } from '../../../src/replay/net/packetSocket.js';

/** A host of its own with the addresses that built packets go to, and the wire to it. */
interface Host {
  readonly namespace: NetNamespace;
  readonly wire: PacketSocket;
}

const COMMANDS = [
  'link add wire0 type veth peer name host0', 'link set dev host0 address 02:00:00:00:00:02', 'addr add 10.0.0.2/24 dev host0', '-6 addr add 2001:db8::2/64 dev host0 nodad',
  'link set dev lo up', 'link set dev wire0 up', 'link set dev host0 up',
];

/** `undefined` where that can't be made. */
function makeHost(): Host | undefined {
  if (process.platform !== 'linux') return undefined;
  const calls = new NetSyscalls(koffi, process.arch);
  const namespace = NetNamespace.create(calls);
  if (!namespace.ok) return undefined;
  try {
    return namespace.value.enter(() => {
      const ip = (line: string): string => execFileSync('ip', line.split(' '), { encoding: 'utf8', stdio: 'pipe' });
      COMMANDS.forEach(ip);
      const [{ ifindex }] = JSON.parse(ip('-j link show wire0')) as [{ ifindex: number }];
      const wire = PacketSocket.open(calls, ifindex);
      return typeof wire === 'number' ? undefined : { namespace: namespace.value, wire };
    });
  } catch {
    namespace.value.close();
    return undefined;
  }
}

const host = makeHost();
if (host === undefined) console.warn('SKIPPED: no namespace with a veth pair, so nothing sends built packets to the stack of the running kernel');
afterAll(() => {
  host?.wire.close();
  host?.namespace.close();
});

/** Counters that say what the stack made of a packet; the others move by themselves. */
const WATCHED = /^(Ip(InHdrErrors|ReasmOKs|InDelivers)|Ip6(ReasmOKs|InHdrErrors)|(Udp6?|Tcp|Icmp6?)InCsumErrors|Udp6?NoPorts|TcpOutRsts|(Icmp|Icmp6)InEchos)$/;

/** All counters of the host: two lines for each protocol of IPv4, names and values; one for each counter of IPv6. */
function counters({ namespace }: Host): Map<string, number> {
  const [snmp, snmp6] = namespace.enter(() => ['snmp', 'snmp6'].map((name) => readFileSync(`/proc/thread-self/net/${name}`, 'utf8')));
  const found = new Map<string, number>();
  const lines = snmp!.trim().split('\n').map((line) => line.split(/[: ]+/));
  for (let i = 0; i < lines.length; i += 2) lines[i]!.forEach((name, column) => found.set(`${lines[i]![0]}${name}`, Number(lines[i + 1]![column])));
  for (const line of snmp6!.trim().split('\n')) found.set(line.split(/\s+/)[0]!, Number(line.split(/\s+/)[1]));
  return found;
}

/** The watched counters that frames move, with by how much. */
function moved(at: Host, frames: readonly Uint8Array[]): string[] {
  const before = counters(at);
  for (const frame of frames) expect(at.wire.send(frame)).toBe(0);
  // A busy machine leaves the receiving to ksoftirqd.
  let changes: string[] = [];
  for (let tries = 0, last = ''; tries < 200; tries++) {
    changes = [...counters(at)].filter(([name, value]) => WATCHED.test(name) && value !== before.get(name)).map(([name, value]) => `${name} ${value - before.get(name)!}`).sort();
    if (changes.length > 0 && changes.join() === last) break;
    last = changes.join();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
  }
  return changes;
}

const udp = ethernet().ipv4().udp({ dst: 53 }).payload('hello');
const udp6 = ethernet().ipv6().udp({ dst: 53 }).payload('hello');

describe.skipIf(host === undefined)('the stack of the running kernel', () => {
  it.each<[string, IpPacketEnd, string[]]>([
    ['UDP', udp, ['IpInDelivers 1', 'UdpNoPorts 1']],
    ['UDP, padded', udp.pad(), ['IpInDelivers 1', 'UdpNoPorts 1']],
    ['UDP without a checksum', udp.set('udp', { checksum: 0 }), ['IpInDelivers 1', 'UdpNoPorts 1']],
    ['UDP whose checksum computes to 0', ethernet().ipv4({ id: 0x1234 }).udp({ src: 1, dst: 2 }).payload(Uint8Array.of(0xeb, 0xd4)), ['IpInDelivers 1', 'UdpNoPorts 1']],
    ['UDP with options of IPv4', ethernet().ipv4({ options: ipv4RouterAlert() }).udp({ dst: 53 }).payload('odd'), ['IpInDelivers 1', 'UdpNoPorts 1']],
    ['UDP with a wrong checksum', udp.break('udp.checksum'), ['IpInDelivers 1', 'UdpInCsumErrors 1']],
    ['a wrong IPv4 checksum', udp.break('ipv4.checksum'), ['IpInHdrErrors 1']],
    ['TCP', ethernet().ipv4().tcp({ flags: 'S' }), ['IpInDelivers 1', 'TcpOutRsts 1']],
    ['TCP with a wrong checksum', ethernet().ipv4().tcp({ flags: 'S' }).break('tcp.checksum'), ['IpInDelivers 1', 'TcpInCsumErrors 1']],
    ['an echo request', ethernet().ipv4().icmp({ id: 1 }).payload(33), ['IcmpInEchos 1', 'IpInDelivers 1']],
    ['an echo request with a wrong checksum', ethernet().ipv4().icmp().break('icmp.checksum'), ['IcmpInCsumErrors 1', 'IpInDelivers 1']],
    ['UDP over IPv6', udp6, ['Udp6NoPorts 1']],
    ['UDP over IPv6 with extension headers', ethernet().ipv6().hopByHop({ options: ipv6RouterAlert() }).destinationOptions().udp().payload('odd'), ['Udp6NoPorts 1']],
    ['UDP over IPv6 in a fragment that is the whole packet', ethernet().ipv6().fragment().udp(), ['Ip6ReasmOKs 1', 'Udp6NoPorts 1']],
    ['UDP over IPv6 with a wrong checksum', udp6.break('udp.checksum'), ['Udp6InCsumErrors 1']],
    ['an echo request of ICMPv6', ethernet().ipv6().icmpv6({ id: 1 }).payload(33), ['Icmp6InEchos 1']],
    ['an echo request of ICMPv6 with a wrong checksum', ethernet().ipv6().icmpv6().break('icmpv6.checksum'), ['Icmp6InCsumErrors 1']],
  ])('%s', (_, packet, expected) => {
    expect(moved(host!, [packet.build()])).toEqual(expected);
  });

  it('puts fragments of both versions together', () => {
    expect(moved(host!, ethernet().ipv4({ id: 7, options: ipv4RouterAlert() }).udp().payload(4001).fragments(1000))).toEqual(['IpInDelivers 1', 'IpReasmOKs 1', 'UdpNoPorts 1']);
    expect(moved(host!, ethernet().ipv6().hopByHop().destinationOptions().udp().payload(4001).fragments(1280, { id: 9 }))).toEqual(['Ip6ReasmOKs 1', 'Udp6NoPorts 1']);
  });
});
