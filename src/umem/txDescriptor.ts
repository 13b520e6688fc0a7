import { hasChange } from '../base/index.js';
import type { KernelRelease } from '../base/index.js';
import { addressToOffset } from './umem.js';
import type { Umem } from './umem.js';
import { XDP_PKT_CONTD, XDP_TX_METADATA } from './xskQueue.js';

/**
 * struct xdp_desc as it stands on a ring.
 *
 *     0 addr u64   8 len u32   12 options u32
 */
export interface XdpDesc {
  addrLow: number;
  addrHigh: number;
  /** Bytes. */
  len: number;
  options: number;
  /** UMEM offset that `addr` points at; beyond 2^53 only nearly so, which no UMEM contains. */
  offBytes: number;
}

export function newXdpDesc(): XdpDesc {
  return { addrLow: 0, addrHigh: 0, len: 0, options: 0, offBytes: 0 };
}

export function readXdpDesc(u32: Uint32Array, word: number, umem: Umem, into: XdpDesc): void {
  into.addrLow = u32[word];
  into.addrHigh = u32[word + 1];
  into.len = u32[word + 2];
  into.options = u32[word + 3];
  into.offBytes = addressToOffset(into.addrLow, into.addrHigh, umem.isUnaligned);
}

/** Whether a descriptor of the TX ring can be sent: xskq_cons_is_valid_desc, xp_aligned_validate_desc, xp_unaligned_validate_desc (6.18). */
export class TxDescriptorRules {
  readonly #knownOptions: number;
  readonly #takesEmpty: boolean;

  constructor(kernel: KernelRelease) {
    this.#knownOptions = (hasChange(kernel, 'socketMultiBuffer') ? XDP_PKT_CONTD : 0) | (hasChange(kernel, 'txMetadata') ? XDP_TX_METADATA : 0);
    this.#takesEmpty = !hasChange(kernel, 'socketMultiBuffer');
  }

  /**
   * The metadata counts whether or not the descriptor has any. Aligned chunks are not crossed; unaligned ones end where the UMEM does. The pages of
   * a UMEM lie side by side in the model, so no packet meets the gap between two of them that ends zero copy in the kernel.
   */
  isValid({ len, options, offBytes }: XdpDesc, umem: Umem): boolean {
    if ((len === 0 && !this.#takesEmpty) || (options & ~this.#knownOptions) !== 0) return false;
    const { txMetadataBytes, chunkSizeBytes, sizeBytes } = umem;
    const start = offBytes - txMetadataBytes;
    const bytes = len + txMetadataBytes;
    if (start < 0 || start >= sizeBytes) return false;
    if (umem.isUnaligned) return bytes <= chunkSizeBytes && start + bytes <= sizeBytes;
    return (start % chunkSizeBytes) + bytes <= chunkSizeBytes;
  }
}
