import { Outcome } from '../../xdp/index.js';
import type { XdpTracer } from '../../xdp/index.js';

/** VETH_XDP_TX_BULK_SIZE. */
const BULK_SIZE = 16;

/**
 * XDP_TX of a driver that collects what it sends and hands it over 16 frames at a time, and at the end of the poll (veth_xdp_tx, veth_xdp_flush_bq and
 * veth_xdp_xmit, drivers/net/veth.c, 6.18). A frame that the peer does not take, as it is too long or the ring is full, ends its bulk: what is behind it is
 * dropped, too. On the ring of the model each frame has its place at once; so this knows when such a driver would have handed it over, and after what.
 */
export class XdpTxBulk {
  readonly #tracer: XdpTracer;
  readonly #ifindex: number;
  #sent = 0;
  #drops = 0;
  #failure: Outcome | undefined;

  constructor(tracer: XdpTracer, ifindex: number) {
    this.#tracer = tracer;
    this.#ifindex = ifindex;
  }

  /** Before a frame: hands over a full bulk. @returns why the bulk that the frame comes into has ended; `undefined`: it has not */
  makeRoom(): Outcome | undefined {
    if (this.#sent + this.#drops === BULK_SIZE) this.flush();
    return this.#failure;
  }

  /** A frame came into the bulk. @param outcome Outcome.tx, or why it could not be sent */
  add(outcome: Outcome): void {
    if (outcome === Outcome.tx) {
      this.#sent++;
      return;
    }
    this.#drops++;
    this.#failure = outcome;
  }

  flush(): void {
    if (this.#sent + this.#drops === 0) return;
    this.#tracer.xdpBulkTx(this.#ifindex, this.#sent, this.#drops, 0);
    this.#sent = 0;
    this.#drops = 0;
    this.#failure = undefined;
  }
}
