import { checkOptionNames } from '../../base/index.js';
import { OUTCOMES } from '../../xdp/index.js';
import { redirectText } from '../program/redirectTarget.js';
import { isVerdictName, VERDICT_NAMES } from '../program/testRunResult.js';
import type { VerdictName } from '../program/testRunResult.js';
import { checkCount, checkKnownName, result } from './matcher.js';
import type { MatcherResult } from './matcher.js';
import { isTestRun, journeyOf, packetSubject } from './subject.js';
import type { PacketSubject } from './subject.js';

/**
 * The program returned this verdict.
 *
 * @throws TypeError for a name that no verdict has, also with `.not`
 * @example expect(program.testRun({ data })).toHaveVerdict('XDP_DROP')
 */
export function toHaveVerdict(received: unknown, expected: VerdictName): MatcherResult {
  const subject = packetSubject('toHaveVerdict', received);
  if (!isVerdictName(expected)) checkKnownName('toHaveVerdict', 'verdict', expected, VERDICT_NAMES, ", 'invalid N' for another number, or 'fault' for a program that was stopped");
  const found = subject.verdict ?? 'no verdict: the program did not see the packet';
  return result(subject.verdict === expected, `verdict ${expected}, got ${found}`, journeyOf(subject), { actual: found, expected });
}

const verdictMatcher = (name: string, verdict: VerdictName) => (received: unknown): MatcherResult => toHaveVerdict(packetSubject(name, received), verdict);

/**
 * The program returned XDP_DROP.
 *
 * @example expect(program.testRun({ data })).toDropPacket()
 */
export const toDropPacket = verdictMatcher('toDropPacket', 'XDP_DROP');
/**
 * The program returned XDP_PASS.
 *
 * @example expect(program.testRun({ data: ethernet().arp() })).toPassPacket()
 */
export const toPassPacket = verdictMatcher('toPassPacket', 'XDP_PASS');
/**
 * The program returned XDP_TX.
 *
 * @example expect(loadProgram('fixtures/programs/reflector/reflector.o').testRun({ data })).toTransmitPacket()
 */
export const toTransmitPacket = verdictMatcher('toTransmitPacket', 'XDP_TX');
/**
 * The program returned XDP_ABORTED.
 *
 * @example expect(loadProgram('fixtures/programs/aborter/aborter.o').testRun({ data })).toAbortPacket()
 */
export const toAbortPacket = verdictMatcher('toAbortPacket', 'XDP_ABORTED');

/** Where a redirect is to go; what is left out is not looked at. */
export interface ExpectedRedirect {
  /** Interface; of a packet of a NIC where it left. */
  readonly ifindex?: number;
  /** Name of the map, and index or key in it. Of test runs only. */
  readonly map?: string;
  readonly key?: number;
}

/**
 * The program returned XDP_REDIRECT, and the redirect goes there.
 *
 * @throws TypeError for a map that there is not or that no redirect goes through, also with `.not`
 * @example
 * const forward = loadProgram('fixtures/programs/redirect_devmap/redirect_devmap.o', { program: 'redirect_devmap' });
 * forward.maps.get<number, { ifindex: number }>('devices').set(4, { ifindex: 7 });
 * expect(forward.testRun({ data })).toRedirectPacket({ map: 'devices', key: 4, ifindex: 7 });
 */
export function toRedirectPacket(received: unknown, to: ExpectedRedirect = {}): MatcherResult {
  const subject = packetSubject('toRedirectPacket', received);
  checkRedirect(subject, to);
  const wanted = Object.entries(to).map(([name, value]) => `${name} ${String(value)}`).join(', ');
  const what = `a redirect${wanted === '' ? '' : ` to ${wanted}`}`;
  if (subject.verdict !== 'XDP_REDIRECT') return result(false, `${what}, got ${subject.verdict ?? 'no verdict'}`, journeyOf(subject), { actual: subject.verdict, expected: 'XDP_REDIRECT' });
  if (!isTestRun(subject)) {
    const isThere = subject.isDelivered && (to.ifindex === undefined || to.ifindex === subject.ifindex);
    return result(isThere, `${what}, got ${subject.outcome} at interface ${subject.ifindex}`, journeyOf(subject));
  }
  const { redirect } = subject;
  const ifindex = redirect === undefined ? undefined : redirect.kind === 'interface' ? redirect.ifindex : redirect.target;
  const map = redirect?.kind === 'map' ? redirect.map : undefined;
  const key = redirect?.kind === 'map' ? redirect.key : undefined;
  const pass = redirect !== undefined && (to.ifindex === undefined || to.ifindex === ifindex) && (to.map === undefined || to.map === map) && (to.key === undefined || to.key === key);
  return result(pass, `${what}, got ${redirectText(redirect)}`, journeyOf(subject), { actual: redirect, expected: to });
}

/** @throws TypeError for a destination that no redirect of the program can have */
function checkRedirect(subject: PacketSubject, to: ExpectedRedirect): void {
  checkOptionNames('toRedirectPacket', to, { ifindex: true, map: true, key: true });
  const { ifindex, map, key } = to;
  if (ifindex !== undefined) checkCount('toRedirectPacket', 'the number of an interface', ifindex);
  if (key !== undefined) checkCount('toRedirectPacket', 'a key', key);
  if (isTestRun(subject)) {
    if (map !== undefined) checkKnownName('toRedirectPacket', 'map for redirects', map, subject.redirectMaps);
    return;
  }
  if (map !== undefined || key !== undefined) throw new TypeError('toRedirectPacket knows map and key of test runs only: of a packet of a NIC say the ifindex where it left');
}

/**
 * The packet ended so: `stack`, `tx`, `xsk`, `redirect`, `xdp_drop`, `rx_missed`, … (docs/report.md). For packets of a NIC.
 *
 * @throws TypeError for an outcome that there is not, also with `.not`
 * @example expect(packet).toEndAs('tx')
 */
export function toEndAs(received: unknown, outcome: string): MatcherResult {
  const subject = packetSubject('toEndAs', received);
  if (isTestRun(subject)) throw new TypeError('toEndAs looks at packets of a NIC (createTestNic): a test run ends with the verdict, see toHaveVerdict');
  checkKnownName('toEndAs', 'outcome', outcome, OUTCOMES.map(({ name }) => name));
  return result(subject.outcome === outcome, `the packet to end as ${outcome}, got ${subject.outcome} (${subject.outcomeText})`, journeyOf(subject), { actual: subject.outcome, expected: outcome });
}

/**
 * The run executed at most so many instructions, helpers not counted.
 *
 * @throws TypeError for what is no number of instructions, also with `.not`
 * @example expect(run).toRunWithin(200)
 */
export function toRunWithin(received: unknown, instructions: number): MatcherResult {
  const subject = packetSubject('toRunWithin', received);
  if (!isTestRun(subject)) throw new TypeError('toRunWithin looks at what testRun() gave: a NIC does not count instructions');
  checkCount('toRunWithin', 'the number of instructions', instructions);
  return result(subject.fault === undefined && subject.instructions <= instructions, `at most ${instructions} instructions, got ${subject.instructions}`, journeyOf(subject), { actual: subject.instructions, expected: instructions });
}
