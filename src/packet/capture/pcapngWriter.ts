import { ok } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import { FileSink } from './byteSink.js';
import type { ByteSink } from './byteSink.js';
import { LINKTYPE_ETHERNET, MAX_PACKET_BYTES } from './captureReader.js';
import { OutputBuffer } from './outputBuffer.js';
import type { CaptureTotals } from './outputBuffer.js';
import {
  BLOCK_ENHANCED_PACKET, BLOCK_INTERFACE_DESCRIPTION, BLOCK_LENGTH_OFF, BLOCK_SECTION_HEADER, BLOCK_TRAILER_BYTES, BLOCK_TYPE_OFF,
  EPB_CAPTURED_OFF, EPB_DATA_OFF, EPB_FLAGS, EPB_INTERFACE_OFF, EPB_ORIGINAL_OFF, EPB_PACKETID, EPB_QUEUE, EPB_TIMESTAMP_HIGH_OFF,
  EPB_TIMESTAMP_LOW_OFF, EPB_VERDICT, IDB_LINKTYPE_OFF, IDB_OPTIONS_OFF, IDB_SNAPLEN_OFF, IF_DESCRIPTION, IF_NAME, IF_TSRESOL,
  MAX_OPTION_BYTES, OPT_COMMENT, OPT_ENDOFOPT, OPTION_HEADER_BYTES, OPTION_LENGTH_OFF, padTo4, PCAPNG_VERSION_MAJOR,
  SHB_BYTE_ORDER_MAGIC, SHB_BYTE_ORDER_OFF, SHB_MAJOR_OFF, SHB_MINOR_OFF, SHB_OPTIONS_OFF, SHB_SECTION_LENGTH_OFF, SHB_USERAPPL,
  VERDICT_LINUX_EBPF_XDP,
} from './pcapngFormat.js';
import { checkPacketArguments, timestampRangeProblem } from './writerChecks.js';

/** if_tsresol of every interface: 10^-9 s. */
const TSRESOL_NS = 9;
const NS_PER_SEC = 1_000_000_000;

/** The longest possible option, with header and padding. */
const LONGEST_OPTION_BYTES = OPTION_HEADER_BYTES + padTo4(MAX_OPTION_BYTES);
/** All options of a packet besides the comment, with opt_endofopt: flags 8, packet id 12, queue 8, verdict 16, end 4. */
const PACKET_OPTIONS_BYTES = 48;

/** One interface of a capture, Ethernet. */
export interface PcapngInterface {
  /** if_name, e.g. `eth0` or `eth0:rx-3`. */
  readonly name: string;
  /** if_description. */
  readonly description?: string;
  /** Snapshot length to state, in bytes; packets aren't cut to it. Default 262144. */
  readonly snapLen?: number;
}

/** What the file says of itself. */
export interface PcapngWriterOptions {
  /** Interfaces to describe at once; their numbers are their positions. */
  readonly interfaces?: readonly PcapngInterface[];
  /** shb_userappl: the program that wrote the file. */
  readonly userApplication?: string;
  /** Comment on the whole capture. */
  readonly comment?: string;
}

/** Options of one packet. The object may be reused for the next packet. */
export interface PcapngPacketOptions {
  /** epb_flags, u32: see `EPB_FLAGS_INBOUND` and `EPB_FLAGS_OUTBOUND`. */
  flags?: number | undefined;
  /** epb_packetid, a safe integer: equal for all appearances of the same packet. */
  packetId?: number | undefined;
  /** epb_queue, u32: receive queue. */
  queue?: number | undefined;
  /** epb_verdict of type Linux eBPF XDP: the program's return value, u32 (`enum xdp_action`, or whatever it returned). */
  verdict?: number | undefined;
  /** opt_comment; what goes beyond 65535 bytes of UTF-8 is cut off. */
  comment?: string | undefined;
}

/**
 * Writes pcapng: one little-endian section, nanoseconds, no allocation per packet (but for comments), memory that doesn't grow.
 *
 * @example
 * const writer = unwrap(PcapngWriter.create('out.pcapng'));
 * const eth0 = writer.addInterface({ name: 'eth0' });
 * writer.writePacket(eth0, data, 0, data.length, 1_700_000_000, 5);
 * unwrap(writer.close()).packets; // 1
 */
export class PcapngWriter {
  readonly #out: OutputBuffer;
  readonly #view: DataView;
  #interfaces = 0;
  #packets = 0;

