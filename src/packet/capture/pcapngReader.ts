import { fail, ok, ProblemError } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import type { ByteWindow } from './byteWindow.js';
import { lengthProblem, linkTypeProblem, truncatedProblem } from './captureProblems.js';
import { LINKTYPE_ETHERNET, MAX_PACKET_BYTES } from './captureReader.js';
import type { CaptureReader, CaptureStatus } from './captureReader.js';
import { OptionCursor } from './optionCursor.js';
import {
  BLOCK_BODY_OFF, BLOCK_ENHANCED_PACKET, BLOCK_INTERFACE_DESCRIPTION, BLOCK_LENGTH_OFF, BLOCK_MIN_BYTES, BLOCK_PACKET_OBSOLETE,
  BLOCK_SECTION_HEADER, BLOCK_SIMPLE_PACKET, BLOCK_TRAILER_BYTES, BLOCK_TYPE_OFF, EPB_CAPTURED_OFF, EPB_DATA_OFF, EPB_FLAGS,
  EPB_FLAGS_FCS_MASK, EPB_FLAGS_FCS_SHIFT, EPB_INTERFACE_OFF, EPB_ORIGINAL_OFF, EPB_TIMESTAMP_HIGH_OFF, EPB_TIMESTAMP_LOW_OFF,
  IDB_LINKTYPE_OFF, IDB_OPTIONS_OFF, IDB_SNAPLEN_OFF, IF_FCSLEN, IF_TSOFFSET, IF_TSRESOL, IF_TSRESOL_DEFAULT, padTo4,
  PCAPNG_VERSION_MAJOR, SHB_BYTE_ORDER_MAGIC, SHB_BYTE_ORDER_OFF, SHB_MAJOR_OFF, SHB_MINOR_OFF, SHB_OPTIONS_OFF, SPB_DATA_OFF,
  SPB_ORIGINAL_OFF,
} from './pcapngFormat.js';
import { TimestampClock } from './timestampClock.js';

/** Longest block that is looked into, in bytes: the longest packet and as much again for its options. Others are only stepped over. */
const MAX_BLOCK_BYTES = 2 * MAX_PACKET_BYTES;

/** Interfaces that one section may describe; a bound for memory, not a rule of the format. */
const MAX_INTERFACES = 65536;

/** What an Interface Description Block says. */
interface CaptureInterface {
  readonly linkType: number;
  /** 0 means no limit. */
  readonly snapLen: number;
  readonly fcsLen: number;
  readonly clock: TimestampClock;
}

/**
 * Reads pcapng: any number of sections, each in its own byte order. Made by `openCapture`.
 *
 * Block lengths and option lists are checked strictly; blocks of other types are stepped over by their length. The section
 * length of a Section Header Block is not needed to read forwards and not looked at.
 */
export class PcapngReader implements CaptureReader {
  readonly format = 'pcapng';
  readonly data: Uint8Array;
  offBytes = 0;
  capturedLen = 0;
  originalLen = 0;
  fcsLen = 0;
  tSec = 0;
  tNsec = 0;
  hasTimestamp = true;
  packetNumber = 0;
  fileOffsetBytes = 0;
  readonly linkType = LINKTYPE_ETHERNET;
  interfaceId = 0;
  problem: Problem | undefined;

  readonly #window: ByteWindow;
  readonly #name: string;
  readonly #options: OptionCursor;
  readonly #interfaces: CaptureInterface[] = [];
  #littleEndian = true;
  #finished: CaptureStatus | undefined;

  private constructor(window: ByteWindow, name: string) {
    this.data = window.data;
    this.#window = window;
    this.#name = name;
    this.#options = new OptionCursor(window.view);
  }

  /** Whether the first four bytes of a file are those of a Section Header Block (they read the same in both byte orders). */
  static recognizes(magicBigEndian: number): boolean {
    return magicBigEndian === BLOCK_SECTION_HEADER;
  }

  /** Reads the first Section Header Block. `window` stands at the beginning of the file; `name` is the file's name for messages. */
  static open(window: ByteWindow, name: string): Result<PcapngReader> {
    const reader = new PcapngReader(window, name);
    const problem = reader.#guard(() => reader.#readSectionHeader());
    return problem === undefined ? ok(reader) : fail(problem);
  }

