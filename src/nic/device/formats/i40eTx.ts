import {
  DESC_CSUM, DESC_CSUM_IPV4, DESC_EOP, DESC_MALFORMED, DESC_VLAN, PACKET_IPV4, PACKET_IPV6, PACKET_SCTP, PACKET_TCP, PACKET_UDP,
} from '../batch.js';
import type { DescriptorBatch } from '../batch.js';
import type { TxFormat } from './descriptorFormat.js';
import {
  TX_DESC_BUF_SZ_MASK, TX_DESC_BUF_SZ_SHIFT, TX_DESC_CMD_EOP, TX_DESC_CMD_IIPT_IPV4, TX_DESC_CMD_IIPT_IPV6, TX_DESC_CMD_IIPT_MASK,
  TX_DESC_CMD_IL2TAG1, TX_DESC_CMD_L4T_MASK, TX_DESC_CMD_L4T_SCTP, TX_DESC_CMD_L4T_TCP, TX_DESC_CMD_L4T_UDP, TX_DESC_CMD_RS,
  TX_DESC_DTYPE_DATA, TX_DESC_DTYPE_DESC_DONE, TX_DESC_DTYPE_MASK, TX_DESC_L2TAG1_SHIFT, TX_DESC_OFFSET_SHIFT, TX_OFFSET_IPLEN_MASK,
  TX_OFFSET_IPLEN_SHIFT, TX_OFFSET_L4LEN_SHIFT, TX_OFFSET_MACLEN_MASK,
} from './i40eBits.js';
import { SCTP_CHECK_OFFSET, TCP_CHECK_OFFSET, UDP_CHECK_OFFSET } from './intelBits.js';
import { publishTail, slotsBeforeTail } from './tailRegister.js';

// Transmit data descriptor of i40e and ice: 16 bytes, little endian.
//
//        63        48 47         34 33             16 15           4 3     0
//    0 | address                                                            |
//    8 | L2TAG1      | BUF_SZ      | OFFSET          | CMD          | DTYPE |
//
//    OFFSET   L4LEN/4 17:14   IPLEN/4 13:7   MACLEN/2 6:0
//    CMD      EOP 0   RS 1   ICRC 2   IL2TAG1 3   IIPT 6:5 (1 IPv6, 2 IPv4, 3 IPv4 with header checksum)   L4T 9:8 (1 TCP, 2 SCTP, 3 UDP)
//
// Checksum and tag need no context descriptor. CMD and OFFSET are the same in all descriptors of a frame, but for EOP and RS.
// The device sums up what it finds from MACLEN + IPLEN on: software has put the sum of the pseudo header into the checksum field.
// Descriptors with RS are written back once the frame is sent: DTYPE becomes 0xF. (i40e may have the head written behind the ring instead.)
const BYTES = 16;
const WORDS = BYTES / 4;
const LAST = TX_DESC_CMD_EOP | TX_DESC_CMD_RS;

/** L4LEN, in 4 bytes. Only segmentation needs the true length of a TCP header, so options are not counted. */
const TCP_WORDS = 5;
const SCTP_WORDS = 3;
const UDP_WORDS = 2;

function l4Command(csumOffset: number): number {
  if (csumOffset === TCP_CHECK_OFFSET) return TX_DESC_CMD_L4T_TCP;
  if (csumOffset === UDP_CHECK_OFFSET) return TX_DESC_CMD_L4T_UDP;
  return csumOffset === SCTP_CHECK_OFFSET ? TX_DESC_CMD_L4T_SCTP : 0;
}

function l4Words(command: number): number {
  if (command === TX_DESC_CMD_L4T_TCP) return TCP_WORDS;
  return command === TX_DESC_CMD_L4T_UDP ? UDP_WORDS : SCTP_WORDS;
}

/** Offloads that the first descriptor of a frame asks for; its second quad word is `low` and `high`. */
function readOffloads(low: number, high: number, batch: DescriptorBatch, i: number): number {
  let flags = 0;
  if ((low & TX_DESC_CMD_IL2TAG1) !== 0) {
    flags |= DESC_VLAN;
    batch.vlanTci[i] = high >>> TX_DESC_L2TAG1_SHIFT;
  }
  const l4 = low & TX_DESC_CMD_L4T_MASK;
  const ip = low & TX_DESC_CMD_IIPT_MASK;
  if (ip === TX_DESC_CMD_IIPT_MASK) flags |= DESC_CSUM_IPV4;
  const offset = (low >>> TX_DESC_OFFSET_SHIFT) | ((high & 3) << 16);
  const l3Start = (offset & TX_OFFSET_MACLEN_MASK) * 2;
  batch.l3Start[i] = l3Start;
  batch.packetType[i] = ip === 0 ? 0 : ip === TX_DESC_CMD_IIPT_IPV6 ? PACKET_IPV6 : PACKET_IPV4;
  if (l4 === 0) return flags;
  // The device looks for layer 4 behind a layer 3 of which it must know what it is.
  if (ip === 0) return flags | DESC_MALFORMED;
  batch.csumStart[i] = l3Start + ((offset >>> TX_OFFSET_IPLEN_SHIFT) & TX_OFFSET_IPLEN_MASK) * 4;
  if (l4 === TX_DESC_CMD_L4T_TCP) {
    batch.csumOffset[i] = TCP_CHECK_OFFSET;
    batch.packetType[i] |= PACKET_TCP;
  } else if (l4 === TX_DESC_CMD_L4T_UDP) {
    batch.csumOffset[i] = UDP_CHECK_OFFSET;
    batch.packetType[i] |= PACKET_UDP;
  } else {
    batch.csumOffset[i] = SCTP_CHECK_OFFSET;
    batch.packetType[i] |= PACKET_SCTP;
  }
  return flags | DESC_CSUM;
}

