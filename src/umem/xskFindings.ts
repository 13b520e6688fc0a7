import type { RingKind } from './watchedRing.js';

/**
 * What an application can do wrong or leave undone. A mistake breaks the rules of AF_XDP; a warning is a state that costs packets or stops the traffic, and
 * that the application could have avoided.
 */
const SEVERITY = {
  /** A chunk on FILL or TX that is not the application's. */
  'double-submission': 'mistake',
  /** A look at, or a write to, a chunk that is not the application's. */
  'use-after-hand-over': 'mistake',
  /** An entry or a packet that became another one after the kernel was given it. */
  'changed-after-submit': 'mistake',
  'bad-fill-entry': 'mistake',
  'invalid-descriptor': 'mistake',
  'too-many-descriptors': 'mistake',
  'metadata-refused': 'mistake',
  'index-beyond-ring': 'mistake',
  // Warnings: first what brings others about, so that whoever mends the first one may have mended them all.
  'not-bound': 'warning',
  'wrong-queue': 'warning',
  /** No XSKMAP leads to a socket that wants to receive. */
  'not-in-xskmap': 'warning',
  /** Nothing comes, while a queue without a socket has traffic. */
  'idle-queue': 'warning',
  /** Zero copy on a driver that runs no program, and so sends nothing. */
  'no-program-in-driver': 'warning',
  'completion-not-drained': 'warning',
  'missing-wakeup': 'warning',
  /** A packet over several calls that the driver had no room for: the kernel goes back to slots that it had given away. */
  'tx-rewound': 'warning',
  'rx-not-read': 'warning',
  'rx-ring-full': 'warning',
  'fill-starvation': 'warning',
  'lost-chunk': 'warning',
  /** The metadata of packets asks for what the device does not do. */
  'request-passed-over': 'warning',
} as const;

export type XskFindingCode = keyof typeof SEVERITY;

/** All that can be found. */
export const XSK_FINDING_CODES = Object.keys(SEVERITY) as readonly XskFindingCode[];
const CODE_NUMBER = new Map(XSK_FINDING_CODES.map((code, number) => [code, number]));

/** A mistake of an application, or what keeps its packets from getting on. The kernel notices none of it. */
export interface XskFinding {
  readonly code: XskFindingCode;
  readonly severity: 'mistake' | 'warning';
  /** Socket, and the queue that it is bound to. Of FILL and COMPLETION: the first socket on that queue. */
  readonly socket: number;
  readonly queue: number;
  readonly ring: RingKind | undefined;
  /** How often. */
  readonly count: number;
  /** When first, ns since the host's start. */
  readonly firstNs: number;
  /** What happened the first time, one sentence without a full stop at its end. */
  readonly message: string;
  /** How to mend it. */
  readonly hint: string;
  /** Who had the first chunk when, empty where no chunk is concerned. */
  readonly history: string;
}

/** More kinds of findings than these, each of one socket and ring, are not told apart any more. */
const KEPT_FINDINGS = 1000;

/** 0: of no ring. */
const RING_NUMBER: Readonly<Record<RingKind, number>> = { RX: 1, TX: 2, FILL: 3, COMPLETION: 4 };
const RING_NUMBERS = 5;

type Mutable = { -readonly [Key in keyof XskFinding]: XskFinding[Key] };

/** What was found while the application ran: the first of each kind in words, and how often it came. */
export class XskFindingLog {
  readonly #findings = new Map<number, Mutable>();

  /**
   * Counts a finding.
   *
   * @returns whether it is the first of its kind, which `describe` has to tell of
   */
  count(code: XskFindingCode, socket: number, ring: RingKind | undefined): boolean {
    const finding = this.#findings.get(keyOf(code, socket, ring));
    if (finding === undefined) return this.#findings.size < KEPT_FINDINGS;
    finding.count++;
    return false;
  }

  /** Tells of a finding that `count` has not met before. */
  describe(finding: Omit<XskFinding, 'severity' | 'count'>): void {
    this.#findings.set(keyOf(finding.code, finding.socket, finding.ring), xskFinding(finding, 1));
  }

  /** In the order in which they came up. */
  get all(): readonly XskFinding[] {
    return [...this.#findings.values()];
  }
}

/** Mistakes in the order in which they were made, then warnings, first what brings others about. */
export function inOrder(findings: readonly XskFinding[]): XskFinding[] {
  const rank = ({ code, severity }: XskFinding): number => (severity === 'mistake' ? -1 : CODE_NUMBER.get(code)!);
  return [...findings].sort((a, b) => rank(a) - rank(b));
}

export function xskFinding(finding: Omit<XskFinding, 'severity' | 'count'>, count: number): XskFinding {
  return { ...finding, severity: SEVERITY[finding.code], count };
}

function keyOf(code: XskFindingCode, socket: number, ring: RingKind | undefined): number {
  return (socket * XSK_FINDING_CODES.length + CODE_NUMBER.get(code)!) * RING_NUMBERS + (ring === undefined ? 0 : RING_NUMBER[ring]);
}
