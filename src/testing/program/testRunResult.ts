import { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../xdp/index.js';
import type { Fault } from '../../vm/index.js';
import type { LogLine } from './programLog.js';
import type { RedirectTarget } from './redirectTarget.js';

/** What a program said about a packet; a number that is no verdict, which drivers drop with a warning; or that it was stopped. */
export type VerdictName = 'XDP_ABORTED' | 'XDP_DROP' | 'XDP_PASS' | 'XDP_TX' | 'XDP_REDIRECT' | `invalid ${number}` | 'fault';

const NAMES: Readonly<Record<number, VerdictName>> = {
  [XDP_ABORTED]: 'XDP_ABORTED', [XDP_DROP]: 'XDP_DROP', [XDP_PASS]: 'XDP_PASS', [XDP_TX]: 'XDP_TX', [XDP_REDIRECT]: 'XDP_REDIRECT',
};

/** Those with a name of their own. */
export const VERDICT_NAMES: readonly VerdictName[] = Object.values(NAMES);

/** Whether a program can return it, or be stopped so. */
export function isVerdictName(name: unknown): name is VerdictName {
  return typeof name === 'string' && (name === 'fault' || VERDICT_NAMES.some((each) => each === name) || /^invalid \d+$/.test(name));
}

/**
 * The name of what a program returned, u32.
 *
 * @example
 * verdictName(1); // 'XDP_DROP'
 * verdictName(77); // 'invalid 77'
 */
export function verdictName(retval: number): VerdictName {
  return NAMES[retval] ?? `invalid ${retval}`;
}

/** struct xdp_md as BPF_PROG_TEST_RUN gives it back: offsets from the start of metadata and packet. */
export interface TestRunContext {
  readonly data: number;
  readonly data_end: number;
  readonly data_meta: number;
  readonly ingress_ifindex: number;
  readonly rx_queue_index: number;
  readonly egress_ifindex: number;
}

/** What came of a run. */
export interface TestRun {
  /** Name of the program. */
  readonly program: string;
  /** The packet as it went in. */
  readonly input: Uint8Array;
  /** What the program returned, u32. */
  readonly retval: number;
  readonly verdict: VerdictName;
  /** The packet afterwards, without metadata. */
  readonly data: Uint8Array;
  /** Metadata before it, empty for none. */
  readonly meta: Uint8Array;
  readonly ctx: TestRunContext;
  /** Where the last redirect helper pointed; `undefined` when none was called or it found nothing. It counts only with XDP_REDIRECT. */
  readonly redirect: RedirectTarget | undefined;
  /** Names of the object's maps that redirects can go through: DEVMAP, DEVMAP_HASH, CPUMAP, XSKMAP. */
  readonly redirectMaps: readonly string[];
  /** Instructions of the last repetition, callbacks and tail calls included. */
  readonly instructions: number;
  /** Lines of bpf_printk and aya-log of this run. */
  readonly log: readonly LogLine[];
  /** What the program did that the kernel's verifier would not have let it do; then there is no output. */
  readonly fault: Fault | undefined;
}
