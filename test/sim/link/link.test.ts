import { describe, expect, it } from 'vitest';
import { ProblemError, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { WireBatch } from '../../../src/nic/index.js';
import { BOOT_NS, EventQueue, IDEAL_LINK, LinkDirection, PacketOrigins } from '../../../src/sim/index.js';
import type { LinkFate, LinkSettings } from '../../../src/sim/index.js';

/** One direction of a link between two memories, with everything that it tells. */
function bench(settings: Partial<LinkSettings>, maxHops = 64) {
  const events = new EventQueue(BOOT_NS);
  const from = new HostMemory(2);
  const to = new HostMemory(4);
  const origins = new PacketOrigins();
  const told: [packetId: number, arrivedAs: number, fate: LinkFate][] = [];
  const address = from.reserve('frame', 80_000);
  const link = new LinkDirection({
    name: 'a.eth0 > b.eth0', settings: { ...IDEAL_LINK, ...settings }, events, origins, from, to, seed: 7, maxHops,
    observer: { onFrame: (_direction, packetId, arrivedAs, _sentNs, fate) => told.push([packetId, arrivedAs, fate]) },
  });
  const send = (tNs: number, bytes: Uint8Array, packetId = origins.next()): number => {
    events.nowNs = BOOT_NS + tNs;
    from.u8.set(bytes, address);
    link.send(packetId, address, bytes.length);
    return packetId;
  };
  /** Everything that is there, with the times of arrival. */
  const arrive = (): { tNs: number; id: number; bytes: Uint8Array; lenBytes: number }[] => {
    const batch = new WireBatch();
    const arrived = [];
    while (link.nextNs !== Infinity) {
      const tNs = link.nextNs;
      unwrap(link.take(tNs, batch));
      for (let i = 0; i < batch.count; i++) {
        arrived.push({ tNs: tNs - BOOT_NS, id: batch.packetId[i], lenBytes: batch.lenBytes[i], bytes: to.u8.slice(batch.address[i], batch.address[i] + batch.lenBytes[i]) });
      }
    }
    return arrived;
  };
  return { link, send, arrive, told, origins };
}

const frame = (lenBytes: number, first = 1): Uint8Array => Uint8Array.from({ length: lenBytes }, (_, i) => (first + i) & 255);

describe('LinkDirection', () => {
  it('carries frames to the other host, in their order, as packets of their own', () => {
    const { send, arrive, origins, told } = bench({ delayNs: 500 });
    const ids = [send(0, frame(60)), send(0, frame(1514, 9)), send(30, frame(14, 77))];
    expect(ids).toEqual([1, 2, 3]);
    const arrived = arrive();
    expect(arrived.map(({ tNs, id, lenBytes }) => [tNs, id, lenBytes])).toEqual([[500, 4, 60], [500, 5, 1514], [530, 6, 14]]);
    expect(arrived.map(({ bytes }) => bytes)).toEqual([frame(60), frame(1514, 9), frame(14, 77)]);
    expect([4, 5, 6].map((id) => origins.cameFrom(id))).toEqual(ids);
    expect([3, 4].map((id) => origins.hops(id))).toEqual([0, 1]);
    expect(told).toEqual([[1, 4, 'delivered'], [2, 5, 'delivered'], [3, 6, 'delivered']]);
  });

  it('a rate spaces them out', () => {
    const { send, arrive } = bench({ rateBitsPerS: 1e9, delayNs: 1000 });
    for (let i = 0; i < 3; i++) send(0, frame(60));
    expect(arrive().map(({ tNs }) => tNs)).toEqual([576, 576 + 672, 576 + 2 * 672].map((tNs) => tNs + 1000));
  });

  it('frames that find the queue full are lost; the one on the line is in no queue', () => {
    const { link, send, arrive, told } = bench({ rateBitsPerS: 1e9, queueFrames: 2 });
    for (let i = 0; i < 5; i++) send(0, frame(60));
    expect(told).toEqual([[4, 0, 'queue_full'], [5, 0, 'queue_full']]);
    // The second frame goes on the line at 672 ns: there is room for one.
    send(672, frame(60));
    send(672, frame(60));
    expect(link.counters).toEqual({ frames: 7, bytes: 420, delivered: 0, lost: 0, queueFull: 3, hopLimit: 0 });
    expect(arrive().map(({ tNs }) => tNs)).toEqual([576, 1248, 1920, 2592]);
  });

  it('a queue of no length takes a frame only when the line is free', () => {
    const { send, arrive } = bench({ rateBitsPerS: 1e9, queueFrames: 0 });
    for (const tNs of [0, 1, 671, 672]) send(tNs, frame(60));
    expect(arrive().map(({ tNs }) => tNs)).toEqual([576, 672 + 576]);
  });

  it.each([0.01, 0.5])('loses a share of %s, the same ones each time', (loss) => {
    const run = () => {
      const each = bench({ loss });
      for (let i = 0; i < 20_000; i++) each.send(i, frame(14));
      return { arrived: each.arrive().length, told: each.told, counters: each.link.counters };
    };
    const { arrived, told, counters } = run();
    expect(counters).toMatchObject({ frames: 20_000, delivered: arrived, lost: 20_000 - arrived });
    // Four standard deviations.
    expect(Math.abs(counters.lost - 20_000 * loss)).toBeLessThan(4 * Math.sqrt(20_000 * loss * (1 - loss)));
    expect(run().told).toEqual(told);
  });

  it('loses everything or nothing when told so', () => {
    const all = bench({ loss: 1 });
    for (let i = 0; i < 1000; i++) all.send(i, frame(60));
    expect(all.link.counters).toMatchObject({ frames: 1000, lost: 1000 });
    expect(all.link.nextNs).toBe(Infinity);
  });

  it('a lost frame takes its time on the line', () => {
    const lossy = bench({ rateBitsPerS: 1e9, loss: 0.5 });
    const sound = bench({ rateBitsPerS: 1e9 });
    for (let i = 0; i < 100; i++) for (const each of [lossy, sound]) each.send(0, frame(60));
    const times = sound.arrive().map(({ tNs }) => tNs);
    const got = lossy.arrive();
    expect(got.length).toBeGreaterThan(20);
    const delivered = lossy.told.filter(([, , fate]) => fate === 'delivered').map(([id]) => times[id - 1]);
    expect(got.map(({ tNs }) => tNs)).toEqual(delivered);
  });

  it('a packet that has crossed too many links ends', () => {
    const { link, send, arrive, told } = bench({}, 3);
    let id = send(0, frame(60));
    for (let hop = 1; hop <= 3; hop++) {
      id = arrive()[0].id;
      send(hop, frame(60), id);
    }
    expect(arrive()).toEqual([]);
    expect(told[told.length - 1]).toEqual([id, 0, 'hop_limit']);
    expect(link.counters).toMatchObject({ frames: 4, delivered: 3, hopLimit: 1 });
  });

  it('a frame longer than a slot keeps its length', () => {
    const { send, arrive } = bench({});
    send(0, frame(20_000));
    expect(arrive()[0].lenBytes).toBe(20_000);
  });

  it('more than the memory of a machine on the way is a Problem', () => {
    const { send } = bench({ delayNs: 1e9 });
    const bytes = frame(16_384);
    expect(() => {
      for (let i = 0; i < 20_000; i++) send(0, bytes);
    }).toThrow(ProblemError);
  });
});
