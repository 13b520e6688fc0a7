import type { HostMemory } from '../../memory/index.js';
import { NO_TX_METADATA, readTxMetadata, XDP_TXMD_FLAGS_CHECKSUM, XDP_TXMD_FLAGS_LAUNCH_TIME, XDP_TXMD_FLAGS_TIMESTAMP } from '../../umem/index.js';
import type { TxMetadata } from '../../umem/index.js';
import { DESC_CSUM, PACKET_FRAGMENT, PACKET_TCP, PACKET_UDP } from '../device/batch.js';
import { ParsedFrame, parseFrame } from '../device/parseFrame.js';
import { TCP_CSUM_OFFSET, UDP_CSUM_OFFSET } from '../device/txChecksum.js';
import type { ZeroCopySupport } from '../profiles/profile.js';
import { NO_OFFLOAD } from './txQueue.js';
import type { TxOffload } from './txQueue.js';

/** In place of the metadata's address: the frame wants no time stamp. */
export const NO_TIMESTAMP = 0;

/**
 * What struct xsk_tx_metadata before a frame asks of a device in zero-copy mode (xsk_tx_metadata_request, include/net/xdp_sock.h, 6.18). It is read
 * whenever the UMEM has room for it, whether or not the descriptor says XDP_TX_METADATA; what makes no sense, and what the device doesn't do, is passed
 * over. Good until the next `read`.
 */
export class XskTxOffload {
  /** What is to be pushed with the frame's first buffer. */
  offload: Readonly<TxOffload> = NO_OFFLOAD;
  /** Host address of the metadata that the time stamp goes into, or NO_TIMESTAMP. */
  timestampAt = NO_TIMESTAMP;
  /** When the frame is to be sent, ns of the device's clock; -1: nobody asks for a time. */
  launchTimeNs = -1;
  /** XDP_TXMD_FLAGS_* of what is asked for in vain. */
  passedOver = 0;
  readonly #memory: HostMemory;
  readonly #metadata: TxMetadata = { ...NO_TX_METADATA };
  readonly #frame = new ParsedFrame();
  readonly #checksum: TxOffload = { ...NO_OFFLOAD };

  constructor(memory: HostMemory) {
    this.#memory = memory;
  }

  /**
   * @param metadataBytes length of the metadata before the frame, 0 for none
   * @param support what of it the device does; `undefined`: nothing
   */
  read(address: number, lenBytes: number, metadataBytes: number, support: ZeroCopySupport['txMetadata']): void {
    this.offload = NO_OFFLOAD;
    this.timestampAt = NO_TIMESTAMP;
    this.launchTimeNs = -1;
    this.passedOver = 0;
    if (metadataBytes === 0 || readTxMetadata(this.#memory.view, address - metadataBytes, Infinity, this.#metadata) !== 0) return;
    const { wantsTimestamp, launchTimeNs, csumStart } = this.#metadata;
    if (support?.timestamp === true && wantsTimestamp) this.timestampAt = address - metadataBytes;
    if (support?.launchTime === true) this.launchTimeNs = launchTimeNs;
    if (support?.checksum === true && csumStart >= 0) this.#askForChecksum(address, lenBytes);
    if (wantsTimestamp && this.timestampAt === NO_TIMESTAMP) this.passedOver |= XDP_TXMD_FLAGS_TIMESTAMP;
    if (launchTimeNs >= 0 && this.launchTimeNs < 0) this.passedOver |= XDP_TXMD_FLAGS_LAUNCH_TIME;
    if (csumStart >= 0 && this.offload === NO_OFFLOAD) this.passedOver |= XDP_TXMD_FLAGS_CHECKSUM;
  }

  /** mlx5 is not told where the checksum is: it parses the frame, and leaves what is neither TCP nor UDP alone. */
  #askForChecksum(address: number, lenBytes: number): void {
    const frame = this.#frame;
    parseFrame(this.#memory.u8, address, lenBytes, frame);
    const { packetType, l3Start, l4Start } = frame;
    const csumOffset = (packetType & PACKET_TCP) !== 0 ? TCP_CSUM_OFFSET : UDP_CSUM_OFFSET;
    if ((packetType & (PACKET_TCP | PACKET_UDP)) === 0 || (packetType & PACKET_FRAGMENT) !== 0 || l4Start + csumOffset + 2 > lenBytes) return;
    const offload = this.#checksum;
    offload.flags = DESC_CSUM;
    offload.packetType = packetType;
    offload.l3Start = l3Start;
    offload.csumStart = l4Start;
    offload.csumOffset = csumOffset;
    this.offload = offload;
  }
}
