import type { XskFindingCode } from '../../../src/umem/index.js';
import type { XskTest } from '../xskTest.js';

/** The cases of the kernel's selftest (xskxceiver, 6.18), in its order. */
export const CASE_NAMES = [
  'SEND_RECEIVE', 'SEND_RECEIVE_2K_FRAME', 'SEND_RECEIVE_SINGLE_PKT', 'POLL_RX', 'POLL_TX', 'POLL_RXQ_FULL', 'POLL_TXQ_FULL', 'SEND_RECEIVE_UNALIGNED',
  'ALIGNED_INV_DESC', 'ALIGNED_INV_DESC_2K_FRAME_SIZE', 'UNALIGNED_INV_DESC', 'UNALIGNED_INV_DESC_4001_FRAME_SIZE', 'UMEM_HEADROOM', 'TEARDOWN',
  'BIDIRECTIONAL', 'STAT_RX_DROPPED', 'STAT_TX_INVALID', 'STAT_RX_FULL', 'STAT_FILL_EMPTY', 'XDP_PROG_CLEANUP', 'XDP_DROP_HALF', 'XDP_SHARED_UMEM',
  'XDP_METADATA_COPY', 'XDP_METADATA_COPY_MULTI_BUFF', 'SEND_RECEIVE_9K_PACKETS', 'SEND_RECEIVE_UNALIGNED_9K_PACKETS', 'ALIGNED_INV_DESC_MULTI_BUFF',
  'UNALIGNED_INV_DESC_MULTI_BUFF', 'TOO_MANY_FRAGS', 'HW_SW_MIN_RING_SIZE', 'HW_SW_MAX_RING_SIZE', 'XDP_ADJUST_TAIL_SHRINK',
  'XDP_ADJUST_TAIL_SHRINK_MULTI_BUFF', 'XDP_ADJUST_TAIL_GROW', 'XDP_ADJUST_TAIL_GROW_MULTI_BUFF', 'TX_QUEUE_CONSUMER',
] as const;

export type CaseName = (typeof CASE_NAMES)[number];

/** The cases of Linux 6.1, by the names that they had there, and what they are called now. */
export const CASES_OF_6_1: Readonly<Record<string, CaseName>> = {
  TEARDOWN: 'TEARDOWN',
  BIDIRECTIONAL: 'BIDIRECTIONAL',
  BPF_RES: 'XDP_PROG_CLEANUP',
  UMEM_HEADROOM: 'UMEM_HEADROOM',
  STAT_RX_DROPPED: 'STAT_RX_DROPPED',
  STAT_TX_INVALID: 'STAT_TX_INVALID',
  STAT_RX_FULL: 'STAT_RX_FULL',
  STAT_RX_FILL_EMPTY: 'STAT_FILL_EMPTY',
  UNALIGNED_MODE: 'SEND_RECEIVE_UNALIGNED',
  RUN_TO_COMPLETION: 'SEND_RECEIVE',
  RUN_TO_COMPLETION_SINGLE_PKT: 'SEND_RECEIVE_SINGLE_PKT',
  RUN_TO_COMPLETION_2K_FRAME_SIZE: 'SEND_RECEIVE_2K_FRAME',
  POLL_RX: 'POLL_RX',
  POLL_TX: 'POLL_TX',
  POLL_TXQ_FULL: 'POLL_TXQ_FULL',
  POLL_RXQ_EMPTY: 'POLL_RXQ_FULL',
  ALIGNED_INV_DESC: 'ALIGNED_INV_DESC',
  ALIGNED_INV_DESC_2K: 'ALIGNED_INV_DESC_2K_FRAME_SIZE',
  UNALIGNED_INV_DESC: 'UNALIGNED_INV_DESC',
};

/** Why a case is not run somewhere, as the selftest skips it. */
export type Obstacle = 'zeroCopy' | 'oneBuffer' | 'oneSegment' | 'fixedRings' | 'fixedFragments' | 'noMetadata';

export interface XskCase {
  readonly name: CaseName;
  /** What it shows, one sentence. */
  readonly about: string;
  /** Where it is not run, and why: the rest of a sentence. */
  readonly obstacles?: Partial<Readonly<Record<Obstacle, string>>>;
  /** What the simulator's watch has to say of the applications, and nothing else: they do on purpose what they should not. Sorted; left out: nothing. */
  readonly findings?: readonly XskFindingCode[];
  run(test: XskTest): void;
}

/** Obstacle of all cases with packets of several descriptors. */
export const NEEDS_SEGMENTS = {
  oneBuffer: 'with a program in the driver it takes no packets of several buffers',
  oneSegment: 'the driver takes no packets of several buffers in zero-copy mode',
} as const;
