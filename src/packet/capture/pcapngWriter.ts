import { ok } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import { FileSink } from './byteSink.js';
import type { ByteSink } from './byteSink.js';
import { LINKTYPE_ETHERNET, MAX_PACKET_BYTES } from './captureReader.js';
import { OutputBuffer } from './outputBuffer.js';
import type { CaptureTotals } from './outputBuffer.js';
import {
  BLOCK_ENHANCED_PACKET, BLOCK_INTERFACE_DESCRIPTION, BLOCK_LENGTH_OFF, BLOCK_SECTION_HEADER, BLOCK_TRAILER_BYTES, EPB_DATA_OFF, EPB_FLAGS,
  EPB_PACKETID, EPB_QUEUE, EPB_VERDICT, IDB_OPTIONS_OFF, IF_DESCRIPTION, IF_NAME, IF_TSRESOL, MAX_OPTION_BYTES, OPT_COMMENT, OPT_ENDOFOPT,
  OPTION_HEADER_BYTES, OPTION_LENGTH_OFF, padTo4, PCAPNG_VERSION_MAJOR, SHB_BYTE_ORDER_MAGIC, SHB_OPTIONS_OFF, SHB_USERAPPL,
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

/** Writes pcapng: one little-endian section, nanoseconds, no allocation per packet (but for comments), memory that doesn't grow. */
export class PcapngWriter {
  readonly #out: OutputBuffer;
  #interfaces = 0;
  #packets = 0;

  constructor(sink: ByteSink, options: PcapngWriterOptions = {}) {
    const out = new OutputBuffer(sink);
    this.#out = out;
    out.reserve(SHB_OPTIONS_OFF + 2 * LONGEST_OPTION_BYTES + OPTION_HEADER_BYTES + BLOCK_TRAILER_BYTES);
    const start = this.#beginBlock(BLOCK_SECTION_HEADER);
    out.u32(SHB_BYTE_ORDER_MAGIC);
    out.u16(PCAPNG_VERSION_MAJOR);
    out.u16(0);
    // Section length -1: not stated, a reader walks the blocks.
    out.u32(0xffffffff);
    out.u32(0xffffffff);
    if (options.comment !== undefined) this.#textOption(OPT_COMMENT, options.comment);
    if (options.userApplication !== undefined) this.#textOption(SHB_USERAPPL, options.userApplication);
    this.#endBlock(start, options.comment !== undefined || options.userApplication !== undefined);
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
    const start = this.#beginBlock(BLOCK_INTERFACE_DESCRIPTION);
    out.u16(LINKTYPE_ETHERNET);
    out.u16(0);
    out.u32(iface.snapLen ?? MAX_PACKET_BYTES);
    this.#textOption(IF_NAME, iface.name);
    if (iface.description !== undefined) this.#textOption(IF_DESCRIPTION, iface.description);
    out.u16(IF_TSRESOL);
    out.u16(1);
    out.u8(TSRESOL_NS);
    out.padTo4(1);
    this.#endBlock(start, true);
    return this.#interfaces++;
  }

  /**
   * Appends one packet as an Enhanced Packet Block. Throws a RangeError for an interface that isn't described or lengths that the format
   * can't hold; a time outside of the format becomes `problem` (`capture-bad-timestamp`), because it may stem from an input capture.
   *
   * @param interfaceId number of a described interface
   * @param bytes buffer that holds the packet
   * @param offBytes where it begins
   * @param lengthBytes its length, at most 262144
   * @param tSec whole seconds, a safe integer from 0 (2^64 ns is year 2554)
   * @param tNsec nanoseconds within the second, 0..999999999
   * @param originalLen length on the wire, at least `lengthBytes` (default: not cut)
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
    const start = this.#beginBlock(BLOCK_ENHANCED_PACKET);
    out.u32(interfaceId);
    this.#timestamp(tSec, tNsec);
    out.u32(lengthBytes);
    out.u32(originalLen);
    out.bytes(bytes, offBytes, lengthBytes);
    out.padTo4(lengthBytes);
    this.#endBlock(start, options !== undefined && this.#packetOptions(options));
    this.#packets++;
  }

  /** Completes the file. */
  close(): Result<CaptureTotals> {
    return this.#out.close(this.#packets);
  }

  /** `tSec * 10^9 + tNsec` as two words, high word first, in steps that Numbers do exactly. */
  #timestamp(tSec: number, tNsec: number): void {
    const highNs = Math.floor(tSec / 65536) * NS_PER_SEC; // in units of 65536 ns
    const lowNs = (tSec % 65536) * NS_PER_SEC + tNsec;
    const low = (highNs % 65536) * 65536 + lowNs;
    this.#out.u32(Math.floor(highNs / 65536) + Math.floor(low / 2 ** 32));
    this.#out.u32(low % 2 ** 32);
  }

  /** Whether there was any. */
  #packetOptions(options: PcapngPacketOptions): boolean {
    const out = this.#out;
    const { flags, packetId, queue, verdict, comment } = options;
    if (comment !== undefined) this.#textOption(OPT_COMMENT, comment);
    if (flags !== undefined) {
      out.u16(EPB_FLAGS);
      out.u16(4);
      out.u32(flags);
    }
    if (packetId !== undefined) {
      out.u16(EPB_PACKETID);
      out.u16(8);
      out.u64(packetId);
    }
    if (queue !== undefined) {
      out.u16(EPB_QUEUE);
      out.u16(4);
      out.u32(queue);
    }
    if (verdict !== undefined) {
      out.u16(EPB_VERDICT);
      out.u16(9);
      out.u8(VERDICT_LINUX_EBPF_XDP);
      out.u64(verdict >>> 0);
      out.padTo4(9);
    }
    return flags !== undefined || packetId !== undefined || queue !== undefined || verdict !== undefined || comment !== undefined;
  }

  #textOption(code: number, text: string): void {
    const out = this.#out;
    const start = out.posBytes;
    out.u16(code);
    out.u16(0);
    const lengthBytes = out.text(text, MAX_OPTION_BYTES);
    out.patchU16(start + OPTION_LENGTH_OFF, lengthBytes);
    out.padTo4(lengthBytes);
  }

  /** Writes type and an open length; where the block begins, for `#endBlock`. */
  #beginBlock(type: number): number {
    const start = this.#out.posBytes;
    this.#out.u32(type);
    this.#out.u32(0);
    return start;
  }

  #endBlock(start: number, hasOptions: boolean): void {
    const out = this.#out;
    if (hasOptions) {
      out.u16(OPT_ENDOFOPT);
      out.u16(0);
    }
    const lengthBytes = out.posBytes - start + BLOCK_TRAILER_BYTES;
    out.u32(lengthBytes);
    out.patchU32(start + BLOCK_LENGTH_OFF, lengthBytes);
  }
}
