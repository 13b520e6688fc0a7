import type { HostMemory } from '../../../memory/index.js';
import {
  DESC_EOP, DESC_L3_BAD, DESC_L3_CHECKED, DESC_L4_BAD, DESC_L4_CHECKED, DESC_RSS, DESC_RX_ERROR, DESC_TIMESTAMP, DESC_VLAN, PACKET_UDP,
} from '../batch.js';
import type { RxFormat } from './descriptorFormat.js';
import {
  packetTypeOf, pktTypeBits, RSS_TYPE_OF_XDP_RSS, RXD_STAT_DD, RXD_STAT_EOP, RXD_STAT_IPCS, RXD_STAT_TCPCS,
  RXD_STAT_VP, RXDADV_STAT_TSIP, XDP_RSS_OF_RSS_TYPE,
} from './intelBits.js';
import { addressRing } from './tailRegister.js';

// Advanced receive descriptor of igb, igc and ixgbe: 16 bytes, little endian. What the device writes back lies over what the driver wrote:
//
//              63                                             32 31            16 15              0
//    read    0 | pkt_addr                                                                         |
//            8 | hdr_addr                                                                       D |   D: shares its bit with DD
//
//              63                                             32 31  30     21 20 17 16      4 3  0
//    write-  0 | RSS hash                                       | SPH| hdr_len |    | pkt type |RSS |
//    back    8 | vlan                    | length               | error              status      D |
//              63                      48 47                  32 31       24 23   20 19             0
//
// The model writes status and error into every descriptor of a frame; the data sheets promise most of it for the last one only.
const WORDS = 16 / 4;
const LEN_MASK = 0xffff;
const NS_PER_S = 1e9;

/** Time stamp that igc writes before the packet: timer 1 and timer 0, each nanoseconds and seconds, u32; drivers read timer 0. */
const TIMESTAMP_HEADER_BYTES = 16;
const TIMER0_NS_OFFSET = 8;
const TIMER0_S_OFFSET = 12;

/** Where the three families differ. */
export interface AdvancedRxBits {
  /** Error bits of the IPv4 header checksum, of the layer 4 checksum, and of a damaged frame as the device sets it. */
  readonly ipError: number;
  readonly l4Error: number;
  readonly frameError: number;
  /** Bits for which a driver drops a frame. */
  readonly frameErrorMask: number;
  /** IXSM or 0. */
  readonly ignoreChecksum: number;
  /** UDPCS or 0. */
  readonly udpChecked: number;
  /** The device writes a time stamp into the buffer, before the packet. */
  readonly hasTimestampHeader: boolean;
}

function writeTimestampHeader({ view }: HostMemory, address: number, tNs: number): void {
  const seconds = Math.floor(tNs / NS_PER_S);
  view.setUint32(address, 0, true);
  view.setUint32(address + 4, 0, true);
  view.setUint32(address + TIMER0_NS_OFFSET, tNs - seconds * NS_PER_S, true);
  view.setUint32(address + TIMER0_S_OFFSET, seconds, true);
}

function readTimestampHeader({ view }: HostMemory, address: number): number {
  return view.getUint32(address + TIMER0_S_OFFSET, true) * NS_PER_S + view.getUint32(address + TIMER0_NS_OFFSET, true);
}

