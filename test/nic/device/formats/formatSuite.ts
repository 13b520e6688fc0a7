import { describe, expect } from 'vitest';
import type { HostMemory } from '../../../../src/memory/index.js';
import {
  DESC_CSUM, DESC_EOP, DESC_FIRST, DESC_L3_BAD, DESC_L3_CHECKED, DESC_L4_BAD, DESC_L4_CHECKED, DESC_MALFORMED, DESC_RSS, DESC_RX_ERROR, DESC_TIMESTAMP, DESC_VLAN,
  DescriptorBatch, PACKET_FRAGMENT, PACKET_IPV4, PACKET_IPV6, PACKET_SCTP, PACKET_TCP, PACKET_UDP,
} from '../../../../src/nic/device/batch.js';
import { NO_DOORBELL } from '../../../../src/nic/device/formats/descriptorFormat.js';
import type { DescriptorFormat } from '../../../../src/nic/device/formats/descriptorFormat.js';
import { fc, prop } from '../../../support/property.js';
import { batchOf, inFreshMemory, makeRing } from './formatSupport.js';
import type { BatchRow, TestRing } from './formatSupport.js';

/** What a received frame carries besides its bytes. */
export interface RxOffloads {
  /** DESC_* without EOP and FIRST. */
  readonly flags: number;
  readonly packetType: number;
  readonly rssHash: number;
  readonly rssType: number;
  readonly vlanTci: number;
  readonly timestampNs: number;
}

/** What a frame to be sent asks for: fields of its first descriptor. */
export interface TxOffloads {
  /** DESC_CSUM, DESC_VLAN. */
  readonly flags: number;
  readonly packetType: number;
  readonly l3Start: number;
  readonly csumStart: number;
  readonly csumOffset: number;
  readonly vlanTci: number;
}

/** A kind of frame that a driver may ask a checksum for. */
export type TxChecksum = Pick<TxOffloads, 'packetType' | 'l3Start' | 'csumStart' | 'csumOffset'>;

/** TCP and UDP over IPv4 and IPv6 behind a plain Ethernet header. */
export const TX_CHECKSUMS: readonly TxChecksum[] = [
  { packetType: PACKET_IPV4 | PACKET_TCP, l3Start: 14, csumStart: 34, csumOffset: 16 },
  { packetType: PACKET_IPV4 | PACKET_UDP, l3Start: 14, csumStart: 34, csumOffset: 6 },
  { packetType: PACKET_IPV6 | PACKET_TCP, l3Start: 14, csumStart: 54, csumOffset: 16 },
  { packetType: PACKET_IPV6 | PACKET_UDP, l3Start: 14, csumStart: 54, csumOffset: 6 },
];

/** What a format has room for: the suite draws only what fits, and wants to see all of it again. */
export interface FormatCapabilities {
  /** Ring sizes to try; left out: small, odd and usual ones. */
  readonly ringSizes?: readonly number[];

  /** Buffer sizes that a driver may post, more than `rxPrefixBytes`; all buffers of a ring have the same. */
  readonly rxBufferBytes: readonly number[];
  readonly rxFrameBytesMax: number;
  /** Buffers of one frame; 1 for hardware that doesn't scatter. */
  readonly rxSegmentsMax: number;
  /** DESC_RSS, _VLAN, _L3_*, _L4_*, _TIMESTAMP, _RX_ERROR as far as a descriptor has room for them. DESC_FIRST: `rxPoll` gives it. */
  readonly rxFlags: number;
  /** PACKET_* combinations that a frame may be. */
  readonly rxPacketTypes: readonly number[];
  /** XDP_RSS_* values that a frame of this type may have been hashed by. Needed with DESC_RSS. */
  readonly rssTypesOf?: (packetType: number) => readonly number[];
  readonly timestampMaxNs?: number;
  /** Descriptor of a frame on which `rxPoll` gives the offloads; `last` when left out. */
  readonly rxOffloadsAt?: 'first' | 'last' | 'every';
  /** What the driver sees of what the device found, where the format tells less or other things. */
  readonly rxSeen?: (found: RxOffloads) => Partial<RxOffloads>;

