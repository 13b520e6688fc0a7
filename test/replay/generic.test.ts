import { describe, expect, it } from 'vitest';
import { formatProblem, unwrap } from '../../src/base/index.js';
import { replayOverVeth } from '../../src/replay/index.js';
import type { NetReplayOptions, NetReport } from '../../src/replay/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { fc, prop } from '../support/property.js';
import { captureOf, udpFrame } from '../support/simulate.js';
import { returning, xdpProgram } from '../support/xdpProgram.js';

const ROOM = 'fixtures/programs/buffer_room/buffer_room.o';
const SHORT = [60, 61, 64, 100, 200, 239, 240, 241, 300, 304, 305, 500, 600, 1000, 1472, 1473, 1514];
const LONG = [1600, 2000, 3000, 3472, 3473, 3520, 3521, 3700, 4000, 4079, 4080, 4096, 4097, 5000, 7615, 7616, 7617, 7856, 8000, 9000, 9014];

const generic = async (options: Omit<NetReplayOptions, 'mode'>): Promise<NetReport> => unwrap(await replayOverVeth({ ...options, mode: 'generic' }));
const framesOf = (lengths: readonly number[]) => captureOf(lengths.map((lenBytes) => ({ bytes: udpFrame(lenBytes) })));

const tried = await replayOverVeth({ object: returning(2), pcap: framesOf([60]), mode: 'generic' });

/** Tests that need namespaces, veth and bpf(2). Where that is impossible they are skipped, with one loud line that says why. */
function withVeth(name: string, body: () => void): void {
  if (tried.ok) {
    describe(name, body);
    return;
  }
  console.warn(`SKIPPED, not run over a veth: ${name}: ${formatProblem(tried.problem)}`);
  describe(name, () => {
    it.skip('needs root and a kernel with veth', () => {});
  });
}

/** Verdict, change and amount are bytes of the frame: 0 to 5 return, 6 redirects to the own interface; adjust_head, _tail and _meta. */
function changing({ frags = false, own = 2 } = {}): ObjectSpec {
  return xdpProgram(
    `r6 = r1
    r1 = *(u32 *)(r6 + 0)
    r2 = *(u32 *)(r6 + 4)
    r3 = r1
    r3 += 14
    r0 = 1
    if r3 > r2 goto out
    r7 = *(u8 *)(r1 + 1)
    r8 = *(u8 *)(r1 + 2)
    r9 = *(u8 *)(r1 + 3)
    r1 = r6
    r2 = r9
    if r8 == 1 goto head_front
    if r8 == 2 goto head
    if r8 == 3 goto tail
    if r8 == 4 goto tail_front
    if r8 == 5 goto meta
    r0 = 0
    goto note
    head_front: r2 = 0
    r2 -= r9
    head: call 44
    goto note
    tail_front: r2 = 0
    r2 -= r9
    tail: call 65
    goto note
    meta: r2 = 0
    r2 -= r9
    call 54
    note: r1 = *(u32 *)(r6 + 0)
    r2 = *(u32 *)(r6 + 4)
    r3 = r1
    r3 += 14
    if r3 > r2 goto verdict
    *(u32 *)(r1 + 0) = r0
    *(u32 *)(r1 + 4) = r0
    *(u32 *)(r1 + 8) = r0
    *(u8 *)(r1 + 12) = 0x88
    *(u8 *)(r1 + 13) = 0xb5
    verdict: r0 = r7
    if r7 != 6 goto out
    r1 = ${own}
    r2 = 0
    call 23
    out: exit`,
    { frags },
  );
}

/** Bytes that a head which grows uncovers are whatever was there: only what `changing` writes of them is compared. */
interface Change {
  readonly lenBytes: number;
  readonly verdict: number;
  readonly change: number;
  readonly amount: number;
}

function frameOf({ lenBytes, verdict, change, amount }: Change): Uint8Array {
  const frame = Uint8Array.from({ length: lenBytes }, (_, i) => (i * 5) & 0xff);
  frame.set([0x02, verdict, change, amount]);
  frame.set([0x88, 0xb5], 12);
  return frame;
}

const drawn = (change: fc.Arbitrary<number>, most: number) =>
  fc.array(fc.record({ lenBytes: fc.oneof(fc.integer({ min: 14, max: 300 }), fc.integer({ min: 14, max: most })), verdict: fc.nat(6), change, amount: fc.nat(255) }), { minLength: 1, maxLength: 60 });

/** Growing at the front by more than an Ethernet header uncovers bytes that nobody wrote. */
const isComparable = ({ change, amount }: Change): boolean => change !== 1 || amount <= 14 || amount >= 219;

withVeth('generic XDP on a real veth', () => {
  it.each([[1500, SHORT], [9000, [...SHORT, ...LONG]]])('leaves the same room around packets at an MTU of %i', async (mtu, lengths) => {
    const report = await generic({ object: ROOM, program: 'linear', mtu, pcap: framesOf(lengths) });
    expect(report).toMatchObject({ differences: [], ends: { kernel: { stack: lengths.length } } });
  });

  it('leaves the same room around packets of multi-buffer programs, but for the tailroom of pieces of pages', async () => {
    const lengths = [...SHORT, ...LONG];
    const { differences } = await generic({ object: ROOM, program: 'frags', mtu: 9000, pcap: framesOf(lengths) });
    const withoutTail = (value: unknown): string => String(value).slice(0, 32) + String(value).slice(40);
    for (const { part, simulator, kernel } of differences) {
      const place = Number.parseInt(/^maps\.rooms\[(..)/.exec(part)?.[1] ?? '', 16);
      expect(lengths[place]).toBeLessThanOrEqual(1472);
      expect(withoutTail(simulator)).toBe(withoutTail(kernel));
    }
  });

  prop([drawn(fc.nat(5), 1514)], { numRuns: 8 })('does with random packets, verdicts and changes what the simulator does', async (changes) => {
    const frames = changes.filter(isComparable).map((each) => ({ bytes: frameOf(each) }));
    if (frames.length === 0) return;
    expect(await generic({ object: changing(), pcap: captureOf(frames) })).toMatchObject({ differences: [] });
  });

  prop([drawn(fc.constantFrom(0, 1, 2, 5), 9014)], { numRuns: 6 })('and with packets of several buffers', async (changes) => {
    const frames = changes.filter(isComparable).map((each) => ({ bytes: frameOf(each) }));
    if (frames.length === 0) return;
    expect(await generic({ object: changing({ frags: true }), pcap: captureOf(frames), mtu: 9000 })).toMatchObject({ differences: [] });
    expect(await generic({ object: changing(), pcap: captureOf(frames), mtu: 9000 })).toMatchObject({ differences: [] });
  });

  // A fault of the kernel: bpf_prog_run_generic_xdp takes over xdp_frags_size, but not into skb->len. The packet keeps its length, and what
  // is missing comes from behind the linear part, where skb_shared_info lies. The simulator gives what the program left.
  it('forgets in the kernel that fragments were shortened', async () => {
    const report = await generic({ object: xdpProgram('r2 = -100\ncall 65\nr0 = 2\nexit', { frags: true }), mtu: 9000, pcap: framesOf([1000, 9000]) });
    expect(report.differences).toContainEqual({ packet: 2, part: 'frame length', simulator: '8900 bytes', kernel: '9000 bytes' });
    expect(report.by_nature.some((note) => note.includes('skb->len'))).toBe(true);
  });
});
