import { fragmentCount, metadataBytes, XDP_MD_DATA, XDP_MD_DATA_END } from '../../vm/index.js';
import { DESC_CSUM } from '../device/batch.js';
import { ParsedFrame } from '../device/parseFrame.js';
import { CHECKSUM_PROTOCOL, CHECKSUM_REFUSED, requestChecksum, softwareChecksum } from './checksumRequest.js';
import type { DriverConfig } from './driverState.js';
import type { DriverCounters } from './queuePair.js';
import { TX_CONTRACT_BYTES, XDP_TX_CHECKSUM } from './txContract.js';
import { NO_OFFLOAD } from './txQueue.js';
import type { TxOffload } from './txQueue.js';

/** Shorter frames are padded by some NICs before they sum (rtl8169_features_check, drivers/net/ethernet/realtek/r8169_main.c, 6.18). */
const ETH_ZLEN = 60;
/** Every descriptor format can say this much: Intel's MACLEN has 7 bits. */
const CSUM_START_MAX = 127;

/**
 * What XDP_TX asks of the NIC by the private contract (txContract.ts), for drivers that honour it. The kernel has no such thing.
 *
 * A NIC that parses headers itself can only be asked for what the headers say; all else the CPU computes, before the frame is mapped or synced.
 */
export class XdpTxChecksum {
  readonly #config: DriverConfig;
  readonly #frame = new ParsedFrame();
  readonly #offload: TxOffload = { ...NO_OFFLOAD };

  constructor(config: DriverConfig) {
    this.#config = config;
  }

  /**
   * For the packet in the context block.
   *
   * @returns what to push with its first buffer, or `undefined` for a request that points behind the frame, or that is made of a frame of several
   * buffers, which neither the CPU here nor every NIC can sum up
   */
  request(counters: DriverCounters): Readonly<TxOffload> | undefined {
    const { memory, vm, profile } = this.#config;
    const { u8, u32, view } = memory;
    const context = vm.contextAddress;
    if (metadataBytes(u32, context) < TX_CONTRACT_BYTES) return NO_OFFLOAD;
    const data = u32[(context + XDP_MD_DATA) >>> 2];
    if ((view.getUint32(data - 8, true) & XDP_TX_CHECKSUM) === 0) return NO_OFFLOAD;
    const lenBytes = u32[(context + XDP_MD_DATA_END) >>> 2] - data;
    const csumStart = view.getUint16(data - 4, true);
    const csumOffset = view.getUint16(data - 2, true);
    const frame = this.#frame;
    const kind = fragmentCount(u32, context) > 0 ? CHECKSUM_REFUSED : requestChecksum(u8, data, lenBytes, csumStart, csumOffset, frame);
    if (kind === CHECKSUM_REFUSED) {
      counters.xdpTxCsumRefused++;
      return undefined;
    }
    if (kind !== CHECKSUM_PROTOCOL || lenBytes < ETH_ZLEN || csumStart > CSUM_START_MAX || !profile.offloads.txChecksum) {
      softwareChecksum(memory, data, lenBytes, csumStart, csumOffset);
      counters.xdpTxCsumSoftware++;
      return NO_OFFLOAD;
    }
    const offload = this.#offload;
    offload.flags = DESC_CSUM;
    offload.packetType = frame.packetType;
    offload.l3Start = frame.l3Start;
    offload.csumStart = csumStart;
    offload.csumOffset = csumOffset;
    counters.xdpTxCsumOffloaded++;
    return offload;
  }
}
