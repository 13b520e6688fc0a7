import { closeSync } from 'node:fs';
import { EAGAIN, errnoName } from '../../base/index.js';
import type { KernelBuffer } from '../bpfSyscall.js';
import { setAddress } from '../kernelBpf.js';
import { SCRATCH_BYTES } from './netSyscalls.js';
import type { NetSyscalls } from './netSyscalls.js';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const ETH_P_ALL = 3;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SOL_PACKET = 263;
const PACKET_AUXDATA = 8;
const PACKET_QDISC_BYPASS = 20;
const PACKET_IGNORE_OUTGOING = 23;
const MSG_DONTWAIT = 0x40;
const TP_STATUS_VLAN_VALID = 1 << 4;
const TP_STATUS_VLAN_TPID_VALID = 1 << 6;
const ETH_P_8021Q = 0x8100;
/** Offset in a frame at which a VLAN tag stands, and its size, bytes. */
const VLAN_OFFSET = 12;
const VLAN_HLEN = 4;

const RECEIVE_BUFFER_BYTES = 4 << 20;
const CONTROL_BYTES = 128;

/**
 * A packet socket on one interface: sends frames as they are, and sees every frame that its interface hands to the stack, after XDP
 * and before any protocol. What the interface sends itself it doesn't see.
 */
export class PacketSocket {
  readonly fd: number;
  readonly #calls: NetSyscalls;
  readonly #data: KernelBuffer;
  readonly #control: KernelBuffer;
  readonly #message: KernelBuffer;
  readonly #iovec: KernelBuffer;
  readonly #outgoing: KernelBuffer;

