import { closeSync } from 'node:fs';
import { ENOLINK, unwrap } from '../../src/base/index.js';
import type { KernelBpf } from '../../src/replay/index.js';
import { thisHost } from '../../src/replay/index.js';
import { attribute, Netlink, readAttributes, text, u32 } from '../../src/replay/net/netlink.js';
import { NetNamespace } from '../../src/replay/net/netNamespace.js';
import { NetSyscalls } from '../../src/replay/net/netSyscalls.js';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const NLM_F_CREATE = 0x400;
const NLA_F_NESTED = 0x8000;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_NUM_TX_QUEUES = 31;
const IFLA_NUM_RX_QUEUES = 32;
const IFLA_XDP = 43;
const IFLA_XDP_FD = 1;
const IFLA_XDP_FLAGS = 3;
const IFLA_XDP_DRV_PROG_ID = 5;
const IFLA_XDP_SKB_PROG_ID = 6;
const IFLA_XDP_HW_PROG_ID = 7;
const IFLA_XDP_EXPECTED_FD = 8;
const VETH_INFO_PEER = 1;
const IFINFOMSG_BYTES = 16;
const IFF_UP = 1;

const BPF_LINK_CREATE = 28;
const BPF_LINK_UPDATE = 29;
const BPF_LINK_DETACH = 34;
const BPF_F_REPLACE = 4;
const BPF_XDP = 37;

const BPF_PROG_TYPE_XDP = 6;
export const BPF_XDP_DEVMAP = 33;
export const BPF_XDP_CPUMAP = 35;
export const BPF_F_XDP_HAS_FRAGS = 32;
export const BPF_F_XDP_DEV_BOUND_ONLY = 64;

/** What the kernel says to a request. */
export interface KernelAnswer {
  /** 0, or a positive errno. */
  readonly errno: number;
  /** Its extended acknowledgement; bpf(2) has none. */
  readonly says: string;
}

/** Ids of the programs that are attached to a device, 0 for none. */
export interface KernelXdpState {
  readonly native: number;
  readonly generic: number;
  readonly offload: number;
}

/** A network namespace of its own, to attach XDP programs in. The kernel removes it with all devices when it is closed. */
export class AttachLab {
  readonly #kernel: KernelBpf;
  readonly #namespace: NetNamespace;
  readonly #netlink: Netlink;
  readonly #fds: number[] = [];

  private constructor(kernel: KernelBpf, namespace: NetNamespace, netlink: Netlink) {
    this.#kernel = kernel;
    this.#namespace = namespace;
    this.#netlink = netlink;
  }

  static async open(kernel: KernelBpf): Promise<AttachLab> {
    const calls = new NetSyscalls(await thisHost.importKoffi(), process.arch);
    const namespace = unwrap(NetNamespace.create(calls));
    const netlink = namespace.enter(() => Netlink.open(calls));
    if (typeof netlink === 'number') throw new Error(`AttachLab: no netlink socket: ${netlink}`);
    return new AttachLab(kernel, namespace, netlink);
  }

