import { XDP_TX_CHECKSUM } from '../../../driver/txContract.js';
import { makeR8169Xdp } from '../r8169/r8169Xdp.js';
import { R8169_STEPS } from '../r8169/steps.js';

/**
 * Reads the contract at data - 8 without asking whether there is metadata: "there is headroom, so the read is safe".
 *
 * On real hardware: the bytes are what an earlier packet in this page had for metadata. So packets that asked for nothing get a checksum at
 * some offset, and are broken by it, now and then.
 */
export const metadataUnchecked = makeR8169Xdp({
  ...R8169_STEPS,
  rtl_read_tx_contract({ kernel: { packet } }, { data }) {
    const flags = packet.read32(data - 8);
    if ((flags & XDP_TX_CHECKSUM) === 0) return undefined;
    return { flags, csumStart: packet.read16(data - 4), csumOffset: packet.read16(data - 2) };
  },
});
