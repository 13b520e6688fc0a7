import {
  DESC_EOP, DESC_L3_BAD, DESC_L3_CHECKED, DESC_L4_BAD, DESC_L4_CHECKED, DESC_RSS, DESC_RX_ERROR, DESC_TIMESTAMP, DESC_VLAN,
} from '../batch.js';
import { extendTimestamp32 } from '../timestamps.js';
import type { DescriptorFormat } from './descriptorFormat.js';
import { checksumFlags } from './i40e.js';
import { packetTypeOfPtype, packetTypeOfUmbcast, ptypeOf, umbcastOf, xdpRssOf } from './i40eBits.js';
import { i40eTx } from './i40eTx.js';
import { addressRing } from './tailRegister.js';

// Receive descriptor of ice with the flexible layout of its driver (RXDID 2, ICE_RXDID_FLEX_NIC): 32 bytes, little endian. The read form is
// pkt_addr, hdr_addr and 16 bytes of 0. Written back, by bytes:
//
//     0 rxdid u8     1 mirror 5:0, umbcast 7:6   2 ptype 9:0 u16       4 pkt_len 13:0 u16    6 hdr_len u16
//     8 status_error0 u16                       10 l2tag1 u16         12 RSS hash u32
//    16 status_error1 u16                       18 flags2 u8          19 ts_low u8          20 l2tag2_1st u16   22 l2tag2_2nd u16
//    24 flow_id u32                             28 ts_high u32
//
// The time stamp has 40 bits: nanoseconds modulo 2^32 in ts_high, fractions in ts_low, whose bit 0 says that there is a stamp.
const WORDS = 32 / 4;

const RXDID_FLEX_NIC = 2;
const UMBCAST_SHIFT = 8 + 6;
const PTYPE_SHIFT = 16;
const PTYPE_MASK = 0x3ff;
const PKT_LEN_MASK = 0x3fff;
const L2TAG_SHIFT = 16;

// status_error0 (ICE_RX_FLEX_DESC_STATUS0_*).
const STATUS0_DD = 1 << 0;
const STATUS0_EOF = 1 << 1;
const STATUS0_L3L4P = 1 << 3;
const STATUS0_IPE = 1 << 4;
const STATUS0_L4E = 1 << 5;
const STATUS0_RXE = 1 << 10;
const STATUS0_RSS_VALID = 1 << 12;
const STATUS0_L2TAG1P = 1 << 13;
/** status_error1: there is a tag in l2tag2_2nd (as when two tags are stripped). */
const STATUS1_L2TAG2P = 1 << 11;
/** ts_low, in the word that it ends. */
const TS_VALID = 1 << 24;

/**
 * Bytes behind the descriptors: the size of the buffers (see tailRegister.ts), and the time of the device's clock when it last wrote a
 * stamp, which a driver reads from a register (GLTSYN_TIME) to know what the stamp's upper half is.
 */
const REGISTER_BYTES = 16;
const CLOCK_LOW = 1;
const CLOCK_HIGH = 2;

/** status_error0 of one descriptor, without DD. */
function statusError(flags: number): number {
  let status = (flags & DESC_EOP) !== 0 ? STATUS0_EOF : 0;
  if ((flags & DESC_VLAN) !== 0) status |= STATUS0_L2TAG1P;
  if ((flags & DESC_RSS) !== 0) status |= STATUS0_RSS_VALID;
  if ((flags & DESC_RX_ERROR) !== 0) status |= STATUS0_RXE;
  if ((flags & (DESC_L3_CHECKED | DESC_L4_CHECKED)) !== 0) status |= STATUS0_L3L4P;
  if ((flags & DESC_L3_BAD) !== 0) status |= STATUS0_IPE;
  if ((flags & DESC_L4_BAD) !== 0) status |= STATUS0_L4E;
  return status;
}

