import { describe, expect, it } from 'vitest';
import { HostMemory, Owner, PAGE_BYTES, PageAllocator } from '../../../src/memory/index.js';
import {
  BufferTags, CacheModel, DESC_CSUM, DESC_L3_BAD, DESC_L4_BAD, DESC_L4_CHECKED, DESC_VLAN, DMA_BIDIRECTIONAL, DmaApi, FlowSteering, HardwareClock, Iommu, IOVA_HIGH,
  NicDevice, NO_DOORBELL, ParsedFrame, parseFrame, preloadPseudoHeader, PROFILES, requestChecksum, CHECKSUM_PROTOCOL, RING_STATE_WORDS, Rss, RSS_KEY_MICROSOFT,
  WireBatch, DescriptorBatch, PACKET_IPV4,
} from '../../../src/nic/index.js';
import { NO_OFFLOAD, TxQueue } from '../../../src/nic/driver/txQueue.js';
import type { DescriptorFormat, RingMemory } from '../../../src/nic/index.js';
import { fc, prop } from '../../support/property.js';
import { ManualScheduler } from '../support.js';
import { buildFrame, frameSpecs } from './offloadFrames.js';

const RING_SIZE = 64;
const HEADROOM = 256;

const FORMATS = [...new Map(PROFILES.map(({ format }) => [format.name, format]))].map(([name, format]) => ({ name, format }));

/** A device and a transmit ring, and a receive ring with one buffer on it. */
class Bench {
  readonly memory = new HostMemory(1);
  readonly allocator = new PageAllocator(this.memory, 8);
  readonly scheduler = new ManualScheduler();
  readonly dma: DmaApi;
  readonly device: NicDevice;
  readonly tx: TxQueue;
  readonly sent: Uint8Array[] = [];
  readonly rx: RingMemory;
  readonly format: DescriptorFormat;
  readonly page: number;
  readonly iovaLow: number;

  constructor(format: DescriptorFormat, rxVlanStrip: boolean) {
    const { memory, scheduler } = this;
    this.format = format;
    const pages = this.allocator.ledger;
    const iommu = new Iommu(1024);
    const cache = CacheModel.coherent(memory);
    this.dma = new DmaApi({ memory, iommu, cache, ledgers: [pages] });
    this.device = new NicDevice(
      {
        memory, pages, tags: new BufferTags(pages), iommu, cache, scheduler, format, queues: 1, moderation: 0, interruptPolicy: 'mask',
        mac: { address: Uint8Array.of(2, 0, 0, 0, 0, 1), promiscuous: true, mtu: 9000 },
        rss: new Rss(RSS_KEY_MICROSOFT, 1), steering: new FlowSteering(0, 1), clock: new HardwareClock(),
        offloads: { rxChecksum: true, rxVlanStrip, rxTimestamp: true },
        observer: { onLost: () => {}, onOffloadEnd: () => {}, onTransmit: (_queue, _buffer, address, len) => this.sent.push(memory.u8.slice(address, address + len)) },
      },
      () => {},
    );
    this.tx = new TxQueue(memory, this.dma, format, 0, RING_SIZE);
    this.device.configureTx(0, IOVA_HIGH, this.tx.ring.iovaLow, RING_SIZE);
    this.page = this.allocator.alloc(Owner.device);
    this.iovaLow = this.dma.mapPage(this.page, PAGE_BYTES, DMA_BIDIRECTIONAL);
    const { hostAddress, iovaLow } = this.dma.allocCoherent('RX ring', format.rxRingBytes(RING_SIZE));
    this.rx = { address: hostAddress, iovaLow, size: RING_SIZE, state: new Int32Array(RING_STATE_WORDS) };
    format.rxInit(memory, this.rx);
    this.device.configureRx(0, IOVA_HIGH, iovaLow, RING_SIZE, 2048);
  }

  /** Sends a frame of several buffers. */
  send(frame: Uint8Array, cuts: readonly number[], offload = NO_OFFLOAD): Uint8Array {
    this.memory.u8.set(frame, this.page + HEADROOM);
    const bounds = [0, ...new Set(cuts.filter((cut) => cut >= 64 && cut < frame.length)), frame.length].sort((a, b) => a - b);
    for (let i = 1; i < bounds.length; i++) {
      this.tx.push(this.iovaLow + HEADROOM + bounds[i - 1], bounds[i] - bounds[i - 1], i === bounds.length - 1, offload);
    }
    expect(this.tx.flush()).toBe(true);
    this.device.txDoorbell(0, this.tx.publish());
    this.scheduler.runUntil(this.scheduler.nowNs);
    expect(this.sent).toHaveLength(1);
    expect(this.tx.completed()).toBe(this.tx.nextToUse);
    return this.sent[0];
  }