/** The receiving half of igb, igc or ixgbe. */
export function advancedRx(bits: AdvancedRxBits): RxFormat {
  const { ipError, l4Error, frameError, frameErrorMask, ignoreChecksum, udpChecked, hasTimestampHeader } = bits;
  const l4Checked = RXD_STAT_TCPCS | udpChecked;

  /** status_error of one descriptor, without DD. */
  function statusError(flags: number, packetType: number): number {
    let status = (flags & DESC_EOP) !== 0 ? RXD_STAT_EOP : 0;
    if ((flags & DESC_VLAN) !== 0) status |= RXD_STAT_VP;
    if ((flags & DESC_RX_ERROR) !== 0) status |= frameError;
    if ((flags & (DESC_L3_CHECKED | DESC_L4_CHECKED)) === 0) return status | ignoreChecksum;
    if ((flags & DESC_L3_CHECKED) !== 0) status |= (flags & DESC_L3_BAD) !== 0 ? RXD_STAT_IPCS | ipError : RXD_STAT_IPCS;
    if ((flags & DESC_L4_CHECKED) !== 0) {
      status |= (packetType & PACKET_UDP) !== 0 ? l4Checked : RXD_STAT_TCPCS;
      if ((flags & DESC_L4_BAD) !== 0) status |= l4Error;
    }
    return status;
  }

  /** DESC_* flags that status_error tells. */
  function flagsOf(status: number): number {
    let flags = (status & RXD_STAT_EOP) !== 0 ? DESC_EOP : 0;
    if ((status & RXD_STAT_VP) !== 0) flags |= DESC_VLAN;
    if ((status & frameErrorMask) !== 0) flags |= DESC_RX_ERROR;
    if ((status & ignoreChecksum) !== 0) return flags;
    if ((status & RXD_STAT_IPCS) !== 0) flags |= (status & ipError) !== 0 ? DESC_L3_CHECKED | DESC_L3_BAD : DESC_L3_CHECKED;
    if ((status & l4Checked) !== 0) flags |= (status & l4Error) !== 0 ? DESC_L4_CHECKED | DESC_L4_BAD : DESC_L4_CHECKED;
    return flags;
  }

  return {
    ...addressRing(WORDS),
    rxPrefixBytes: hasTimestampHeader ? TIMESTAMP_HEADER_BYTES : 0,

    rxWriteBack(memory, ring, first, batch) {
      const { u32 } = memory;
      const { lenBytes, flags, rssHash, rssType, timestampNs, packetType, vlanTci, address, count } = batch;
      const base = ring.address >>> 2;
      let slot = first % ring.size;
      let isFirst = true;
      for (let i = 0; i < count; i++) {
        const word = base + slot * WORDS;
        const hasHash = (flags[i] & DESC_RSS) !== 0;
        let length = lenBytes[i];
        let status = statusError(flags[i], packetType[i]) | RXD_STAT_DD;
        // Nothing was written into an empty buffer: its DMA was refused.
        if (hasTimestampHeader && isFirst && length > 0 && (flags[i] & DESC_TIMESTAMP) !== 0) {
          writeTimestampHeader(memory, address[i], timestampNs[i]);
          length += TIMESTAMP_HEADER_BYTES;
          status |= RXDADV_STAT_TSIP;
        }
        u32[word] = pktTypeBits(packetType[i]) | (hasHash ? RSS_TYPE_OF_XDP_RSS[rssType[i] & 63] : 0);
        u32[word + 1] = hasHash ? rssHash[i] : 0;
        u32[word + 3] = (length & LEN_MASK) | ((flags[i] & DESC_VLAN) !== 0 ? vlanTci[i] << 16 : 0);
        u32[word + 2] = status;
        isFirst = (flags[i] & DESC_EOP) !== 0;
        if (++slot === ring.size) slot = 0;
      }
    },

    // Drivers look for a length that isn't 0, which has the same effect: it is written together with DD, and hardware writes back no empty
    // buffer. The model does when the IOMMU refused the write.
    rxPoll(memory, ring, first, limit, batch) {
      const { u32 } = memory;
      const { lenBytes, flags, rssHash, rssType, timestampNs, packetType, vlanTci, address } = batch;
      const base = ring.address >>> 2;
      let slot = first % ring.size;
      let count = 0;
      for (; count < limit; count++) {
        const word = base + slot * WORDS;
        const status = u32[word + 2];
        if ((status & RXD_STAT_DD) === 0) break;
        const pktInfo = u32[word];
        const hashed = XDP_RSS_OF_RSS_TYPE[pktInfo & 15];
        let length = u32[word + 3] & LEN_MASK;
        let bitsOfFrame = flagsOf(status) | (hashed !== 0 ? DESC_RSS : 0);
        timestampNs[count] = 0;
        if (hasTimestampHeader && (status & RXDADV_STAT_TSIP) !== 0) {
          timestampNs[count] = readTimestampHeader(memory, address[count]);
          length = length > TIMESTAMP_HEADER_BYTES ? length - TIMESTAMP_HEADER_BYTES : 0;
          bitsOfFrame |= DESC_TIMESTAMP;
        }
        lenBytes[count] = length;
        flags[count] = bitsOfFrame;
        rssHash[count] = u32[word + 1];
        rssType[count] = hashed;
        packetType[count] = packetTypeOf(pktInfo);
        vlanTci[count] = u32[word + 3] >>> 16;
        if (++slot === ring.size) slot = 0;
      }
      batch.count = count;
      return count;
    },
  };
}
