import { Owner } from '../../memory/index.js';
import type { XdpDesc } from '../../umem/index.js';
import type { XskApplicationFactory } from './application.js';
import { fillAll, giveToFill } from './chunks.js';

/** Takes every packet and gives its chunk back at once. */
export const rxdrop: XskApplicationFactory = (socket) => {
  const desc: XdpDesc = { addr: 0, len: 0, options: 0 };
  return {
    start: () => fillAll(socket),
    run() {
      while (socket.rx.peek(desc)) {
        socket.rx.release();
        socket.umem.chunks.move(socket.umem.address + desc.addr, Owner.rxRing, Owner.application);
        giveToFill(socket, desc.addr);
      }
    },
  };
};
