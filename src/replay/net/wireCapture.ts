import { ETH_HLEN } from '../../vm/index.js';
import type { CaptureReader, CaptureStatus } from '../../packet/index.js';

const ETH_P_8021Q = 0x8100;
const VLAN_HLEN = 4;
const NSEC_PER_SEC = 1_000_000_000;

/**
 * Least time between two packets, ns: the kernel gets them one after the other, each when it is done with the one before. In one poll they would share a
 * bulk, too, and one that the other end of a veth does not take ends it for those behind.
 */
const GAP_NS = 10_000;

/** A frame on its way from the capture to the kernel. */
export interface WireFrame {
  /** Number in the capture, from 1. */
  readonly packetNumber: number;
  readonly bytes: Uint8Array;
}

/**
 * A capture without the packets that a packet socket refuses to send, so that the simulator and the kernel see the same: those
 * without a whole Ethernet header, and those longer than the MTU allows, where one 802.1Q tag is free (packet_snd and
 * packet_extra_vlan_len_allowed, net/packet/af_packet.c, 6.18).
 *
 * Packets that were captured at nearly the same time are moved apart, so that each is polled alone, as the kernel does.
 *
 * The packets that it lets pass are numbered from 1, as the simulator numbers them, and kept until `takeFrame`.
 */
export class WireCapture implements CaptureReader {
  tooShort = 0;
  tooLong = 0;
  passed = 0;
  readonly #reader: CaptureReader;
  readonly #mtu: number;
  readonly #frames = new Map<number, WireFrame>();
  /** Time of the packet that passed last. */
  #sec = -Infinity;
  #nsec = 0;

  constructor(reader: CaptureReader, mtu: number) {
    this.#reader = reader;
    this.#mtu = mtu;
  }

  /** The frame of a packet that has passed; only once. */
  takeFrame(packetId: number): WireFrame {
    const frame = this.#frames.get(packetId);
    if (frame === undefined) throw new RangeError(`WireCapture.takeFrame: there is no frame ${packetId}`);
    this.#frames.delete(packetId);
    return frame;
  }

  next(): CaptureStatus {
    for (;;) {
      const status = this.#reader.next();
      if (status !== 'packet') return status;
      const { data, offBytes, capturedLen, packetNumber } = this.#reader;
      if (capturedLen < ETH_HLEN) this.tooShort++;
      else if (capturedLen > this.#longest(data, offBytes)) this.tooLong++;
      else {
        this.#moveApart();
        this.#frames.set(++this.passed, { packetNumber, bytes: data.slice(offBytes, offBytes + capturedLen) });
        return status;
      }
    }
  }

  #moveApart(): void {
    const { tSec, tNsec } = this.#reader;
    const nsec = this.#nsec + GAP_NS;
    const carry = nsec >= NSEC_PER_SEC ? 1 : 0;
    const earliestSec = this.#sec + carry;
    const earliestNsec = nsec - carry * NSEC_PER_SEC;
    const isLater = tSec > earliestSec || (tSec === earliestSec && tNsec >= earliestNsec);
    this.#sec = isLater ? tSec : earliestSec;
    this.#nsec = isLater ? tNsec : earliestNsec;
  }

  #longest(data: Uint8Array, offBytes: number): number {
    const etherType = (data[offBytes + 12] << 8) | data[offBytes + 13];
    return this.#mtu + ETH_HLEN + (etherType === ETH_P_8021Q ? VLAN_HLEN : 0);
  }

  close(): void {
    this.#reader.close();
  }

  get format() { return this.#reader.format; }
  get data() { return this.#reader.data; }
  get offBytes() { return this.#reader.offBytes; }
  get capturedLen() { return this.#reader.capturedLen; }
  get originalLen() { return this.#reader.originalLen; }
  get fcsLen() { return this.#reader.fcsLen; }
  get tSec() { return this.#sec; }
  get tNsec() { return this.#nsec; }
  get hasTimestamp() { return this.#reader.hasTimestamp; }
  get packetNumber() { return this.#reader.packetNumber; }
  get fileOffsetBytes() { return this.#reader.fileOffsetBytes; }
  get linkType() { return this.#reader.linkType; }
  get interfaceId() { return this.#reader.interfaceId; }
  get problem() { return this.#reader.problem; }
}
