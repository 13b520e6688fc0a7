import { fail, ok } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import type { ByteWindow } from './byteWindow.js';
import { lengthProblem, linkTypeProblem, truncatedProblem } from './captureProblems.js';
import { LINKTYPE_ETHERNET, MAX_PACKET_BYTES } from './captureReader.js';
import type { CaptureReader, CaptureStatus } from './captureReader.js';
import {
  PCAP_FCS_LEN_SHIFT, PCAP_FCS_LEN_UNIT_BYTES, PCAP_FCS_LEN_VALID, PCAP_FILE_HEADER_BYTES, PCAP_LINKTYPE_MASK, PCAP_LINKTYPE_OFF,
  PCAP_MAGIC_NSEC, PCAP_MAGIC_OFF, PCAP_MAGIC_USEC, PCAP_MAJOR_OFF, PCAP_MINOR_OFF, PCAP_REC_CAPTURED_OFF, PCAP_REC_FRACTION_OFF,
  PCAP_REC_ORIGINAL_OFF, PCAP_REC_SEC_OFF, PCAP_RECORD_HEADER_BYTES, PCAP_VERSION_MAJOR, PCAP_VERSION_MINOR,
} from './pcapFormat.js';

/** Reads classic pcap, both byte orders, micro- and nanoseconds. Made by `openCapture`. */
export class PcapReader implements CaptureReader {
  readonly format = 'pcap';
  readonly data: Uint8Array;
  offBytes = 0;
  capturedLen = 0;
  originalLen = 0;
  readonly fcsLen: number;
  tSec = 0;
  tNsec = 0;
  readonly hasTimestamp = true;
  packetNumber = 0;
  fileOffsetBytes = 0;
  readonly linkType = LINKTYPE_ETHERNET;
  readonly interfaceId = 0;
  problem: Problem | undefined;

  readonly #window: ByteWindow;
  readonly #name: string;
  readonly #littleEndian: boolean;
  /** Nanoseconds in one unit of the record's fraction: 1000 or 1. */
  readonly #fractionNs: number;
  #finished: CaptureStatus | undefined;

  private constructor(window: ByteWindow, name: string, littleEndian: boolean, fractionNs: number, fcsLen: number) {
    this.data = window.data;
    this.fcsLen = fcsLen;
    this.#window = window;
    this.#name = name;
    this.#littleEndian = littleEndian;
    this.#fractionNs = fractionNs;
  }

  /** Whether the four bytes at the beginning of a file are a magic number of this reader, read big-endian. */
  static recognizes(magicBigEndian: number): boolean {
    return magicBigEndian === PCAP_MAGIC_USEC || magicBigEndian === PCAP_MAGIC_NSEC || isSwapped(magicBigEndian);
  }

  /** Reads the file header. `window` stands at the beginning of the file; `name` is the file's name for messages. */
  static open(window: ByteWindow, name: string): Result<PcapReader> {
    if (!window.ensure(PCAP_FILE_HEADER_BYTES)) {
      return fail(truncatedProblem(window, 'pcap file header', PCAP_FILE_HEADER_BYTES, `${name}, byte 0`));
    }
    const { view } = window;
    const at = window.posBytes;
    const littleEndian = isSwapped(view.getUint32(at + PCAP_MAGIC_OFF));
    const magic = view.getUint32(at + PCAP_MAGIC_OFF, littleEndian);
    const major = view.getUint16(at + PCAP_MAJOR_OFF, littleEndian);
    const minor = view.getUint16(at + PCAP_MINOR_OFF, littleEndian);
    if (major !== PCAP_VERSION_MAJOR || minor !== PCAP_VERSION_MINOR) {
      return fail({
        code: 'unsupported-capture-version',
        message: `pcap version ${major}.${minor} can't be read, only ${PCAP_VERSION_MAJOR}.${PCAP_VERSION_MINOR} can`,
        where: `${name}, byte ${PCAP_MAJOR_OFF}`,
        hint: 'rewrite it with tcpdump -r OLD -w NEW',
      });
    }
    const linkTypeWord = view.getUint32(at + PCAP_LINKTYPE_OFF, littleEndian);
    const linkType = linkTypeWord & PCAP_LINKTYPE_MASK;
    if (linkType !== LINKTYPE_ETHERNET) return fail(linkTypeProblem(linkType, `${name}, byte ${PCAP_LINKTYPE_OFF}`));
    const fcsLen = (linkTypeWord & PCAP_FCS_LEN_VALID) === 0 ? 0 : (linkTypeWord >>> PCAP_FCS_LEN_SHIFT) * PCAP_FCS_LEN_UNIT_BYTES;
    window.posBytes = at + PCAP_FILE_HEADER_BYTES;
    return ok(new PcapReader(window, name, littleEndian, magic === PCAP_MAGIC_NSEC ? 1 : 1000, fcsLen));
  }

