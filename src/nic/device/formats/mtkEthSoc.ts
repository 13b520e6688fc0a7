import type { HostMemory } from '../../../memory/index.js';
import { ETHERTYPE_VLAN } from '../../../packet/index.js';
import { DESC_CSUM, DESC_CSUM_PROTOCOL, DESC_DONE, DESC_EOP, DESC_FIRST, DESC_L4_BAD, DESC_L4_CHECKED, DESC_MALFORMED, DESC_VLAN } from '../batch.js';
import type { DescriptorFormat, RingMemory } from './descriptorFormat.js';
import { giveBack, givenBack, ownedByDevice } from './ownerBit.js';
import type { OwnerBit } from './ownerBit.js';
import { publishTail, slotsBeforeTail } from './tailRegister.js';

// MediaTek MT7988 (NETSYS v3): 8 little-endian words, struct mtk_rx_dma_v2 and mtk_tx_dma_v2 of mtk_eth_soc.h (Linux 6.18).
// Buffer addresses have 36 bits; bits 35 to 32 are the lowest bits of the word with the length.
//
//     RX (PDMA)  rxd1 addr     rxd2  31 DONE        30 LSO    23:8 length   3:0 addr 35:32
//                              rxd3   2 L4_VALID     0 VTAG   rxd4  31:16 TPID   15:0 TCI
//                              rxd5  29:26 source port   14:0 FOE entry, all ones for none
//     TX (QDMA)  txd1 addr     txd2  address of the next descriptor
//                              txd3  31 OWNER_CPU   30 LS0    23:8 length   3:0 addr 35:32
//                              txd4  30 SWC      11:8 forward port
//                              txd5  30:28 CHKSUM   txd6  16 INS_VLAN   15:0 TCI
//
// RX: the driver writes the buffer and its size, and the index register (CRX_IDX) says where the device has to stop.
// TX: descriptors are a list; the register (CTX_PTR) takes the address of the first one that isn't filled. OWNER_CPU back means done.
// RX has one checksum verdict: what isn't L4_VALID was not looked at, or is wrong. The driver of 6.18 doesn't ask for VTAG any more.
const BYTES = 32;
const WORDS = BYTES / 4;
const DONE = 0x80000000;
const LENGTH_SHIFT = 8;
const LENGTH_MASK = 0xffff;
const ADDR64 = 0xf;
const RXD3_L4_VALID = 1 << 2;
const RXD3_VTAG = 1;
const RXD5_FROM_GDM1 = 1 << 26;
const RXD5_NO_FOE_ENTRY = 0x7fff;
const OWNER_CPU = 0x80000000;
const LS0 = 1 << 30;
/** In txd3. */
const TX_OWNER: OwnerBit = { words: WORDS, word: 2, bit: OWNER_CPU, ofDevice: 0, last: LS0 };
const TXD4_SWC_TO_GDM1 = (1 << 30) | (1 << 8);
const TXD5_CHKSUM = 7 << 28;
const TXD6_INS_VLAN = 1 << 16;

/** I/O address of a TX descriptor, as `txd2` and the register hold it. */
function addressOf(ring: RingMemory, slot: number): number {
  return (ring.iovaLow + slot * BYTES) >>> 0;
}

