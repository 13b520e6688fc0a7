import { writeFileSync } from 'node:fs';
import { EOPNOTSUPP, errnoName, fail, ok, systemReason } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import { Ethtool } from './ethtool.js';
import { NetNamespace } from './netNamespace.js';
import type { NetSyscalls } from './netSyscalls.js';
import { attribute, Netlink, readAttributes, text, u32 } from './netlink.js';
import type { NetlinkAnswer } from './netlink.js';
import { PacketSocket } from './packetSocket.js';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const NLM_F_CREATE = 0x400;
const NLM_F_EXCL = 0x200;
const IFF_UP = 1;
const IFF_NOARP = 0x80;
const IFINFOMSG_BYTES = 16;
const NLA_F_NESTED = 0x8000;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_STATS64 = 23;
const IFLA_NET_NS_FD = 28;
const IFLA_NUM_TX_QUEUES = 31;
const IFLA_NUM_RX_QUEUES = 32;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;

const LINK_STATISTICS = ['rx_packets', 'tx_packets', 'rx_bytes', 'tx_bytes'];

/** Names of the ends, each in its own namespace. */
const SENDER_NAME = 'wire0';
const RECEIVER_NAME = 'xdp0';

const DISABLE_IPV6 = '/proc/sys/net/ipv6/conf/default/disable_ipv6';

/** One end of a veth pair, alone in its own network namespace. */
export interface VethEnd {
  readonly namespace: NetNamespace;
  readonly name: string;
  readonly ifindex: number;
  readonly socket: PacketSocket;
  readonly ethtool: Ethtool;
  readonly netlink: Netlink;
}

interface Ends {
  readonly sender: VethEnd;
  readonly receiver: VethEnd;
}

/**
 * A wire of its own: a veth pair between two new network namespaces, up, with one queue each way unless more are asked for. The stacks on both ends have no
 * addresses, no IPv6 and no ARP, so that they never send a packet by themselves.
 */
export class VethPair {
  /** The end that packets are put into. */
  readonly sender: VethEnd;
  /** The end that runs the program. */
  readonly receiver: VethEnd;
  readonly #parts: readonly { close(): void }[];

  private constructor(sender: VethEnd, receiver: VethEnd, parts: readonly { close(): void }[]) {
    this.sender = sender;
    this.receiver = receiver;
    this.#parts = parts;
  }

  /**
   * @param mtu of both ends
   * @param queues each way
   *
   * Problems: `net-no-namespace`, `net-no-netlink`, `net-no-veth`, `net-ipv6`, `net-link`, `net-no-packet-socket`.
   */
  static create(calls: NetSyscalls, mtu: number, queues = 1): Result<VethPair> {
    const parts: { close(): void }[] = [];
    const made = build(calls, mtu, queues, parts);
    if (!made.ok) {
      closeAll(parts);
      return made;
    }
    return ok(new VethPair(made.value.sender, made.value.receiver, parts));
  }

  /** Closes sockets and namespaces; the kernel removes the pair with them. */
  close(): void {
    closeAll(this.#parts);
  }
}

function closeAll(parts: readonly { close(): void }[]): void {
  for (const part of parts.toReversed()) part.close();
}

/** A namespace with a netlink socket inside. */
interface Place {
  readonly namespace: NetNamespace;
  readonly netlink: Netlink;
}

function build(calls: NetSyscalls, mtu: number, queues: number, parts: { close(): void }[]): Result<Ends> {
  const here = openPlace(calls, parts);
  if (!here.ok) return here;
  const there = openPlace(calls, parts);
  if (!there.ok) return there;
  const created = here.value.netlink.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, createMessage(mtu, queues, there.value.namespace.fd));
  if (created.errno < 0) return fail(createProblem(created));
  // An end that comes up after its peer has a carrier at once; the other one, which sends only by XDP, waits for none.
  const receiver = openEnd(calls, there.value, RECEIVER_NAME, parts);
  if (!receiver.ok) return receiver;
  const sender = openEnd(calls, here.value, SENDER_NAME, parts);
  if (!sender.ok) return sender;
  return ok({ sender: sender.value, receiver: receiver.value });
}

function openPlace(calls: NetSyscalls, parts: { close(): void }[]): Result<Place> {
  const created = NetNamespace.create(calls);
  if (!created.ok) return created;
  const namespace = created.value;
  parts.push(namespace);
  const netlink = namespace.enter(() => Netlink.open(calls));
  if (typeof netlink === 'number') return fail({ code: 'net-no-netlink', message: `the kernel gave no rtnetlink socket: ${errnoName(netlink)}` });
  parts.push(netlink);
  try {
    namespace.enter(() => writeFileSync(DISABLE_IPV6, '1'));
  } catch (error) {
    // Without the file the kernel has no IPv6, which is as good.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      return fail({ code: 'net-ipv6', where: DISABLE_IPV6, message: `IPv6 can't be switched off: ${systemReason(error)}`, hint: 'mount /proc/sys writable' });
    }
  }
  return ok({ namespace, netlink });
}