  constructor(sink: ByteSink, options: PcapngWriterOptions = {}) {
    const out = new OutputBuffer(sink);
    this.#out = out;
    this.#view = out.view;
    out.reserve(SHB_OPTIONS_OFF + 2 * LONGEST_OPTION_BYTES + OPTION_HEADER_BYTES + BLOCK_TRAILER_BYTES);
    const { view } = out;
    const start = out.posBytes;
    view.setUint32(start + BLOCK_TYPE_OFF, BLOCK_SECTION_HEADER, true);
    view.setUint32(start + SHB_BYTE_ORDER_OFF, SHB_BYTE_ORDER_MAGIC, true);
    view.setUint16(start + SHB_MAJOR_OFF, PCAPNG_VERSION_MAJOR, true);
    view.setUint16(start + SHB_MINOR_OFF, 0, true);
    // -1: not stated, a reader walks the blocks.
    view.setBigInt64(start + SHB_SECTION_LENGTH_OFF, -1n, true);
    let at = start + SHB_OPTIONS_OFF;
    if (options.comment !== undefined) at = this.#textOption(at, OPT_COMMENT, options.comment);
    if (options.userApplication !== undefined) at = this.#textOption(at, SHB_USERAPPL, options.userApplication);
    this.#endBlock(start, at, at !== start + SHB_OPTIONS_OFF);
    for (const iface of options.interfaces ?? []) this.addInterface(iface);
  }

  /** A writer to a new file at `path`; an existing one is replaced. Problem: `capture-unwritable`. */
  static create(path: string, options: PcapngWriterOptions = {}): Result<PcapngWriter> {
    const sink = FileSink.create(path);
    return sink.ok ? ok(new PcapngWriter(sink.value, options)) : sink;
  }

  /** The first thing that went wrong; the packets after it are dropped and `close` tells it again. */
  get problem(): Problem | undefined {
    return this.#out.problem;
  }

  /** Describes one more interface; its number, for `writePacket`. */
  addInterface(iface: PcapngInterface): number {
    const out = this.#out;
    out.reserve(IDB_OPTIONS_OFF + 3 * LONGEST_OPTION_BYTES + OPTION_HEADER_BYTES + BLOCK_TRAILER_BYTES);
    const view = this.#view;
    const start = out.posBytes;
    view.setUint32(start + BLOCK_TYPE_OFF, BLOCK_INTERFACE_DESCRIPTION, true);
    view.setUint32(start + IDB_LINKTYPE_OFF, LINKTYPE_ETHERNET, true);
    view.setUint32(start + IDB_SNAPLEN_OFF, iface.snapLen ?? MAX_PACKET_BYTES, true);
    let at = this.#textOption(start + IDB_OPTIONS_OFF, IF_NAME, iface.name);
    if (iface.description !== undefined) at = this.#textOption(at, IF_DESCRIPTION, iface.description);
    at = this.#optionHeader(at, IF_TSRESOL, 1);
    view.setUint32(at, TSRESOL_NS, true);
    this.#endBlock(start, at + 4, true);
    return this.#interfaces++;
  }