  /** Bits of a buffer's I/O address, more than 32; 64 when left out. */
  readonly addressBits?: number;

  readonly txBufferBytesMax: number;
  readonly txSegmentsMax: number;
  /** Kinds of frames with DESC_CSUM; TX_CHECKSUMS when left out. */
  readonly txChecksums?: readonly TxChecksum[];
  /** What the device sees of what the driver asked for; left out: flags, and csumStart, csumOffset and vlanTci as far as the flags name them. */
  readonly txSeen?: (asked: TxOffloads) => Partial<TxOffloads>;
  /** What the device tells as done: every frame it has sent (when left out), or none before the last one of its `txPost`. */
  readonly txReports?: 'frame' | 'post';
}

const RING_SIZES = [2, 3, 5, 16, 255, 256];
const BATCH = 512;
const L4 = PACKET_TCP | PACKET_UDP | PACKET_SCTP;

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
/** Buffers begin at multiples of 8. */
function iovas({ addressBits = 64 }: FormatCapabilities): fc.Arbitrary<{ iovaLow: number; iovaHigh: number }> {
  return fc.record({ iovaLow: word.map((value) => value & ~7), iovaHigh: addressBits === 64 ? word : fc.nat(2 ** (addressBits - 32) - 1) });
}

interface RxFrame extends RxOffloads {
  readonly lenBytes: number;
}

interface TxFrame extends TxOffloads {
  readonly buffers: readonly BatchRow[];
}

interface QueuedTxFrame extends TxFrame {
  readonly isLastOfPost: boolean;
}

/** Flags that go together: no verdict without a check, no check of what the frame doesn't have. */
function consistentRxFlags(drawn: number, packetType: number): number {
  let flags = drawn;
  if ((packetType & PACKET_IPV4) === 0) flags &= ~DESC_L3_CHECKED;
  if ((packetType & L4) === 0 || (packetType & PACKET_FRAGMENT) !== 0) flags &= ~DESC_L4_CHECKED;
  if ((flags & DESC_L3_CHECKED) === 0) flags &= ~DESC_L3_BAD;
  if ((flags & DESC_L4_CHECKED) === 0) flags &= ~DESC_L4_BAD;
  return flags;
}

function rxFrames(prefixBytes: number, { rxFlags, rxPacketTypes, rssTypesOf, timestampMaxNs, rxFrameBytesMax, rxSegmentsMax, rxBufferBytes }: FormatCapabilities): fc.Arbitrary<{ bufferBytes: number; frames: RxFrame[] }> {
  return fc.constantFrom(...rxBufferBytes).chain((bufferBytes) => {
    const frame = fc
      .record({
        lenBytes: fc.integer({ min: 1, max: Math.min(rxFrameBytesMax, bufferBytes * rxSegmentsMax - prefixBytes) }),
        drawn: word,
        packetType: fc.constantFrom(...rxPacketTypes),
        rssHash: word,
        rssPick: fc.nat(),
        vlanTci: fc.integer({ min: 0, max: 0xffff }),
        timestampNs: fc.integer({ min: 0, max: timestampMaxNs ?? Number.MAX_SAFE_INTEGER }),
      })
      .map(({ drawn, rssPick, ...rest }) => {
        const rssTypes = rssTypesOf?.(rest.packetType) ?? [];
        const flags = consistentRxFlags(drawn & rxFlags & ~DESC_FIRST & (rssTypes.length === 0 ? ~DESC_RSS : -1), rest.packetType);
        return { ...rest, flags, rssType: rssTypes.length === 0 ? 0 : rssTypes[rssPick % rssTypes.length] };
      });
    return fc.record({ bufferBytes: fc.constant(bufferBytes), frames: fc.array(frame, { minLength: 1, maxLength: 40 }) });
  });
}

