import { fragmentCount, metadataBytes, XDP_MD_DATA, XDP_MD_DATA_END } from '../../vm/index.js';
import { ChecksumOffload } from './checksumOffload.js';
import type { DriverConfig } from './driverState.js';
import type { DriverCounters } from './queuePair.js';
import { readTxContract, TX_CONTRACT_BYTES, XDP_TX_CHECKSUM } from './txContract.js';
import { NO_OFFLOAD } from './txQueue.js';
import type { TxOffload } from './txQueue.js';

/** What XDP_TX asks of the NIC by the private contract (txContract.ts), for drivers that honour it. The kernel has no such thing. */
export class XdpTxChecksum {
  readonly #config: DriverConfig;
  readonly #checksum: ChecksumOffload;

  constructor(config: DriverConfig) {
    this.#config = config;
    this.#checksum = new ChecksumOffload(config.memory, config.profile.offloads.txChecksum);
  }

  /**
   * For the packet in the context block.
   *
   * @returns what to push with its first buffer, or `undefined` for a request that points behind the frame, or that is made of a frame of several
   * buffers, which neither the CPU here nor every NIC can sum up
   */
  request(counters: DriverCounters): Readonly<TxOffload> | undefined {
    const { u32, view } = this.#config.memory;
    const context = this.#config.vm.contextAddress;
    if (metadataBytes(u32, context) < TX_CONTRACT_BYTES) return NO_OFFLOAD;
    const data = u32[(context + XDP_MD_DATA) >>> 2];
    const { flags, csumStart, csumOffset } = readTxContract(view, data);
    if ((flags & XDP_TX_CHECKSUM) === 0) return NO_OFFLOAD;
    const lenBytes = u32[(context + XDP_MD_DATA_END) >>> 2] - data;
    const offload = fragmentCount(u32, context) > 0 ? undefined : this.#checksum.request(data, lenBytes, csumStart, csumOffset);
    if (offload === undefined) counters.xdpTxCsumRefused++;
    else if (offload === NO_OFFLOAD) counters.xdpTxCsumSoftware++;
    else counters.xdpTxCsumOffloaded++;
    return offload;
  }
}