  /**
   * Appends one packet as an Enhanced Packet Block. A time outside of the format becomes `problem` (`capture-bad-timestamp`), because it may stem from an input
   * capture.
   *
   * @param interfaceId number of a described interface
   * @param bytes buffer that holds the packet
   * @param offBytes where it begins
   * @param lengthBytes its length, at most 262144
   * @param tSec whole seconds, a safe integer from 0 (2^64 ns is year 2554)
   * @param tNsec nanoseconds within the second, 0..999999999
   * @param originalLen length on the wire, at least `lengthBytes` (default: not cut)
   * @throws RangeError for an interface that isn't described, and for lengths that the format can't hold
   */
  writePacket(
    interfaceId: number, bytes: Uint8Array, offBytes: number, lengthBytes: number, tSec: number, tNsec: number,
    originalLen: number = lengthBytes, options?: PcapngPacketOptions,
  ): void {
    checkPacketArguments('PcapngWriter.writePacket', bytes, offBytes, lengthBytes, tNsec, originalLen);
    if (!(interfaceId >= 0 && interfaceId < this.#interfaces)) {
      throw new RangeError(`PcapngWriter.writePacket: interface ${interfaceId} is not described, only ${this.#interfaces} are`);
    }
    const out = this.#out;
    // The last whole second whose nanoseconds all fit 64 bits.
    if (!(tSec >= 0 && tSec < 18_446_744_073)) {
      out.problem ??= timestampRangeProblem('pcapng', this.#packets + 1, tSec);
      return;
    }
    const commentBytes = options?.comment === undefined ? 0 : LONGEST_OPTION_BYTES;
    out.reserve(EPB_DATA_OFF + padTo4(lengthBytes) + PACKET_OPTIONS_BYTES + commentBytes + BLOCK_TRAILER_BYTES);
    const view = this.#view;
    const start = out.posBytes;
    view.setUint32(start + BLOCK_TYPE_OFF, BLOCK_ENHANCED_PACKET, true);
    view.setUint32(start + EPB_INTERFACE_OFF, interfaceId, true);
    // tSec * 10^9 + tNsec as two words, in steps that Numbers do exactly: high is in units of 65536 ns, >>> and & take the low bits.
    const high = Math.floor(tSec / 65536) * NS_PER_SEC;
    const low = (high & 0xffff) * 65536 + (tSec & 0xffff) * NS_PER_SEC + tNsec;
    view.setUint32(start + EPB_TIMESTAMP_HIGH_OFF, Math.floor(high / 65536) + Math.floor(low / 2 ** 32), true);
    view.setUint32(start + EPB_TIMESTAMP_LOW_OFF, low >>> 0, true);
    view.setUint32(start + EPB_CAPTURED_OFF, lengthBytes, true);
    view.setUint32(start + EPB_ORIGINAL_OFF, originalLen, true);
    const paddedBytes = padTo4(lengthBytes);
    // The last word first: its padding stays when the packet is copied over it.
    if (paddedBytes !== lengthBytes) view.setUint32(start + EPB_DATA_OFF + paddedBytes - 4, 0, true);
    out.copy(start + EPB_DATA_OFF, bytes, offBytes, lengthBytes);
    const optionsAt = start + EPB_DATA_OFF + paddedBytes;
    const end = options === undefined ? optionsAt : this.#packetOptions(optionsAt, options);
    this.#endBlock(start, end, end !== optionsAt);
    this.#packets++;
  }

  /** Completes the file. @returns Problems: the first packet that could not be written, or why the file can't be */
  close(): Result<CaptureTotals> {
    return this.#out.close(this.#packets);
  }

  /** Writes a packet's options; where they end. */
  #packetOptions(atBytes: number, options: PcapngPacketOptions): number {
    const view = this.#view;
    const { flags, packetId, queue, verdict, comment } = options;
    let at = atBytes;
    if (comment !== undefined) at = this.#textOption(at, OPT_COMMENT, comment);
    if (flags !== undefined) {
      at = this.#optionHeader(at, EPB_FLAGS, 4);
      view.setUint32(at, flags, true);
      at += 4;
    }
    if (packetId !== undefined) {
      at = this.#optionHeader(at, EPB_PACKETID, 8);
      view.setUint32(at, packetId >>> 0, true);
      view.setUint32(at + 4, Math.floor(packetId / 2 ** 32), true);
      at += 8;
    }
    if (queue !== undefined) {
      at = this.#optionHeader(at, EPB_QUEUE, 4);
      view.setUint32(at, queue, true);
      at += 4;
    }
    if (verdict !== undefined) {
      // One octet of type and an unaligned u64, whose high half is 0, and three octets of padding.
      at = this.#optionHeader(at, EPB_VERDICT, 9);
      view.setUint8(at, VERDICT_LINUX_EBPF_XDP);
      view.setUint32(at + 1, verdict, true);
      view.setUint32(at + 5, 0, true);
      view.setUint32(at + 8, 0, true);
      at += 12;
    }
    return at;
  }

  /** Where the value goes. */
  #optionHeader(at: number, code: number, lengthBytes: number): number {
    this.#view.setUint16(at, code, true);
    this.#view.setUint16(at + OPTION_LENGTH_OFF, lengthBytes, true);
    return at + OPTION_HEADER_BYTES;
  }

  /** Where the option ends. */
  #textOption(at: number, code: number, text: string): number {
    const lengthBytes = this.#out.text(at + OPTION_HEADER_BYTES, text, MAX_OPTION_BYTES);
    const valueAt = this.#optionHeader(at, code, lengthBytes);
    for (let i = lengthBytes; i < padTo4(lengthBytes); i++) this.#view.setUint8(valueAt + i, 0);
    return valueAt + padTo4(lengthBytes);
  }

  /** Closes the block that runs from `start` to `end`: end of options, and the length on both ends. */
  #endBlock(start: number, end: number, hasOptions: boolean): void {
    const view = this.#view;
    let at = end;
    if (hasOptions) at = this.#optionHeader(at, OPT_ENDOFOPT, 0);
    const lengthBytes = at + BLOCK_TRAILER_BYTES - start;
    view.setUint32(start + BLOCK_LENGTH_OFF, lengthBytes, true);
    view.setUint32(at, lengthBytes, true);
    this.#out.posBytes = at + BLOCK_TRAILER_BYTES;
  }
}