  private constructor(calls: NetSyscalls, fd: number) {
    this.#calls = calls;
    this.fd = fd;
    this.#data = calls.buffer(SCRATCH_BYTES);
    this.#control = calls.buffer(CONTROL_BYTES);
    this.#iovec = calls.buffer(16);
    this.#message = calls.buffer(56);
    this.#outgoing = calls.buffer(SCRATCH_BYTES);
    setAddress(this.#iovec.view, 0, this.#data.address + VLAN_HLEN);
    setAddress(this.#iovec.view, 8, SCRATCH_BYTES - VLAN_HLEN);
  }

  /** To be called inside the namespace, when the interface is up. A negated errno when the kernel refuses. */
  static open(calls: NetSyscalls, ifindex: number): PacketSocket | number {
    // With protocol 0 it gets nothing until it is bound, and then only from its interface.
    const fd = calls.call('socket', AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) return fd;
    const socket = new PacketSocket(calls, fd);
    const result = socket.#setUp(ifindex);
    if (result >= 0) return socket;
    socket.close();
    return result;
  }

  /**
   *     sockaddr_ll    0 family (u16)  2 protocol (be16)  4 ifindex (i32)  8 hatype (u16)  10 pkttype  11 halen  12 addr[8]
   */
  #setUp(ifindex: number): number {
    for (const [level, option, value] of [
      [SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES],
      [SOL_PACKET, PACKET_AUXDATA, 1],
      [SOL_PACKET, PACKET_IGNORE_OUTGOING, 1],
    ] as const) {
      const buffer = this.#calls.buffer(4);
      buffer.view.setUint32(0, value, true);
      const result = this.#calls.call('setsockopt', this.fd, level, option, buffer, 4);
      if (result < 0) return result;
    }
    const address = this.#calls.buffer(20);
    address.view.setUint16(0, AF_PACKET, true);
    address.view.setUint16(2, ETH_P_ALL, false);
    address.view.setInt32(4, ifindex, true);
    return this.#calls.call('bind', this.fd, address, 20);
  }

  /**
   * What it sends goes to the driver directly from now on. Else what it sends in the first second of a link may be lost: the kernel learns of a carrier in a
   * worker (linkwatch), and the interface has no queueing discipline till then. A negated errno, or 0.
   */
  bypassQdisc(): number {
    const one = this.#calls.buffer(4);
    one.view.setUint32(0, 1, true);
    return this.#calls.call('setsockopt', this.fd, SOL_PACKET, PACKET_QDISC_BYPASS, one, 4);
  }

  /** @returns 0, or a negated errno: -EMSGSIZE for a frame beyond the MTU, -EINVAL for one without a whole Ethernet header */
  send(frame: Uint8Array): number {
    this.#outgoing.bytes.set(frame);
    const result = this.#calls.call('sendto', this.fd, this.#outgoing, frame.length);
    return result < 0 ? result : 0;
  }

  /**
   * A copy of the next frame that has arrived, `undefined` when there is none.
   *
   * The stack takes an outer VLAN tag out of a frame before anybody sees it (skb_vlan_untag, net/core/skbuff.c) and tells of it in the
   * auxiliary data; here it is put back.
   *
   *     msghdr              0 name (address)  8 namelen (u32)  16 iov (address)  24 iovlen  32 control (address)  40 controllen  48 flags (i32)
   *     cmsghdr             0 len (u64)  8 level (i32)  12 type (i32)  16 data
   *     tpacket_auxdata     0 status (u32)  4 len  8 snaplen  12 mac (u16)  14 net  16 vlan_tci  18 vlan_tpid
   */
  receive(): Uint8Array | undefined {
    const { view } = this.#message;
    view.setUint32(8, 0, true);
    setAddress(view, 16, this.#iovec.address);
    setAddress(view, 24, 1);
    setAddress(view, 32, this.#control.address);
    setAddress(view, 40, CONTROL_BYTES);
    const received = this.#calls.call('recvmsg', this.fd, this.#message, MSG_DONTWAIT);
    if (received === -EAGAIN) return undefined;
    if (received < 0) throw new Error(`PacketSocket.receive: ${errnoName(received)}`);
    const { bytes } = this.#data;
    const tag = this.#vlanTag(view.getUint32(40, true));
    if (tag === undefined) return bytes.slice(VLAN_HLEN, VLAN_HLEN + received);
    bytes.copyWithin(0, VLAN_HLEN, VLAN_HLEN + VLAN_OFFSET);
    this.#data.view.setUint32(VLAN_OFFSET, tag, false);
    return bytes.slice(0, VLAN_HLEN + received);
  }

  /** TPID and TCI of the tag that was taken out. */
  #vlanTag(controlBytes: number): number | undefined {
    const { view } = this.#control;
    if (controlBytes < 36 || view.getInt32(8, true) !== SOL_PACKET || view.getInt32(12, true) !== PACKET_AUXDATA) return undefined;
    const status = view.getUint32(16, true);
    if ((status & TP_STATUS_VLAN_VALID) === 0) return undefined;
    const tpid = (status & TP_STATUS_VLAN_TPID_VALID) === 0 ? ETH_P_8021Q : view.getUint16(34, true);
    return tpid * 0x10000 + view.getUint16(32, true);
  }

  close(): void {
    closeSync(this.fd);
  }
}

const POLLIN = 1;

/**
 * Waits until one of the sockets has a frame.
 *
 *     pollfd    0 fd (i32)  4 events (i16)  6 revents (i16)          timespec    0 seconds (i64)  8 nanoseconds (i64)
 */
export function waitForFrame(calls: NetSyscalls, sockets: readonly PacketSocket[], timeoutMs: number): void {
  const fds = calls.buffer(sockets.length * 8);
  sockets.forEach(({ fd }, index) => {
    fds.view.setInt32(index * 8, fd, true);
    fds.view.setInt16(index * 8 + 4, POLLIN, true);
  });
  const timeout = calls.buffer(16);
  setAddress(timeout.view, 0, Math.floor(timeoutMs / 1000));
  setAddress(timeout.view, 8, Math.round((timeoutMs % 1000) * 1e6));
  calls.call('ppoll', fds, sockets.length, timeout);
}
