import type { KernelRelease } from '../../src/base/index.js';
import type { XskFindingCode, XskSyscalls } from '../../src/umem/index.js';

/** How packets get from the driver to a socket: by generic XDP, by XDP in the driver, or without a copy. */
export const MODES = ['SKB', 'DRV', 'ZC'] as const;
export type Mode = (typeof MODES)[number];

/** Programs of fixtures/programs/xsk_steer. */
export type Program = 'to_socket' | 'drop_odd' | 'by_destination' | 'number_in_metadata' | 'change_tail';

/** What a case wants of the two hosts and their NICs. */
export interface BedWishes {
  /** Bytes; left out: 1500. */
  readonly mtu?: number;
  /** Of the host that receives; the other one has `to_socket`. Left out: `to_socket`. */
  readonly program?: Program;
  /** Descriptors of the NICs' rings; left out: those of the profile. */
  readonly nicRings?: { readonly rx: number; readonly tx: number };
}

/** A host with one NIC of one queue, and the program `xsk_steer` in front of it. */
export interface BedEnd {
  readonly calls: XskSyscalls;
  readonly ifindex: number;
  /** Puts a socket, by its file descriptor, into a slot of the XSKMAP; gives 0 or a negated errno. */
  putSocket(slot: number, fd: number): number;
  /** Sets the global variable `tail_change` of its program. */
  setTailChange(bytes: number): void;
  /** Its global variable `tail_error`: what bpf_xdp_adjust_tail said last. */
  readonly tailError: number;
}

/** Two hosts with a wire between them, in the simulator or in the running kernel. */
export interface Bed {
  readonly ends: readonly [BedEnd, BedEnd];
  /** Lets what was set off happen. @param isIdle nothing came of the last call: it may take longer this time */
  settle(isIdle: boolean): void;
  /** How many calls of `settle` in a row without anything that comes mean that nothing will come. */
  readonly patience: number;
  /** Lets time go on, ms; on the real kernel it may be cut short to some. */
  pass(ms: number): void;
  close(): BedVerdict;
}

/** What the simulator found at the end. The real kernel says nothing. */
export interface BedVerdict {
  /** Sentences about what is wrong. */
  readonly wrong: readonly string[];
  /** What the applications did wrong or left undone, sorted; `undefined`: nobody watched. */
  readonly findings: readonly XskFindingCode[] | undefined;
}

/** Range of sizes of the NIC's rings that can be chosen, `undefined` where they can't be. */
export interface NicRingLimits {
  readonly minRx: number;
  readonly minTx: number;
  readonly maxRx: number;
  readonly maxTx: number;
}

/** Where the cases run: makes beds, and knows what the NIC can. */
export interface BedKind {
  /** For test names, e.g. `ice`. */
  readonly name: string;
  readonly kernel: KernelRelease;
  readonly nicRings: NicRingLimits | undefined;
  /** Most descriptors of a packet in zero-copy mode (xdp_zc_max_segs), 0 without that mode. */
  readonly zeroCopySegments: number;
  /** What the device writes between the headroom of a chunk and the packet in zero-copy mode: the time stamp of igc. */
  readonly zeroCopyPrefixBytes: number;
  /** With a program in the driver, packets have room for metadata. */
  readonly hasMetadata: boolean;
  /** With a program in the driver, packets may take several buffers (NETDEV_XDP_ACT_RX_SG). */
  readonly receivesFragments: boolean;
  /** With a program in the driver, bpf_xdp_adjust_tail makes the last buffer of several longer (the RX queue has a frag_size). */
  readonly growsFragments: boolean;
  /** @param isBusyPolled the NIC's interrupts are put off while applications poll (napi_defer_hard_irqs, gro_flush_timeout) */
  open(mode: Mode, wishes: BedWishes, isBusyPolled: boolean): Bed;
}
