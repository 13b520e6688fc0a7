/** Frames that a stage handles at once: the NAPI budget. */
export const BATCH_FRAMES = 64;

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

  /** @param capacity descriptors; a frame may take several */
  constructor(capacity: number) {
    this.iovaLow = new Int32Array(capacity);
    this.iovaHigh = new Int32Array(capacity);
    this.lenBytes = new Int32Array(capacity);
    this.flags = new Int32Array(capacity);
    this.rssHash = new Int32Array(capacity);
    this.rssType = new Int32Array(capacity);
    this.timestampNs = new Float64Array(capacity);
  }
}

/** The device has finished with the descriptor. */
export const DESC_DONE = 1;
/** Last descriptor of a frame. */
export const DESC_EOP = 2;
/** `rssHash` and `rssType` are valid. */
export const DESC_RSS = 4;