  next(): CaptureStatus {
    if (this.#finished !== undefined) return this.#finished;
    try {
      return this.#nextPacket() ? 'packet' : this.#finish('end');
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      this.problem = error.problem;
      return this.#finish('error');
    }
  }

  close(): void {
    this.#window.close();
    this.#finished ??= 'end';
  }

  #nextPacket(): boolean {
    const window = this.#window;
    const { view } = window;
    for (;;) {
      if (!window.ensure(BLOCK_BODY_OFF)) {
        if (window.availableBytes === 0 && window.readError === undefined) return false;
        throw this.#truncated('block header', BLOCK_BODY_OFF);
      }
      switch (view.getUint32(window.posBytes + BLOCK_TYPE_OFF, this.#littleEndian)) {
        case BLOCK_ENHANCED_PACKET:
          this.#readPacket(true);
          return true;
        case BLOCK_SIMPLE_PACKET:
          this.#readSimplePacket();
          return true;
        case BLOCK_PACKET_OBSOLETE:
          this.#readPacket(false);
          return true;
        case BLOCK_INTERFACE_DESCRIPTION:
          this.#readInterface();
          break;
        case BLOCK_SECTION_HEADER:
          this.#readSectionHeader();
          break;
        default:
          this.#skipBlock();
      }
    }
  }

  #readSectionHeader(): void {
    const window = this.#window;
    if (!window.ensure(SHB_OPTIONS_OFF + BLOCK_TRAILER_BYTES)) {
      throw this.#truncated('section header', SHB_OPTIONS_OFF + BLOCK_TRAILER_BYTES);
    }
    const { view } = window;
    const byteOrderOff = window.posBytes + SHB_BYTE_ORDER_OFF;
    this.#littleEndian = view.getUint32(byteOrderOff, true) === SHB_BYTE_ORDER_MAGIC;
    if (!this.#littleEndian && view.getUint32(byteOrderOff) !== SHB_BYTE_ORDER_MAGIC) {
      throw this.#badBlock('section header has no byte-order magic');
    }
    const lengthBytes = this.#wholeBlock('section header', SHB_OPTIONS_OFF + BLOCK_TRAILER_BYTES);
    const at = window.posBytes;
    const major = view.getUint16(at + SHB_MAJOR_OFF, this.#littleEndian);
    const minor = view.getUint16(at + SHB_MINOR_OFF, this.#littleEndian);
    // The draft has readers treat minor version 2, which some writers emit, as 0.
    if (major !== PCAPNG_VERSION_MAJOR || (minor !== 0 && minor !== 2)) {
      throw new ProblemError({
        code: 'unsupported-capture-version',
        message: `pcapng version ${major}.${minor} can't be read, only 1.0 can`,
        where: this.#where(),
        hint: 'rewrite it with editcap OLD NEW',
      });
    }
    const options = this.#options;
    options.begin(at + SHB_OPTIONS_OFF, at + lengthBytes - BLOCK_TRAILER_BYTES, this.#littleEndian);
    while (options.next());
    this.#checkOptions('section header');
    this.#interfaces.length = 0;
    window.posBytes = at + lengthBytes;
  }

  #readInterface(): void {
    const window = this.#window;
    const lengthBytes = this.#wholeBlock('interface description', IDB_OPTIONS_OFF + BLOCK_TRAILER_BYTES);
    const { view } = window;
    const at = window.posBytes;
    const littleEndian = this.#littleEndian;
    let tsresol = IF_TSRESOL_DEFAULT;
    let offsetSec = 0;
    let fcsLen = 0;
    const options = this.#options;
    options.begin(at + IDB_OPTIONS_OFF, at + lengthBytes - BLOCK_TRAILER_BYTES, littleEndian);
    while (options.next()) {
      if (options.code === IF_TSRESOL && options.hasLength(1, 'if_tsresol')) tsresol = view.getUint8(options.valueOffBytes);
      else if (options.code === IF_FCSLEN && options.hasLength(1, 'if_fcslen')) fcsLen = view.getUint8(options.valueOffBytes);
      else if (options.code === IF_TSOFFSET && options.hasLength(8, 'if_tsoffset')) {
        offsetSec = Number(view.getBigInt64(options.valueOffBytes, littleEndian));
      }
    }
    this.#checkOptions('interface description');
    if (this.#interfaces.length === MAX_INTERFACES) throw this.#badBlock(`section describes more than ${MAX_INTERFACES} interfaces`);
    this.#interfaces.push({
      linkType: view.getUint16(at + IDB_LINKTYPE_OFF, littleEndian),
      snapLen: view.getUint32(at + IDB_SNAPLEN_OFF, littleEndian),
      fcsLen,
      clock: new TimestampClock(tsresol, offsetSec),
    });
    window.posBytes = at + lengthBytes;
  }

  /** Enhanced Packet Block, or the obsolete Packet Block when `enhanced` is false. */
  #readPacket(enhanced: boolean): void {
    const window = this.#window;
    const { view } = window;
    const littleEndian = this.#littleEndian;
    const lengthBytes = this.#wholeBlock('packet block', EPB_DATA_OFF + BLOCK_TRAILER_BYTES);
    const at = window.posBytes;
    const interfaceId = enhanced
      ? view.getUint32(at + EPB_INTERFACE_OFF, littleEndian)
      : view.getUint16(at + EPB_INTERFACE_OFF, littleEndian);
    const iface = this.#interface(interfaceId);
    const capturedLen = view.getUint32(at + EPB_CAPTURED_OFF, littleEndian);
    const originalLen = view.getUint32(at + EPB_ORIGINAL_OFF, littleEndian);
    const roomBytes = lengthBytes - EPB_DATA_OFF - BLOCK_TRAILER_BYTES;
    const paddedBytes = this.#checkedDataLength(capturedLen, originalLen, roomBytes);
    const { clock } = iface;
    const high = view.getUint32(at + EPB_TIMESTAMP_HIGH_OFF, littleEndian);
    if (!clock.convert(high, view.getUint32(at + EPB_TIMESTAMP_LOW_OFF, littleEndian))) throw this.#badTimestamp(clock.sec);
    this.tSec = clock.sec;
    this.tNsec = clock.nsec;
    this.hasTimestamp = true;
    let { fcsLen } = iface;
    if (paddedBytes !== roomBytes) {
      const flagsFcsLen = this.#readPacketOptions(at + EPB_DATA_OFF + paddedBytes, at + EPB_DATA_OFF + roomBytes);
      if (flagsFcsLen !== 0) fcsLen = flagsFcsLen;
    }
    this.#deliver(interfaceId, at + EPB_DATA_OFF, capturedLen, originalLen, fcsLen, lengthBytes);
  }

