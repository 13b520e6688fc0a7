import { ok } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import { FileSink } from './byteSink.js';
import type { ByteSink } from './byteSink.js';
import { LINKTYPE_ETHERNET, MAX_PACKET_BYTES } from './captureReader.js';
import { OutputBuffer } from './outputBuffer.js';
import type { CaptureTotals } from './outputBuffer.js';
import {
  PCAP_FILE_HEADER_BYTES, PCAP_LINKTYPE_OFF, PCAP_MAGIC_NSEC, PCAP_MAGIC_OFF, PCAP_MAGIC_USEC, PCAP_MAJOR_OFF, PCAP_MINOR_OFF,
  PCAP_REC_CAPTURED_OFF, PCAP_REC_FRACTION_OFF, PCAP_REC_ORIGINAL_OFF, PCAP_REC_SEC_OFF, PCAP_RECORD_HEADER_BYTES, PCAP_SNAPLEN_OFF,
  PCAP_VERSION_MAJOR, PCAP_VERSION_MINOR,
} from './pcapFormat.js';
import { checkPacketArguments, timestampRangeProblem } from './writerChecks.js';
/** What the file says of itself. */
export interface PcapWriterOptions {
  /** Unit of the timestamps in the file; microseconds are rounded down. Default `'nanoseconds'`. */
  readonly resolution?: 'microseconds' | 'nanoseconds';
  /** Snapshot length to state in the header, in bytes; packets aren't cut to it. Default 262144. */
  readonly snapLen?: number;
}

/**
 * Writes classic pcap: little-endian, Ethernet, no allocation per packet, memory that doesn't grow.
 *
 * @example
 * const writer = unwrap(PcapWriter.create('out.pcap'));
 * writer.writePacket(data, 0, data.length, 1_700_000_000, 5);
 * unwrap(writer.close()).packets; // 1
 */
export class PcapWriter {
  readonly #out: OutputBuffer;
  readonly #microseconds: boolean;
  #packets = 0;

  constructor(sink: ByteSink, options: PcapWriterOptions = {}) {
    this.#microseconds = options.resolution === 'microseconds';
    const out = new OutputBuffer(sink);
    this.#out = out;
    out.reserve(PCAP_FILE_HEADER_BYTES);
    const { view } = out;
    view.setUint32(PCAP_MAGIC_OFF, this.#microseconds ? PCAP_MAGIC_USEC : PCAP_MAGIC_NSEC, true);
    view.setUint16(PCAP_MAJOR_OFF, PCAP_VERSION_MAJOR, true);
    view.setUint16(PCAP_MINOR_OFF, PCAP_VERSION_MINOR, true);
    view.setUint32(PCAP_SNAPLEN_OFF, options.snapLen ?? MAX_PACKET_BYTES, true);
    view.setUint32(PCAP_LINKTYPE_OFF, LINKTYPE_ETHERNET, true);
    out.posBytes = PCAP_FILE_HEADER_BYTES;
  }

  /** A writer to a new file at `path`; an existing one is replaced. Problem: `capture-unwritable`. */
  static create(path: string, options: PcapWriterOptions = {}): Result<PcapWriter> {
    const sink = FileSink.create(path);
    return sink.ok ? ok(new PcapWriter(sink.value, options)) : sink;
  }

  /** The first thing that went wrong; the packets after it are dropped and `close` tells it again. */
  get problem(): Problem | undefined {
    return this.#out.problem;
  }

  /**
   * Appends one packet. Throws a RangeError for lengths that the format can't hold; a time outside of the
   * format's u32 seconds becomes `problem` (`capture-bad-timestamp`), because it may stem from an input capture.
   *
   * @param bytes buffer that holds the packet
   * @param offBytes where it begins
   * @param lengthBytes its length, at most 262144
   * @param tSec whole seconds
   * @param tNsec nanoseconds within the second, 0..999999999
   * @param originalLen length on the wire, at least `lengthBytes` (default: not cut)
   */
  writePacket(
    bytes: Uint8Array, offBytes: number, lengthBytes: number, tSec: number, tNsec: number, originalLen: number = lengthBytes,
  ): void {
    checkPacketArguments('PcapWriter.writePacket', bytes, offBytes, lengthBytes, tNsec, originalLen);
    const out = this.#out;
    if (!(tSec >= 0 && tSec < 2 ** 32)) {
      out.problem ??= timestampRangeProblem('pcap', this.#packets + 1, tSec);
      return;
    }
    out.reserve(PCAP_RECORD_HEADER_BYTES + lengthBytes);
    const { view } = out;
    const at = out.posBytes;
    view.setUint32(at + PCAP_REC_SEC_OFF, tSec, true);
    view.setUint32(at + PCAP_REC_FRACTION_OFF, this.#microseconds ? Math.floor(tNsec / 1000) : tNsec, true);
    view.setUint32(at + PCAP_REC_CAPTURED_OFF, lengthBytes, true);
    view.setUint32(at + PCAP_REC_ORIGINAL_OFF, originalLen, true);
    out.copy(at + PCAP_RECORD_HEADER_BYTES, bytes, offBytes, lengthBytes);
    out.posBytes = at + PCAP_RECORD_HEADER_BYTES + lengthBytes;
    this.#packets++;
  }

  /** Completes the file. @returns Problems: the first packet that could not be written, or why the file can't be */
  close(): Result<CaptureTotals> {
    return this.#out.close(this.#packets);
  }
}
