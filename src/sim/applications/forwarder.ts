import { MAX_SKB_DESCRIPTORS, XDP_PKT_CONTD } from '../../umem/index.js';
import type { XskSocket } from '../../xsk/index.js';
import type { XskApplication } from './application.js';
import { AppSocket } from './appSocket.js';

/**
 * Makes an answer of a packet, in place.
 *
 * @param at index of its first byte in `u8`
 * @param lenBytes that lie there; a packet of several descriptors goes on in other chunks
 * @returns false when there is no answer
 */
export type Answer = (u8: Uint8Array, at: number, lenBytes: number) => boolean;

/** Sends packets back in the chunks in which they came, which go to FILL when they have left. */
export function forwarder(socket: XskSocket, answer: Answer): XskApplication {
  const app = new AppSocket(socket);
  const { rx, tx, completion, umem } = socket;
  /** What has more descriptors would lie on TX for ever. */
  const mostParts = Math.min(tx.size, completion.size, MAX_SKB_DESCRIPTORS);

  /** Descriptors of the packet that begins here, 0 when its end is not there yet. */
  const partsOf = (index: number, count: number): number => {
    for (let i = 0; i < count; i++) if ((rx.options(index + i) & XDP_PKT_CONTD) === 0) return i + 1;
    return 0;
  };

  /** As many packets as TX has room for. @returns descriptors */
  const forward = (): number => {
    const count = rx.peek(rx.size);
    const first = rx.index;
    let done = 0;
    let sent = 0;
    while (done < count) {
      const index = first + done;
      const parts = partsOf(index, count - done);
      if (parts === 0) break;
      const canSend = parts <= mostParts;
      if (canSend && tx.reserve(parts) === 0) break;
      if (canSend && answer(umem.u8, umem.getData(rx.dataAddr(index)), rx.len(index))) {
        for (let i = 0; i < parts; i++) tx.setDesc(tx.index + i, rx.addr(index + i), rx.len(index + i), rx.options(index + i) & XDP_PKT_CONTD, rx.offset(index + i));
        sent += parts;
      } else {
        if (canSend) tx.cancel(parts);
        for (let i = 0; i < parts; i++) app.give(rx.addr(index + i));
      }
      done += parts;
    }
    rx.cancel(count - done);
    if (done > 0) rx.release(done);
    if (sent > 0) tx.submit(sent);
    return done;
  };

  return {
    start: () => app.refill(),
    run() {
      let forwarded;
      do {
        app.reclaim();
        forwarded = forward();
        app.send();
        app.refill();
      } while (forwarded > 0);
    },
  };
}
