import type { XdpMode } from './xdpLink.js';

/** Packets by where they ended: with the stack, back on the wire, nowhere. */
export interface NetEnds {
  readonly stack: number;
  readonly wire: number;
  readonly dropped: number;
}

/** A value that both sides have. */
export interface NetPair<T> {
  readonly simulator: T;
  readonly kernel: T;
}

/** A counter of the receiving end, by its name in `ethtool -S`, or after `link.` in `ip -s link`. */
export interface NetCounter {
  readonly name: string;
  readonly simulator: number;
  /** `null`: this kernel has no such counter, so there is nothing to compare. */
  readonly kernel: number | null;
}

/** One thing in which the kernel didn't do what the simulator did. */
export interface NetDifference extends NetPair<string> {
  /** Number in the capture, from 1; absent for what is no packet's own. */
  readonly packet?: number;
  /** `end`, `frame[30] ipv4.dst`, `maps.counts[0a000001]`, `globals.passed`, `counters.rx_queue_0_xdp_tx`, `program runs`, `tracepoint`. */
  readonly part: string;
}

/** Result of `sim replay --net`, as `--json` prints it. `docs/replay-net.md` explains every field. */
export interface NetReport {
  readonly schema: 1;
  readonly backend: 'veth';
  /** Release of the running kernel, e.g. `6.18.44`. */
  readonly kernel: string;
  readonly object: string;
  readonly program: string;
  readonly capture: string;
  readonly mode: XdpMode;
  readonly mtu: number;
  readonly packets: {
    readonly read: number;
    readonly sent: number;
    /** Not sent to either side: no whole Ethernet header; longer than the MTU allows. */
    readonly too_short: number;
    readonly too_long: number;
    /** Sent, but no socket can see where they arrive, as the stack drops them first: their VLAN tag is cut. Counted as arrived. */
    readonly unseen: number;
  };
  readonly ends: NetPair<NetEnds>;
  /** What the simulated program returned, by name; the kernel tells verdicts only by its counters. */
  readonly verdicts: Readonly<Record<string, number>>;
  readonly program_runs: NetPair<number>;
  /** Hits of xdp_exception, xdp_redirect and xdp_redirect_err that were compared, field by field. */
  readonly tracepoints: number;
  readonly counters: readonly NetCounter[];
  readonly differences: readonly NetDifference[];
  /** Differences in all; `differences` holds the first of them. */
  readonly difference_count: number;
  /** Maps and variables that were not judged, as the caller wanted it. */
  readonly excluded: readonly string[];
  /** Sources of differences that are nobody's fault and that this program can see. */
  readonly by_nature: readonly string[];
  readonly ok: boolean;
}

/** Differences that a report holds. */
const KEPT_DIFFERENCES = 64;

/** Collects differences; keeps the first ones and counts the rest. */
export class DifferenceList {
  readonly kept: NetDifference[] = [];
  count = 0;

  add(difference: NetDifference): void {
    this.count++;
    if (this.kept.length < KEPT_DIFFERENCES) this.kept.push(difference);
  }
}
