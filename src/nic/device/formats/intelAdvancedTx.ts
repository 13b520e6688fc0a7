import {
  DESC_CSUM, DESC_CSUM_IPV4, DESC_EOP, DESC_LAUNCH, DESC_LAUNCH_FIRST, DESC_MALFORMED, DESC_VLAN, PACKET_IPV4, PACKET_SCTP, PACKET_TCP, PACKET_UDP,
} from '../batch.js';
import type { DescriptorBatch } from '../batch.js';
import type { TxFormat } from './descriptorFormat.js';
import {
  ADVTXD_DCMD_DEXT, ADVTXD_DCMD_EOP, ADVTXD_DCMD_IFCS, ADVTXD_DCMD_RS, ADVTXD_DCMD_TSE, ADVTXD_DCMD_VLE, ADVTXD_DTALEN_MASK, ADVTXD_DTYP_CTXT,
  ADVTXD_DTYP_DATA, ADVTXD_DTYP_MASK, ADVTXD_IDX_MASK, ADVTXD_IDX_SHIFT, ADVTXD_IPLEN_MASK, ADVTXD_L4T_RESERVED, ADVTXD_L4T_SCTP,
  ADVTXD_L4T_TCP, ADVTXD_L4T_UDP, ADVTXD_MACLEN_MASK, ADVTXD_MACLEN_SHIFT, ADVTXD_PAYLEN_SHIFT, ADVTXD_TSN_CNTX_FIRST, ADVTXD_TUCMD_IPV4, ADVTXD_TUCMD_L4T_SHIFT,
  ADVTXD_VLAN_SHIFT, SCTP_CHECK_OFFSET, TCP_CHECK_OFFSET, TXD_POPTS_IXSM, TXD_POPTS_TXSM, TXD_STAT_DD, UDP_CHECK_OFFSET,
} from './intelBits.js';
import { publishTail, slotsBeforeTail } from './tailRegister.js';

// Advanced transmit descriptors of igb, igc and ixgbe: 16 bytes, little endian.
//
//               31        30  29   28 27 26 25   24  23    20 19      16 15                0
//    data     0 | address, 64 bits                                                         |
//             8 | TSE   |VLE|DEXT|  |RS|  |IFCS|EOP| DTYP = 3 |         | DTALEN           |   cmd_type_len
//            12 | PAYLEN 31:14                   |    | TXSM 9 | IXSM 8 | IDX 6:4 |  DD 0   |   olinfo_status
//
//    context  0 | VLAN 31:16                                  | MACLEN 15:9  | IPLEN 8:0   |   vlan_macip_lens
//             4 | launch time: igc, ns from the start of a cycle; 0 for the others          |
//             8 |           DEXT 29 |             | DTYP = 2 |    | L4T 12:11 | IPV4 10      |   type_tucmd
//            12 | MSS 31:16                                   | L4LEN 15:8 |FIRST 7| IDX 6:4 |   mss_l4len_idx
//
// A context says where the headers are and which tag to insert; the device keeps two of them (IDX) until they are overwritten. Drivers put one
// before every frame that needs one, always with IDX 0. MSS and L4LEN are for segmentation. FIRST is igc's, too: the frame opens a cycle.
// The device sums up what it finds from MACLEN + IPLEN on: software has put the sum of the pseudo header into the checksum field.
// RS asks for DD in the fourth word once the frame is sent; nothing is written into other descriptors.
const BYTES = 16;
const WORDS = BYTES / 4;
const CONTEXTS = 2;
const ETH_HLEN = 14;
const DATA = ADVTXD_DTYP_DATA | ADVTXD_DCMD_DEXT | ADVTXD_DCMD_IFCS;
const LAST = ADVTXD_DCMD_EOP | ADVTXD_DCMD_RS;

/** Words of `RingMemory.state`, device's side, for each context: vlan_macip_lens, and type_tucmd, which is 0 as long as there is none. */
const STATE_WORDS = 2;

/** By the third word. Without DEXT it is a legacy descriptor, whatever lies in DTYP. */
function isContext(cmd: number): boolean {
  return (cmd & (ADVTXD_DCMD_DEXT | ADVTXD_DTYP_MASK)) === (ADVTXD_DCMD_DEXT | ADVTXD_DTYP_CTXT);
}

/** Layer 4 type for `csum_offset`, as igb_tx_csum and ixgbe_tx_csum (Linux 6.1) choose it; for others they compute the sum themselves. */
function l4Type(csumOffset: number): number {
  if (csumOffset === TCP_CHECK_OFFSET) return ADVTXD_L4T_TCP;
  if (csumOffset === UDP_CHECK_OFFSET) return ADVTXD_L4T_UDP;
  return csumOffset === SCTP_CHECK_OFFSET ? ADVTXD_L4T_SCTP : ADVTXD_L4T_RESERVED;
}

