import { makeR8169Xdp } from '../r8169/r8169Xdp.js';
import { R8169_STEPS } from '../r8169/steps.js';

/**
 * XDP_TX without dma_sync_single_for_device(): the mapping is there already, so what is left to do?
 *
 * On real hardware: nothing on x86. Where DMA isn't coherent the device reads DRAM, and what the program wrote is still in the CPU's cache: the
 * packet goes out as it came in, with the old MAC addresses.
 */
export const missingSyncForDevice = makeR8169Xdp({
  ...R8169_STEPS,
  rtl_tx_sync() {},
});

/**
 * The program runs without dma_sync_single_for_cpu().
 *
 * On real hardware: nothing on x86. Elsewhere the CPU may still have the page's last packet in its cache, and the program judges that one.
 */
export const missingSyncForCpu = makeR8169Xdp({
  ...R8169_STEPS,
  rtl_rx_sync() {},
});
