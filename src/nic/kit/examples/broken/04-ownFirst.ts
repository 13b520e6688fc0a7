import { XDP_PACKET_HEADROOM } from '../../../../xdp/index.js';
import { ADDR, DescOwn, DESCRIPTOR_BYTES, OPTS1, OPTS2, RingEnd } from '../r8169/hardware.js';
import { makeR8169Xdp } from '../r8169/r8169Xdp.js';
import { RX_BUF_SIZE } from '../r8169/receive.js';
import { R8169_STEPS } from '../r8169/steps.js';

/**
 * Writes the fields of an RX descriptor in the order of the struct: opts1 with OWN, opts2, addr.
 *
 * On real hardware: the device polls memory. When it looks between the first write and the last, it takes the address of the page that was
 * in this slot before, and writes a packet into a page that the stack, or anybody by now, is reading.
 */
export const ownFirst = makeR8169Xdp({
  ...R8169_STEPS,
  rtl8169_mark_to_asic({ kernel, rxRing, rxSize }, slot, page) {
    const desc = slot * DESCRIPTOR_BYTES;
    rxRing.write32(desc + OPTS1, (DescOwn | (slot === rxSize - 1 ? RingEnd : 0) | RX_BUF_SIZE) >>> 0);
    rxRing.write32(desc + OPTS2, 0);
    rxRing.write64(desc + ADDR, kernel.page_pool_get_dma_addr(page) + XDP_PACKET_HEADROOM, kernel.dmaAddressHigh);
  },
});