  next(): CaptureStatus {
    if (this.#finished !== undefined) return this.#finished;
    const window = this.#window;
    if (!window.ensure(PCAP_RECORD_HEADER_BYTES)) {
      if (window.availableBytes === 0 && window.readError === undefined) return this.#finish('end');
      return this.#fail(truncatedProblem(window, 'record header', PCAP_RECORD_HEADER_BYTES, this.#where()));
    }
    const { view } = window;
    const littleEndian = this.#littleEndian;
    const at = window.posBytes;
    const tSec = view.getUint32(at + PCAP_REC_SEC_OFF, littleEndian);
    const tNsec = view.getUint32(at + PCAP_REC_FRACTION_OFF, littleEndian) * this.#fractionNs;
    const capturedLen = view.getUint32(at + PCAP_REC_CAPTURED_OFF, littleEndian);
    const originalLen = view.getUint32(at + PCAP_REC_ORIGINAL_OFF, littleEndian);
    if (capturedLen > MAX_PACKET_BYTES || capturedLen > originalLen || tNsec >= 1e9) {
      return this.#fail(lengthProblem(capturedLen, originalLen, this.#where()) ?? this.#timestampProblem(tNsec));
    }
    const recordBytes = PCAP_RECORD_HEADER_BYTES + capturedLen;
    if (!window.ensure(recordBytes)) return this.#fail(truncatedProblem(window, 'packet', recordBytes, this.#where()));

    this.fileOffsetBytes = window.fileOffsetBytes;
    this.offBytes = window.posBytes + PCAP_RECORD_HEADER_BYTES;
    window.posBytes += recordBytes;
    const { fcsLen } = this;
    this.originalLen = originalLen < fcsLen ? 0 : originalLen - fcsLen;
    this.capturedLen = capturedLen < this.originalLen ? capturedLen : this.originalLen;
    this.tSec = tSec;
    this.tNsec = tNsec;
    this.packetNumber++;
    return 'packet';
  }

  close(): void {
    this.#window.close();
    this.#finished ??= 'end';
  }

  /** The record that the window stands at. */
  #where(): string {
    return `${this.#name}, packet ${this.packetNumber + 1}, byte ${this.#window.fileOffsetBytes}`;
  }

  #timestampProblem(tNsec: number): Problem {
    const unit = this.#fractionNs === 1 ? 'nanosecond' : 'microsecond';
    return {
      code: 'capture-bad-timestamp',
      message: `${tNsec / this.#fractionNs} ${unit}s is a whole second or more`,
      where: this.#where(),
      hint: this.#fractionNs === 1
        ? 'the capture is damaged here; keep the packets before it with editcap -r'
        : 'the capture is damaged here, or it holds nanoseconds under the magic number of microseconds',
    };
  }

  #finish(status: CaptureStatus): CaptureStatus {
    this.#finished = status;
    this.#window.close();
    return status;
  }

  #fail(problem: Problem): CaptureStatus {
    this.problem = problem;
    return this.#finish('error');
  }
}

/** Whether a magic number read big-endian belongs to a little-endian file. */
function isSwapped(magicBigEndian: number): boolean {
  return magicBigEndian === 0xd4c3b2a1 || magicBigEndian === 0x4d3cb2a1;
}
