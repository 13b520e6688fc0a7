import { rtl8169_interrupt } from '../r8169/poll.js';
import { makeR8169Xdp } from '../r8169/r8169Xdp.js';
import { R8169_STEPS } from '../r8169/steps.js';
import { rtl_tx } from '../r8169/transmit.js';

/**
 * TX completion runs in the interrupt handler, to free descriptors sooner, and recycles into the pool's cache.
 *
 * On real hardware: nothing locks the cache. The interrupt hits while NAPI, on this or another CPU, takes a page out of it; then two packets
 * share a page, or the cache's count goes astray. It happens once in millions of packets.
 */
export const directRecycleInInterrupt = makeR8169Xdp({
  ...R8169_STEPS,
  rtl8169_interrupt(tp) {
    rtl_tx(tp);
    rtl8169_interrupt(tp);
  },
});