function txFrames(format: DescriptorFormat, capabilities: FormatCapabilities): fc.Arbitrary<TxFrame[]> {
  const { txBufferBytesMax, txSegmentsMax, txChecksums = TX_CHECKSUMS } = capabilities;
  const buffer = fc.record({ at: iovas(capabilities), lenBytes: fc.integer({ min: 1, max: txBufferBytesMax }) }).map(({ at, lenBytes }) => ({ ...at, lenBytes }));
  const frame = fc
    .record({
      buffers: fc.array(buffer, { minLength: 1, maxLength: txSegmentsMax }),
      checksum: fc.option(fc.constantFrom(...txChecksums)),
      vlanTci: fc.option(fc.integer({ min: 0, max: 0xffff })),
    })
    .map(({ buffers, checksum, vlanTci }): TxFrame => {
      const csum = format.hasTxChecksum ? checksum : null;
      const vlan = format.hasTxVlan ? vlanTci : null;
      return {
        buffers,
        flags: (csum === null ? 0 : DESC_CSUM) | (vlan === null ? 0 : DESC_VLAN),
        ...(csum ?? { packetType: 0, l3Start: 0, csumStart: 0, csumOffset: 0 }),
        vlanTci: vlan ?? 0,
      };
    });
  return fc.array(frame, { minLength: 1, maxLength: 40 });
}

/** Driver and device at one receive ring, and what each expects of the other. */
class RxBench {
  readonly #format: DescriptorFormat;
  readonly #capabilities: FormatCapabilities;
  readonly #ring: TestRing;
  readonly #prefixes: number;
  readonly #bufferBytes: number;
  /** Rows that `rxPoll` has to give, one a descriptor that was written back and not polled. */
  readonly #written: BatchRow[] = [];
  readonly #posted: BatchRow[] = [];
  #doorbell = 0;
  #tail = 0;
  #head = 0;
  #clean = 0;

  constructor(memory: HostMemory, format: DescriptorFormat, capabilities: FormatCapabilities, size: number, bufferBytes: number) {
    this.#format = format;
    this.#capabilities = capabilities;
    this.#ring = makeRing(format, 'rx', size, memory);
    this.#bufferBytes = bufferBytes;
    this.#prefixes = format.rxPrefixBytes === 0 ? 0 : memory.reserve('buffers', size * format.rxPrefixBytes);
  }

  get room(): number {
    return this.#ring.driver.size - this.#format.spareSlots - (this.#tail - this.#clean);
  }

  /** Descriptors that the device still has. */
  get available(): number {
    return this.#tail - this.#head;
  }

