import {
  DESC_EOP, DESC_L3_BAD, DESC_L3_CHECKED, DESC_L4_BAD, DESC_L4_CHECKED, DESC_RSS, DESC_RX_ERROR, DESC_VLAN, PACKET_IPV4, PACKET_SCTP, PACKET_TCP,
  PACKET_UDP,
} from '../batch.js';
import type { DescriptorFormat } from './descriptorFormat.js';
import { packetTypeOfPtype, packetTypeOfUmbcast, ptypeOf, TX_DESC_CMD_ICRC, umbcastOf, xdpRssOf } from './i40eBits.js';
import { i40eTx } from './i40eTx.js';
import { addressRing } from './tailRegister.js';

// Receive descriptor of i40e: 16 bytes, little endian. The read form is pkt_addr and hdr_addr, as in igb. Written back:
//
//        63  62      52 51       38 37    30 29 27 26     19 18           0
//    0 | RSS hash                      | l2tag1 31:16      | mirror 15:0   |
//    8 | SPH | hdr_len | length      | ptype  |    | error   | status      |
const WORDS = 16 / 4;

// Second quad word, low half: status, error, and two bits of ptype (I40E_RX_DESC_STATUS_*, I40E_RX_DESC_ERROR_*).
const STATUS_DD = 1 << 0;
const STATUS_EOF = 1 << 1;
const STATUS_L2TAG1P = 1 << 2;
const STATUS_L3L4P = 1 << 3;
const STATUS_UMBCAST_SHIFT = 9;
const STATUS_FLTSTAT_MASK = 3 << 12;
const STATUS_FLTSTAT_RSS_HASH = 3 << 12;
const ERROR_RXE = 1 << 19;
const ERROR_IPE = 1 << (19 + 3);
const ERROR_L4E = 1 << (19 + 4);
const PTYPE_SHIFT = 30;
// High half: the other six bits of ptype, and the length.
const PTYPE_HIGH_MASK = 0x3f;
const PTYPE_LOW_BITS = 2;
const LENGTH_SHIFT = 38 - 32;
const LENGTH_MASK = 0x3fff;
const L2TAG1_SHIFT = 16;

const L4 = PACKET_TCP | PACKET_UDP | PACKET_SCTP;

/**
 * Checksum results as drivers of i40e and ice take them out of a descriptor (i40e_rx_checksum, ice_rx_csum): one bit says that the device
 * has looked, the packet type at what.
 */
export function checksumFlags(packetType: number, isIpBad: boolean, isL4Bad: boolean): number {
  let flags = 0;
  if ((packetType & PACKET_IPV4) !== 0) flags |= isIpBad ? DESC_L3_CHECKED | DESC_L3_BAD : DESC_L3_CHECKED;
  if ((packetType & L4) !== 0) flags |= isL4Bad ? DESC_L4_CHECKED | DESC_L4_BAD : DESC_L4_CHECKED;
  return flags;
}

/** Status and error bits of one descriptor, without DD. */
function statusError(flags: number, packetType: number): number {
  let status = umbcastOf(packetType) << STATUS_UMBCAST_SHIFT;
  if ((flags & DESC_EOP) !== 0) status |= STATUS_EOF;
  if ((flags & DESC_VLAN) !== 0) status |= STATUS_L2TAG1P;
  if ((flags & DESC_RSS) !== 0) status |= STATUS_FLTSTAT_RSS_HASH;
  if ((flags & DESC_RX_ERROR) !== 0) status |= ERROR_RXE;
  if ((flags & (DESC_L3_CHECKED | DESC_L4_CHECKED)) !== 0) status |= STATUS_L3L4P;
  if ((flags & DESC_L3_BAD) !== 0) status |= ERROR_IPE;
  if ((flags & DESC_L4_BAD) !== 0) status |= ERROR_L4E;
  return status;
}

/** Descriptors of i40e. */
export const i40eFormat: DescriptorFormat = {
  name: 'i40e',
  description: 'Intel X710, XL710: 16-byte descriptors, tail registers (XL710 data sheet, 8.3.2 and 8.4.2)',
  ...addressRing(WORDS),
  rxPrefixBytes: 0,
  ...i40eTx(TX_DESC_CMD_ICRC),

  rxWriteBack(memory, ring, first, batch) {
    const { u32 } = memory;
    const { lenBytes, flags, rssHash, packetType, vlanTci, count } = batch;
    const base = ring.address >>> 2;
    let slot = first % ring.size;
    for (let i = 0; i < count; i++) {
      const word = base + slot * WORDS;
      const ptype = ptypeOf(packetType[i]);
      u32[word] = (flags[i] & DESC_VLAN) !== 0 ? vlanTci[i] << L2TAG1_SHIFT : 0;
      u32[word + 1] = (flags[i] & DESC_RSS) !== 0 ? rssHash[i] : 0;
      u32[word + 3] = ((lenBytes[i] & LENGTH_MASK) << LENGTH_SHIFT) | (ptype >>> PTYPE_LOW_BITS);
      u32[word + 2] = (ptype << PTYPE_SHIFT) | statusError(flags[i], packetType[i]) | STATUS_DD;
      if (++slot === ring.size) slot = 0;
    }
  },

  rxPoll(memory, ring, first, limit, batch) {
    const { u32 } = memory;
    const { lenBytes, flags, rssHash, rssType, timestampNs, packetType, vlanTci } = batch;
    const base = ring.address >>> 2;
    let slot = first % ring.size;
    let count = 0;
    for (; count < limit; count++) {
      const word = base + slot * WORDS;
      const status = u32[word + 2];
      if ((status & STATUS_DD) === 0) break;
      const high = u32[word + 3];
      const headers = packetTypeOfPtype((status >>> PTYPE_SHIFT) | ((high & PTYPE_HIGH_MASK) << PTYPE_LOW_BITS));
      let found = (status & STATUS_EOF) !== 0 ? DESC_EOP : 0;
      if ((status & STATUS_L2TAG1P) !== 0) found |= DESC_VLAN;
      if ((status & STATUS_FLTSTAT_MASK) === STATUS_FLTSTAT_RSS_HASH) found |= DESC_RSS;
      if ((status & ERROR_RXE) !== 0) found |= DESC_RX_ERROR;
      if ((status & STATUS_L3L4P) !== 0) found |= checksumFlags(headers, (status & ERROR_IPE) !== 0, (status & ERROR_L4E) !== 0);
      lenBytes[count] = (high >>> LENGTH_SHIFT) & LENGTH_MASK;
      flags[count] = found;
      rssHash[count] = u32[word + 1];
      rssType[count] = xdpRssOf(headers);
      timestampNs[count] = 0;
      packetType[count] = headers | packetTypeOfUmbcast((status >>> STATUS_UMBCAST_SHIFT) & 3);
      vlanTci[count] = u32[word] >>> L2TAG1_SHIFT;
      if (++slot === ring.size) slot = 0;
    }
    batch.count = count;
    return count;
  },
};
