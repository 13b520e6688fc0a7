import { toHex } from '../../base/index.js';
import { summarize } from '../../packet/index.js';
import type { EndedPacket } from '../network/packetJournal.js';
import { redirectText } from '../program/redirectTarget.js';
import type { TestRun } from '../program/testRunResult.js';
import { wrongSubject } from './matcher.js';

/** What matchers of packets look at: what `TestProgram.testRun` or `TestNic.receive` gave. */
export type PacketSubject = TestRun | EndedPacket;

export function isTestRun(subject: PacketSubject): subject is TestRun {
  return 'ctx' in subject;
}

/** @throws TypeError for anything else, with the name of the matcher */
export function packetSubject(matcher: string, received: unknown): PacketSubject {
  const isSubject = typeof received === 'object' && received !== null && 'verdict' in received && 'data' in received && 'input' in received;
  if (!isSubject) wrongSubject(matcher, 'what testRun() or one of the packets that receive() gave', received);
  return received as PacketSubject;
}

/** The packet's short journey: what came in, what the program did, where it went. */
export function journeyOf(subject: PacketSubject): readonly string[] {
  const { input, data, meta } = subject;
  const came = `in:  ${summarize(input, 0, input.length)}`;
  const out = data.length === 0 || sameBytes(input, data) ? [] : [`out: ${summarize(data, 0, data.length)}`];
  const metadata = meta.length === 0 ? [] : [`metadata: ${toHex(meta)}`];
  if (!isTestRun(subject)) return [came, ...subject.journey, ...out, ...metadata];
  const { program, verdict, retval, instructions, redirect, log, fault } = subject;
  const end = fault === undefined
    ? [`${program} returned ${verdict}${verdict.startsWith('invalid') ? '' : ` (${retval})`} after ${instructions} instructions`, ...(redirect === undefined ? [] : [`redirect helper: ${redirectText(redirect)}`])]
    : [`${program} was stopped: ${fault.message}`, ...(fault.source === undefined ? [] : [`at ${fault.source.file}:${fault.source.line}`])];
  return [came, ...end, ...log.map(({ text }) => `log: ${text}`), ...out, ...metadata];
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