/** Descriptors of ice. */
export const iceFormat: DescriptorFormat = {
  name: 'ice',
  description: 'Intel E810: flexible 32-byte receive descriptors, 16-byte transmit descriptors, tail registers (ice_lan_tx_rx.h)',
  ...addressRing(WORDS, REGISTER_BYTES),
  rxPrefixBytes: 0,
  ...i40eTx(0),

  rxWriteBack(memory, ring, first, batch) {
    const { u32 } = memory;
    const { lenBytes, flags, rssHash, timestampNs, packetType, vlanTci, count } = batch;
    const base = ring.address >>> 2;
    const registers = base + ring.size * WORDS;
    let slot = first % ring.size;
    for (let i = 0; i < count; i++) {
      const word = base + slot * WORDS;
      const hasStamp = (flags[i] & DESC_TIMESTAMP) !== 0;
      const stampHigh = Math.floor(timestampNs[i] / 2 ** 32);
      const stamp = timestampNs[i] - stampHigh * 2 ** 32;
      if (hasStamp) {
        u32[registers + CLOCK_LOW] = stamp;
        u32[registers + CLOCK_HIGH] = stampHigh;
      }
      u32[word] = RXDID_FLEX_NIC | (umbcastOf(packetType[i]) << UMBCAST_SHIFT) | (ptypeOf(packetType[i]) << PTYPE_SHIFT);
      u32[word + 1] = lenBytes[i] & PKT_LEN_MASK;
      u32[word + 3] = (flags[i] & DESC_RSS) !== 0 ? rssHash[i] : 0;
      u32[word + 4] = hasStamp ? TS_VALID : 0;
      u32[word + 5] = 0;
      u32[word + 6] = 0;
      u32[word + 7] = hasStamp ? stamp : 0;
      u32[word + 2] = statusError(flags[i]) | STATUS0_DD | ((flags[i] & DESC_VLAN) !== 0 ? vlanTci[i] << L2TAG_SHIFT : 0);
      if (++slot === ring.size) slot = 0;
    }
  },

  rxPoll(memory, ring, first, limit, batch) {
    const { u32 } = memory;
    const { lenBytes, flags, rssHash, rssType, timestampNs, packetType, vlanTci } = batch;
    const base = ring.address >>> 2;
    const registers = base + ring.size * WORDS;
    let slot = first % ring.size;
    let count = 0;
    for (; count < limit; count++) {
      const word = base + slot * WORDS;
      const status = u32[word + 2];
      if ((status & STATUS0_DD) === 0) break;
      const type = u32[word];
      const status1 = u32[word + 4];
      const headers = packetTypeOfPtype((type >>> PTYPE_SHIFT) & PTYPE_MASK);
      let found = (status & STATUS0_EOF) !== 0 ? DESC_EOP : 0;
      if ((status & STATUS0_L2TAG1P) !== 0 || (status1 & STATUS1_L2TAG2P) !== 0) found |= DESC_VLAN;
      if ((status & STATUS0_RSS_VALID) !== 0) found |= DESC_RSS;
      if ((status & STATUS0_RXE) !== 0) found |= DESC_RX_ERROR;
      if ((status & STATUS0_L3L4P) !== 0) found |= checksumFlags(headers, (status & STATUS0_IPE) !== 0, (status & STATUS0_L4E) !== 0);
      timestampNs[count] = 0;
      if ((status1 & TS_VALID) !== 0) {
        found |= DESC_TIMESTAMP;
        timestampNs[count] = extendTimestamp32(u32[registers + CLOCK_HIGH] * 2 ** 32 + u32[registers + CLOCK_LOW], u32[word + 7]);
      }
      lenBytes[count] = u32[word + 1] & PKT_LEN_MASK;
      flags[count] = found;
      rssHash[count] = u32[word + 3];
      rssType[count] = xdpRssOf(headers);
      packetType[count] = headers | packetTypeOfUmbcast((type >>> UMBCAST_SHIFT) & 3);
      vlanTci[count] = (status & STATUS0_L2TAG1P) !== 0 ? status >>> L2TAG_SHIFT : u32[word + 5] >>> L2TAG_SHIFT;
      if (++slot === ring.size) slot = 0;
    }
    batch.count = count;
    return count;
  },
};
