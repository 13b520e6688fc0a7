import { PACKET_TCP } from '../../../device/batch.js';
import { makeR8169Xdp } from '../r8169/r8169Xdp.js';
import { R8169_STEPS } from '../r8169/steps.js';

const IPCS = 1 << 18;
const UDPCS = 1 << 17;
const TCPCS = 1 << 16;

/**
 * Checksum bits of layout v1, in opts1, for a chip that takes layout v2: the table of another data sheet.
 *
 * On real hardware: in v2 these bits of opts1 are part of the offset for segmentation. The frame goes out without a checksum, or cut up.
 */
export const wrongChecksumBits = makeR8169Xdp({
  ...R8169_STEPS,
  rtl_checksum_opts2: (packetType) => ({ opts1: IPCS | ((packetType & PACKET_TCP) !== 0 ? TCPCS : UDPCS), opts2: 0 }),
});

/**
 * The right word, and the wrong offset: TCPHO counts from the start of the frame, not from the IP header.
 *
 * On real hardware: the chip sums the wrong bytes, and puts the result where no checksum is.
 */
export const wrongTransportOffset = makeR8169Xdp({
  ...R8169_STEPS,
  rtl_checksum_opts2: (packetType, csumStart) => R8169_STEPS.rtl_checksum_opts2(packetType, csumStart - 14),
});
