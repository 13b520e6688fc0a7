import { makeR8169Xdp } from '../r8169/r8169Xdp.js';
import { R8169_STEPS } from '../r8169/steps.js';

/**
 * XDP_DROP "frees" the packet by doing nothing, as if the ring still had its page.
 *
 * On real hardware: the pool takes a fresh page for each dropped packet until memory is gone. Nobody notices before `ip link set down`,
 * where page_pool_release_retry() warns of a stalled shutdown every minute, for ever.
 */
export const forgottenRecycle = makeR8169Xdp({
  ...R8169_STEPS,
  rtl_drop_page() {},
});
