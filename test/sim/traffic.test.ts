import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { WireBatch } from '../../src/nic/index.js';
import { MemorySink, openCaptureBytes, PcapWriter } from '../../src/packet/index.js';
import { CaptureTraffic, WIRE_SLOT_BYTES } from '../../src/sim/index.js';
import { captureOf, udpFrame } from '../support/simulate.js';
import type { TimedFrame } from '../support/simulate.js';

const START = 1e9;

function trafficOf(frames: readonly TimedFrame[]) {
  const memory = new HostMemory(4);
  return { memory, traffic: unwrap(CaptureTraffic.open(memory, captureOf(frames), START)) };
}

/** Arrival times of all packets, taken one batch after the other. */
function arrivals(times: readonly number[]): { tNs: number; ids: number[] }[] {
  const { traffic } = trafficOf(times.map((tNs) => ({ bytes: udpFrame(60), tNs })));
  const batch = new WireBatch();
  const seen: { tNs: number; ids: number[] }[] = [];
  while (traffic.nextNs !== Infinity) {
    const tNs = traffic.nextNs - START;
    unwrap(traffic.take(traffic.nextNs, batch));
    seen.push({ tNs, ids: [...batch.packetId.subarray(0, batch.count)] });
  }
  return seen;
}

describe('CaptureTraffic', () => {
  it('counts time from the first packet', () => {
    expect(arrivals([5_000, 6_000, 2_000_005_000])).toEqual([{ tNs: 0, ids: [1] }, { tNs: 1000, ids: [2] }, { tNs: 2e9, ids: [3] }]);
  });

  it('equal times are one batch', () => {
    expect(arrivals([0, 0, 7, 7, 7])).toEqual([{ tNs: 0, ids: [1, 2] }, { tNs: 7, ids: [3, 4, 5] }]);
  });

  it('a time that goes back counts as the one before', () => {
    expect(arrivals([100, 50, 200, 0, 150, 300])).toEqual([{ tNs: 0, ids: [1, 2] }, { tNs: 100, ids: [3, 4, 5] }, { tNs: 200, ids: [6] }]);
  });

  it('a batch has at most 64 packets, the others follow at the same time', () => {
    const seen = arrivals(Array<number>(150).fill(9));
    expect(seen.map(({ tNs, ids }) => [tNs, ids.length])).toEqual([[0, 64], [0, 64], [0, 22]]);
    expect(seen.flatMap(({ ids }) => ids)).toEqual(Array.from({ length: 150 }, (_, i) => i + 1));
  });

  it('takes everything that arrived until a time', () => {
    const { traffic } = trafficOf([0, 10, 20, 30].map((tNs) => ({ bytes: udpFrame(60), tNs })));
    const batch = new WireBatch();
    unwrap(traffic.take(START + 20, batch));
    expect([batch.count, traffic.nextNs, traffic.packets, traffic.bytes]).toEqual([3, START + 30, 3, 180]);
    unwrap(traffic.take(START + 29, batch));
    expect(batch.count).toBe(0);
  });

  it('puts the bytes on the wire', () => {
    const { memory, traffic } = trafficOf([{ bytes: udpFrame(60, 1) }, { bytes: udpFrame(9014, 2) }]);
    const batch = new WireBatch();
    unwrap(traffic.take(START, batch));
    expect(memory.u8.slice(batch.address[0], batch.address[0] + 60)).toEqual(udpFrame(60, 1));
    expect(memory.u8.slice(batch.address[1], batch.address[1] + 9014)).toEqual(udpFrame(9014, 2));
    expect([...batch.lenBytes.subarray(0, 2)]).toEqual([60, 9014]);
  });

  it('a packet longer than a slot keeps its length and loses its end, and touches no other slot', () => {
    const { memory, traffic } = trafficOf([{ bytes: new Uint8Array(200_000).fill(0xee) }, { bytes: udpFrame(60) }]);
    const batch = new WireBatch();
    unwrap(traffic.take(START, batch));
    expect([...batch.lenBytes.subarray(0, 2)]).toEqual([200_000, 60]);
    expect(batch.address[1] - batch.address[0]).toBe(WIRE_SLOT_BYTES);
    expect(memory.u8[batch.address[0] + WIRE_SLOT_BYTES - 1]).toBe(0xee);
    expect(memory.u8.slice(batch.address[1], batch.address[1] + 60)).toEqual(udpFrame(60));
  });

  it('counts packets that the capture holds only in part', () => {
    const sink = new MemorySink();
    const writer = new PcapWriter(sink);
    writer.writePacket(udpFrame(60), 0, 60, 0, 0, 1500);
    writer.writePacket(udpFrame(60), 0, 60, 0, 0);
    unwrap(writer.close());
    const traffic = unwrap(CaptureTraffic.open(new HostMemory(4), unwrap(openCaptureBytes(sink.bytes(), 'cut.pcap')), START));
    unwrap(traffic.take(START, new WireBatch()));
    expect(traffic.cutPackets).toBe(1);
  });

  it('virtual time maps back to the clock of the capture', () => {
    const { traffic } = trafficOf([{ bytes: udpFrame(60), tNs: 999_999_990 }]);
    const clock = (tNs: number): number[] => [traffic.clock.sec(tNs), traffic.clock.nsec(tNs)];
    expect([clock(START), clock(START + 9), clock(START + 10), clock(START + 2e9 + 15)]).toEqual([
      [1000, 999_999_990], [1000, 999_999_999], [1001, 0], [1003, 5],
    ]);
  });

  it('an empty capture has no next packet', () => {
    expect(trafficOf([]).traffic.nextNs).toBe(Infinity);
  });

  it('a capture that breaks off is a problem, at once or later', () => {
    const sink = new MemorySink();
    const writer = new PcapWriter(sink);
    for (let i = 0; i < 3; i++) writer.writePacket(udpFrame(60), 0, 60, 0, 0);
    unwrap(writer.close());
    const bytes = sink.bytes();
    const open = (length: number) => CaptureTraffic.open(new HostMemory(4), unwrap(openCaptureBytes(bytes.subarray(0, length), 'a.pcap')), START);
    const atOnce = open(24 + 16 + 10);
    expect(!atOnce.ok && atOnce.problem.code).toBe('capture-truncated');
    const later = unwrap(open(24 + 2 * 76 + 5)).take(START, new WireBatch());
    expect(!later.ok && later.problem.code).toBe('capture-truncated');
  });
});
