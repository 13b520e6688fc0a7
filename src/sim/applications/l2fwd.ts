import { EAGAIN, EBUSY } from '../../base/index.js';
import type { XskApplicationFactory } from './application.js';
import { appRings } from './chunks.js';

/** Swaps the MAC addresses of every packet, sends it back, and gives the chunk to FILL when it has left. */
export const l2fwd: XskApplicationFactory = (socket, kernel, u8) => {
  const rings = appRings(socket);

  const swapMacs = (address: number): void => {
    for (let i = 0; i < 6; i++) {
      const destination = u8[address + i];
      u8[address + i] = u8[address + 6 + i];
      u8[address + 6 + i] = destination;
    }
  };

  return {
    start: () => rings.fillAll(),
    run() {
      for (let offBytes = rings.reclaim(); offBytes >= 0; offBytes = rings.reclaim()) rings.fill(offBytes);
      while (rings.toSend < socket.tx!.ring.size) {
        const offBytes = rings.receive();
        if (offBytes < 0) break;
        swapMacs(rings.umemAddress + offBytes);
        rings.send(offBytes, rings.lenBytes);
      }
      // The budget of one call is 32 descriptors: call again as long as calls make progress.
      for (let before = -1; rings.toSend > 0 && before !== rings.toSend; ) {
        before = rings.toSend;
        const error = kernel.send(socket);
        if (error !== 0 && error !== -EAGAIN && error !== -EBUSY) throw new Error(`l2fwd: send failed with ${error}`);
      }
    },
  };
};
