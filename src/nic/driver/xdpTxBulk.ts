import type { XdpTracer } from '../../xdp/index.js';

/** VETH_XDP_TX_BULK_SIZE. */
const BULK_SIZE = 16;

/**
 * XDP_TX of a driver that collects what it sends and hands it over 16 frames at a time, and at the end of the poll (veth_xdp_tx and
 * veth_xdp_flush_bq, drivers/net/veth.c, 6.18). On the ring of the model each frame has its place at once; so this tells only when such a driver would have
 * handed them over, and how many found a place.
 */
export class XdpTxBulk {
  readonly #tracer: XdpTracer;
  readonly #ifindex: number;
  #sent = 0;
  #drops = 0;

  constructor(tracer: XdpTracer, ifindex: number) {
    this.#tracer = tracer;
    this.#ifindex = ifindex;
  }

  /** A frame was to be sent. @param isSent false: the ring was full */
  add(isSent: boolean): void {
    if (this.#sent + this.#drops === BULK_SIZE) this.flush();
    if (isSent) this.#sent++;
    else this.#drops++;
  }

  flush(): void {
    if (this.#sent + this.#drops === 0) return;
    this.#tracer.xdpBulkTx(this.#ifindex, this.#sent, this.#drops, 0);
    this.#sent = 0;
    this.#drops = 0;
  }
}
