import { makeR8169Xdp } from '../r8169/r8169Xdp.js';
import { R8169_STEPS } from '../r8169/steps.js';
import { rtl8169_doorbell } from '../r8169/transmit.js';

/**
 * XDP_REDIRECT, and no xdp_do_flush() at the end of the poll.
 *
 * On real hardware: up to 15 packets for each target stay in its bulk queue, until a later poll redirects to the same one: latency without
 * limit. Kernels since 6.8 warn once, and flush.
 */
export const noFlush = makeR8169Xdp({
  ...R8169_STEPS,
  rtl_end_poll(tp) {
    if (tp.xdpTxPending) rtl8169_doorbell(tp);
    tp.xdpTxPending = false;
  },
});

/**
 * XDP_TX, and no doorbell at the end of the poll.
 *
 * On real hardware: the descriptors are the device's, but it doesn't look. The frames leave with the next one that somebody rings for.
 */
export const noDoorbell = makeR8169Xdp({
  ...R8169_STEPS,
  rtl_end_poll(tp) {
    if (tp.xdpRedirectPending) tp.kernel.xdp_do_flush();
    tp.xdpRedirectPending = false;
  },
});
