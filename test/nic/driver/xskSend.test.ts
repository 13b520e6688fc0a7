import { describe, expect, it } from 'vitest';
import { Owner } from '../../../src/memory/index.js';
import { XDP_PKT_CONTD, XDP_RING_NEED_WAKEUP } from '../../../src/umem/index.js';
import type { XdpSock } from '../../../src/umem/index.js';
import { checkChecksums } from '../../../src/packet/index.js';
import { udpFrame } from '../../support/simulate.js';
import { SG_PROFILES, ZERO_COPY_PROFILES, ZeroCopyBench } from './zeroCopyBench.js';

const CHUNK = 2048;
const frame = (i: number, bytes = 60 + i): Uint8Array => udpFrame(bytes, i);
const wantsWakeup = ({ tx }: XdpSock): boolean => (tx!.ring.flags & XDP_RING_NEED_WAKEUP) !== 0;

describe.each(ZERO_COPY_PROFILES)('$name', (profile) => {
  const { takesBatches, clearsTxNeedWakeup, maxSegments } = profile.xdp.zeroCopy!;

  it('sends frames where they lie, and completes their addresses in order', () => {
    const bench = new ZeroCopyBench({ profile });
    const frames = Array.from({ length: 20 }, (_, i) => frame(i));
    frames.forEach((bytes, i) => bench.send(i * CHUNK + 7 * i, bytes));
    expect(bench.wire).toEqual([]);
    expect(bench.sendto()).toBe(0);
    expect(bench.wire).toEqual(frames);
    expect(bench.applicationFrames.map(({ packetId }) => packetId)).toEqual(frames.map(() => 0));
    expect(bench.reclaim()).toEqual(frames.map((_, i) => i * CHUNK + 7 * i));
    expect([bench.socket.txPackets, bench.counters.txPackets, bench.socket.tx!.ring.used]).toEqual([20, 20, 0]);
    expect(bench.close()).toEqual([]);
  });

  it('chunks go from the TX ring to the device and to COMPLETION, and may go back and forth for ever', () => {
    const bench = new ZeroCopyBench({ profile, filled: 16 });
    for (let round = 0; round < 40; round++) {
      bench.arrive(...Array.from({ length: 5 }, (_, i) => frame(i, 64 + round)));
      const received = bench.consumeAll();
      expect(received.length).toBe(5);
      for (const { offBytes, len } of received) bench.queue(offBytes, len);
      bench.sendto();
      const completed = bench.reclaim();
      expect(completed).toEqual(received.map(({ offBytes }) => offBytes));
      for (const address of completed) bench.fill(address);
      bench.recvfrom();
    }
    expect(bench.wire.length).toBe(200);
    expect(bench.applicationFrames.every(({ packetId }) => packetId > 0)).toBe(true);
    expect(bench.umem.chunks.census()).toMatchObject({ application: 112 });
    expect(bench.close()).toEqual([]);
  });

  it('the flag on the TX ring: who clears it is woken by completions, all others want a call each time', () => {
    const bench = new ZeroCopyBench({ profile });
    expect(wantsWakeup(bench.socket)).toBe(true);
    bench.send(0, frame(0));
    expect(bench.afXdp.sendto(bench.fd, 0x40)).toBe(0);
    // The poll that the call asked for runs; what it sends is still on its way.
    const seen: boolean[] = [];
    const { txDoorbell } = bench.nic.device;
    bench.nic.device.txDoorbell = (queue, value) => {
      txDoorbell.call(bench.nic.device, queue, value);
      seen.push(wantsWakeup(bench.socket));
    };
    bench.settle();
    expect(seen).toEqual([!clearsTxNeedWakeup]);
    expect(wantsWakeup(bench.socket)).toBe(true);
    expect(bench.close()).toEqual([]);
  });

  it('without a call nothing is sent, unless something else wakes the driver', () => {
    const bench = new ZeroCopyBench({ profile, filled: 64 });
    bench.send(100 * CHUNK, frame(1));
    bench.passTime(1_000_000_000);
    expect(bench.wire).toEqual([]);
    bench.arrive(frame(2));
    expect(bench.wire).toEqual([frame(1)]);
    expect(bench.close()).toEqual([]);
  });

  it('an invalid descriptor is used up, counts, and ends the round', () => {
    const bench = new ZeroCopyBench({ profile });
    bench.send(0, frame(0));
    bench.queue(CHUNK, 0);
    bench.send(2 * CHUNK, frame(2));
    bench.queue(3 * CHUNK + 2000, 100);
    bench.queue(4 * CHUNK, 60, { options: 4 });
    bench.send(5 * CHUNK, frame(5));
    for (let i = 0; i < 4; i++) bench.sendto();
    expect(bench.wire).toEqual([frame(0), frame(2), frame(5)]);
    expect(bench.reclaim()).toEqual([0, 2 * CHUNK, 5 * CHUNK]);
    expect(bench.socket.statistics.tx_invalid_descs).toBe(3);
    expect(bench.close()).toEqual([]);
  });

  it('a full COMPLETION ring holds the sockets back, and nothing is lost', () => {
    const bench = new ZeroCopyBench({ profile, rings: { completion: 4 } });
    const frames = Array.from({ length: 10 }, (_, i) => frame(i));
    frames.forEach((bytes, i) => bench.send(i * CHUNK, bytes));
    bench.sendto();
    expect([bench.wire.length, bench.socket.tx!.present]).toEqual([4, 6]);
    bench.sendto();
    expect(bench.wire.length).toBe(4);
    expect(bench.reclaim().length).toBe(4);
    bench.sendto();
    bench.reclaim();
    bench.sendto();
    expect(bench.wire).toEqual(frames);
    expect(bench.close()).toEqual([]);
  });

  it('a full ring of the device: the rest goes out with the completions', () => {
    const bench = new ZeroCopyBench({ profile, rings: { tx: 512, completion: 512 }, chunkCount: 400 });
    const frames = Array.from({ length: 400 }, (_, i) => frame(i, 64));
    frames.forEach((bytes, i) => bench.send(i * CHUNK, bytes));
    bench.sendto();
    expect(bench.wire.length).toBe(400);
    expect(bench.wire).toEqual(frames);
    expect(bench.reclaim().length).toBe(400);
    expect(bench.close()).toEqual([]);
  });

  it('sockets that share the queue take turns of 32 descriptors, the one that was bound last first', () => {
    const bench = new ZeroCopyBench({ profile, rings: { tx: 128, completion: 256 }, chunkCount: 256, settings: { txRingSize: Math.max(256, profile.txRing.min) } });
    const other = bench.share();
    for (let i = 0; i < 80; i++) {
      bench.send(i * CHUNK, frame(1, 100));
      bench.send((100 + i) * CHUNK, frame(2, 200), 0, other);
    }
    for (let i = 0; i < 10; i++) bench.sendto();
    const runs: [number, number][] = [];
    for (const { length } of bench.wire) {
      if (runs.at(-1)?.[0] === length) runs.at(-1)![1]++;
      else runs.push([length, 1]);
    }
    expect(runs).toEqual([[200, 32], [100, 32], [200, 32], [100, 32], [200, 16], [100, 16]]);
    expect(bench.close()).toEqual([]);
  });

  it('a socket is closed while frames are in flight: they complete, and the queue is its own again', () => {
    const bench = new ZeroCopyBench({ profile, filled: 32 });
    for (let i = 40; i < 48; i++) bench.send(i * CHUNK, frame(i));
    bench.afXdp.sendto(bench.fd, 0x40);
    bench.afXdp.close(bench.fd);
    bench.passTime(1_000_000_000);
    expect([bench.umem.chunks.census().device ?? 0, bench.nic.driver.ringUse(0).rxChunks]).toEqual([0, 0]);
    expect(bench.close()).toEqual([]);
  });

  it('the NIC is shut down while frames are in flight: their addresses are on COMPLETION, sent or not', () => {
    const bench = new ZeroCopyBench({ profile, filled: 32 });
    const { device } = bench.nic;
    device.txDoorbell = () => {};
    for (let i = 40; i < 48; i++) bench.send(i * CHUNK, frame(i));
    bench.sendto();
    expect(bench.umem.chunks.owner.filter((owner) => owner === Owner.device).length).toBe(bench.nic.driver.ringUse(0).rxPosted + 8);
    expect(bench.reclaim()).toEqual([]);
    expect(bench.close()).toEqual([]);
    expect(bench.reclaim()).toEqual(Array.from({ length: 8 }, (_, i) => (40 + i) * CHUNK));
    expect(bench.wire).toEqual([]);
  });

  it('a lost interrupt: frames are on the wire, and their addresses wait for the next poll', () => {
    const bench = new ZeroCopyBench({ profile, settings: { interruptDelayNs: 0 } });
    const { onInterrupt } = bench.nic.driver;
    bench.send(0, frame(0));
    bench.afXdp.sendto(bench.fd, 0x40);
    bench.nic.driver.onInterrupt = () => {};
    bench.settle();
    expect([bench.wire.length, bench.reclaim()]).toEqual([1, []]);
    bench.nic.driver.onInterrupt = onInterrupt;
    bench.sendto();
    // Who has cleared the flag trusts that the completion wakes it: the call is in vain.
    expect(bench.reclaim()).toEqual(clearsTxNeedWakeup ? [] : [0]);
    bench.nic.driver.onInterrupt(0);
    bench.settle();
    expect(bench.reclaim()).toEqual(clearsTxNeedWakeup ? [0] : []);
    expect(bench.close()).toEqual([]);
  });

  it('XDP_PKT_CONTD means nothing to drivers of one buffer a packet; with batches such a descriptor is thrown away', () => {
    if (maxSegments > 1) return;
    const bench = new ZeroCopyBench({ profile });
    bench.send(0, frame(0), XDP_PKT_CONTD);
    bench.send(CHUNK, frame(1));
    bench.sendto();
    bench.sendto();
    expect(bench.wire).toEqual(takesBatches ? [frame(1)] : [frame(0), frame(1)]);
    expect(bench.close()).toEqual([]);
  });

  it.each([17, 6])('struct xsk_tx_metadata asks the device, whether or not the descriptor says so (protocol %i)', (protocol) => {
    const { txMetadata = {} } = profile.xdp.zeroCopy!;
    const bench = new ZeroCopyBench({ profile, txMetadataBytes: 24 });
    const bytes = frameOf(protocol);
    const { view } = bench.memory;
    const at = bench.umem.address + 256;
    bench.send(256, bytes);
    view.setBigUint64(at - 24, 3n, true);
    view.setUint16(at - 16, 34, true);
    view.setUint16(at - 14, protocol === 17 ? 6 : 16, true);
    const sumOf = (sent: Uint8Array): string | undefined => checkChecksums(sent, 0, sent.length).find(({ field }) => field === (protocol === 17 ? 'udp.checksum' : 'tcp.checksum'))?.state;
    bench.passTime(5000);
    const sentNs = bench.scheduler.nowNs;
    bench.sendto();
    expect(bench.reclaim()).toEqual([256]);
    expect([sumOf(bytes), sumOf(bench.wire[0]!)]).toEqual(['invalid', txMetadata.checksum === true ? 'valid' : 'invalid']);
    const request = 34n | (BigInt(protocol === 17 ? 6 : 16) << 16n);
    expect(view.getBigUint64(at - 16, true)).toBe(txMetadata.timestamp === true ? BigInt(sentNs) : request);
    expect(bench.close()).toEqual([]);
  });
});

