import type { Outcome } from '../xdp/index.js';
import type { ProgramEvent } from './programEvents.js';
import type { TraceRecord } from './traceLog.js';

/** In place of a packet's id: packets are counted from 1. */
export const NO_PACKET = 0;

/** Sees packets leave a host: writes captures, collects results. Bytes must be read during the call. */
export interface PacketWatcher {
  /** A frame arrived at a NIC of the host; `lenBytes` of it lie at `address`, or WIRE_SLOT_BYTES when it is longer. */
  onArrival?(packetId: number, address: number, lenBytes: number): void;
  onPacketEnd?(packet: WatchedPacket): void;
  onApplicationFrame?(packet: WatchedPacket): void;
  /** Every frame that a NIC of the host puts on the wire, also those that the other two tell of; with the bytes as they were sent. */
  onWire?(packet: WatchedPacket): void;
  /** Every record of a RINGBUF and every perf event, also those that the result only counts; its bytes too are only good during the call. */
  onEvent?(event: ProgramEvent): void;
  /** Every hit of a tracepoint of XDP, also those that the result only counts. */
  onTrace?(record: TraceRecord): void;
}

/** One packet at its end; the object is reused for the next. */
export interface WatchedPacket {
  packetId: number;
  /** Interface that it ended at: the one that it came in by, or, when it was sent, the one that it left by. */
  ifindex: number;
  /** Packet of another host that arrived as this one, NO_PACKET when it came from a capture. */
  cameFrom: number;
  outcome: Outcome;
  /** What the program returned, -1 when it didn't see the packet. */
  retval: number;
  queue: number;
  /** Virtual time, and the same moment on the capture's clock. */
  tNs: number;
  tSec: number;
  tNsec: number;
  /** Host address of the packet; metadata lies before it. */
  address: number;
  /** Bytes of the packet; of one longer than WIRE_SLOT_BYTES, which the MAC dropped, only so many are there. */
  lenBytes: number;
  metaBytes: number;
}