/** Bytes of the frame whose first buffer is `i`. */
function frameBytes({ lenBytes, flags, count }: DescriptorBatch, i: number): number {
  let bytes = lenBytes[i];
  while ((flags[i] & DESC_EOP) === 0 && i + 1 < count) bytes += lenBytes[++i];
  return bytes;
}

/** Offloads that a data descriptor asks for, out of the context that it names; DESC_MALFORMED if there is no such context. */
function readOffloads(state: Int32Array, cmd: number, olinfo: number, batch: DescriptorBatch, i: number): number {
  const wantsChecksum = (olinfo & (TXD_POPTS_TXSM | TXD_POPTS_IXSM)) !== 0;
  if (!wantsChecksum && (cmd & ADVTXD_DCMD_VLE) === 0) return 0;
  const index = (olinfo >>> ADVTXD_IDX_SHIFT) & ADVTXD_IDX_MASK;
  if (index >= CONTEXTS || state[index * STATE_WORDS + 1] === 0) return DESC_MALFORMED;
  const lens = state[index * STATE_WORDS];
  const tucmd = state[index * STATE_WORDS + 1];
  let flags = 0;
  if ((cmd & ADVTXD_DCMD_VLE) !== 0) {
    flags |= DESC_VLAN;
    batch.vlanTci[i] = lens >>> ADVTXD_VLAN_SHIFT;
  }
  if (!wantsChecksum) return flags;
  const l3Start = (lens >>> ADVTXD_MACLEN_SHIFT) & ADVTXD_MACLEN_MASK;
  const l4 = (tucmd >>> ADVTXD_TUCMD_L4T_SHIFT) & 3;
  batch.l3Start[i] = l3Start;
  batch.packetType[i] = (tucmd & ADVTXD_TUCMD_IPV4) !== 0 ? PACKET_IPV4 : 0;
  if ((olinfo & TXD_POPTS_IXSM) !== 0) flags |= DESC_CSUM_IPV4;
  if ((olinfo & TXD_POPTS_TXSM) === 0) return flags;
  batch.csumStart[i] = l3Start + (lens & ADVTXD_IPLEN_MASK);
  if (l4 === ADVTXD_L4T_TCP) {
    batch.csumOffset[i] = TCP_CHECK_OFFSET;
    batch.packetType[i] |= PACKET_TCP;
  } else if (l4 === ADVTXD_L4T_UDP) {
    batch.csumOffset[i] = UDP_CHECK_OFFSET;
    batch.packetType[i] |= PACKET_UDP;
  } else if (l4 === ADVTXD_L4T_SCTP) {
    batch.csumOffset[i] = SCTP_CHECK_OFFSET;
    batch.packetType[i] |= PACKET_SCTP;
  } else return DESC_MALFORMED;
  return flags | DESC_CSUM;
}

/**
 * The sending half of igb, igc or ixgbe.
 *
 * @param maxBufferBytes most bytes that one descriptor may name
 * @param hasLaunchTime the device looks at launch times as igc does
 */
