import { describe, expect } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { findProfile } from '../../src/nic/index.js';
import { createScenario, NO_PACKET } from '../../src/sim/index.js';
import type { LinkEvent, LinkSettings, PortName, ScenarioSpec, WatchedPacket } from '../../src/sim/index.js';
import { fc, prop } from '../support/property.js';
import { captureOf, nicSettings, udpFrame, xdpProgram } from '../support/simulate.js';

/** Steps that a frame carries, from byte 43 on; byte 42 counts how many it has made. */
const STEPS = 16;
const FIRST_STEP = 43;
/** Bytes that tell the frames apart, where nothing else looks. */
const NUMBER = 38;
const PAYLOAD = 60;

/** Does what the next step of the frame says: 0 to 3 are verdicts, from 4 on redirect to ifindex 1 and so on. */
const traveller = xdpProgram(
  `r6 = r1
  r1 = *(u32 *)(r6 + 0)
  r2 = *(u32 *)(r6 + 4)
  r3 = r1
  r3 += 60
  r0 = 1
  if r3 > r2 goto out
  r4 = *(u8 *)(r1 + 42)
  if r4 > 15 goto out
  r5 = r1
  r5 += r4
  r7 = *(u8 *)(r5 + 43)
  r4 += 1
  *(u8 *)(r1 + 42) = r4
  r0 = r7
  if r7 < 4 goto out
  r7 += -3
  r1 = r7
  r2 = 0
  call 23
  out: exit`,
);

const rate = fc.oneof(fc.constant(0), fc.constantFrom(10e6, 1e9, 10e9), fc.integer({ min: 1e6, max: 1e11 }));
const link: fc.Arbitrary<LinkSettings> = fc.record({
  rateBitsPerS: rate,
  delayNs: fc.oneof(fc.constant(0), fc.nat(1_000_000)),
  loss: fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, fc.constantFrom(0.1, 0.5, 1)),
  queueFrames: fc.oneof({ arbitrary: fc.constant(undefined), weight: 2 }, fc.nat(20)),
});
const frame = fc.record({
  lenBytes: fc.oneof(fc.integer({ min: 60, max: 100 }), fc.integer({ min: 60, max: 1514 })),
  gapNs: fc.oneof({ arbitrary: fc.constant(0), weight: 4 }, fc.nat(5000)),
  steps: fc.array(fc.oneof({ arbitrary: fc.constantFrom(3, 4, 5, 6), weight: 12 }, fc.nat(7)), { minLength: STEPS, maxLength: STEPS }),
  copies: fc.oneof({ arbitrary: fc.constant(1), weight: 5 }, fc.integer({ min: 2, max: 80 })),
});
/** Whole pages, fragments of a page, halves of a page. */
const profile = fc.constantFrom('plain', 'ice', 'mlx5', 'ixgbe', 'octeontx2');
const scenario = fc.record({
  seed: fc.nat(),
  /** NICs of each host. */
  hosts: fc.array(fc.record({ nics: fc.integer({ min: 2, max: 3 }), profiles: fc.tuple(profile, profile, profile), queues: fc.integer({ min: 1, max: 3 }) }), { minLength: 2, maxLength: 3 }),
  links: fc.array(fc.record({ settings: link, ends: fc.tuple(fc.nat(8), fc.nat(8)) }), { minLength: 2, maxLength: 4 }),
  frames: fc.array(frame, { minLength: 1, maxLength: 25 }),
  maxHops: fc.constantFrom(0, 2, 64, 64, 64),
});
type Drawn = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

/** The drawn scenario with links between NICs that have none, and the frames spread over the first NICs without one. */
function specOf(drawn: Drawn): { spec: ScenarioSpec; frames: Uint8Array[] } {
  const ports: PortName[] = drawn.hosts.flatMap(({ nics }, h) => Array.from({ length: nics }, (_, n) => ({ host: `h${h}`, nic: `eth${n}` })));
  const free = [...ports];
  const links = drawn.links.flatMap(({ settings, ends: [a, b] }) => {
    // One port stays free for a capture.
    if (free.length < 3) return [];
    const first = free.splice(a % free.length, 1)[0];
    const second = free.splice(b % free.length, 1)[0];
    return [{ ...settings, between: [first, second] as const }];
  });
  const frames: Uint8Array[] = [];
  let tNs = 0;
  const timed = drawn.frames.flatMap(({ lenBytes, gapNs, steps, copies }) => {
    tNs += gapNs;
    return Array.from({ length: copies }, () => {
      const number = frames.length + 1;
      const bytes = udpFrame(lenBytes, number);
      bytes[NUMBER] = number >> 8;
      bytes[NUMBER + 1] = number & 255;
      bytes[42] = 0;
      bytes.set(steps, FIRST_STEP);
      frames.push(bytes);
      return { bytes, tNs };
    });
  });
  const inputs = free.slice(0, 2);
  return {
    frames,
    spec: {
      seed: drawn.seed, maxHops: drawn.maxHops, links,
      hosts: drawn.hosts.map(({ nics, profiles, queues }, h) => ({
        name: `h${h}`, cpus: 2, objects: { traveller },
        nics: Array.from({ length: nics }, (_, n) => ({ name: `eth${n}`, settings: nicSettings({ profile: findProfile(profiles[n])!, queues, ifindex: n + 1 }), xdp: { object: 'traveller' } })),
      })),
      traffic: inputs.map((to, i) => ({ to, reader: captureOf(timed.filter((_, at) => at % inputs.length === i)) })).filter((_, i) => timed.some((__, at) => at % inputs.length === i)),
    },
  };
}

interface Sent {
  readonly tNs: number;
  readonly packetId: number;
  readonly lenBytes: number;
  readonly number: number;
}

