import type { XdpSock } from './xdpSock.js';
import type { XskBuffPool } from './xskBuffPool.js';
import { XDP_PKT_CONTD } from './xskQueue.js';

/** A received packet that lies in chunks of a pool, which are `Owner.kernel`'s: one part for each buffer that the device filled. */
export interface ZeroCopyPacket {
  readonly partCount: number;
  /** UMEM offset of each part's chunk. */
  readonly chunk: Float64Array;
  /** From there to the part's first byte. */
  readonly offBytes: Uint32Array;
  readonly lenBytes: Uint32Array;
}

/**
 * xsk_rcv_zc (net/xdp/xsk.c, 6.18): hands a packet that `XdpSock.checkReceive` let in over as it lies, a descriptor for each part. The application sees them
 * after `XdpSock.flush`.
 *
 * A packet of several parts that finds the RX ring full halfway leaves the descriptors that had a place there, all with XDP_PKT_CONTD, and the next packet
 * seems to go on with it. 6.18 then also puts the first of these chunks on the pool's free list, so that it is in two hands; here it is the application's.
 *
 * @returns parts that were handed over; the chunks of the others are still the caller's
 */
export function receiveZeroCopy(socket: XdpSock, pool: XskBuffPool, packet: ZeroCopyPacket, packetId: number): number {
  const { partCount, chunk, offBytes, lenBytes } = packet;
  let totalBytes = 0;
  for (let part = 0; part < partCount; part++) {
    const options = part < partCount - 1 ? XDP_PKT_CONTD : 0;
    if (!socket.deliver(pool, chunk[part], offBytes[part], lenBytes[part], options, packetId)) {
      socket.rxQueueFull++;
      return part;
    }
    totalBytes += lenBytes[part];
  }
  socket.rxPackets++;
  socket.rxBytes += totalBytes;
  return partCount;
}
