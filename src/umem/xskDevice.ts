import type { TxMetadata } from './txMetadata.js';
import type { XdpSock } from './xdpSock.js';
import type { XskBuffPool } from './xskBuffPool.js';

/** Most descriptors of one packet in copy mode: the linear part, and MAX_SKB_FRAGS fragments. */
export const MAX_SKB_DESCRIPTORS = 18;

/** What copy mode made of the descriptors of a packet: a list of parts in host memory, which the device copies when it takes the packet. */
export interface XskPacket {
  /** Address and length of each part, the first `partCount` are meant. */
  readonly partAddress: Uint32Array;
  readonly partBytes: Uint32Array;
  partCount: number;
  lenBytes: number;
  /** What `XskBuffPool.completePacket` is told when the packet was sent or lost. */
  completion: number;
  /** Packet (1-based) that the first chunk carries, 0 for none. */
  packetId: number;
  /** What is to be done to it, good during the call. */
  metadata: Readonly<TxMetadata>;
}

/** What a driver with zero copy has for sockets. */
export interface XskZeroCopy {
  /** netdev->xdp_zc_max_segs: most descriptors of a packet; 1: one buffer only. */
  readonly maxSegments: number;
  /**
   * ndo_bpf with XDP_SETUP_XSK_POOL: a queue takes its buffers from the pool from now on and sends from it, or `undefined`: from its own again.
   *
   * @returns 0 or a negated errno
   */
  setupPool(queueId: number, pool: XskBuffPool | undefined): number;
  /** ndo_xsk_wakeup. @param flags XDP_WAKEUP_*. @returns 0 or a negated errno */
  wakeup(queueId: number, flags: number): number;
}

/** A network device of the host as AF_XDP sees it (net_device in net/xdp/xsk.c, 6.18). */
export interface XskDevice {
  readonly ifindex: number;
  /** IFF_UP; left out: it is up. */
  readonly isUp?: boolean;
  /** real_num_rx_queues and real_num_tx_queues. */
  readonly rxQueues: number;
  readonly txQueues: number;
  readonly mtu: number;
  /** Zero copy, `undefined` for a driver without it or one that has it only with a program of its own. */
  readonly zeroCopy?: XskZeroCopy | undefined;
  /**
   * __dev_direct_xmit in copy mode: copies the packet and queues it on the socket's queue. The doorbell rings at the end of the call, by `kick`.
   *
   * @returns 0; -EBUSY when the driver dropped it, which ends it (the caller completes it); -EAGAIN when its queue is full
   */
  xskTransmit(socket: XdpSock, packet: XskPacket): number;
  /** Frames were queued from outside a poll. */
  kick(queueId: number): void;
  /** One round of busy polling of a queue's NAPI; left out: the device has none. */
  busyPoll?(queueId: number, budget: number, prefers: boolean): void;
}