/** MediaTek MT7988: RX ring with an index register, TX list with a pointer register. */
export const mtkEthSocFormat: DescriptorFormat = {
  name: 'mtk_eth_soc',
  description: 'MediaTek MT7988: 32 bytes, PDMA ring and QDMA list, 36-bit addresses (mtk_eth_soc.h, mtk_rx_dma_v2 and mtk_tx_dma_v2)',
  rxDescriptorBytes: BYTES,
  txDescriptorBytes: BYTES,
  rxRingBytes: (size) => size * BYTES,
  txRingBytes: (size) => size * BYTES,
  spareSlots: 1,
  rxPrefixBytes: 0,
  hasTxChecksum: true,
  hasTxVlan: true,

  rxInit() {},

  rxPost(memory, ring, first, batch) {
    const { u32 } = memory;
    const { iovaLow, iovaHigh, lenBytes, count } = batch;
    let slot = first % ring.size;
    for (let i = 0; i < count; i++) {
      const word = (ring.address >>> 2) + slot * WORDS;
      u32[word] = iovaLow[i];
      u32.fill(0, word + 2, word + WORDS);
      u32[word + 1] = ((lenBytes[i] & LENGTH_MASK) << LENGTH_SHIFT) | (iovaHigh[i] & ADDR64);
      if (++slot === ring.size) slot = 0;
    }
  },

  rxPublish: publishTail,
  rxAvailable: slotsBeforeTail,

  rxFetch(memory, ring, first, count, batch) {
    const { u32 } = memory;
    const { iovaLow, iovaHigh, lenBytes } = batch;
    let slot = first % ring.size;
    for (let i = 0; i < count; i++) {
      const word = (ring.address >>> 2) + slot * WORDS;
      iovaLow[i] = u32[word];
      iovaHigh[i] = u32[word + 1] & ADDR64;
      lenBytes[i] = (u32[word + 1] >>> LENGTH_SHIFT) & LENGTH_MASK;
      if (++slot === ring.size) slot = 0;
    }
    batch.count = count;
  },

  /** The device doesn't scatter: every descriptor is a frame. The address stays, as mtk_poll_rx gives the same buffer back out of it. */
  rxWriteBack(memory, ring, first, batch) {
    const { u32 } = memory;
    const { lenBytes, flags, vlanTci, count } = batch;
    let slot = first % ring.size;
    for (let i = 0; i < count; i++) {
      const word = (ring.address >>> 2) + slot * WORDS;
      const isValid = (flags[i] & (DESC_L4_CHECKED | DESC_L4_BAD)) === DESC_L4_CHECKED;
      const isTagged = (flags[i] & DESC_VLAN) !== 0;
      u32[word + 2] = (isValid ? RXD3_L4_VALID : 0) | (isTagged ? RXD3_VTAG : 0);
      u32[word + 3] = isTagged ? (ETHERTYPE_VLAN << 16) | vlanTci[i] : 0;
      u32[word + 4] = RXD5_FROM_GDM1 | RXD5_NO_FOE_ENTRY;
      u32[word + 1] = DONE | ((lenBytes[i] & LENGTH_MASK) << LENGTH_SHIFT) | (u32[word + 1] & ADDR64);
      if (++slot === ring.size) slot = 0;
    }
  },

  rxPoll(memory, ring, first, limit, batch) {
    const { u32 } = memory;
    const { lenBytes, flags, rssHash, rssType, timestampNs, packetType, vlanTci } = batch;
    let slot = first % ring.size;
    let count = 0;
    for (; count < limit; count++) {
      const word = (ring.address >>> 2) + slot * WORDS;
      const rxd2 = u32[word + 1];
      if ((rxd2 & DONE) === 0) break;
      lenBytes[count] = (rxd2 >>> LENGTH_SHIFT) & LENGTH_MASK;
      const rxd3 = u32[word + 2];
      flags[count] = DESC_DONE | DESC_FIRST | DESC_EOP | ((rxd3 & RXD3_L4_VALID) !== 0 ? DESC_L4_CHECKED : 0) | ((rxd3 & RXD3_VTAG) !== 0 ? DESC_VLAN : 0);
      vlanTci[count] = u32[word + 3] & 0xffff;
      rssHash[count] = rssType[count] = timestampNs[count] = packetType[count] = 0;
      if (++slot === ring.size) slot = 0;
    }
    batch.count = count;
    return count;
  },

  txInit(memory, ring) {
    const { u32 } = memory;
    for (let slot = 0; slot < ring.size; slot++) {
      const word = (ring.address >>> 2) + slot * WORDS;
      u32[word + 1] = addressOf(ring, (slot + 1) % ring.size);
      u32[word + 2] = LS0 | OWNER_CPU;
    }
  },

  txSlots: (buffers) => buffers,

  txPost(memory, ring, first, batch) {
    const { u32 } = memory;
    const { iovaLow, iovaHigh, lenBytes, flags, vlanTci, count } = batch;
    let slot = first % ring.size;
    let isFirst = true;
    for (let i = 0; i < count; i++) {
      const word = (ring.address >>> 2) + slot * WORDS;
      const offloads = isFirst ? flags[i] : 0;
      isFirst = (flags[i] & DESC_EOP) !== 0;
      u32[word] = iovaLow[i];
      u32[word + 3] = TXD4_SWC_TO_GDM1;
      u32[word + 4] = (offloads & DESC_CSUM) !== 0 ? TXD5_CHKSUM : 0;
      u32[word + 5] = (offloads & DESC_VLAN) !== 0 ? TXD6_INS_VLAN | vlanTci[i] : 0;
      u32[word + 6] = u32[word + 7] = 0;
      u32[word + 2] = (isFirst ? LS0 : 0) | ((lenBytes[i] & LENGTH_MASK) << LENGTH_SHIFT) | (iovaHigh[i] & ADDR64);
      if (++slot === ring.size) slot = 0;
    }
  },

  txPublish: (_memory, ring, tail) => addressOf(ring, tail % ring.size),

  /** A pointer that is no descriptor of the ring (0 before the first write) gives the device nothing; OWNER_CPU stops it (CHK_DDONE_EN). */
  txAvailable(memory, ring, head, doorbell, limit) {
    const end = (doorbell - ring.iovaLow) >>> 0;
    if (end % BYTES !== 0 || end >= ring.size * BYTES) return 0;
    return ownedByDevice(memory, ring, head, slotsBeforeTail(memory, ring, head, end / BYTES, limit), TX_OWNER);
  },

  /** The list of the model goes around the ring: a frame with a pointer to anywhere else is malformed. */
  txFetch(memory, ring, first, slots, batch) {
    const { u32 } = memory;
    const { iovaLow, iovaHigh, lenBytes, flags, packetType, l3Start, csumStart, csumOffset, vlanTci, slots: taken } = batch;
    let slot = first % ring.size;
    let frame = -1;
    for (let i = 0; i < slots; i++) {
      const word = (ring.address >>> 2) + slot * WORDS;
      const txd3 = u32[word + 2];
      iovaLow[i] = u32[word];
      iovaHigh[i] = txd3 & ADDR64;
      lenBytes[i] = (txd3 >>> LENGTH_SHIFT) & LENGTH_MASK;
      flags[i] = (txd3 & LS0) !== 0 ? DESC_EOP : 0;
      taken[i] = 1;
      if (frame === -1) {
        frame = i;
        flags[i] |= DESC_FIRST | offloadsOf(memory, word);
        vlanTci[i] = u32[word + 5] & 0xffff;
        // The device reads the headers.
        packetType[i] = l3Start[i] = csumStart[i] = csumOffset[i] = 0;
      }
      if (++slot === ring.size) slot = 0;
      if (u32[word + 1] !== addressOf(ring, slot)) flags[frame] |= DESC_MALFORMED;
      if ((txd3 & LS0) !== 0) frame = -1;
    }
    batch.count = slots;
  },

  txWriteBack: (memory, ring, first, slots) => giveBack(memory, ring, first, slots, TX_OWNER),
  txPoll: (memory, ring, first, limit) => givenBack(memory, ring, first, limit, TX_OWNER),
};

/** DESC_* of what the first descriptor of a frame asks for. CHKSUM is three bits (IP, TCP, UDP), which the driver only ever sets together. */
function offloadsOf(memory: HostMemory, word: number): number {
  const { u32 } = memory;
  return ((u32[word + 4] & TXD5_CHKSUM) !== 0 ? DESC_CSUM | DESC_CSUM_PROTOCOL : 0) | ((u32[word + 5] & TXD6_INS_VLAN) !== 0 ? DESC_VLAN : 0);
}
