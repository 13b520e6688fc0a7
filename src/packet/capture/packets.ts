import { ProblemError, unwrap } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { FileSink, MemorySink } from './byteSink.js';
import { openCapture, openCaptureBytes } from './openCapture.js';
import type { CaptureTotals } from './outputBuffer.js';
import { PcapngWriter } from './pcapngWriter.js';
import { PcapWriter } from './pcapWriter.js';

/** A packet of a capture, with a copy of its bytes. */
export interface CapturedPacket {
  readonly data: Uint8Array;
  /** When it was captured: whole seconds, as a rule since the Unix epoch, and nanoseconds within that one. */
  readonly tSec: number;
  readonly tNsec: number;
  /** Bytes that it had on the wire; more than `data` has when it was cut. */
  readonly originalLength: number;
}

/**
 * All packets of a pcap or pcapng file, one after the other.
 *
 * @param source path of the file, or its bytes
 * @throws Error with place and reason when the capture is broken: after the packets before the fault
 * @example
 * for (const { data } of readPackets('fixtures/pcaps/mixed.pcap')) console.log(program.testRun({ data }).verdict);
 */
export function* readPackets(source: string | Uint8Array): Generator<CapturedPacket, void, void> {
  const reader = unwrap(typeof source === 'string' ? openCapture(source) : openCaptureBytes(source, 'capture'));
  try {
    for (;;) {
      const status = reader.next();
      if (status === 'end') return;
      if (status === 'error') throw new ProblemError(reader.problem!);
      const { data, offBytes, capturedLen, tSec, tNsec, originalLen } = reader;
      yield { data: data.slice(offBytes, offBytes + capturedLen), tSec, tNsec, originalLength: originalLen };
    }
  } finally {
    reader.close();
  }
}

/** What `writePackets` takes: bytes, which come a microsecond after one another, or packets with times. */
export type WritablePacket = Uint8Array | { build(): Uint8Array } | (Pick<CapturedPacket, 'data'> & Partial<CapturedPacket>);

/**
 * Writes a capture: pcapng for a path that ends in `.pcapng`, else pcap with nanoseconds.
 *
 * @throws Error when the file can't be written, or a time doesn't fit; and what a builder throws, then the packets before it are in the file
 * @example
 * writePackets('cases.pcap', [ethernet().ipv4().udp().build()]);
 */
export function writePackets(path: string, packets: Iterable<WritablePacket>): void {
  const sink = unwrap(FileSink.create(path));
  const writer = path.endsWith('.pcapng') ? new PcapngWriter(sink) : new PcapWriter(sink);
  if (writer instanceof PcapngWriter) writer.addInterface({ name: 'packets' });
  writeAll(writer, packets);
}

/**
 * The same as the bytes of a pcap file.
 *
 * @throws Error when a time doesn't fit, and what a builder throws
 * @example
 * const bytes = capturePackets([ethernet().ipv4().udp(), ethernet().arp()]);
 * [...readPackets(bytes)].length; // 2
 */
export function capturePackets(packets: Iterable<WritablePacket>): Uint8Array {
  const sink = new MemorySink();
  const writer = new PcapWriter(sink);
  writeAll(writer, packets);
  return sink.bytes();
}

/** Writes all, and closes the file whatever happens. */
function writeAll(writer: PcapWriter | PcapngWriter, packets: Iterable<WritablePacket>): void {
  let closed: Result<CaptureTotals>;
  try {
    let count = 0;
    for (const packet of packets) writeOne(writer, packet, count++);
  } finally {
    closed = writer.close();
  }
  unwrap(closed);
}

function writeOne(writer: PcapWriter | PcapngWriter, packet: WritablePacket, index: number): void {
  const plain: Pick<CapturedPacket, 'data'> & Partial<CapturedPacket> = packet instanceof Uint8Array ? { data: packet } : 'build' in packet ? { data: packet.build() } : packet;
  const { data, tSec = Math.floor(index / 1e6), tNsec = (index % 1e6) * 1000, originalLength = data.length } = plain;
  if (writer instanceof PcapWriter) writer.writePacket(data, 0, data.length, tSec, tNsec, originalLength);
  else writer.writePacket(0, data, 0, data.length, tSec, tNsec, originalLength);
}
