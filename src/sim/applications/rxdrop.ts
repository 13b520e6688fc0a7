import type { XskApplicationFactory } from './application.js';
import { AppSocket } from './appSocket.js';

/** Takes every packet and gives its chunks back at once. */
export const rxdrop: XskApplicationFactory = (socket) => {
  const app = new AppSocket(socket);
  const { rx } = socket;
  return {
    start: () => app.refill(),
    run() {
      const count = rx.peek(rx.size);
      for (let i = 0; i < count; i++) app.give(rx.addr(rx.index + i));
      if (count > 0) rx.release(count);
      app.refill();
    },
  };
};
