/** The part of pcap-parser (which ships no types) that the tests use. */
declare module 'pcap-parser' {
  import type { EventEmitter } from 'node:events';
  import type { Readable } from 'node:stream';

  export interface ParsedPacket {
    readonly header: {
      readonly timestampSeconds: number;
      readonly timestampMicroseconds: number;
      readonly capturedLength: number;
      readonly originalLength: number;
    };
    readonly data: Buffer;
  }

  /** Emits `packet` (ParsedPacket), `end` and `error`. */
  export function parse(input: string | Readable): EventEmitter;
}