  #readSimplePacket(): void {
    const window = this.#window;
    const lengthBytes = this.#wholeBlock('simple packet block', SPB_DATA_OFF + BLOCK_TRAILER_BYTES);
    const at = window.posBytes;
    const iface = this.#interface(0);
    const originalLen = window.view.getUint32(at + SPB_ORIGINAL_OFF, this.#littleEndian);
    const capturedLen = iface.snapLen !== 0 && iface.snapLen < originalLen ? iface.snapLen : originalLen;
    const roomBytes = lengthBytes - SPB_DATA_OFF - BLOCK_TRAILER_BYTES;
    if (this.#checkedDataLength(capturedLen, originalLen, roomBytes) !== roomBytes) {
      throw this.#badBlock(`simple packet block has room for ${roomBytes} bytes, but its packet has ${capturedLen}`);
    }
    this.hasTimestamp = false;
    this.#deliver(0, at + SPB_DATA_OFF, capturedLen, originalLen, iface.fcsLen, lengthBytes);
  }

  /** Checks a packet's options; the FCS length in octets that epb_flags gives, or 0. */
  #readPacketOptions(fromBytes: number, endBytes: number): number {
    const options = this.#options;
    let fcsLen = 0;
    options.begin(fromBytes, endBytes, this.#littleEndian);
    while (options.next()) {
      if (options.code === EPB_FLAGS && options.hasLength(4, 'epb_flags')) {
        const flags = this.#window.view.getUint32(options.valueOffBytes, this.#littleEndian);
        fcsLen = (flags >>> EPB_FLAGS_FCS_SHIFT) & EPB_FLAGS_FCS_MASK;
      }
    }
    this.#checkOptions('packet block');
    return fcsLen;
  }