/**
 * The sending half of i40e or ice.
 *
 * @param always CMD bits of every descriptor
 */
export function i40eTx(always: number): TxFormat {
  return {
    txDescriptorBytes: BYTES,
    txRingBytes: (size) => size * BYTES,
    spareSlots: 1,
    hasTxChecksum: true,
    hasTxVlan: true,

    txInit() {},
    txSlots: (buffers) => buffers,

    txPost(memory, ring, first, batch) {
      const { u32 } = memory;
      const { iovaLow, iovaHigh, lenBytes, flags, packetType, vlanTci, l3Start, csumStart, csumOffset, count } = batch;
      const base = ring.address >>> 2;
      let slot = first % ring.size;
      let isFirst = true;
      let command = 0;
      let offset = 0;
      let tag = 0;
      for (let i = 0; i < count; i++) {
        if (isFirst) {
          command = always | TX_DESC_DTYPE_DATA;
          offset = 0;
          tag = 0;
          if ((flags[i] & DESC_CSUM) !== 0) {
            const l4 = l4Command(csumOffset[i]);
            command |= l4 | ((packetType[i] & PACKET_IPV6) !== 0 ? TX_DESC_CMD_IIPT_IPV6 : TX_DESC_CMD_IIPT_IPV4);
            offset = ((l3Start[i] >>> 1) & TX_OFFSET_MACLEN_MASK)
              | ((((csumStart[i] - l3Start[i]) >>> 2) & TX_OFFSET_IPLEN_MASK) << TX_OFFSET_IPLEN_SHIFT)
              | (l4Words(l4) << TX_OFFSET_L4LEN_SHIFT);
          }
          if ((flags[i] & DESC_VLAN) !== 0) {
            command |= TX_DESC_CMD_IL2TAG1;
            tag = vlanTci[i];
          }
        }
        isFirst = (flags[i] & DESC_EOP) !== 0;
        const word = base + slot * WORDS;
        u32[word] = iovaLow[i];
        u32[word + 1] = iovaHigh[i];
        u32[word + 3] = (tag << TX_DESC_L2TAG1_SHIFT) | ((lenBytes[i] & TX_DESC_BUF_SZ_MASK) << TX_DESC_BUF_SZ_SHIFT) | (offset >>> 16);
        u32[word + 2] = (offset << TX_DESC_OFFSET_SHIFT) | command | (isFirst ? LAST : 0);
        if (++slot === ring.size) slot = 0;
      }
    },

    txPublish: publishTail,
    txAvailable: slotsBeforeTail,

    txFetch(memory, ring, first, slots, batch) {
      const { u32 } = memory;
      const { iovaLow, iovaHigh, lenBytes, flags, slots: taken } = batch;
      const base = ring.address >>> 2;
      let slot = first % ring.size;
      /** First buffer of the frame, which all that is said about the frame is said of; -1 between frames. */
      let frame = -1;
      for (let i = 0; i < slots; i++) {
        const word = base + slot * WORDS;
        const low = u32[word + 2];
        const high = u32[word + 3];
        const length = (high >>> TX_DESC_BUF_SZ_SHIFT) & TX_DESC_BUF_SZ_MASK;
        iovaLow[i] = u32[word];
        iovaHigh[i] = u32[word + 1];
        lenBytes[i] = length;
        taken[i] = 1;
        flags[i] = (low & TX_DESC_CMD_EOP) !== 0 ? DESC_EOP : 0;
        if (frame < 0) {
          frame = i;
          flags[i] |= readOffloads(low, high, batch, i);
        }
        // Context descriptors (segmentation, a second tag, time stamps) are not part of the model; DTYPE 0xF is a descriptor of the lap before.
        if ((low & TX_DESC_DTYPE_MASK) !== TX_DESC_DTYPE_DATA || length === 0) flags[frame] |= DESC_MALFORMED;
        if ((low & TX_DESC_CMD_EOP) !== 0) frame = -1;
        if (++slot === ring.size) slot = 0;
      }
      batch.count = slots;
    },

    txWriteBack(memory, ring, first, slots) {
      const { u32 } = memory;
      const base = (ring.address >>> 2) + 2;
      let slot = first % ring.size;
      for (let i = 0; i < slots; i++) {
        const word = base + slot * WORDS;
        if ((u32[word] & TX_DESC_CMD_RS) !== 0) u32[word] |= TX_DESC_DTYPE_DESC_DONE;
        if (++slot === ring.size) slot = 0;
      }
    },

    // Frames without RS are done when a later one is.
    txPoll(memory, ring, first, limit) {
      const { u32 } = memory;
      const base = (ring.address >>> 2) + 2;
      let slot = first % ring.size;
      let done = 0;
      for (let i = 1; i <= limit; i++) {
        const word = base + slot * WORDS;
        if ((u32[word] & LAST) === LAST) {
          if ((u32[word] & TX_DESC_DTYPE_MASK) !== TX_DESC_DTYPE_DESC_DONE) break;
          done = i;
        }
        if (++slot === ring.size) slot = 0;
      }
      return done;
    },
  };
}