const numberOf = (bytes: Uint8Array): number => (bytes[NUMBER] << 8) | bytes[NUMBER + 1];

/** What must become of the frames that one direction got, by exact arithmetic; whether one was lost only the dice know. */
function expectedOf(sent: readonly Sent[], fates: ReadonlyMap<number, LinkEvent>, { rateBitsPerS, delayNs, queueFrames }: LinkSettings): (string | number)[][] {
  const rateN = BigInt(rateBitsPerS);
  let free = 0n;
  let starts: bigint[] = [];
  return sent.map(({ tNs, packetId, lenBytes }) => {
    const fate = fates.get(packetId)?.fate;
    if (rateBitsPerS === 0) return fate === 'lost' ? ['lost', packetId] : ['delivered', packetId, tNs + delayNs];
    const now = BigInt(Math.ceil(tNs)) * rateN;
    const start = free > now ? free : now;
    starts = starts.filter((each) => each > now);
    if (queueFrames !== undefined && start > now && starts.length >= queueFrames) return ['queue_full', packetId];
    starts.push(start);
    const end = start + BigInt((8 + Math.max(60, lenBytes) + 4) * 8) * 1_000_000_000n;
    free = end + 96n * 1_000_000_000n;
    return fate === 'lost' ? ['lost', packetId] : ['delivered', packetId, Number((end + rateN - 1n) / rateN) + delayNs];
  });
}

describe('any small network', () => {
  prop([scenario], { numRuns: 20 })('ends every frame once, keeps the order of each link, and is exact to the nanosecond', (drawn) => {
    const { spec, frames } = specOf(drawn);
    const built = unwrap(createScenario(spec));
    const sent = new Map<string, Sent[]>();
    const told = new Map<string, LinkEvent[]>();
    const ends = new Map<number, number>();
    const numbers = new Map<number, number>();
    let wire = 0;
    const result = unwrap(built.run({
      hostWatcher: (host) => ({
        onPacketEnd({ packetId, cameFrom, address, lenBytes, outcome }: WatchedPacket) {
          ends.set(packetId, (ends.get(packetId) ?? 0) + 1);
          const bytes = host.memory.u8.slice(address, address + lenBytes);
          const number = numberOf(bytes);
          const original = frames[number - 1];
          expect(original, `packet ${packetId} ended as ${outcome}`).toBeDefined();
          expect(bytes.length).toBe(original.length);
          expect(Buffer.compare(bytes.subarray(PAYLOAD), original.subarray(PAYLOAD))).toBe(0);
          numbers.set(packetId, number);
          if (cameFrom !== NO_PACKET) expect(numbers.get(cameFrom)).toBe(number);
        },
        onWire({ packetId, ifindex, tNs, lenBytes, address }) {
          wire++;
          const port = `${host.name}.eth${ifindex - 1}`;
          sent.set(port, [...(sent.get(port) ?? []), { tNs, packetId, lenBytes, number: numberOf(host.memory.u8.subarray(address)) }]);
        },
      }),
      onLinkFrame: (event) => told.set(event.link, [...(told.get(event.link) ?? []), event]),
    }));

    for (const { host, result: found } of result.hosts) expect(found.audit.checks.filter(({ ok }) => !ok), host.name).toEqual([]);
    expect(result.linkAudit.checks.filter(({ ok }) => !ok)).toEqual([]);
    const totals = result.links.reduce((sum, { counters }) => ({ frames: sum.frames + counters.frames, delivered: sum.delivered + counters.delivered }), { frames: 0, delivered: 0 });
    const received = result.hosts.reduce((sum, { result: { packetsReceived } }) => sum + packetsReceived, 0);
    expect(result.packets).toBe(frames.length);
    expect(received).toBe(frames.length + totals.delivered);
    expect(wire).toBeGreaterThanOrEqual(totals.frames);
    // Numbers are given once each, without gaps, and every packet ended once.
    expect([...ends.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: received }, (_, i) => i + 1));
    expect(new Set(ends.values())).toEqual(new Set([1]));

    for (const { name, settings, counters } of result.links) {
      const events = told.get(name) ?? [];
      const into = sent.get(name.split(' > ')[0]) ?? [];
      expect(counters.frames).toBe(into.length);
      const fates = new Map(events.map((event) => [event.packetId, event]));
      const beyond = into.filter(({ packetId }) => fates.get(packetId)?.fate === 'hop_limit').map(({ packetId }) => packetId);
      const expected = expectedOf(into.filter(({ packetId }) => !beyond.includes(packetId)), fates, settings);
      const delivered = events.filter(({ fate }) => fate === 'delivered');
      expect(delivered.map(({ packetId, tNs }) => ['delivered', packetId, tNs])).toEqual(expected.filter(([fate]) => fate === 'delivered'));
      expect(events.filter(({ fate }) => fate === 'queue_full').map(({ packetId }) => ['queue_full', packetId])).toEqual(expected.filter(([fate]) => fate === 'queue_full'));
      if (settings.loss === 0) expect(counters.lost).toBe(0);
      if (settings.loss === 1) expect(counters.delivered).toBe(0);
      if (drawn.maxHops === 0) expect(counters.delivered).toBe(0);
      if (drawn.maxHops === 64) expect(counters.hopLimit).toBe(0);
    }
  }, 180_000);

  prop([scenario], { numRuns: 4 })('is the same each time', (drawn) => {
    const run = (): unknown => {
      const events: LinkEvent[] = [];
      const result = unwrap(unwrap(createScenario(specOf(drawn).spec)).run({ onLinkFrame: (event) => events.push(event) }));
      return { events, links: result.links, durationNs: result.durationNs, outcomes: result.hosts.map(({ result: { outcomes, audit } }) => [outcomes, audit]) };
    };
    expect(run()).toEqual(run());
  }, 180_000);
});
