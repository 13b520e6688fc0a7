import { ETH_HLEN } from '../../vm/index.js';

/** Why the MAC let a frame in or not. */
export const MAC_ACCEPT = 0;
export const MAC_RUNT = 1;
export const MAC_OVER_LENGTH = 2;
export const MAC_ADDRESS = 3;

/** Two VLAN tags: what a frame may be longer than header and MTU. */
const VLAN_ALLOWANCE = 8;

/** What the MAC is set to. */
export interface MacConfig {
  /** Six bytes. */
  readonly address: Uint8Array;
  /** True: every destination address is let in, as with `ip link set promisc on`. */
  readonly promiscuous: boolean;
  readonly mtu: number;
  /** Longest frame that the buffers take, of a device that can't scatter it over several (RxMaxSize); left out: no such limit. */
  readonly rxMaxBytes?: number;
}

/** Longest frame, without FCS, that a MAC set to this MTU lets in. */
export function maxFrameBytes(mtu: number): number {
  return mtu + ETH_HLEN + VLAN_ALLOWANCE;
}

/**
 * Receive filter: length, then destination address. Frames shorter than 60 bytes are let in, as captures of virtual devices
 * are full of them; only those without a whole Ethernet header are runts.
 */
export function filterFrame(config: MacConfig, u8: Uint8Array, address: number, lenBytes: number): number {
  if (lenBytes < ETH_HLEN) return MAC_RUNT;
  if (lenBytes > maxFrameBytes(config.mtu) || (config.rxMaxBytes !== undefined && lenBytes > config.rxMaxBytes)) return MAC_OVER_LENGTH;
  if (config.promiscuous || (u8[address] & 1) !== 0) return MAC_ACCEPT;
  for (let i = 0; i < 6; i++) if (u8[address + i] !== config.address[i]) return MAC_ADDRESS;
  return MAC_ACCEPT;
}
