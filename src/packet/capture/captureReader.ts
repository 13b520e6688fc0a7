import type { Problem } from '../../base/index.js';

/** What `CaptureReader.next` found: a packet, the regular end of the capture, or a fault that is told in `problem`. */
export type CaptureStatus = 'packet' | 'end' | 'error';

/**
 * A capture read packet by packet, forwards, in constant memory and without an allocation per packet.
 *
 * The fields describe the packet that the last `next()` found; they, and the bytes behind `data`, hold until the following
 * `next()` or `close()`. After `'end'` or `'error'` every further `next()` gives the same answer.
 */
export interface CaptureReader {
  readonly format: 'pcap' | 'pcapng';
  /** Buffer that holds the packet; the same object for the whole capture. */
  readonly data: Uint8Array;
  /** Index in `data` of the packet's first byte (Ethernet destination address). */
  readonly offBytes: number;
  /** Bytes of the packet in the capture, without FCS. */
  readonly capturedLen: number;
  /** Bytes that the packet had on the wire, without FCS; at least `capturedLen`. */
  readonly originalLen: number;
  /** Bytes of FCS that were cut off: the capture has them behind the frame, a kernel never sees them. */
  readonly fcsLen: number;
  /** Time of capture, whole seconds (since the Unix epoch, as a rule). */
  readonly tSec: number;
  /** Time of capture, nanoseconds within the second, 0..999999999. Finer resolutions are rounded down. */
  readonly tNsec: number;
  /** False for a pcapng Simple Packet Block, which has no time: `tSec`/`tNsec` then repeat the packet before. */
  readonly hasTimestamp: boolean;
  /** Counts from 1, as in tcpdump and Wireshark. */
  readonly packetNumber: number;
  /** Offset in the file of the packet's record (pcap) or block (pcapng). */
  readonly fileOffsetBytes: number;
  /** LINKTYPE_ number; always 1 (Ethernet), anything else is an error. */
  readonly linkType: number;
  /** pcapng: number of the interface within its section. pcap: 0. */
  readonly interfaceId: number;
  /** The fault, once `next()` has answered `'error'`. */
  readonly problem: Problem | undefined;

  /** Goes on to the next packet. */
  next(): CaptureStatus;

  /** Closes the file; may be called at any time and more than once. */
  close(): void;
}

/** Longest packet that is believed, in bytes: MAXIMUM_SNAPLEN of libpcap (pcap-int.h) for Ethernet. */
export const MAX_PACKET_BYTES = 262144;

/** LINKTYPE_ETHERNET of the tcpdump.org link-layer header type registry. */
export const LINKTYPE_ETHERNET = 1;
