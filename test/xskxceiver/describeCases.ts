import { describe, expect, it } from 'vitest';
import { EOPNOTSUPP } from '../../src/base/index.js';
import { XDP_USE_NEED_WAKEUP, XDP_USE_SG, XDP_ZEROCOPY } from '../../src/umem/index.js';
import type { XskFindingCode } from '../../src/umem/index.js';
import { XskSocket, XskUmem } from '../../src/xsk/index.js';
import { MODES } from './bed.js';
import type { BedKind, Mode } from './bed.js';
import { GROWN_BYTES } from './cases/programs.js';
import { CASES } from './cases/table.js';
import type { Obstacle, XskCase } from './cases/xskCase.js';
import { JUMBO, packets } from './packet.js';
import { XskTest } from './xskTest.js';

/** A real kernel takes its time to tear namespaces down, and a busy machine for everything. */
const TIMEOUT_MS = 60_000;

/** What keeps a case from being run here, and why; `undefined`: nothing. */
export function obstacleOf({ obstacles = {} }: XskCase, kind: BedKind, mode: Mode): { readonly obstacle: Obstacle; readonly reason: string } | undefined {
  const isThere: Readonly<Record<Obstacle, boolean>> = {
    zeroCopy: mode === 'ZC',
    oneBuffer: mode === 'DRV' && !kind.receivesFragments,
    oneSegment: mode === 'ZC' && kind.zeroCopySegments === 1,
    fixedRings: kind.nicRings === undefined,
    noMetadata: mode !== 'SKB' && !kind.hasMetadata,
    fixedFragments: mode === 'SKB' || (mode === 'DRV' && !kind.growsFragments),
  };
  for (const [obstacle, reason] of Object.entries(obstacles) as [Obstacle, string][]) if (isThere[obstacle]) return { obstacle, reason };
  return undefined;
}

export interface DescribeOptions {
  readonly cases?: readonly XskCase[];
  readonly modes?: readonly Mode[];
  /** With busy polling (true), without it; left out: both. */
  readonly busyPolling?: readonly boolean[];
  /** Names of the cases, if they are not their own. */
  readonly nameOf?: (each: XskCase) => string;
}

/** Tests of all cases in all modes. Where the selftest skips a case, a test shows what keeps it from being run. */
export function describeCases(kind: BedKind, { cases = CASES, modes = MODES, busyPolling = [false, true], nameOf = ({ name }) => name }: DescribeOptions = {}): void {
  for (const mode of modes) {
    if (mode === 'ZC' && kind.zeroCopySegments === 0) {
      it(`${kind.name}, ZC: not run, as the driver has no zero copy`, { timeout: TIMEOUT_MS }, () => withTest(kind, 'DRV', false, [], (test) => expectRefusal(test, XDP_ZEROCOPY)));
      continue;
    }
    for (const isBusyPolled of busyPolling) {
      describe(`${kind.name}, ${mode}${isBusyPolled ? ', busy polling' : ''}`, () => {
        for (const each of cases) {
          const kept = obstacleOf(each, kind, mode);
          if (kept === undefined) it(`${nameOf(each)}: ${each.about}`, { timeout: TIMEOUT_MS }, () => withTest(kind, mode, isBusyPolled, each.findings ?? [], (test) => each.run(test)));
          else it(`${nameOf(each)}: not run, as ${kept.reason}`, { timeout: TIMEOUT_MS }, () => withTest(kind, mode, isBusyPolled, [], (test) => expectObstacle(test, kept.obstacle)));
        }
      });
    }
  }
}

function withTest(kind: BedKind, mode: Mode, isBusyPolled: boolean, findings: readonly XskFindingCode[], body: (test: XskTest) => void): void {
  const test = new XskTest(kind, mode, isBusyPolled);
  try {
    body(test);
  } catch (error) {
    test.abandon();
    throw error;
  }
  test.close(findings);
}

/** The reason why a case is not run holds. */
function expectObstacle(test: XskTest, obstacle: Obstacle): void {
  switch (obstacle) {
    case 'zeroCopy':
      expect(test.endpoint(test.bed(), 'sender').sockets[0].isZeroCopy).toBe(true);
      return;
    case 'oneBuffer':
      expect(() => test.bed({ mtu: JUMBO })).toThrow(/without multi-buffer support/);
      return;
    case 'oneSegment':
      expectRefusal(test, XDP_ZEROCOPY | XDP_USE_SG);
      return;
    case 'fixedRings':
      expect(() => test.bed({ nicRings: { rx: 128, tx: 128 } })).toThrow();
      return;
    case 'noMetadata':
      test.sendAndReceive(packets(1), { bed: { program: 'number_in_metadata' }, expected: [] });
      return;
    case 'fixedFragments':
      expectFixedFragments(test);
  }
}

/** The program drops what it can't make longer. */
function expectFixedFragments(test: XskTest): void {
  const bed = test.bed({ mtu: JUMBO, program: 'change_tail' });
  const [, { tailError }] = bed.ends;
  expect(tailError).toBe(0);
  bed.ends[1].setTailChange(1);
  const to = test.endpoint(bed, 'receiver', { hasSg: true });
  const from = test.endpoint(bed, 'sender', { hasSg: true });
  test.run(bed, [test.flow(from, to, packets(1, GROWN_BYTES), { expected: [] })]);
  expect(bed.ends[1].tailError).toBe(-EOPNOTSUPP);
}

/** bind says that the driver can't. */
function expectRefusal(test: XskTest, bindFlags: number): void {
  const { calls, ifindex } = test.bed().ends[0];
  const umem = XskUmem.create(calls, calls.mmapAnonymous(4096), 4096);
  if (!umem.ok) throw new Error(umem.problem.message);
  expect(XskSocket.create(umem.value, ifindex, 0, { bindFlags: bindFlags | XDP_USE_NEED_WAKEUP })).toMatchObject({ ok: false, problem: { errno: EOPNOTSUPP } });
  umem.value.delete();
}
