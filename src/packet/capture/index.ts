/** Captures, `xdp-sim/pcap`: pcap and pcapng, read and written. */
export { FileSink, MemorySink } from './byteSink.js';
export type { ByteSink } from './byteSink.js';
export type { CaptureReader, CaptureStatus } from './captureReader.js';
export { openCapture, openCaptureBytes } from './openCapture.js';
export { capturePackets, readPackets, writePackets } from './packets.js';
export type { CapturedPacket, WritablePacket } from './packets.js';
export { PcapngWriter } from './pcapngWriter.js';
export type { PcapngInterface, PcapngPacketOptions, PcapngWriterOptions } from './pcapngWriter.js';
export { PcapWriter } from './pcapWriter.js';
export type { PcapWriterOptions } from './pcapWriter.js';
