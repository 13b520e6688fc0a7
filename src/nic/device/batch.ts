/** Frames that a stage handles at once: the NAPI budget. */
export const BATCH_FRAMES = 64;

/** Descriptors that one frame may span: its first buffer and 17 fragments. */
export const MAX_SEGMENTS = 18;

/** Frames on the wire, as a structure of arrays: what the MAC gets. */
export class WireBatch {
  count = 0;
  /** Host address where the frame's bytes lie until DMA has copied them. */
  readonly address = new Uint32Array(BATCH_FRAMES);
  readonly lenBytes = new Int32Array(BATCH_FRAMES);
  /** 1-based number of the frame in its source. */
  readonly packetId = new Int32Array(BATCH_FRAMES);
  /** What the device found: RSS hash and queue. -1 in `queue` means that the MAC dropped the frame. */
  readonly rssHash = new Int32Array(BATCH_FRAMES);
  /** What was hashed, XDP_RSS_*. */
  readonly rssType = new Int32Array(BATCH_FRAMES);
  readonly queue = new Int32Array(BATCH_FRAMES);
  /** DESC_* flags of the whole frame: checksum results, VLAN tag, receive errors. */
  readonly flags = new Int32Array(BATCH_FRAMES);
  /** PACKET_* bits. */
  readonly packetType = new Int32Array(BATCH_FRAMES);
  /** DESC_VLAN: the tag that was taken out of the frame (its 4 bytes at offset 12 are not copied). */
  readonly vlanTci = new Int32Array(BATCH_FRAMES);
}

/** Descriptors that a stage handles at once, as a structure of arrays: what a descriptor format reads and writes. */
export class DescriptorBatch {
  count = 0;
  readonly iovaLow: Int32Array;
  readonly iovaHigh: Int32Array;
  /** RX posted: size of the buffer; RX written back and TX: bytes of packet. */
  readonly lenBytes: Int32Array;
  /** DESC_* flags. */
  readonly flags: Int32Array;
  readonly rssHash: Int32Array;
  /** What was hashed, XDP_RSS_*: bits of enum xdp_rss_hash_type, of which the lowest six are in use. */
  readonly rssType: Int32Array;
  /** RX written back: when the frame arrived, ns. */
  readonly timestampNs: Float64Array;
  /** PACKET_* bits. RX written back; TX with DESC_CSUM: what the frame is, as the driver knows. */
  readonly packetType: Int32Array;
  /** DESC_VLAN: tag control information, host byte order. RX: was stripped; TX: is to be inserted. */
  readonly vlanTci: Int32Array;
  /** TX with DESC_CSUM: where layer 3 and layer 4 begin, and where the checksum lies behind the latter (`csum_start`, `csum_offset`); bytes. */
  readonly l3Start: Int32Array;
  readonly csumStart: Int32Array;
  readonly csumOffset: Int32Array;
  /** TX with DESC_LAUNCH: when the frame is to be sent, ns from the start of a cycle (see `launchCycle.ts`). */
  readonly launchNs: Uint32Array;
  /** TX fetched: ring slots that the buffer took, with descriptors that hold no buffer (context, header) before it. */
  readonly slots: Int32Array;
  /**
   * Formats with `rxPrefixBytes` only: host address of the buffer's first byte, where the prefix lies. For `rxWriteBack` the device sets
   * it, for `rxPoll` the driver, for as many descriptors as the limit allows.
   */
  readonly address: Uint32Array;

  /** @param capacity descriptors; a frame may take several */
  constructor(capacity: number) {
    this.iovaLow = new Int32Array(capacity);
    this.iovaHigh = new Int32Array(capacity);
    this.lenBytes = new Int32Array(capacity);
    this.flags = new Int32Array(capacity);
    this.rssHash = new Int32Array(capacity);
    this.rssType = new Int32Array(capacity);
    this.timestampNs = new Float64Array(capacity);
    this.packetType = new Int32Array(capacity);
    this.vlanTci = new Int32Array(capacity);
    this.l3Start = new Int32Array(capacity);
    this.csumStart = new Int32Array(capacity);
    this.csumOffset = new Int32Array(capacity);
    this.launchNs = new Uint32Array(capacity);
    this.slots = new Int32Array(capacity);
    this.address = new Uint32Array(capacity);
  }
}

/** The device has finished with the descriptor. */
export const DESC_DONE = 1;
/** Last descriptor of a frame. */
export const DESC_EOP = 2;
/** `rssHash` and `rssType` are valid. */
export const DESC_RSS = 4;
/** First descriptor of a frame. */
export const DESC_FIRST = 8;
/** RX: the VLAN tag in `vlanTci` was taken out of the frame. TX: the device is to insert it. */
export const DESC_VLAN = 16;
/** RX: the device has looked at the IPv4 header checksum, and it is wrong. */
export const DESC_L3_CHECKED = 32;
export const DESC_L3_BAD = 64;
/** RX: the device has looked at the TCP or UDP checksum (not of fragments), and it is wrong. */
export const DESC_L4_CHECKED = 128;
export const DESC_L4_BAD = 256;
/** RX: `timestampNs` is a time stamp of the hardware. */
export const DESC_TIMESTAMP = 512;
/** RX: the frame arrived damaged (CRC, symbol error); a driver drops it. */
export const DESC_RX_ERROR = 1024;
/** TX: the device is to write a layer 4 checksum: the sum from `csumStart` to the end, complemented, at `csumStart + csumOffset`. */
export const DESC_CSUM = 2048;
/** TX, in what a device reads: it knows the protocol and computes the pseudo header itself, whatever lies in the field. */
export const DESC_CSUM_PROTOCOL = 4096;
/** TX, in what a device reads: it writes the IPv4 header checksum too. */
export const DESC_CSUM_IPV4 = 8192;
/** TX, in what a device reads: the descriptor makes no sense in this format; the device drops the frame and says so. */
export const DESC_MALFORMED = 16384;
/** TX: the frame waits until the time in `launchNs`, in a queue that launches by time. */
export const DESC_LAUNCH = 32768;
/** TX with DESC_LAUNCH: the frame is the first of its queue in a cycle, which is the next one if the queue has sent in this one. */
export const DESC_LAUNCH_FIRST = 65536;

export const PACKET_IPV4 = 1;
export const PACKET_IPV6 = 2;
export const PACKET_TCP = 4;
export const PACKET_UDP = 8;
export const PACKET_SCTP = 16;
export const PACKET_FRAGMENT = 32;
export const PACKET_MULTICAST = 64;
export const PACKET_BROADCAST = 128;
