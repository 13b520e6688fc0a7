import { EAGAIN, hasChange } from '../base/index.js';
import type { KernelRelease } from '../base/index.js';
import { TxDescriptorRules } from './txDescriptor.js';

/** Behaviour of the kernel that looks like a mistake; each is off unless it is asked for (measured on 6.18). */
export interface XskQuirks {
  /** bind() looks at the low 16 bits of the queue only: 65536 binds queue 0. */
  readonly truncatesQueueId?: boolean;
  /** Each sendto that fails with -EINVAL for its metadata puts the address on COMPLETION, though the descriptor stays on the TX ring. */
  readonly completesRefusedMetadata?: boolean;
  /** A producer index further ahead than the ring is long is believed at once: stale entries are taken again. Without it they are taken a ring's length at a time. */
  readonly trustsProducer?: boolean;
  /** The address of a packet's first descriptor comes back without its lowest bit, in which the kernel keeps a mark (copy mode). */
  readonly completesEvenAddress?: boolean;
}

/** All of them: what a test that compares with the running kernel needs. */
export const KERNEL_QUIRKS: Required<XskQuirks> = { truncatesQueueId: true, completesRefusedMetadata: true, trustsProducer: true, completesEvenAddress: true };

/** Descriptors that one send call handles in copy mode (TX_BATCH_SIZE, net/xdp/xsk.c). */
export const TX_BATCH_SIZE = 32;

/** How the sockets of a host behave: what depends on the kernel's release, and its quirks. */
export interface XskRules {
  readonly kernel: KernelRelease;
  readonly quirks: XskQuirks;
  readonly descriptors: TxDescriptorRules;
  // What came with which release is in KERNEL_CHANGES.
  readonly hasMultiBuffer: boolean;
  readonly stopsAtInvalid: boolean;
  readonly completesInvalid: boolean;
  readonly drainsInvalid: boolean;
  /** What a send gives when COMPLETION is full. */
  readonly completionFull: number;
  readonly checksDeviceFirst: boolean;
  readonly sharesTxFairly: boolean;
}

export function xskRules(kernel: KernelRelease, quirks: XskQuirks = {}): XskRules {
  return {
    kernel,
    quirks,
    descriptors: new TxDescriptorRules(kernel),
    hasMultiBuffer: hasChange(kernel, 'socketMultiBuffer'),
    stopsAtInvalid: hasChange(kernel, 'sendStopsAtInvalid'),
    completesInvalid: hasChange(kernel, 'completesInvalid'),
    drainsInvalid: hasChange(kernel, 'drainsInvalid'),
    completionFull: hasChange(kernel, 'completionFullIsAgain') ? -EAGAIN : 0,
    checksDeviceFirst: hasChange(kernel, 'blockingSendFirst'),
    sharesTxFairly: hasChange(kernel, 'txFairness'),
  };
}
