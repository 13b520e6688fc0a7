import { closeSync, fstatSync, openSync, constants } from 'node:fs';
import { fail } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import { ByteWindow } from './byteWindow.js';
import { unreadableProblem } from './captureProblems.js';
import type { CaptureReader } from './captureReader.js';
import { PcapngReader } from './pcapngReader.js';
import { PcapReader } from './pcapReader.js';

const MAGIC_BYTES = 4;

/** Files that people mistake for a readable capture: first bytes (big-endian, under a mask), what it is, how to mend it. */
const UNSUPPORTED_FORMATS: readonly (readonly [magic: number, mask: number, what: string, hint: string])[] = [
  [0xa1b2cd34, 0xffffffff, 'a "modified" pcap (Kuznetzov), big-endian', 'convert it with editcap -F pcap OLD NEW'],
  [0x34cdb2a1, 0xffffffff, 'a "modified" pcap (Kuznetzov), little-endian', 'convert it with editcap -F pcap OLD NEW'],
  [0x1c0001ac, 0xffffffff, 'an IXIA lcap capture', 'convert it with editcap -F pcap OLD NEW'],
  [0x1c0001ab, 0xffffffff, 'an IXIA lcap capture', 'convert it with editcap -F pcap OLD NEW'],
  [0x736e6f6f, 0xffffffff, 'a snoop capture', 'convert it with editcap -F pcap OLD NEW'],
  [0x1f8b0000, 0xffff0000, 'compressed with gzip', 'unpack it first: gunzip FILE'],
  [0x28b52ffd, 0xffffffff, 'compressed with zstd', 'unpack it first: unzstd FILE'],
  [0xfd377a58, 0xffffffff, 'compressed with xz', 'unpack it first: unxz FILE'],
  [0x425a6800, 0xffffff00, 'compressed with bzip2', 'unpack it first: bunzip2 FILE'],
];

/**
 * Opens a capture file, classic pcap or pcapng, which its first bytes tell.
 *
 * Problems: `capture-missing`, `capture-not-a-file` (directory, pipe, device), `capture-unreadable`, `capture-empty`,
 * `capture-unknown-format`, `capture-truncated`, `capture-bad-block`, `unsupported-capture-format`, `unsupported-capture-version`,
 * `unsupported-link-type`. The same codes and `capture-bad-length`, `capture-bad-timestamp`, `capture-bad-interface` may come
 * up later, from `CaptureReader.next`. A capture without packets is fine: its first `next()` answers `'end'`.
 *
 * @example
 * const reader = unwrap(openCapture('fixtures/pcaps/dns.pcap'));
 * let packets = 0;
 * while (reader.next() === 'packet') packets++;
 * reader.close();
 */
export function openCapture(path: string): Result<CaptureReader> {
  let fd: number;
  try {
    // Without O_NONBLOCK the open of a named pipe waits for a writer, perhaps for ever.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return fail(openProblem(path, error as NodeJS.ErrnoException));
  }
  const kind = fstatSync(fd);
  if (!kind.isFile()) {
    closeSync(fd);
    const what = kind.isDirectory() ? 'a directory' : kind.isFIFO() ? 'a pipe' : 'not a regular file';
    return fail({
      code: 'capture-not-a-file',
      message: `capture is ${what}`,
      where: path,
      hint: 'give a pcap or pcapng file; save a pipe to a file first',
    });
  }
  const window = ByteWindow.overFile(fd);
  const reader = readerFor(window, path);
  if (!reader.ok) window.close();
  return reader;
}

/**
 * The same over bytes in memory, which must not change while the reader lives; `name` stands for the file in messages.
 *
 * @returns Problems as of `openCapture`, but for those of files
 * @example
 * const reader = unwrap(openCaptureBytes(capturePackets([data]), 'bytes'));
 * reader.next(); // 'packet'
 * reader.capturedLen; // 60
 */
export function openCaptureBytes(bytes: Uint8Array, name: string): Result<CaptureReader> {
  return readerFor(ByteWindow.overBytes(bytes), name);
}

function readerFor(window: ByteWindow, name: string): Result<CaptureReader> {
  if (!window.ensure(MAGIC_BYTES)) {
    if (window.readError !== undefined) return fail(unreadableProblem(window.readError, name));
    if (window.availableBytes === 0) {
      return fail({
        code: 'capture-empty',
        message: 'capture file is empty',
        where: name,
        hint: 'capture again; even a capture without packets has a header',
      });
    }
    return fail(unknownFormat(window, name));
  }
  const magic = window.view.getUint32(window.posBytes);
  if (PcapReader.recognizes(magic)) return PcapReader.open(window, name);
  if (PcapngReader.recognizes(magic)) return PcapngReader.open(window, name);
  for (const [value, mask, what, hint] of UNSUPPORTED_FORMATS) {
    if ((magic & mask) >>> 0 === value) {
      return fail({ code: 'unsupported-capture-format', message: `file is ${what}, which can't be read`, where: name, hint });
    }
  }
  return fail(unknownFormat(window, name));
}

function unknownFormat(window: ByteWindow, name: string): Problem {
  const first = Array.from(window.data.subarray(window.posBytes, Math.min(window.posBytes + MAGIC_BYTES, window.endBytes)));
  return {
    code: 'capture-unknown-format',
    message: `not a capture: it begins with ${first.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`,
    where: `${name}, byte 0`,
    hint: 'give a pcap or pcapng file, as tcpdump -w and dumpcap write them',
  };
}

function openProblem(path: string, error: NodeJS.ErrnoException): Problem {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
    return { code: 'capture-missing', message: 'no such capture file', where: path, hint: 'check the path' };
  }
  return {
    code: 'capture-unreadable',
    message: `capture file can't be opened: ${error.message}`,
    where: path,
    hint: 'check its permissions',
  };
}