  #addressOf(slot: number): number {
    return this.#prefixes === 0 ? 0 : this.#prefixes + (slot % this.#ring.driver.size) * this.#format.rxPrefixBytes;
  }

  /** The driver gives as many of the buffers as fit. */
  post(buffers: readonly BatchRow[]): void {
    const rows = buffers.slice(0, this.room).map((each) => ({ ...each, lenBytes: this.#bufferBytes }));
    this.#format.rxPost(this.#ring.memory, this.#ring.driver, this.#tail, batchOf(rows));
    this.#tail += rows.length;
    this.#posted.push(...rows);
    const doorbell = this.#format.rxPublish(this.#ring.memory, this.#ring.driver, this.#tail);
    if (doorbell !== NO_DOORBELL) this.#doorbell = doorbell;
  }

  /** The device receives a frame, if there are buffers enough. @returns false when there are not */
  receive(frame: RxFrame): boolean {
    const { memory, device } = this.#ring;
    const prefix = this.#format.rxPrefixBytes;
    const segments = Math.ceil((frame.lenBytes + prefix) / this.#bufferBytes);
    for (const limit of [0, 1, segments, BATCH]) {
      expect(this.#format.rxAvailable(memory, device, this.#head, this.#doorbell, limit)).toBe(Math.min(limit, this.available));
    }
    if (segments > this.available) return false;

    const batch = new DescriptorBatch(BATCH);
    this.#format.rxFetch(memory, device, this.#head, segments, batch);
    expect(batch.count).toBe(segments);
    let left = frame.lenBytes;
    for (let i = 0; i < segments; i++) {
      expect(this.#posted.shift()).toEqual({ iovaLow: batch.iovaLow[i], iovaHigh: batch.iovaHigh[i], lenBytes: batch.lenBytes[i] });
      const room = this.#bufferBytes - (i === 0 ? prefix : 0);
      const lenBytes = Math.min(left, room);
      left -= lenBytes;
      const position = (i === 0 ? DESC_FIRST : 0) | (i === segments - 1 ? DESC_EOP : 0);
      const found = { ...frame, lenBytes };
      const address = this.#addressOf(this.#head + i);
      batch.address[i] = address;
      for (const field of ['lenBytes', 'packetType', 'rssHash', 'rssType', 'vlanTci', 'timestampNs'] as const) batch[field][i] = found[field];
      batch.flags[i] = frame.flags | position;
      const seen: RxFrame = { ...found, ...this.#capabilities.rxSeen?.(frame) };
      this.#written.push({ ...seen, flags: seen.flags | position });
    }
    this.#format.rxWriteBack(memory, device, this.#head, batch);
    this.#head += segments;
    return true;
  }

  /** The driver looks for finished descriptors, among those that it has posted. */
  poll(most: number): void {
    const { memory, driver } = this.#ring;
    const limit = Math.min(most, this.#tail - this.#clean);
    const batch = new DescriptorBatch(BATCH);
    for (let i = 0; i < limit; i++) batch.address[i] = this.#addressOf(this.#clean + i);
    const polled = this.#format.rxPoll(memory, driver, this.#clean, limit, batch);
    expect(batch.count).toBe(polled);
    const wanted = Math.min(limit, this.#written.length);
    // A frame that is not whole within the limit is given in part or not at all.
    let whole = wanted;
    while (whole > 0 && (Number(this.#written[whole - 1].flags) & DESC_EOP) === 0) whole--;
    expect(polled).toBeGreaterThanOrEqual(whole);
    expect(polled).toBeLessThanOrEqual(wanted);
    for (let i = 0; i < polled; i++) this.#compare(batch, i, this.#written[i]);
    this.#written.splice(0, polled);
    this.#clean += polled;
  }

  #compare(batch: DescriptorBatch, i: number, row: BatchRow): void {
    const { rxFlags, rxOffloadsAt = 'last' } = this.#capabilities;
    const wanted = row.flags ?? 0;
    const isAt = rxOffloadsAt === 'every' || (wanted & (rxOffloadsAt === 'first' ? DESC_FIRST : DESC_EOP)) !== 0;
    expect(batch.lenBytes[i]).toBe(row.lenBytes);
    const position = DESC_EOP | (rxFlags & DESC_FIRST);
    const offloads = DESC_RSS | DESC_VLAN | DESC_L3_CHECKED | DESC_L3_BAD | DESC_L4_CHECKED | DESC_L4_BAD | DESC_TIMESTAMP | DESC_RX_ERROR;
    const compared = position | (isAt ? offloads : 0);
    expect(batch.flags[i] & compared).toBe(wanted & compared);
    if (!isAt) return;
    expect(batch.packetType[i]).toBe(row.packetType);
    if ((wanted & DESC_RSS) !== 0) expect([batch.rssHash[i], batch.rssType[i]]).toEqual([row.rssHash, row.rssType]);
    if ((wanted & DESC_VLAN) !== 0) expect(batch.vlanTci[i]).toBe(row.vlanTci);
    if ((wanted & DESC_TIMESTAMP) !== 0) expect(batch.timestampNs[i]).toBe(row.timestampNs);
  }
}

/** Driver and device at one transmit ring. */
class TxBench {
  readonly #format: DescriptorFormat;
  readonly #capabilities: FormatCapabilities;
  readonly #ring: TestRing;
  /** Frames that the device has not sent yet, and slots of frames that it has and the driver has not seen. */
  readonly #queued: QueuedTxFrame[] = [];
  readonly #sentSlots: number[] = [];
  /** Slots of frames that were sent and that the device has not told as done. */
  readonly #untoldSlots: number[] = [];
  #doorbell = 0;
  #tail = 0;
  #head = 0;
  #clean = 0;

  constructor(memory: HostMemory, format: DescriptorFormat, capabilities: FormatCapabilities, size: number) {
    this.#format = format;
    this.#capabilities = capabilities;
    this.#ring = makeRing(format, 'tx', size, memory);
  }

  get capacity(): number {
    return this.#ring.driver.size - this.#format.spareSlots;
  }

  slotsOf({ buffers, flags }: TxFrame): number {
    return this.#format.txSlots(buffers.length, flags);
  }

  /** The driver queues the frames that fit, in one batch. @returns how many */
  post(frames: readonly TxFrame[]): number {
    const rows: BatchRow[] = [];
    let slots = 0;
    let taken = 0;
    for (const frame of frames) {
      if (this.#tail - this.#clean + slots + this.slotsOf(frame) > this.capacity) break;
      slots += this.slotsOf(frame);
      taken++;
      const { buffers, flags, ...offloads } = frame;
      buffers.forEach((buffer, i) => rows.push({ ...buffer, ...(i === 0 ? offloads : {}), flags: (i === 0 ? flags | DESC_FIRST : 0) | (i === buffers.length - 1 ? DESC_EOP : 0) }));
    }
    frames.slice(0, taken).forEach((frame, i) => this.#queued.push({ ...frame, isLastOfPost: i === taken - 1 }));
    this.#format.txPost(this.#ring.memory, this.#ring.driver, this.#tail, batchOf(rows));
    this.#tail += slots;
    const doorbell = this.#format.txPublish(this.#ring.memory, this.#ring.driver, this.#tail);
    if (doorbell !== NO_DOORBELL) this.#doorbell = doorbell;
    return taken;
  }

  /** The device sends at most so many frames. */
  send(frameLimit: number): void {
    const { memory, device } = this.#ring;
    const outstanding = this.#tail - this.#head;
    expect(this.#format.txAvailable(memory, device, this.#head, this.#doorbell, BATCH)).toBe(Math.min(BATCH, outstanding));
    expect(this.#format.txAvailable(memory, device, this.#head, this.#doorbell, 1)).toBeLessThanOrEqual(1);
    const frames = this.#queued.splice(0, frameLimit);
    const slots = frames.reduce((sum, frame) => sum + this.slotsOf(frame), 0);
    if (slots === 0) return;
    const batch = new DescriptorBatch(BATCH);
    this.#format.txFetch(memory, device, this.#head, slots, batch);
    let at = 0;
    for (const frame of frames) {
      this.#compare(batch, at, frame);
      at += frame.buffers.length;
      this.#untoldSlots.push(this.slotsOf(frame));
      if (frame.isLastOfPost || this.#capabilities.txReports !== 'post') this.#sentSlots.push(...this.#untoldSlots.splice(0));
    }
    expect(batch.count).toBe(at);
    this.#format.txWriteBack(memory, device, this.#head, slots);
    this.#head += slots;
  }

  #compare(batch: DescriptorBatch, at: number, frame: TxFrame): void {
    const { buffers } = frame;
    let slots = 0;
    buffers.forEach((buffer, i) => {
      expect({ iovaLow: batch.iovaLow[at + i], iovaHigh: batch.iovaHigh[at + i], lenBytes: batch.lenBytes[at + i] }).toEqual(buffer);
      expect(batch.flags[at + i] & DESC_EOP).toBe(i === buffers.length - 1 ? DESC_EOP : 0);
      expect(batch.flags[at + i] & DESC_MALFORMED).toBe(0);
      if (i > 0) expect(batch.flags[at + i] & (DESC_CSUM | DESC_VLAN)).toBe(0);
      slots += batch.slots[at + i];
    });
    expect(slots).toBe(this.slotsOf(frame));
    const { flags, csumStart, csumOffset, vlanTci } = frame;
    const seen = this.#capabilities.txSeen?.(frame) ?? {
      flags,
      ...((flags & DESC_CSUM) !== 0 ? { csumStart, csumOffset } : {}),
      ...((flags & DESC_VLAN) !== 0 ? { vlanTci } : {}),
    };
    for (const [field, value] of Object.entries(seen) as [keyof TxOffloads, number][]) {
      const got = batch[field][at];
      expect({ [field]: field === 'flags' ? got & ~(DESC_EOP | DESC_FIRST) & (DESC_CSUM | DESC_VLAN | value) : got }).toEqual({ [field]: value });
    }
  }

  /** The driver takes back what the device is done with. */
  clean(limit: number): void {
    const done = this.#format.txPoll(this.#ring.memory, this.#ring.driver, this.#clean, Math.min(limit, this.#tail - this.#clean));
    let whole = 0;
    while (this.#sentSlots.length > 0 && whole + this.#sentSlots[0] <= limit) whole += this.#sentSlots.shift() ?? 0;
    expect(done).toBe(whole);
    this.#clean += done;
  }
}

/**
 * Puts a format through its paces, as a vitest suite: random frames travel round a ring from driver to device and back, several times
 * around, in batches of any size and with any part of the ring in flight, and everything the format has room for must arrive.
 */
export function describeFormat(format: DescriptorFormat, capabilities: FormatCapabilities): void {
  const { ringSizes = RING_SIZES } = capabilities;
  const size = fc.constantFrom(...ringSizes);
  const step = fc.record({ post: fc.array(iovas(capabilities), { maxLength: 20 }), receive: fc.nat(12), poll: fc.nat(30) });
  const pace = fc.record({ post: fc.nat(10), send: fc.nat(10), clean: fc.nat(40) });

  describe(`${format.name} descriptors come back`, () => {
    prop([size, rxFrames(format.rxPrefixBytes, capabilities), fc.array(step, { minLength: 1, maxLength: 30 })])('receiving', (slots, { bufferBytes, frames }, steps) => {
      inFreshMemory((memory) => {
        const bench = new RxBench(memory, format, capabilities, slots, bufferBytes);
        let next = 0;
        for (const { post, receive, poll } of steps) {
          bench.post(post);
          for (let i = 0; i < receive; i++) {
            if (!bench.receive(frames[next % frames.length])) break;
            next++;
          }
          bench.poll(poll);
        }
        bench.poll(BATCH);
      });
    });

    prop([size, txFrames(format, capabilities), fc.array(pace, { minLength: 1, maxLength: 30 })])('sending', (slots, drawn, steps) => {
      inFreshMemory((memory) => {
        const bench = new TxBench(memory, format, capabilities, slots);
        const frames = drawn.filter((frame) => bench.slotsOf(frame) <= bench.capacity);
        let next = 0;
        for (const { post, send, clean } of steps) {
          next = frames.length === 0 ? 0 : (next + bench.post([...frames.slice(next), ...frames.slice(0, next)].slice(0, post))) % frames.length;
          bench.send(send);
          bench.clean(clean);
        }
        bench.send(BATCH);
        bench.clean(BATCH);
      });
    });

    prop([size])('an empty ring holds nothing', (slots) => {
      inFreshMemory((memory) => {
        const rx = makeRing(format, 'rx', slots, memory);
        const tx = makeRing(format, 'tx', slots, memory);
        expect(format.rxAvailable(memory, rx.device, 0, 0, BATCH)).toBe(0);
        expect(format.txAvailable(memory, tx.device, 0, 0, BATCH)).toBe(0);
      });
    });
  });
}
