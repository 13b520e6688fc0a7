import { checkOptionNames } from '../../base/index.js';
import { AfXdp, XdpSock, XSK_FINDING_CODES, xskFindings } from '../../umem/index.js';
import type { XskFinding, XskFindingCode } from '../../umem/index.js';
import { XskSocket } from '../../xsk/index.js';
import { checkKnownName, result, wrongSubject } from './matcher.js';
import type { MatcherResult } from './matcher.js';

/** Which AF_XDP findings don't count. */
export interface XskFindingOptions {
  /** Names of findings that are meant to be there, e.g. `fill-starvation`. */
  readonly ignore?: readonly XskFindingCode[];
}

/**
 * The AF_XDP applications of a NIC, a network, a run or some sockets do nothing wrong and leave nothing undone (docs/af-xdp.md). Look when all has come to rest,
 * as after `receive`.
 *
 * @throws TypeError for a finding to be ignored that there is not, also with `.not`
 * @example expect(nic).toHaveNoXskFindings({ ignore: ['fill-starvation'] })
 */
export function toHaveNoXskFindings(received: unknown, options: XskFindingOptions = {}): MatcherResult {
  checkOptionNames('toHaveNoXskFindings', options, { ignore: true });
  const { ignore = [] } = options;
  if (!Array.isArray(ignore)) throw new TypeError("toHaveNoXskFindings: what is to be ignored is a list, such as { ignore: ['fill-starvation'] }");
  for (const code of ignore as readonly XskFindingCode[]) checkKnownName('toHaveNoXskFindings', 'finding', code, XSK_FINDING_CODES);
  const all = findingsOf('toHaveNoXskFindings', received);
  const counted = all.filter(({ code }) => !ignore.includes(code));
  const ignored = all.length === counted.length ? [] : [`not counted: ${all.filter(({ code }) => ignore.includes(code)).map(({ code }) => code).join(', ')}`];
  return result(counted.length === 0, `no AF_XDP findings${counted.length === 0 ? '' : `, but there ${counted.length === 1 ? 'is 1' : `are ${counted.length}`}`}`, [...counted.flatMap(findingLines), ...ignored], { actual: counted.map(({ code }) => code), expected: [] });
}

/**
 * The AF_XDP applications of a NIC, a network, a run or some sockets make this mistake, or leave this undone (docs/af-xdp.md).
 *
 * @throws TypeError for a finding that there is not, also with `.not`
 * @example expect(nic).not.toHaveXskFinding('lost-chunk')
 */
export function toHaveXskFinding(received: unknown, code: XskFindingCode): MatcherResult {
  checkKnownName('toHaveXskFinding', 'finding', code, XSK_FINDING_CODES);
  const all = findingsOf('toHaveXskFinding', received);
  const found = all.filter((each) => each.code === code);
  const shown = found.length > 0 ? found.flatMap(findingLines) : all.length === 0 ? ['there are none'] : ['there are others:', ...all.flatMap(findingLines)];
  return result(found.length > 0, `AF_XDP finding ${code}`, shown, { actual: all.map((each) => each.code), expected: [code] });
}

/** `warning lost-chunk, socket 0, queue 0, FILL: …`, who had the chunk when, and how to mend it. */
function findingLines({ code, severity, count, socket, queue, ring, message, history, hint }: XskFinding): string[] {
  const place = `socket ${socket}, queue ${queue}${ring === undefined ? '' : `, ${ring}`}${count === 1 ? '' : `, ${count} times`}`;
  return [`${severity} ${code} (${place}): ${message}`, ...(history === '' ? [] : [`  ${history}`]), `  mend it: ${hint}`];
}

function findingsOf(matcher: string, received: unknown): readonly XskFinding[] {
  if (received instanceof XdpSock) return xskFindings([received]);
  if (received instanceof XskSocket) return xskFindings([kernelSocket(matcher, received)]);
  if (Array.isArray(received) && received.length > 0 && received.every((each) => each instanceof XdpSock || each instanceof XskSocket)) {
    return xskFindings(received.map((each: XdpSock | XskSocket) => (each instanceof XdpSock ? each : kernelSocket(matcher, each))));
  }
  if (typeof received === 'object' && received !== null && 'xskFindings' in received && Array.isArray(received.xskFindings)) return received.xskFindings as readonly XskFinding[];
  const isEmpty = Array.isArray(received) && received.length === 0;
  return wrongSubject(matcher, `a NIC, a network, the result of a run, a socket or a list of sockets${isEmpty ? ' with at least one in it' : ''}`, received);
}

/** The other end of a socket of the library. @throws TypeError when it is deleted, or one of a running kernel */
function kernelSocket(matcher: string, { fd, umem: { syscalls } }: XskSocket): XdpSock {
  const socket = syscalls instanceof AfXdp ? syscalls.socketOf(fd) : undefined;
  if (socket === undefined) throw new TypeError(`${matcher} looks at sockets of a simulated host that are open: look before it is deleted, or at the NIC`);
  return socket;
}
