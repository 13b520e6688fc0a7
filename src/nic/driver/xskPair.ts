import type { HostMemory } from '../../memory/index.js';
import { ZeroCopyTx } from '../../umem/index.js';
import type { XskBuffPool } from '../../umem/index.js';
import type { SkBuff } from '../../xdp/index.js';
import type { ZeroCopySupport } from '../profiles/profile.js';
import type { XskBuffers } from './xskBuffers.js';

/** What a queue pair has in zero-copy mode. */
export interface XskPair {
  readonly pool: XskBuffPool;
  readonly buffers: XskBuffers;
  readonly tx: ZeroCopyTx;
  readonly support: ZeroCopySupport;
  /** Most TX descriptors of one poll. */
  readonly txBudget: number;
  /** Frames of several buffers are received. */
  readonly takesSegments: boolean;
  /** The socket's RX ring is full, so that this poll looks at no more packets. */
  isStopped: boolean;
  /** Packets that were passed up during the present poll; the stack is done with them at its end. */
  readonly stackSkbs: SkBuff[];
}

/** @param txRingSize slots of the device's TX ring */
export function newXskPair(memory: HostMemory, pool: XskBuffPool, buffers: XskBuffers, support: ZeroCopySupport, txRingSize: number): XskPair {
  const txBudget = Math.min(txRingSize, support.txBudget === 'quarter' ? txRingSize >>> 2 : support.txBudget);
  return {
    pool, buffers, tx: new ZeroCopyTx(memory, pool, txBudget, support.maxSegments), support, txBudget, takesSegments: support.maxSegments > 1 && pool.hasSg,
    isStopped: false, stackSkbs: [],
  };
}
