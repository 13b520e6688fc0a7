import type { CaptureReader } from '../../../src/packet/index.js';

/** Byte order of a capture built by hand. */
export type ByteOrder = 'LE' | 'BE';

/** Collects integers in a stated byte order and raw bytes. */
export class Bytes {
  readonly #order: ByteOrder;
  readonly #out: number[] = [];

  constructor(order: ByteOrder) {
    this.#order = order;
  }

  get length(): number {
    return this.#out.length;
  }

  u8(value: number): this {
    this.#out.push(value & 0xff);
    return this;
  }

  u16(value: number): this {
    const octets = [value >>> 8, value];
    return this.raw(this.#order === 'LE' ? octets.reverse() : octets);
  }

  u32(value: number): this {
    const octets = [value >>> 24, value >>> 16, value >>> 8, value];
    return this.raw(this.#order === 'LE' ? octets.reverse() : octets);
  }

  u64(value: bigint): this {
    const high = Number(BigInt.asUintN(32, value >> 32n));
    const low = Number(BigInt.asUintN(32, value));
    return this.#order === 'LE' ? this.u32(low).u32(high) : this.u32(high).u32(low);
  }

  raw(octets: Iterable<number>): this {
    for (const octet of octets) this.u8(octet);
    return this;
  }

  pad(): this {
    while (this.#out.length % 4 !== 0) this.u8(0);
    return this;
  }

  done(): Uint8Array {
    return Uint8Array.from(this.#out);
  }
}

export interface PcapRecord {
  readonly sec: number;
  readonly fraction: number;
  readonly data: Iterable<number>;
  readonly capturedLen?: number;
  readonly originalLen?: number;
}

export interface PcapShape {
  readonly order?: ByteOrder;
  readonly magic?: number;
  readonly major?: number;
  readonly minor?: number;
  readonly snapLen?: number;
  readonly linkType?: number;
}

/** A classic pcap file; the lengths of a record may be made to lie. */
export function pcapFile(records: readonly PcapRecord[], shape: PcapShape = {}): Uint8Array {
  const out = new Bytes(shape.order ?? 'LE');
  out.u32(shape.magic ?? 0xa1b2c3d4).u16(shape.major ?? 2).u16(shape.minor ?? 4).u32(0).u32(0);
  out.u32(shape.snapLen ?? 262144).u32(shape.linkType ?? 1);
  for (const record of records) {
    const data = [...record.data];
    out.u32(record.sec).u32(record.fraction).u32(record.capturedLen ?? data.length).u32(record.originalLen ?? data.length).raw(data);
  }
  return out.done();
}

/** An option of a pcapng block. */
export function option(order: ByteOrder, code: number, value: Iterable<number>): Uint8Array {
  const octets = [...value];
  return new Bytes(order).u16(code).u16(octets.length).raw(octets).pad().done();
}

/** opt_endofopt. */
export const endOfOptions = new Uint8Array(4);

/** A pcapng block with a consistent length on both ends. */
export function block(order: ByteOrder, type: number, body: Uint8Array): Uint8Array {
  const padded = new Bytes(order).raw(body).pad().done();
  return new Bytes(order).u32(type).u32(12 + padded.length).raw(padded).u32(12 + padded.length).done();
}

export function sectionHeader(order: ByteOrder, ...options: Uint8Array[]): Uint8Array {
  return block(order, 0x0a0d0d0a, concat(new Bytes(order).u32(0x1a2b3c4d).u16(1).u16(0).u64(-1n).done(), ...options));
}

export function interfaceDescription(order: ByteOrder, shape: { linkType?: number; snapLen?: number } = {}, ...options: Uint8Array[]): Uint8Array {
  return block(order, 1, concat(new Bytes(order).u16(shape.linkType ?? 1).u16(0).u32(shape.snapLen ?? 0).done(), ...options));
}

export interface EnhancedPacket {
  readonly interfaceId?: number;
  readonly ticks?: bigint;
  readonly data: Iterable<number>;
  readonly capturedLen?: number;
  readonly originalLen?: number;
}

export function enhancedPacket(order: ByteOrder, packet: EnhancedPacket, ...options: Uint8Array[]): Uint8Array {
  const data = [...packet.data];
  const ticks = packet.ticks ?? 0n;
  const body = new Bytes(order).u32(packet.interfaceId ?? 0).u32(Number(ticks >> 32n)).u32(Number(ticks & 0xffffffffn));
  body.u32(packet.capturedLen ?? data.length).u32(packet.originalLen ?? data.length).raw(data).pad();
  return block(order, 6, concat(body.done(), ...options));
}

export function concat(...pieces: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(pieces));
}

/** What a reader tells about one packet, as values. */
export interface PacketRead {
  readonly data: number[];
  readonly originalLen: number;
  readonly tSec: number;
  readonly tNsec: number;
}

/** Reads a capture to its end; the packets, and how it ended. */
export function readAll(reader: CaptureReader): { packets: PacketRead[]; status: 'end' | 'error' } {
  const packets: PacketRead[] = [];
  for (;;) {
    const status = reader.next();
    if (status !== 'packet') return { packets, status };
    const data = Array.from(reader.data.subarray(reader.offBytes, reader.offBytes + reader.capturedLen));
    packets.push({ data, originalLen: reader.originalLen, tSec: reader.tSec, tNsec: reader.tNsec });
  }
}