  #deliver(interfaceId: number, offBytes: number, capturedLen: number, originalLen: number, fcsLen: number, blockBytes: number): void {
    const window = this.#window;
    this.fileOffsetBytes = window.fileOffsetBytes;
    window.posBytes += blockBytes;
    this.interfaceId = interfaceId;
    this.offBytes = offBytes;
    this.fcsLen = fcsLen;
    this.originalLen = originalLen < fcsLen ? 0 : originalLen - fcsLen;
    this.capturedLen = capturedLen < this.originalLen ? capturedLen : this.originalLen;
    this.packetNumber++;
  }

  /** Steps over a block of a type that holds no packets, of whatever length. */
  #skipBlock(): void {
    const window = this.#window;
    const lengthBytes = this.#blockLength('block', BLOCK_MIN_BYTES);
    const where = this.#where();
    window.skip(lengthBytes - BLOCK_TRAILER_BYTES);
    if (!window.ensure(BLOCK_TRAILER_BYTES)) {
      throw new ProblemError(truncatedProblem(window, `block of ${lengthBytes} bytes`, BLOCK_TRAILER_BYTES, where));
    }
    this.#checkTrailer(window.posBytes, lengthBytes, where);
    window.posBytes += BLOCK_TRAILER_BYTES;
  }

  /** Brings the whole block at the window's position into the window and checks its two lengths; its total length. */
  #wholeBlock(what: string, leastBytes: number): number {
    const window = this.#window;
    const lengthBytes = this.#blockLength(what, leastBytes);
    if (lengthBytes > MAX_BLOCK_BYTES) {
      throw this.#badBlock(`${what} of ${lengthBytes} bytes is longer than the ${MAX_BLOCK_BYTES} that one may have`);
    }
    if (!window.ensure(lengthBytes)) throw this.#truncated(what, lengthBytes);
    const trailerOff = window.posBytes + lengthBytes - BLOCK_TRAILER_BYTES;
    if (window.view.getUint32(trailerOff, this.#littleEndian) !== lengthBytes) this.#checkTrailer(trailerOff, lengthBytes, this.#where());
    return lengthBytes;
  }

  #blockLength(what: string, leastBytes: number): number {
    const lengthBytes = this.#window.view.getUint32(this.#window.posBytes + BLOCK_LENGTH_OFF, this.#littleEndian);
    if (lengthBytes < leastBytes || lengthBytes % 4 !== 0) {
      throw this.#badBlock(`${what} of ${lengthBytes} bytes: its length must be a multiple of 4 and at least ${leastBytes}`);
    }
    return lengthBytes;
  }

  #checkTrailer(trailerOffBytes: number, lengthBytes: number, where: string): void {
    const trailer = this.#window.view.getUint32(trailerOffBytes, this.#littleEndian);
    if (trailer === lengthBytes) return;
    throw new ProblemError(badBlockProblem(`block length is ${lengthBytes} at its beginning but ${trailer} at its end`, where));
  }

  /** Padded length of the packet, after checking the two lengths against each other and against the room in the block. */
  #checkedDataLength(capturedLen: number, originalLen: number, roomBytes: number): number {
    if (capturedLen > MAX_PACKET_BYTES || capturedLen > originalLen) {
      const problem = lengthProblem(capturedLen, originalLen, this.#where());
      if (problem !== undefined) throw new ProblemError(problem);
    }
    const paddedBytes = padTo4(capturedLen);
    if (paddedBytes > roomBytes) {
      throw this.#badBlock(`captured length ${capturedLen} is more than the ${roomBytes} bytes left in its block`);
    }
    return paddedBytes;
  }

  #interface(interfaceId: number): CaptureInterface {
    if (interfaceId >= this.#interfaces.length) {
      throw new ProblemError({
        code: 'capture-bad-interface',
        message: `packet names interface ${interfaceId}, but its section has described ${this.#interfaces.length} so far`,
        where: this.#where(),
        hint: 'the capture is damaged, or was pieced together without its interface description blocks',
      });
    }
    const iface = this.#interfaces[interfaceId]!;
    if (iface.linkType !== LINKTYPE_ETHERNET) throw new ProblemError(linkTypeProblem(iface.linkType, this.#where()));
    return iface;
  }

  #checkOptions(what: string): void {
    if (this.#options.fault !== undefined) throw this.#badBlock(`options of the ${what}: ${this.#options.fault}`);
  }

  /** The block that the window stands at, with the packet's number if it is a packet block. */
  #where(): string {
    const window = this.#window;
    const isTypeKnown = window.availableBytes >= BLOCK_BODY_OFF;
    const type = isTypeKnown ? window.view.getUint32(window.posBytes, this.#littleEndian) : BLOCK_ENHANCED_PACKET;
    const isPacket = type === BLOCK_ENHANCED_PACKET || type === BLOCK_SIMPLE_PACKET || type === BLOCK_PACKET_OBSOLETE;
    return `${this.#name}${isPacket ? `, packet ${this.packetNumber + 1}` : ''}, byte ${window.fileOffsetBytes}`;
  }

  #truncated(what: string, needBytes: number): ProblemError {
    return new ProblemError(truncatedProblem(this.#window, what, needBytes, this.#where()));
  }

  #badBlock(message: string): ProblemError {
    return new ProblemError(badBlockProblem(message, this.#where()));
  }

  #badTimestamp(sec: number): ProblemError {
    return new ProblemError({
      code: 'capture-bad-timestamp',
      message: `timestamp ${sec} s lies outside of any sensible time`,
      where: this.#where(),
      hint: 'the capture is damaged here, or if_tsresol or if_tsoffset of its interface is wrong',
    });
  }

  #guard(body: () => void): Problem | undefined {
    try {
      body();
      return undefined;
    } catch (error) {
      if (error instanceof ProblemError) return error.problem;
      throw error;
    }
  }

  #finish(status: CaptureStatus): CaptureStatus {
    this.#finished = status;
    this.#window.close();
    return status;
  }
}

function badBlockProblem(message: string, where: string): Problem {
  return { code: 'capture-bad-block', message, where, hint: 'the capture is damaged here; keep the packets before it with editcap -r' };
}
