import { XDP_PASS } from '../../../../xdp/index.js';
import { DescOwn, DESCRIPTOR_BYTES, OPTS1 } from '../r8169/hardware.js';
import { makeR8169Xdp } from '../r8169/r8169Xdp.js';
import { rtl_rx_packet } from '../r8169/receive.js';
import { R8169_STEPS } from '../r8169/steps.js';

/**
 * Returns from the loop with the first packet that doesn't go to the stack: `return` where `break` or `continue` was meant.
 *
 * On real hardware: the poll says that it did less than its budget, so the interrupt is enabled and nobody polls. The packets behind it
 * wait for the next one from the wire; under load the ring runs full.
 */
export const earlyReturn = makeR8169Xdp({
  ...R8169_STEPS,
  rtl_rx(tp, budget) {
    for (let count = 0; count < budget && tp.cur_rx !== tp.fill_rx; count++) {
      const status = tp.rxRing.read32((tp.cur_rx % tp.rxSize) * DESCRIPTOR_BYTES + OPTS1);
      if ((status & DescOwn) !== 0) return count;
      tp.kernel.dma_rmb();
      if (rtl_rx_packet(tp, status) !== XDP_PASS) return count + 1;
    }
    return budget;
  },
});