/** `ip link delete`, which takes the other end along. A negated errno, or 0. */
export function removeLink({ netlink, name }: VethEnd): number {
  return netlink.request(RTM_DELLINK, 0, linkMessage(0, attribute(IFLA_IFNAME, text(name)))).errno;
}

/** `ip link set up` and `down`. A negated errno, or 0. */
export function setLinkUp({ netlink, name }: VethEnd, isUp: boolean): number {
  const message = linkMessage(IFF_UP, attribute(IFLA_IFNAME, text(name)));
  // Which flags change stays as it is.
  if (!isUp) new DataView(message.buffer).setUint32(8, 0, true);
  return netlink.request(RTM_NEWLINK, 0, message).errno;
}

/**
 *     ifinfomsg    0 family  2 type (u16)  4 index (i32)  8 flags (u32)  12 change (u32)
 */
function linkMessage(flags: number, ...attributes: readonly Uint8Array[]): Uint8Array {
  const lengthBytes = attributes.reduce((sum, each) => sum + each.length, IFINFOMSG_BYTES);
  const bytes = new Uint8Array(lengthBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, flags, true);
  view.setUint32(12, flags, true);
  let at = IFINFOMSG_BYTES;
  for (const each of attributes) {
    bytes.set(each, at);
    at += each.length;
  }
  return bytes;
}

/** A veth pair with one end in the namespace of the request and the other in that of `peerFd`. */
function createMessage(mtu: number, queues: number, peerFd: number): Uint8Array {
  const settings = (name: string): Uint8Array[] => [
    attribute(IFLA_IFNAME, text(name)),
    attribute(IFLA_MTU, u32(mtu)),
    attribute(IFLA_NUM_TX_QUEUES, u32(queues)),
    attribute(IFLA_NUM_RX_QUEUES, u32(queues)),
  ];
  const peer = linkMessage(0, ...settings(RECEIVER_NAME), attribute(IFLA_NET_NS_FD, u32(peerFd)));
  const data = attribute(IFLA_INFO_DATA | NLA_F_NESTED, attribute(VETH_INFO_PEER | NLA_F_NESTED, peer));
  return linkMessage(0, ...settings(SENDER_NAME), attribute(IFLA_LINKINFO | NLA_F_NESTED, attribute(IFLA_INFO_KIND, text('veth')), data));
}

/** Brings an end up and opens a packet socket on it. */
function openEnd(calls: NetSyscalls, { namespace, netlink }: Place, name: string, parts: { close(): void }[]): Result<VethEnd> {
  const nameAttribute = attribute(IFLA_IFNAME, text(name));
  const up = netlink.request(RTM_NEWLINK, 0, linkMessage(IFF_UP | IFF_NOARP, nameAttribute));
  if (up.errno < 0) return fail(linkProblem(`bring up ${name}`, up));
  const link = netlink.request(RTM_GETLINK, 0, linkMessage(0, nameAttribute));
  if (link.errno < 0) return fail(linkProblem(`find ${name}`, link));
  const ifindex = new DataView(link.payload.buffer).getInt32(4, true);
  const socket = namespace.enter(() => PacketSocket.open(calls, ifindex));
  if (typeof socket === 'number') {
    return fail({ code: 'net-no-packet-socket', message: `the kernel gave no packet socket: ${errnoName(socket)}`, hint: 'it takes CAP_NET_RAW and a kernel with CONFIG_PACKET' });
  }
  parts.push(socket);
  return ok({ namespace, name, ifindex, socket, ethtool: new Ethtool(calls, socket.fd, name), netlink });
}

/**
 * Packets and bytes of an interface, as `ip -s link` counts them. Problem: `net-link`.
 *
 *     rtnl_link_stats64    0 rx_packets  8 tx_packets  16 rx_bytes  24 tx_bytes  (u64 each)
 */
export function linkStatistics(end: VethEnd): Result<Map<string, number>> {
  const link = end.netlink.request(RTM_GETLINK, 0, linkMessage(0, attribute(IFLA_IFNAME, text(end.name))));
  const stats = readAttributes(link.payload.subarray(IFINFOMSG_BYTES)).get(IFLA_STATS64);
  if (link.errno < 0 || stats === undefined) return fail(linkProblem(`count packets of ${end.name}`, link));
  const view = new DataView(stats.buffer, stats.byteOffset);
  return ok(new Map(LINK_STATISTICS.map((name, index) => [name, Number(view.getBigUint64(index * 8, true))])));
}

function createProblem(answer: NetlinkAnswer): Problem {
  if (answer.errno !== -EOPNOTSUPP) return linkProblem('make a veth pair', answer);
  return { code: 'net-no-veth', message: 'this kernel has no veth devices (EOPNOTSUPP)', hint: 'modprobe veth, or use a kernel with CONFIG_VETH' };
}

function linkProblem(what: string, { errno, text: said }: NetlinkAnswer): Problem {
  return { code: 'net-link', message: `the kernel refused to ${what}: ${errnoName(errno)}${said === '' ? '' : `, ${said}`}` };
}