export function advancedTx(maxBufferBytes: number, hasLaunchTime = false): TxFormat {
  const contextFlags = DESC_CSUM | DESC_VLAN | (hasLaunchTime ? DESC_LAUNCH : 0);
  return {
    txDescriptorBytes: BYTES,
    txRingBytes: (size) => size * BYTES,
    spareSlots: 1,
    hasTxChecksum: true,
    hasTxVlan: true,

    txInit() {},
    txSlots: (buffers, flags) => ((flags & contextFlags) !== 0 ? buffers + 1 : buffers),

    txPost(memory, ring, first, batch) {
      const { u32 } = memory;
      const { iovaLow, iovaHigh, lenBytes, flags, packetType, vlanTci, l3Start, csumStart, csumOffset, launchNs, count } = batch;
      const { size } = ring;
      const base = ring.address >>> 2;
      let slot = first % size;
      let isFirst = true;
      let vlan = 0;
      for (let i = 0; i < count; i++) {
        let olinfo = 0;
        if (isFirst) {
          const hasCsum = (flags[i] & DESC_CSUM) !== 0;
          const hasVlan = (flags[i] & DESC_VLAN) !== 0;
          vlan = hasVlan ? ADVTXD_DCMD_VLE : 0;
          olinfo = (frameBytes(batch, i) << ADVTXD_PAYLEN_SHIFT) | (hasCsum ? TXD_POPTS_TXSM : 0);
          if ((flags[i] & contextFlags) !== 0) {
            const word = base + slot * WORDS;
            const macLen = hasCsum ? l3Start[i] : ETH_HLEN;
            u32[word] = (hasVlan ? vlanTci[i] << ADVTXD_VLAN_SHIFT : 0)
              | ((macLen & ADVTXD_MACLEN_MASK) << ADVTXD_MACLEN_SHIFT)
              | (hasCsum ? (csumStart[i] - l3Start[i]) & ADVTXD_IPLEN_MASK : 0);
            u32[word + 1] = hasLaunchTime && (flags[i] & DESC_LAUNCH) !== 0 ? launchNs[i] : 0;
            u32[word + 2] = ADVTXD_DTYP_CTXT | ADVTXD_DCMD_DEXT
              | (hasCsum ? l4Type(csumOffset[i]) << ADVTXD_TUCMD_L4T_SHIFT : 0)
              | (hasCsum && (packetType[i] & PACKET_IPV4) !== 0 ? ADVTXD_TUCMD_IPV4 : 0);
            u32[word + 3] = hasLaunchTime && (flags[i] & DESC_LAUNCH_FIRST) !== 0 ? ADVTXD_TSN_CNTX_FIRST : 0;
            if (++slot === size) slot = 0;
          }
        }
        isFirst = (flags[i] & DESC_EOP) !== 0;
        const word = base + slot * WORDS;
        u32[word] = iovaLow[i];
        u32[word + 1] = iovaHigh[i];
        u32[word + 2] = DATA | vlan | (isFirst ? LAST : 0) | (lenBytes[i] & ADVTXD_DTALEN_MASK);
        u32[word + 3] = olinfo;
        if (++slot === size) slot = 0;
      }
    },

    txPublish: publishTail,
    txAvailable: slotsBeforeTail,

    txFetch(memory, ring, first, slots, batch) {
      const { u32 } = memory;
      const { iovaLow, iovaHigh, lenBytes, flags, launchNs, slots: taken } = batch;
      const { size, state } = ring;
      const base = ring.address >>> 2;
      let slot = first % size;
      let count = 0;
      let contexts = 0;
      /** Of the context before the frame; a frame without one is sent in its turn. */
      let launch = 0;
      let launchFlags = 0;
      /** First buffer of the frame, which all that is said about the frame is said of; -1 between frames. */
      let frame = -1;
      for (let i = 0; i < slots; i++) {
        const word = base + slot * WORDS;
        if (++slot === size) slot = 0;
        const cmd = u32[word + 2];
        const olinfo = u32[word + 3];
        if (isContext(cmd)) {
          if (frame >= 0) {
            // The frame before has no EOP.
            flags[frame] |= DESC_MALFORMED;
            flags[count - 1] |= DESC_EOP;
            frame = -1;
          }
          const index = (olinfo >>> ADVTXD_IDX_SHIFT) & ADVTXD_IDX_MASK;
          if (index < CONTEXTS) {
            state[index * STATE_WORDS] = u32[word];
            state[index * STATE_WORDS + 1] = cmd;
          }
          if (hasLaunchTime) {
            launch = u32[word + 1];
            launchFlags = (olinfo & ADVTXD_TSN_CNTX_FIRST) !== 0 ? DESC_LAUNCH | DESC_LAUNCH_FIRST : launch !== 0 ? DESC_LAUNCH : 0;
          }
          contexts++;
          continue;
        }
        const length = cmd & ADVTXD_DTALEN_MASK;
        iovaLow[count] = u32[word];
        iovaHigh[count] = u32[word + 1];
        lenBytes[count] = length;
        taken[count] = 1 + contexts;
        contexts = 0;
        flags[count] = (cmd & ADVTXD_DCMD_EOP) !== 0 ? DESC_EOP : 0;
        if (frame < 0) {
          frame = count;
          flags[count] |= readOffloads(state, cmd, olinfo, batch, count) | launchFlags;
          launchNs[count] = launch;
          launchFlags = 0;
        }
        // Neither legacy descriptors nor segmentation (TSE) are part of the model.
        const isData = (cmd & (ADVTXD_DCMD_DEXT | ADVTXD_DTYP_MASK | ADVTXD_DCMD_TSE)) === (ADVTXD_DCMD_DEXT | ADVTXD_DTYP_DATA);
        if (!isData || length === 0 || length > maxBufferBytes) flags[frame] |= DESC_MALFORMED;
        if ((cmd & ADVTXD_DCMD_EOP) !== 0) frame = -1;
        count++;
      }
      batch.count = count;
    },

    txWriteBack(memory, ring, first, slots) {
      const { u32 } = memory;
      const base = ring.address >>> 2;
      let slot = first % ring.size;
      for (let i = 0; i < slots; i++) {
        const word = base + slot * WORDS;
        if ((u32[word + 2] & ADVTXD_DCMD_RS) !== 0 && !isContext(u32[word + 2])) u32[word + 3] |= TXD_STAT_DD;
        if (++slot === ring.size) slot = 0;
      }
    },

    // Frames without RS are done when a later one is.
    txPoll(memory, ring, first, limit) {
      const { u32 } = memory;
      const base = ring.address >>> 2;
      let slot = first % ring.size;
      let done = 0;
      for (let i = 1; i <= limit; i++) {
        const word = base + slot * WORDS;
        if ((u32[word + 2] & LAST) === LAST && !isContext(u32[word + 2])) {
          if ((u32[word + 3] & TXD_STAT_DD) === 0) break;
          done = i;
        }
        if (++slot === ring.size) slot = 0;
      }
      return done;
    },
  };
}
