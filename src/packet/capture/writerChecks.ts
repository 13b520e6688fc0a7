import type { Problem } from '../../base/index.js';
import { MAX_PACKET_BYTES } from './captureReader.js';

/** Throws a RangeError for arguments that would make a capture which our own reader refuses. */
export function checkPacketArguments(
  caller: string, bytes: Uint8Array, offBytes: number, lengthBytes: number, tNsec: number, originalLen: number,
): void {
  if (!(offBytes >= 0 && lengthBytes >= 0 && offBytes + lengthBytes <= bytes.length)) {
    throw new RangeError(`${caller}: packet ${offBytes}+${lengthBytes} lies outside of its buffer of ${bytes.length} bytes`);
  }
  if (lengthBytes > MAX_PACKET_BYTES) throw new RangeError(`${caller}: packet of ${lengthBytes} bytes is longer than ${MAX_PACKET_BYTES}`);
  if (!(originalLen >= lengthBytes && originalLen < 2 ** 32)) {
    throw new RangeError(`${caller}: original length ${originalLen} is less than the ${lengthBytes} bytes given or over 32 bits`);
  }
  if (!(tNsec >= 0 && tNsec < 1e9)) throw new RangeError(`${caller}: ${tNsec} ns is not within a second`);
}

/** A packet whose time the format can't hold. */
export function timestampRangeProblem(format: 'pcap' | 'pcapng', packetNumber: number, tSec: number): Problem {
  return {
    code: 'capture-bad-timestamp',
    message: `time ${tSec} s of packet ${packetNumber} can't be written to ${format}`,
    hint: 'shift the times of the input capture, for instance with editcap -t',
  };
}
