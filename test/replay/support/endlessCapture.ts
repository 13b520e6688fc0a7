import type { CaptureReader, CaptureStatus } from '../../../src/packet/index.js';

/** The same frame over and over, a microsecond apart: a capture that outlasts any test. */
export class EndlessCapture implements CaptureReader {
  readonly format = 'pcap';
  readonly data: Uint8Array;
  readonly offBytes = 0;
  readonly fcsLen = 0;
  readonly hasTimestamp = true;
  readonly linkType = 1;
  readonly interfaceId = 0;
  readonly fileOffsetBytes = 0;
  readonly problem = undefined;
  packetNumber = 0;

  constructor(frame: Uint8Array) {
    this.data = frame;
  }

  get capturedLen(): number {
    return this.data.length;
  }

  get originalLen(): number {
    return this.data.length;
  }

  get tSec(): number {
    return Math.floor(this.packetNumber / 1e6);
  }

  get tNsec(): number {
    return (this.packetNumber % 1e6) * 1000;
  }

  next(): CaptureStatus {
    this.packetNumber++;
    return 'packet';
  }

  close(): void {}
}
