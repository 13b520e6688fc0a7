import { DESC_DONE, DESC_EOP, DESC_FIRST, DESC_VLAN } from '../batch.js';
import { NO_DOORBELL } from './descriptorFormat.js';
import type { DescriptorFormat } from './descriptorFormat.js';
import { ownedByDevice } from './ownerBit.js';
import type { OwnerBit } from './ownerBit.js';
import {
  R8169_DESCRIPTOR_BYTES, R8169_EOR, R8169_FCS_BYTES, R8169_FS, R8169_LS, R8169_OWN, R8169_RX_LENGTH, R8169_RX_RES, R8169_RX_RWT, R8169_RX_TAVA, r8169PacketType, r8169RxFlags,
  r8169RxStatus, r8169SwapTci,
} from './r8169Bits.js';

const WORDS = R8169_DESCRIPTOR_BYTES / 4;
const OPTS1 = 0;
const OPTS2 = 1;
const ADDR_LOW = 2;
const ADDR_HIGH = 3;

/** Word of the driver's `ring.state`: bytes in the polled descriptors of a frame whose last descriptor was not polled yet. */
const STATE_FRAME_BYTES = 0;

/** OWN, in opts1 of RX and TX descriptors alike. The device goes from one to the next until it is clear; no register tells a tail. */
export const R8169_OWNER: OwnerBit = { words: WORDS, word: OPTS1, bit: R8169_OWN, ofDevice: R8169_OWN, last: R8169_LS };

/**
 * Receiving, the same on all chips.
 *
 * A frame that spans buffers: the length in its last descriptor is that of the whole frame, FCS included, as the data sheet says and drivers
 * that take such frames rely on (FreeBSD re(4), re_rxeof); the others hold the size of their buffer, which is full. Status bits mean
 * something in the last descriptor; here all have them. Linux drops such frames, and RTL8168c and later don't make any.
 * The FCS itself is counted and never stored: a frame that just fits its buffers takes no descriptor for it.
 */
export const r8169Receive: Pick<DescriptorFormat, 'rxInit' | 'rxPost' | 'rxPublish' | 'rxPoll' | 'rxAvailable' | 'rxFetch' | 'rxWriteBack'> = {
  rxInit(memory, ring) {
    memory.u32[(ring.address >>> 2) + (ring.size - 1) * WORDS + OPTS1] = R8169_EOR;
  },

  rxPost(memory, ring, first, batch) {
    const { u32 } = memory;
    const { iovaLow, iovaHigh, lenBytes, count } = batch;
    const base = ring.address >>> 2;
    let slot = first % ring.size;
    for (let i = 0; i < count; i++) {
      const word = base + slot * WORDS;
      const isEnd = slot === ring.size - 1;
      u32[word + OPTS2] = 0;
      u32[word + ADDR_LOW] = iovaLow[i];
      u32[word + ADDR_HIGH] = iovaHigh[i];
      // A driver has dma_wmb() here; in one thread the order of stores is the order in which the device sees them.
      u32[word + OPTS1] = R8169_OWN | (isEnd ? R8169_EOR : 0) | (lenBytes[i] & R8169_RX_LENGTH);
      slot = isEnd ? 0 : slot + 1;
    }
  },

  rxPublish: () => NO_DOORBELL,

  rxPoll(memory, ring, first, limit, batch) {
    const { u32 } = memory;
    const { lenBytes, flags, rssHash, rssType, timestampNs, packetType, vlanTci } = batch;
    const base = ring.address >>> 2;
    let frameBytes = ring.state[STATE_FRAME_BYTES];
    let slot = first % ring.size;
    let count = 0;
    for (; count < limit; count++) {
      const word = base + slot * WORDS;
      const opts1 = u32[word + OPTS1];
      if ((opts1 & R8169_OWN) !== 0) break;
      // dma_rmb() of a driver: nothing else of the descriptor is read before OWN.
      const opts2 = u32[word + OPTS2];
      const isFirst = (opts1 & R8169_FS) !== 0;
      const isLast = (opts1 & R8169_LS) !== 0;
      if (isFirst) frameBytes = 0;
      let bytes = opts1 & R8169_RX_LENGTH;
      if (isLast) {
        bytes -= R8169_FCS_BYTES + frameBytes;
        if (bytes < 0) bytes = 0;
        frameBytes = 0;
      } else frameBytes += bytes;
      lenBytes[count] = bytes;
      flags[count] = DESC_DONE | (isFirst ? DESC_FIRST : 0) | (isLast ? DESC_EOP : 0) | r8169RxFlags(opts1, opts2);
      vlanTci[count] = (opts2 & R8169_RX_TAVA) !== 0 ? r8169SwapTci(opts2) : 0;
      packetType[count] = r8169PacketType(opts1);
      rssHash[count] = 0;
      rssType[count] = 0;
      timestampNs[count] = 0;
      if (++slot === ring.size) slot = 0;
    }
    ring.state[STATE_FRAME_BYTES] = frameBytes;
    batch.count = count;
    return count;
  },

  rxAvailable: (memory, ring, head, _doorbell, limit) => ownedByDevice(memory, ring, head, limit, R8169_OWNER),

  rxFetch(memory, ring, first, count, batch) {
    const { u32 } = memory;
    const { iovaLow, iovaHigh, lenBytes } = batch;
    const base = ring.address >>> 2;
    let slot = first % ring.size;
    for (let i = 0; i < count; i++) {
      const word = base + slot * WORDS;
      lenBytes[i] = u32[word + OPTS1] & R8169_RX_LENGTH;
      iovaLow[i] = u32[word + ADDR_LOW];
      iovaHigh[i] = u32[word + ADDR_HIGH];
      if (++slot === ring.size) slot = 0;
    }
    batch.count = count;
  },

  rxWriteBack(memory, ring, first, batch) {
    const { u32 } = memory;
    const { lenBytes, flags, packetType, vlanTci, count } = batch;
    const base = ring.address >>> 2;
    let slot = first % ring.size;
    let isFirst = true;
    let frameBytes = 0;
    for (let i = 0; i < count; i++) {
      const word = base + slot * WORDS;
      const isLast = (flags[i] & DESC_EOP) !== 0;
      if (isFirst) frameBytes = 0;
      frameBytes += lenBytes[i];
      let opts1 = (u32[word + OPTS1] & R8169_EOR) | (isFirst ? R8169_FS : 0) | r8169RxStatus(flags[i], packetType[i]);
      let length = lenBytes[i];
      if (isLast) {
        opts1 |= R8169_LS;
        length = frameBytes + R8169_FCS_BYTES;
      }
      if (length > R8169_RX_LENGTH) {
        opts1 |= R8169_RX_RES | R8169_RX_RWT;
        length = R8169_RX_LENGTH;
      }
      u32[word + OPTS2] = (flags[i] & DESC_VLAN) !== 0 ? R8169_RX_TAVA | r8169SwapTci(vlanTci[i]) : 0;
      // Clears OWN, so it comes last. EOR stays: the device needs it on its next round.
      u32[word + OPTS1] = opts1 | length;
      isFirst = isLast;
      if (++slot === ring.size) slot = 0;
    }
  },
};
