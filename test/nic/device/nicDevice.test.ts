import { describe, expect, it } from 'vitest';
import { HostMemory, Owner, PageAllocator } from '../../../src/memory/index.js';
import {
  BufferTags, CacheModel, DESC_EOP, DESC_RSS, DESC_TIMESTAMP, DescriptorBatch, FlowSteering, HardwareClock, Iommu, IOMMU_READ, IOMMU_WRITE, IOVA_HIGH, NicDevice, RING_STATE_WORDS, Rss, RSS_KEY_MICROSOFT,
  WireBatch,
} from '../../../src/nic/index.js';
import type { RingMemory } from '../../../src/nic/index.js';
import { LOSS_DMA, LOSS_MISSED, LOSS_RUNT } from '../../../src/nic/device/deviceConfig.js';
import { plainFormat } from '../../../src/nic/device/formats/plain.js';
import { udpFrame } from '../../support/simulate.js';
import { ManualScheduler } from '../support.js';

const RING_SIZE = 64;
const BUFFER_BYTES = 1024;

/** A device without a driver: the test writes descriptors and rings doorbells itself. */
class DeviceBench {
  readonly memory = new HostMemory(16);
  readonly allocator = new PageAllocator(this.memory, 256);
  readonly iommu = new Iommu(512);
  readonly scheduler = new ManualScheduler();
  readonly lost: { id: number; reason: number; queue: number }[] = [];
  readonly sent: { queue: number; packetId: number; buffer: number; bytes: Uint8Array }[] = [];
  readonly interrupts: number[] = [];
  readonly device: NicDevice;
  readonly rss: Rss;
  readonly rx: RingMemory[] = [];
  readonly tx: RingMemory[] = [];
  /** First bytes of the buffers that were queued on TX ring 0, in order. */
  readonly queued: number[] = [];
  readonly posted: { page: number; iovaLow: number }[] = [];
  #rxTail = 0;
  #txTail = 0;
  #packets = 0;

  constructor(queues = 1) {
    const { memory, iommu } = this;
    this.rss = new Rss(RSS_KEY_MICROSOFT, queues);
    this.device = new NicDevice(
      {
        memory, pages: this.allocator.ledger, tags: new BufferTags(this.allocator.ledger), iommu, cache: CacheModel.coherent(memory), scheduler: this.scheduler,
        format: plainFormat, queues, moderation: 0, interruptPolicy: 'mask', steering: new FlowSteering(0, queues), clock: new HardwareClock(),
        offloads: { rxChecksum: false, rxVlanStrip: false, rxTimestamp: true },
        mac: { address: Uint8Array.of(2, 0, 0, 0, 0, 1), promiscuous: false, mtu: 9000 },
        rss: this.rss,
        observer: {
          onLost: (id, reason, _address, _len, queue) => this.lost.push({ id, reason, queue }),
          onOffloadEnd: () => {},
          onTransmit: (queue, buffer, address, len) => {
            const { ledger } = this.allocator;
            this.sent.push({ queue, buffer, packetId: ledger.packetId[ledger.indexOf(buffer)], bytes: memory.u8.slice(address, address + len) });
          },
        },
      },
      (queue) => this.interrupts.push(queue),
    );
    for (let queue = 0; queue < queues; queue++) {
      for (const kind of ['rx', 'tx'] as const) {
        const address = memory.reserve(`${kind} ring ${queue}`, RING_SIZE * 16, 4096);
        const iovaLow = iommu.mapCoherent(address, RING_SIZE * 16);
        this[kind].push({ address, iovaLow, size: RING_SIZE, state: new Int32Array(RING_STATE_WORDS) });
        if (kind === 'rx') this.device.configureRx(queue, IOVA_HIGH, iovaLow, RING_SIZE, BUFFER_BYTES);
        else this.device.configureTx(queue, IOVA_HIGH, iovaLow, RING_SIZE);
      }
    }
  }

