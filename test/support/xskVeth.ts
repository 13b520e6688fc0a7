import { EBUSY } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import type { XskEnd, XskWorld } from '../../src/replay/xsk/xskWorld.js';
import { EventQueue } from '../../src/sim/eventQueue.js';
import { AfXdp, KERNEL_QUIRKS } from '../../src/umem/index.js';
import type { AfXdpParts, XdpSock, XskDevice, XskPacket } from '../../src/umem/index.js';

const ETH_HLEN = 14;
const VLAN_HLEN = 4;
/** Longest packet, bytes, and the room for metadata before it. */
const PACKET_BYTES = 18 * 4096;
const META_MAX = 256;
/** What veth leaves in the linear part of a packet that it copies to a page (skb_pp_cow_data): the rest is fragments. */
const LINEAR_BYTES = 3520;

/**
 * A veth pair reduced to what AF_XDP meets: a packet goes at once from the sender's chunks to the peer's socket, as on the kernel, where the softirq
 * runs before the send call goes on. So nothing but `src/umem` is compared.
 */
export class XskVeth implements XskWorld {
  readonly ends: readonly [XskEnd, XskEnd];
  readonly afXdp: AfXdp;
  readonly #scheduler = new EventQueue(1_000_000);
  readonly #memory = new HostMemory(16);
  readonly #packet: number;
  readonly #mtu: number;
  readonly #isGeneric: boolean;
  readonly #metadata: Uint8Array;
  readonly #sockets: (XdpSock | undefined)[] = [undefined, undefined];
  readonly #isUp = [true, true];

  /**
   * @param metadata that the program puts before each packet
   * @param rules the kernel that it is like; left out: the running one
   */
  constructor(mtu: number, metadata: Uint8Array, isGeneric = false, rules: Pick<AfXdpParts, 'kernel' | 'quirks'> = {}) {
    this.#mtu = mtu;
    this.#isGeneric = isGeneric;
    this.#metadata = metadata;
    this.#packet = this.#memory.reserve('packet', META_MAX + PACKET_BYTES) + META_MAX;
    this.afXdp = new AfXdp({ memory: this.#memory, scheduler: this.#scheduler, quirks: KERNEL_QUIRKS, ...rules });
    this.afXdp.onClose = (socket) => this.#sockets.forEach((each, i) => each === socket && (this.#sockets[i] = undefined));
    this.ends = [this.#end(0), this.#end(1)];
  }

  wait(): void {
    while (this.#scheduler.step());
    this.#scheduler.nowNs += 1000;
  }

  #end(end: number): XskEnd {
    const ifindex = 2 + end;
    const isUp = (): boolean => this.#isUp[end];
    const device: XskDevice = {
      ifindex, rxQueues: 1, txQueues: 1, mtu: this.#mtu, kick: () => {},
      get isUp() {
        return isUp();
      },
      xskTransmit: (socket, packet) => this.#transmit(end, socket, packet),
    };
    this.afXdp.addDevice(device);
    return {
      calls: this.afXdp,
      ifindex,
      attach: (fd) => void (this.#sockets[end] = this.afXdp.socketOf(fd)),
      send: (frame) => {
        this.#memory.u8.set(frame, this.#packet);
        this.#receive(1 - end, frame.length);
      },
      setUp: (up) => void (this.#isUp[end] = up),
    };
  }

  #transmit(end: number, { pool }: XdpSock, { partCount, partAddress, partBytes, lenBytes, completion, metadata }: XskPacket): number {
    if (!this.#isUp[1 - end] || lenBytes < ETH_HLEN || lenBytes > this.#mtu + ETH_HLEN + VLAN_HLEN) return -EBUSY;
    for (let part = 0, at = this.#packet; part < partCount; at += partBytes[part++]) {
      this.#memory.u8.copyWithin(at, partAddress[part], partAddress[part] + partBytes[part]);
    }
    if (metadata.csumStart >= 0 && pool!.umem.hasTxSwCsum) this.#sum(partBytes[0], metadata);
    pool!.completePacket(completion, this.#scheduler.nowNs);
    this.#receive(1 - end, lenBytes);
    return 0;
  }

  /** skb_checksum_help, which is called when the packet has its first part only. */
  #sum(lenBytes: number, { csumStart, csumOffset }: XskPacket['metadata']): void {
    let sum = 0;
    const byte = (offBytes: number): number => (offBytes < lenBytes ? this.#memory.u8[this.#packet + offBytes] : 0);
    for (let offBytes = csumStart; offBytes < lenBytes; offBytes += 2) sum += byte(offBytes) * 256 + byte(offBytes + 1);
    while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
    // All bits set stand for a sum of 0: 0 says that there is none.
    this.#memory.view.setUint16(this.#packet + csumStart + csumOffset, sum === 0xffff ? 0xffff : ~sum & 0xffff, false);
  }

  /** What NAPI does with one packet: only a socket that took it is flushed. Generic XDP flushes whatever became of it, if the socket was asked for it. */
  #receive(end: number, lenBytes: number): void {
    const socket = this.#sockets[end];
    if (socket === undefined || !this.#isUp[0] || !this.#isUp[1]) return;
    this.#memory.u8.set(this.#metadata, this.#packet - this.#metadata.length);
    if (socket.checkReceive(2 + end, 0, lenBytes) !== 0) return;
    const error = socket.copyPacket(this.#packet, lenBytes, this.#metadata.length, lenBytes > LINEAR_BYTES, 0);
    if (error === 0 || this.#isGeneric) socket.flush();
  }
}
