import { ETH_HEADER_BYTES } from '../../packet/index.js';
import type { XskApplicationFactory } from './application.js';
import { forwarder } from './forwarder.js';
import { swapMacs } from './swapAddresses.js';

/** Sends every packet back with its MAC addresses swapped. */
export const l2fwd: XskApplicationFactory = (socket) =>
  forwarder(socket, (u8, at, lenBytes) => {
    if (lenBytes < ETH_HEADER_BYTES) return false;
    swapMacs(u8, at);
    return true;
  });
