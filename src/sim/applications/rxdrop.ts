import type { XskApplicationFactory } from './application.js';
import { appRings } from './chunks.js';

/** Takes every packet and gives its chunk back at once. */
export const rxdrop: XskApplicationFactory = (socket) => {
  const rings = appRings(socket);
  return {
    start: () => rings.fillAll(),
    run() {
      for (let offBytes = rings.receive(); offBytes >= 0; offBytes = rings.receive()) rings.fill(offBytes);
    },
  };
};
