import { DESCRIPTOR_CASES } from './descriptors.js';
import { MULTI_BUFFER_CASES } from './multiBuffer.js';
import { NIC_RING_CASES } from './nicRings.js';
import { PROGRAM_CASES } from './programs.js';
import { SEND_RECEIVE_CASES } from './sendReceive.js';
import { STATISTICS_CASES } from './statistics.js';
import { CASE_NAMES } from './xskCase.js';
import type { CaseName, XskCase } from './xskCase.js';

const ALL = [...SEND_RECEIVE_CASES, ...DESCRIPTOR_CASES, ...STATISTICS_CASES, ...PROGRAM_CASES, ...MULTI_BUFFER_CASES, ...NIC_RING_CASES];

/** Every case that there is, in the order of the selftest. */
export const CASES: readonly XskCase[] = ALL.toSorted((a, b) => CASE_NAMES.indexOf(a.name) - CASE_NAMES.indexOf(b.name));

export function caseOf(name: CaseName): XskCase {
  const found = CASES.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no case ${name}`);
  return found;
}
