import { EMSGSIZE, ENETDOWN } from '../base/index.js';
import type { XdpSock } from '../umem/index.js';
import { ETH_HLEN } from '../vm/index.js';
import type { Outcome } from './outcome.js';
import type { SkBuff } from './skBuff.js';

// Bits of netdev-genl's xdp-features (include/uapi/linux/netdev.h).
export const NETDEV_XDP_ACT_BASIC = 1;
export const NETDEV_XDP_ACT_REDIRECT = 2;
export const NETDEV_XDP_ACT_NDO_XMIT = 4;
export const NETDEV_XDP_ACT_XSK_ZEROCOPY = 8;
export const NETDEV_XDP_ACT_HW_OFFLOAD = 16;
export const NETDEV_XDP_ACT_RX_SG = 32;
export const NETDEV_XDP_ACT_NDO_XMIT_SG = 64;

/** ndo_xdp_xmit: nothing more will follow, so the device must be told (include/net/xdp.h). */
export const XDP_XMIT_FLUSH = 1;

const VLAN_HLEN = 4;

/** A network device of a host as the redirect path sees it. */
export interface XdpXmitDevice {
  readonly ifindex: number;
  readonly mtu: number;
  /** IFF_UP; left out: it is up. */
  readonly isUp?: boolean;
  /** NETDEV_XDP_ACT_* as they are now, as drivers switch NDO_XMIT and NDO_XMIT_SG on and off with their program; left out: none. */
  readonly xdpFeatures?: number;
  /**
   * ndo_xdp_xmit, there whenever `xdpFeatures` has NDO_XMIT. The device gets the frames that it takes as `Owner.redirect`; it maps and unmaps them
   * by itself, tells their end by `XdpCore.endSentFrame`, and gives their buffers back by `FrameMemory.returnBuffer`.
   *
   * @param frames addresses of xdp_frames, the first `count` are meant; of clones too (`FrameMemory.isClone`)
   * @param flags XDP_XMIT_FLUSH: the doorbell rings at the end
   * @returns frames that are on the ring, from the first on; the core frees the others. Negated errno: none was taken
   */
  xdpXmit?(frames: Uint32Array, count: number, flags: number): number;
  /**
   * ndo_start_xmit, which every driver of the kernel has: the skb, whose memory is `Owner.stack`, goes onto a ring, and is freed when it was sent
   * (`SkbMemory.free`). It is the device's from then on.
   *
   * @returns false when the queue is stopped, as its ring is full: nothing has changed
   */
  startXmit?(skb: SkBuff): boolean;
  /** Why the last `xdpXmit` took less than it was offered; left out: `Outcome.txRingFull`. */
  readonly xmitFailure?: Outcome;
}

/** Who hears what became of the packets that a device received, on whichever device or socket they ended. */
export interface PacketObserver {
  /**
   * A received packet reached its end, the only one that it has. Its bytes lie side by side at `address`, `metaBytes` of metadata before them.
   *
   * @param queue of the device that sent it, or, when it was not sent, of the one that received it
   */
  onPacketEnd(packetId: number, outcome: Outcome, retval: number, queue: number, address: number, lenBytes: number, metaBytes: number): void;
  /** A copy of a packet, made for a broadcast, reached its end; the packet has an end of its own, so this counts for nothing. */
  onCopyEnd?(packetId: number, outcome: Outcome, queue: number, address: number, lenBytes: number): void;
  /** A program did what it must not: `vm.fault()` has the details. */
  onFault(packetId: number): void;
  /** A socket of the device has new packets or completions. */
  onSocketReady(socket: XdpSock): void;
}

/**
 * xdp_ok_fwd_dev (include/linux/filter.h, 6.18) for a frame of so many bytes, fragments and all: MTU, Ethernet header and one VLAN tag.
 *
 * @returns 0, -ENETDOWN or -EMSGSIZE
 */
export function xdpOkFwdDev(device: XdpXmitDevice, lenBytes: number): number {
  if (device.isUp === false) return -ENETDOWN;
  return lenBytes > mostForwardedBytes(device.mtu) ? -EMSGSIZE : 0;
}

/** Bytes of the longest frame that is forwarded to a device of this MTU: an Ethernet header and one VLAN tag more (is_skb_forwardable, include/linux/netdevice.h, 6.18). */
export function mostForwardedBytes(mtu: number): number {
  return mtu + ETH_HLEN + VLAN_HLEN;
}
