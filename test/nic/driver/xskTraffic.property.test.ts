import { expect } from 'vitest';
import { XDP_PKT_CONTD } from '../../../src/umem/index.js';
import { fc, prop } from '../../support/property.js';
import { udpFrame, xdpProgram, xskMap } from '../../support/simulate.js';
import { ZERO_COPY_PROFILES, ZeroCopyBench } from './zeroCopyBench.js';

const CHUNKS = 96;
/** Where a packet says what is to become of it: 0 to 3 are verdicts, 5 goes to the other NIC, all others to the socket. */
const WISH = 5;

const byWish = `
  r6 = r1
  r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 14
  r0 = 1
  if r4 > r3 goto out
  r7 = *(u8 *)(r2 + ${WISH})
  r0 = r7
  if r7 < 4 goto out
  if r7 == 5 goto device
  r2 = *(u32 *)(r6 + 16)
  r1 = map xsks
  r3 = 2
  call 51
  goto out
  device:
  r1 = 2
  r2 = 0
  call 23
  out:
  exit`;

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('arrive' as const), packets: fc.array(fc.record({ wish: fc.nat(8), bytes: fc.integer({ min: 42, max: 1514 }) }), { minLength: 1, maxLength: 20 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('fill' as const), count: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('forward' as const), count: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('send' as const), lengths: fc.array(fc.integer({ min: 14, max: 1500 }), { minLength: 1, maxLength: 6 }), isOnePacket: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reclaim' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('sendto' as const, 'recvfrom' as const, 'poll' as const, 'passTime' as const) }) },
);

const runs = fc.record({
  profile: fc.constantFrom(...ZERO_COPY_PROFILES),
  usesNeedWakeup: fc.boolean(),
  wantsSg: fc.boolean(),
  isUnaligned: fc.boolean(),
  isDmaCoherent: fc.boolean(),
  headroomBytes: fc.constantFrom(0, 64, 100),
  rings: fc.record({ rx: fc.constantFrom(4, 64), tx: fc.constantFrom(8, 64), fill: fc.constantFrom(8, 128), completion: fc.constantFrom(8, 128) }),
  closes: fc.boolean(),
  steps: fc.array(step, { minLength: 5, maxLength: 60 }),
});

prop([runs], { numRuns: 50 })('whatever goes in and out: no chunk and no page is lost, nobody touches what is not his, and every byte arrives', ({ profile, wantsSg, steps, closes, isDmaCoherent, ...rest }) => {
  const hasSg = wantsSg && profile.xdp.zeroCopy!.maxSegments > 1;
  const bench = new ZeroCopyBench({ profile, hasSg, chunkCount: CHUNKS, settings: { isDmaCoherent }, hasPeer: true, object: xdpProgram(byWish, { maps: [xskMap], frags: hasSg }), ...rest });
  expect(bench.bound).toBe(0);
  const size = bench.umem.chunkSizeBytes;
  /** Chunks that the application has, and packets that it has received and not sent on. */
  const own = Array.from({ length: CHUNKS }, (_, i) => i * size);
  const received: { offBytes: number; chunk: number; len: number; options: number }[] = [];
  const expected: Uint8Array[] = [];
  let packets = 0;

  const take = (): void => {
    for (let desc = bench.consume(); desc !== undefined; desc = bench.consume()) received.push(desc);
  };
  const txRoom = (): number => bench.socket.tx!.ring.size - bench.socket.tx!.ring.used;
  const queueFor = ({ offBytes, chunk, len }: { offBytes: number; chunk: number; len: number }, options: number): void => {
    if (bench.umem.isUnaligned) bench.queue(chunk, len, { options, high: (offBytes - chunk) << 16 });
    else bench.queue(offBytes, len, { options });
  };

  for (const each of steps) {
    switch (each.kind) {
      case 'arrive':
        bench.arrive(...each.packets.map(({ wish, bytes }) => {
          const frame = udpFrame(bytes, packets++);
          frame[WISH] = wish;
          return frame;
        }));
        take();
        break;
      case 'fill':
        for (let i = Math.min(each.count, own.length, bench.fillRing.size - bench.fillRing.used); i > 0; i--) bench.fill(own.shift()!);
        break;
      case 'forward':
        for (let i = Math.min(each.count, txRoom(), received.length); i > 0; i--) {
          const packet = received.shift()!;
          queueFor(packet, packet.options);
          expected.push(bench.bytes(packet.offBytes, packet.len));
        }
        break;
      case 'send': {
        const count = Math.min(each.lengths.length, txRoom(), own.length);
        for (let i = 0; i < count; i++) {
          const chunk = own.shift()!;
          const bytes = udpFrame(Math.max(42, each.lengths[i]!), i).subarray(0, each.lengths[i]);
          bench.memory.u8.set(bytes, bench.umem.address + chunk + 300);
          queueFor({ offBytes: chunk + 300, chunk, len: bytes.length }, hasSg && each.isOnePacket && i < count - 1 ? XDP_PKT_CONTD : 0);
          expected.push(bytes);
        }
        break;
      }
      case 'reclaim':
        for (const address of bench.reclaim()) own.push(bench.umem.isUnaligned ? address % 2 ** 48 : address - (address % size));
        break;
      case 'sendto':
        bench.sendto();
        break;
      case 'recvfrom':
        bench.recvfrom();
        break;
      case 'poll':
        bench.afXdp.poll(bench.fd, 0xffff);
        bench.settle();
        break;
      default:
        bench.passTime(100_000);
    }
    take();
    expect(bench.wrongs()).toEqual([]);
  }

  // What the application sent has left in order, all of it or a first part, and nothing else.
  const sent = Buffer.concat(bench.applicationFrames.map(({ bytes }) => bytes));
  expect(Buffer.concat(expected).subarray(0, sent.length).equals(sent)).toBe(true);
  if (closes) {
    bench.afXdp.close(bench.fd);
    bench.passTime(1_000_000_000);
  }
  expect(bench.close()).toEqual([]);
});