  #page(): { page: number; iovaLow: number } {
    const page = this.allocator.alloc(Owner.device);
    return { page, iovaLow: this.iommu.mapPage(page, IOMMU_READ | IOMMU_WRITE) };
  }

  /** Gives `count` buffers to queue 0. */
  post(count: number): void {
    const batch = new DescriptorBatch(count);
    for (let i = 0; i < count; i++) {
      const buffer = this.#page();
      this.posted.push(buffer);
      batch.iovaLow[i] = buffer.iovaLow + 256;
      batch.iovaHigh[i] = IOVA_HIGH;
      batch.lenBytes[i] = BUFFER_BYTES;
    }
    batch.count = count;
    plainFormat.rxPost(this.memory, this.rx[0], this.#rxTail, batch);
    this.#rxTail += count;
    this.device.rxDoorbell(0, this.#rxTail);
  }

  arrive(frames: readonly Uint8Array[]): void {
    const batch = new WireBatch();
    const wire = this.memory.reserve('wire', 64 * 16384);
    frames.forEach((frame, i) => {
      batch.address[i] = wire + i * 16384;
      this.memory.u8.set(frame, wire + i * 16384);
      batch.lenBytes[i] = frame.length;
      batch.packetId[i] = ++this.#packets;
    });
    batch.count = frames.length;
    this.device.receive(batch);
  }

  /** What the driver would poll: length, flags and hash of each finished descriptor of queue 0. */
  polled(): { len: number; flags: number; hash: number }[] {
    const batch = new DescriptorBatch(RING_SIZE);
    const count = plainFormat.rxPoll(this.memory, this.rx[0], 0, RING_SIZE, batch);
    return Array.from({ length: count }, (_, i) => ({ len: batch.lenBytes[i], flags: batch.flags[i], hash: batch.rssHash[i] >>> 0 }));
  }

  bytesOf(descriptor: number, len: number): Uint8Array {
    const at = this.posted[descriptor].page + 256;
    return this.memory.u8.slice(at, at + len);
  }

  /** Queues buffers on TX ring 0; a row is [bytes, is last]. */
  queueTx(rows: readonly (readonly [Uint8Array, boolean])[]): void {
    const batch = new DescriptorBatch(rows.length);
    rows.forEach(([bytes, isLast], i) => {
      const { page, iovaLow } = this.#page();
      this.memory.u8.set(bytes, page + 100);
      this.queued.push(page + 100);
      this.allocator.ledger.packetId[this.allocator.ledger.indexOf(page)] = this.#txTail + i + 1;
      batch.iovaLow[i] = iovaLow + 100;
      batch.iovaHigh[i] = IOVA_HIGH;
      batch.lenBytes[i] = bytes.length;
      batch.flags[i] = isLast ? DESC_EOP : 0;
    });
    batch.count = rows.length;
    plainFormat.txPost(this.memory, this.tx[0], this.#txTail, batch);
    this.#txTail += rows.length;
    this.device.txDoorbell(0, this.#txTail);
    this.scheduler.runUntil(this.scheduler.nowNs);
  }

  txDone(): number {
    return plainFormat.txPoll(this.memory, this.tx[0], 0, RING_SIZE);
  }
}

describe('NicDevice, receiving', () => {
  it('writes bytes, length, hash and EOP, and raises the interrupt', () => {
    const bench = new DeviceBench();
    bench.post(4);
    bench.arrive([udpFrame(64, 1), udpFrame(100, 2)]);
    bench.scheduler.runUntil(1000);
    const polled = bench.polled();
    expect(polled.map(({ len, flags }) => [len, flags])).toEqual([[64, DESC_EOP | DESC_RSS | DESC_TIMESTAMP], [100, DESC_EOP | DESC_RSS | DESC_TIMESTAMP]]);
    expect(polled[0].hash).not.toBe(polled[1].hash);
    expect([bench.bytesOf(0, 64), bench.bytesOf(1, 100)]).toEqual([udpFrame(64, 1), udpFrame(100, 2)]);
    expect(bench.interrupts).toEqual([0]);
    expect(bench.device.counters).toMatchObject({ rxPackets: 2, rxBytes: 164 });
    expect(bench.allocator.ledger.packetId[bench.allocator.ledger.indexOf(bench.posted[1].page)]).toBe(2);
  });

  it('without a free descriptor the frame is missed', () => {
    const bench = new DeviceBench();
    bench.arrive([udpFrame(64)]);
    expect(bench.lost).toEqual([{ id: 1, reason: LOSS_MISSED, queue: 0 }]);
    bench.post(2);
    bench.arrive([udpFrame(64), udpFrame(64), udpFrame(64)]);
    expect(bench.lost.map(({ id }) => id)).toEqual([1, 4]);
    expect(bench.device.counters).toMatchObject({ rxPackets: 2, rxMissed: 2 });
    expect(bench.polled().length).toBe(2);
  });

  it('a frame of several buffers takes all its descriptors or none', () => {
    const bench = new DeviceBench();
    bench.post(3);
    bench.arrive([udpFrame(2 * BUFFER_BYTES + 1), udpFrame(64)]);
    expect(bench.polled().map(({ len, flags }) => [len, flags & DESC_EOP])).toEqual([[1024, 0], [1024, 0], [1, DESC_EOP]]);
    expect(Buffer.concat([bench.bytesOf(0, 1024), bench.bytesOf(1, 1024), bench.bytesOf(2, 1)])).toEqual(Buffer.from(udpFrame(2049)));
    expect(bench.lost).toEqual([{ id: 2, reason: LOSS_MISSED, queue: 0 }]);

    const short = new DeviceBench();
    short.post(2);
    short.arrive([udpFrame(2 * BUFFER_BYTES + 1)]);
    expect(short.lost).toEqual([{ id: 1, reason: LOSS_MISSED, queue: 0 }]);
    expect(short.polled()).toEqual([]);
  });

  it('a frame of exactly the buffer takes one descriptor', () => {
    const bench = new DeviceBench();
    bench.post(2);
    bench.arrive([udpFrame(BUFFER_BYTES)]);
    expect(bench.polled().map(({ len }) => len)).toEqual([BUFFER_BYTES]);
  });

  it('a refused DMA is told by a descriptor without bytes, and no other frame suffers', () => {
    const bench = new DeviceBench();
    bench.post(3);
    bench.iommu.unmapPage(bench.posted[1].iovaLow);
    bench.arrive([udpFrame(64, 1), udpFrame(64, 2), udpFrame(64, 3)]);
    expect(bench.polled().map(({ len }) => len)).toEqual([64, 0, 64]);
    expect(bench.bytesOf(2, 64)).toEqual(udpFrame(64, 3));
    expect(bench.lost).toEqual([{ id: 2, reason: LOSS_DMA, queue: 0 }]);
    expect([bench.iommu.faultCount, bench.device.counters.rxDmaErrors, bench.device.counters.rxPackets]).toEqual([1, 1, 2]);
  });

  it('the MAC drops before a queue is chosen', () => {
    const bench = new DeviceBench();
    bench.post(4);
    const foreign = udpFrame(64);
    foreign[5] = 7;
    bench.arrive([udpFrame(64).subarray(0, 13), new Uint8Array(9023), foreign, udpFrame(64)]);
    expect(bench.lost.map(({ id, queue }) => [id, queue])).toEqual([[1, -1], [2, -1], [3, -1]]);
    expect(bench.lost[0].reason).toBe(LOSS_RUNT);
    expect(bench.device.counters).toMatchObject({ rxPackets: 1, rxRunts: 1, rxOverLength: 1, rxAddressFiltered: 1, rxMissed: 0 });
  });

  it('a buffer that is not the device\'s is a violation', () => {
    const bench = new DeviceBench();
    bench.post(1);
    bench.allocator.ledger.move(bench.posted[0].page, Owner.device, Owner.driver);
    bench.arrive([udpFrame(64)]);
    expect(bench.allocator.ledger.violations[0]).toMatchObject({ expected: 'device', found: 'driver' });
  });

  it('each queue has its own descriptors', () => {
    const bench = new DeviceBench(2);
    bench.post(64 - 1);
    bench.arrive(Array.from({ length: 40 }, (_, flow) => udpFrame(64, flow)));
    // Queue 1 has none: its frames are missed although queue 0 has plenty.
    expect(bench.lost.length).toBeGreaterThan(5);
    expect(bench.lost.every(({ queue }) => queue === 1)).toBe(true);
    expect(bench.polled().length + bench.lost.length).toBe(40);
  });

  it('what is not hashed goes to queue 0, whatever the indirection table says', () => {
    const bench = new DeviceBench(2);
    expect(bench.rss.setIndirection(new Uint16Array(128).fill(1)).ok).toBe(true);
    const arp = new Uint8Array(60);
    arp.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 2, 0x08, 0x06]);
    bench.arrive([arp, udpFrame(100)]);
    // Nobody has posted a buffer, so each is missed on its queue.
    expect(bench.lost.map(({ id, queue }) => [id, queue])).toEqual([[1, 0], [2, 1]]);
  });
});

describe('NicDevice, sending', () => {
  it('sends whole frames in order and marks their descriptors', () => {
    const bench = new DeviceBench();
    bench.queueTx([[udpFrame(64, 1), true], [udpFrame(70, 2), true]]);
    expect(bench.sent).toEqual([
      { queue: 0, buffer: bench.queued[0], packetId: 1, bytes: udpFrame(64, 1) },
      { queue: 0, buffer: bench.queued[1], packetId: 2, bytes: udpFrame(70, 2) },
    ]);
    expect(bench.txDone()).toBe(2);
    expect(bench.interrupts).toEqual([0]);
    expect(bench.device.counters).toMatchObject({ txPackets: 2, txBytes: 134 });
  });

  it('puts the pieces of a frame together; it is the packet of its first piece', () => {
    const bench = new DeviceBench();
    bench.queueTx([[Uint8Array.of(1, 2), false], [Uint8Array.of(3), false], [Uint8Array.of(4, 5), true]]);
    expect(bench.sent).toEqual([{ queue: 0, buffer: bench.queued[0], packetId: 1, bytes: Uint8Array.of(1, 2, 3, 4, 5) }]);
    expect(bench.txDone()).toBe(3);
  });

  it('a frame without its last descriptor waits for the next doorbell', () => {
    const bench = new DeviceBench();
    bench.queueTx([[Uint8Array.of(9), true], [Uint8Array.of(1, 2), false]]);
    expect([bench.sent.length, bench.txDone()]).toEqual([1, 1]);
    bench.queueTx([[Uint8Array.of(3), true]]);
    expect(bench.sent[1].bytes).toEqual(Uint8Array.of(1, 2, 3));
    expect(bench.txDone()).toBe(3);
  });

  it('what the IOMMU refuses is not sent, but completed', () => {
    const bench = new DeviceBench();
    const mapped = bench.iommu.mappedCount;
    bench.queueTx([[Uint8Array.of(1), false], [Uint8Array.of(2), true]]);
    expect(bench.iommu.mappedCount).toBe(mapped + 2);
    bench.post(1);
    bench.iommu.unmapPage(bench.posted[0].iovaLow);
    const batch = new DescriptorBatch(1);
    batch.iovaLow[0] = bench.posted[0].iovaLow;
    batch.iovaHigh[0] = IOVA_HIGH;
    batch.lenBytes[0] = 60;
    batch.flags[0] = DESC_EOP;
    batch.count = 1;
    plainFormat.txPost(bench.memory, bench.tx[0], 2, batch);
    bench.device.txDoorbell(0, 3);
    bench.scheduler.runUntil(2000);
    expect([bench.sent.length, bench.txDone(), bench.iommu.faultCount]).toEqual([1, 3, 1]);
    expect(bench.device.counters).toMatchObject({ txPackets: 1, txDmaErrors: 1 });
  });

  it('runs round the ring', () => {
    const bench = new DeviceBench();
    for (let round = 0; round < 5; round++) bench.queueTx(Array.from({ length: 40 }, (_, i) => [Uint8Array.of(round, i), true]));
    expect(bench.sent.length).toBe(200);
    expect(bench.sent[199]).toMatchObject({ buffer: bench.queued[199], bytes: Uint8Array.of(4, 39) });
  });
});
