import { DESC_CSUM } from '../device/batch.js';
import type { SumMemory } from '../device/checksum.js';
import { ParsedFrame } from '../device/parseFrame.js';
import { CHECKSUM_PROTOCOL, CHECKSUM_REFUSED, requestChecksum, softwareChecksum } from './checksumRequest.js';
import { NO_OFFLOAD } from './txQueue.js';
import type { TxOffload } from './txQueue.js';

/** Shorter frames are padded by some NICs before they sum (rtl8169_features_check, drivers/net/ethernet/realtek/r8169_main.c, 6.18). */
const ETH_ZLEN = 60;
/** Every descriptor format can say this much: Intel's MACLEN has 7 bits. */
const CSUM_START_MAX = 127;

/**
 * Who computes the checksum of a frame that is to be sent: the NIC, which is asked in its descriptor, or the CPU, before the frame is mapped or synced
 * (ndo_features_check and skb_checksum_help, 6.18). A NIC that parses headers itself can only be asked for what the headers say.
 */
export class ChecksumOffload {
  readonly #memory: SumMemory;
  readonly #hasTxChecksum: boolean;
  readonly #frame = new ParsedFrame();
  readonly #offload: TxOffload = { ...NO_OFFLOAD };

  constructor(memory: SumMemory, hasTxChecksum: boolean) {
    this.#memory = memory;
    this.#hasTxChecksum = hasTxChecksum;
  }

  /**
   * For a frame in one buffer, whose field holds the sum of the pseudo header.
   *
   * @returns what to push with it: NO_OFFLOAD when the CPU has done it, another one that is good until the next call when the NIC does; `undefined` when
   * the field lies behind the frame
   */
  request(address: number, lenBytes: number, csumStart: number, csumOffset: number): Readonly<TxOffload> | undefined {
    const frame = this.#frame;
    const kind = requestChecksum(this.#memory.u8, address, lenBytes, csumStart, csumOffset, frame);
    if (kind === CHECKSUM_REFUSED) return undefined;
    if (kind !== CHECKSUM_PROTOCOL || lenBytes < ETH_ZLEN || csumStart > CSUM_START_MAX || !this.#hasTxChecksum) {
      softwareChecksum(this.#memory, address, lenBytes, csumStart, csumOffset);
      return NO_OFFLOAD;
    }
    const offload = this.#offload;
    offload.flags = DESC_CSUM;
    offload.packetType = frame.packetType;
    offload.l3Start = frame.l3Start;
    offload.csumStart = csumStart;
    offload.csumOffset = csumOffset;
    return offload;
  }
}