/** UDP or TCP with a wrong checksum. */
function frameOf(protocol: number): Uint8Array {
  const bytes = udpFrame(100, 5);
  bytes[23] = protocol;
  if (protocol === 6) bytes[46] = 0x50;
  bytes[protocol === 6 ? 50 : 40] = 1;
  return bytes;
}

describe.each(SG_PROFILES)('$name, packets of several descriptors', (profile) => {
  const options = { profile, hasSg: true, settings: { mtu: 9000 } } as const;

  const sendParts = (bench: ZeroCopyBench, first: number, parts: readonly Uint8Array[], isWhole = true): void => {
    parts.forEach((part, i) => bench.send((first + i) * CHUNK, part, isWhole && i === parts.length - 1 ? 0 : XDP_PKT_CONTD));
  };
  const partsOf = (count: number, bytes: number): Uint8Array[] => Array.from({ length: count }, (_, i) => frame(i, bytes));
  const joined = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

  it('up to eight descriptors are one frame, whose addresses complete together', () => {
    const bench = new ZeroCopyBench(options);
    const packets = [partsOf(1, 70), partsOf(8, 1000), partsOf(3, 333)];
    packets.forEach((parts, i) => sendParts(bench, i * 10, parts));
    bench.sendto();
    expect(bench.wire).toEqual(packets.map(joined));
    expect(bench.reclaim()).toEqual([0, 10, 11, 12, 13, 14, 15, 16, 17, 20, 21, 22].map((i) => i * CHUNK));
    expect(bench.socket.txPackets).toBe(3);
    expect(bench.close()).toEqual([]);
  });

  it('a packet waits until its last descriptor is there, and for room on COMPLETION for all of it', () => {
    const bench = new ZeroCopyBench({ ...options, rings: { completion: 4 } });
    sendParts(bench, 0, partsOf(2, 100), false);
    bench.sendto();
    expect([bench.wire.length, bench.socket.tx!.present]).toEqual([0, 2]);
    sendParts(bench, 2, partsOf(1, 100));
    sendParts(bench, 3, partsOf(2, 100));
    bench.sendto();
    expect([bench.wire.length, bench.reclaim().length]).toEqual([1, 3]);
    bench.sendto();
    expect(bench.wire.length).toBe(2);
    expect(bench.close()).toEqual([]);
  });

  it('more than eight are thrown away, eight of them without a word', () => {
    const bench = new ZeroCopyBench(options);
    sendParts(bench, 0, partsOf(10, 100));
    bench.send(20 * CHUNK, frame(1));
    for (let i = 0; i < 3; i++) bench.sendto();
    expect(bench.wire).toEqual([joined(partsOf(10, 100).slice(8)), frame(1)]);
    expect(bench.socket.statistics.tx_invalid_descs).toBe(0);
    expect(bench.reclaim()).toEqual([8 * CHUNK, 9 * CHUNK, 20 * CHUNK]);
    expect(bench.close()).toEqual([]);
  });

  it('an invalid descriptor in a packet: each round throws the first one away, and finds it again', () => {
    const bench = new ZeroCopyBench(options);
    sendParts(bench, 0, partsOf(2, 100), false);
    bench.queue(2 * CHUNK, 0);
    bench.send(3 * CHUNK, frame(1));
    const left: number[] = [];
    for (let i = 0; i < 4; i++) {
      bench.sendto();
      left.push((bench.socket.tx!.cachedProd - bench.socket.tx!.cachedCons) >>> 0);
    }
    expect([left, bench.wire.length, bench.socket.statistics.tx_invalid_descs]).toEqual([[3, 2, 1, 0], 1, 3]);
    expect(bench.close()).toEqual([]);
  });
});