  /** Receives a frame: what the descriptor says, and the packet in the buffer. */
  receive(frame: Uint8Array): { batch: DescriptorBatch; packet: Uint8Array } {
    const { memory, format, rx } = this;
    const batch = new DescriptorBatch(4);
    batch.iovaLow[0] = this.iovaLow + HEADROOM;
    batch.iovaHigh[0] = IOVA_HIGH;
    batch.lenBytes[0] = 2048;
    batch.count = 1;
    format.rxPost(memory, rx, 0, batch);
    const doorbell = format.rxPublish(memory, rx, 1);
    if (doorbell !== NO_DOORBELL) this.device.rxDoorbell(0, doorbell);
    const wire = new WireBatch();
    wire.address[0] = memory.reserve('wire', 4096);
    memory.u8.set(frame, wire.address[0]);
    wire.lenBytes[0] = frame.length;
    wire.packetId[0] = 1;
    wire.count = 1;
    this.device.receive(wire);
    batch.address[0] = this.page + HEADROOM;
    expect(format.rxPoll(memory, rx, 0, 1, batch)).toBe(1);
    const start = this.page + HEADROOM + format.rxPrefixBytes;
    return { batch, packet: memory.u8.slice(start, start + batch.lenBytes[0]) };
  }
}

describe.each(FORMATS)('offloads of $name descriptors', ({ format }) => {
  prop([frameSpecs, fc.array(fc.integer({ min: 64, max: 300 }), { maxLength: 2 }), fc.integer({ min: 0, max: 0xffff })], { numRuns: 40 })(
    'TX: the checksum that csum_start and csum_offset ask for is on the wire, and so is the tag',
    (spec, cuts, tci) => {
      const { bytes, l4Start, csumOffset } = buildFrame({ ...spec, padding: new Uint8Array(0) });
      const bench = new Bench(format, false);
      const { u8 } = bench.memory;
      const found = new ParsedFrame();
      u8.set(bytes, bench.page);
      const answer = requestChecksum(u8, bench.page, bytes.length, l4Start, csumOffset, found);
      expect(answer).toBe(CHECKSUM_PROTOCOL);
      preloadPseudoHeader(bench.memory, bench.page, bytes.length, found);
      const frame = u8.slice(bench.page, bench.page + bytes.length);
      const flags = (format.hasTxChecksum ? DESC_CSUM : 0) | (format.hasTxVlan ? DESC_VLAN : 0);
      const sent = bench.send(frame, cuts, { flags, packetType: found.packetType, l3Start: found.l3Start, csumStart: l4Start, csumOffset, vlanTci: tci, launchNs: 0 });
      const expected = format.hasTxChecksum ? bytes : frame;
      const tag = [0x81, 0x00, tci >> 8, tci & 0xff];
      expect(Buffer.from(sent).toString('hex')).toBe(
        Buffer.from(format.hasTxVlan ? [...expected.subarray(0, 12), ...tag, ...expected.subarray(12)] : expected).toString('hex'),
      );
    },
  );

  prop([frameSpecs, fc.option(fc.nat(), { nil: undefined }), fc.boolean()], { numRuns: 40 })(
    'RX: no frame with a wrong checksum is called right, no right one wrong; a tag is in the descriptor or in the packet',
    (spec, flip, rxVlanStrip) => {
      const { bytes, l4Start, packetEnd } = buildFrame(spec);
      if (flip !== undefined) bytes[l4Start + (flip % Math.min(4, packetEnd - l4Start))] ^= 1 << (flip % 8);
      const { batch, packet } = new Bench(format, rxVlanStrip).receive(bytes);
      const flags = batch.flags[0];
      if (flip === undefined) expect(flags & (DESC_L3_BAD | DESC_L4_BAD)).toBe(0);
      else expect(flags & (DESC_L4_CHECKED | DESC_L4_BAD)).not.toBe(DESC_L4_CHECKED);
      const isTagged = spec.tags.length > 0 && spec.tags[0][0] === 0x8100 && rxVlanStrip;
      const untagged = Uint8Array.from([...bytes.subarray(0, 12), ...bytes.subarray(16)]);
      expect(Buffer.from(packet).toString('hex')).toBe(Buffer.from(isTagged ? untagged : bytes).toString('hex'));
      const tells = (flags & DESC_VLAN) !== 0;
      expect(tells && batch.vlanTci[0] !== spec.tags[0][1]).toBe(false);
      const parsed = new ParsedFrame();
      parseFrame(bytes, 0, bytes.length, parsed);
      // virtio and the teaching format have no place for a tag: a device with these must not strip.
      if (isTagged && !['plain', 'virtio-split'].includes(format.name)) expect(tells).toBe(true);
    },
  );
});

describe('r8169 asked for the IPv4 header checksum alone', () => {
  it('finds the header behind a tag that lies in the frame', () => {
    const format = FORMATS.find(({ name }) => name === 'r8169-v2')?.format;
    if (format === undefined) throw new Error('no r8169-v2');
    const { bytes, l3Start } = buildFrame({
      isIpv6: false, protocol: 17, tags: [[0x8100, 100]], options: new Uint8Array(0), addresses: new Uint8Array(32).fill(10), ports: Uint8Array.of(0, 1, 0, 2),
      payload: new Uint8Array(40), padding: new Uint8Array(0),
    });
    const wrong = bytes.slice();
    wrong[l3Start + 10] ^= 0xff;
    const sent = new Bench(format, false).send(wrong, [], { ...NO_OFFLOAD, flags: DESC_CSUM, packetType: PACKET_IPV4 });
    expect(Buffer.from(sent).toString('hex')).toBe(Buffer.from(bytes).toString('hex'));
  });
});
