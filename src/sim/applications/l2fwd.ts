import { EAGAIN, EBUSY } from '../../base/index.js';
import { Owner } from '../../memory/index.js';
import type { XdpDesc } from '../../umem/index.js';
import type { XskApplicationFactory } from './application.js';
import { fillAll, giveToFill } from './chunks.js';

/** Swaps the MAC addresses of every packet, sends it back, and gives the chunk to FILL when it has left. */
export const l2fwd: XskApplicationFactory = (socket, kernel, u8) => {
  const desc: XdpDesc = { addr: 0, len: 0, options: 0 };
  const { umem } = socket;

  const swapMacs = (address: number): void => {
    for (let i = 0; i < 6; i++) {
      const destination = u8[address + i];
      u8[address + i] = u8[address + 6 + i];
      u8[address + 6 + i] = destination;
    }
  };

  const reclaim = (): void => {
    for (let offBytes = socket.completion.consume(); offBytes >= 0; offBytes = socket.completion.consume()) {
      umem.chunks.move(umem.address + offBytes, Owner.completionRing, Owner.application);
      giveToFill(socket, offBytes);
    }
  };

  return {
    start: () => fillAll(socket),
    run() {
      reclaim();
      while (!socket.tx.ring.isFull && socket.rx.peek(desc)) {
        socket.rx.release();
        const address = umem.address + desc.addr;
        umem.chunks.move(address, Owner.rxRing, Owner.application);
        swapMacs(address);
        socket.tx.produce(desc.addr, desc.len, 0);
        umem.chunks.move(address, Owner.application, Owner.txRing);
      }
      // The budget of one call is 32 descriptors: call again as long as calls make progress.
      for (let before = -1; !socket.tx.ring.isEmpty && before !== socket.tx.ring.used; ) {
        before = socket.tx.ring.used;
        const error = kernel.send(socket);
        if (error !== 0 && error !== -EAGAIN && error !== -EBUSY) throw new Error(`l2fwd: send failed with ${error}`);
      }
    },
  };
};
