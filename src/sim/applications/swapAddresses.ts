import { ETH_ADDRESS_BYTES } from '../../packet/index.js';

/** Swaps `lenBytes` bytes at `at` with as many that follow them: source and destination of any header. */
export function swapNeighbours(u8: Uint8Array, at: number, lenBytes: number): void {
  for (let i = at; i < at + lenBytes; i++) {
    const byte = u8[i];
    u8[i] = u8[i + lenBytes];
    u8[i + lenBytes] = byte;
  }
}

/** @param at of the Ethernet header */
export function swapMacs(u8: Uint8Array, at: number): void {
  swapNeighbours(u8, at, ETH_ADDRESS_BYTES);
}