  close(): void {
    for (const fd of this.#fds) closeSync(fd);
    this.#netlink.close();
    this.#namespace.close();
  }

  /** Makes a veth pair and brings both ends up; gives the number of the first. */
  addVeth(name: string, { mtu = 1500, peerMtu = 1500, queues = 1, peerQueues = 1 }: { mtu?: number; peerMtu?: number; queues?: number; peerQueues?: number } = {}): number {
    const end = (label: string, itsMtu: number, itsQueues: number): Uint8Array[] => [
      attribute(IFLA_IFNAME, text(label)), attribute(IFLA_MTU, u32(itsMtu)), attribute(IFLA_NUM_RX_QUEUES, u32(itsQueues)), attribute(IFLA_NUM_TX_QUEUES, u32(itsQueues)),
    ];
    const peer = attribute(VETH_INFO_PEER | NLA_F_NESTED, message(0, 0, ...end(`${name}p`, peerMtu, peerQueues)));
    this.#make(...end(name, mtu, queues), kind('veth', peer));
    this.#must(RTM_NEWLINK, 0, message(this.ifindex(`${name}p`), IFF_UP));
    this.#must(RTM_NEWLINK, 0, message(this.ifindex(name), IFF_UP));
    return this.ifindex(name);
  }

  addBridge(name: string): number {
    this.#make(attribute(IFLA_IFNAME, text(name)), kind('bridge'));
    return this.ifindex(name);
  }

  setMaster(ifindex: number, master: number): void {
    this.#must(RTM_SETLINK, 0, message(ifindex, 0, attribute(IFLA_MASTER, u32(master))));
  }

  setMtu(ifindex: number, mtu: number): KernelAnswer {
    return this.#ask(RTM_SETLINK, message(ifindex, 0, attribute(IFLA_MTU, u32(mtu))));
  }

  remove(ifindex: number): void {
    this.#must(RTM_DELLINK, 0, message(ifindex, 0));
  }

  ifindex(name: string): number {
    const link = this.#netlink.request(RTM_GETLINK, 0, message(0, 0, attribute(IFLA_IFNAME, text(name))));
    if (link.errno < 0) throw new Error(`AttachLab: no device ${name}: ${link.errno}`);
    return new DataView(link.payload.buffer).getInt32(4, true);
  }

  /** BPF_PROG_LOAD: a file descriptor, which `close` closes, or a negated errno. */
  load({ insns = PASS, attachType = BPF_XDP, flags = 0, ifindex = 0, log }: { insns?: Uint8Array; attachType?: number; flags?: number; ifindex?: number; log?: Parameters<KernelBpf['progLoad']>[0]['log'] }): number {
    const fd = this.#namespace.enter(() => this.#kernel.progLoad({ type: BPF_PROG_TYPE_XDP, insns, license: 'GPL', flags, name: 'pass', expectedAttachType: attachType, ifindex, log }));
    if (fd >= 0) this.#fds.push(fd);
    return fd;
  }

  programId(fd: number): number {
    return this.#kernel.programId(fd);
  }

  /** RTM_SETLINK with IFLA_XDP. @param fd -1 to take a program off */
  setXdp(ifindex: number, fd: number, flags: number, expectedFd?: number): KernelAnswer {
    const expected = expectedFd === undefined ? [] : [attribute(IFLA_XDP_EXPECTED_FD, u32(expectedFd >>> 0))];
    return this.#ask(RTM_SETLINK, message(ifindex, 0, attribute(IFLA_XDP | NLA_F_NESTED, attribute(IFLA_XDP_FD, u32(fd >>> 0)), attribute(IFLA_XDP_FLAGS, u32(flags)), ...expected)));
  }

  /** BPF_LINK_CREATE: a file descriptor, which the caller closes, or a negated errno. */
  createLink(ifindex: number, fd: number, flags: number): number {
    return this.#namespace.enter(() => this.#bpf(BPF_LINK_CREATE, 16, fd, ifindex, BPF_XDP, flags));
  }

  /** BPF_LINK_UPDATE: 0 or a positive errno. @param oldFd with it, BPF_F_REPLACE */
  updateLink(linkFd: number, fd: number, oldFd?: number): number {
    return -this.#bpf(BPF_LINK_UPDATE, 16, linkFd, fd, oldFd === undefined ? 0 : BPF_F_REPLACE, oldFd ?? 0) || 0;
  }

  detachLink(linkFd: number): number {
    return -this.#bpf(BPF_LINK_DETACH, 4, linkFd) || 0;
  }

  xdpState(ifindex: number): KernelXdpState {
    const link = this.#netlink.request(RTM_GETLINK, 0, message(ifindex, 0));
    const xdp = readAttributes(readAttributes(link.payload.subarray(IFINFOMSG_BYTES)).get(IFLA_XDP) ?? new Uint8Array(0));
    const id = (type: number): number => {
      const value = xdp.get(type);
      return value === undefined ? 0 : new DataView(value.buffer, value.byteOffset).getUint32(0, true);
    };
    return { native: id(IFLA_XDP_DRV_PROG_ID), generic: id(IFLA_XDP_SKB_PROG_ID), offload: id(IFLA_XDP_HW_PROG_ID) };
  }

  #bpf(command: number, attrBytes: number, ...words: number[]): number {
    const attr = this.#kernel.syscalls.buffer(attrBytes);
    words.forEach((word, index) => attr.view.setUint32(index * 4, word, true));
    return this.#kernel.syscalls.bpf(command, attr, attrBytes);
  }

  #make(...attributes: Uint8Array[]): void {
    this.#must(RTM_NEWLINK, NLM_F_CREATE, message(0, 0, ...attributes));
  }

  #must(type: number, flags: number, payload: Uint8Array): void {
    const { errno, text: says } = this.#netlink.request(type, flags, payload);
    if (errno < 0) throw new Error(`AttachLab: request ${type} was refused: ${errno} ${says}`);
  }

  #ask(type: number, payload: Uint8Array): KernelAnswer {
    const { errno, text: says } = this.#netlink.request(type, 0, payload);
    return { errno: -errno || 0, says };
  }
}

/** `r0 = XDP_PASS`, `exit`. */
const PASS = Uint8Array.of(0xb4, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);

/** What BPF_LINK_UPDATE gives for a link whose device is gone. */
export const LINK_GONE = ENOLINK;

function kind(name: string, ...data: Uint8Array[]): Uint8Array {
  return attribute(IFLA_LINKINFO | NLA_F_NESTED, attribute(IFLA_INFO_KIND, text(name)), ...(data.length === 0 ? [] : [attribute(IFLA_INFO_DATA | NLA_F_NESTED, ...data)]));
}

/** ifinfomsg: 0 family, 2 type (u16), 4 index (i32), 8 flags (u32), 12 change (u32); then attributes. */
function message(ifindex: number, flags: number, ...attributes: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(attributes.reduce((sum, each) => sum + each.length, IFINFOMSG_BYTES));
  const view = new DataView(bytes.buffer);
  view.setInt32(4, ifindex, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, flags, true);
  let at = IFINFOMSG_BYTES;
  for (const each of attributes) {
    bytes.set(each, at);
    at += each.length;
  }
  return bytes;
}
