import { DESC_CSUM, DESC_CSUM_IPV4, DESC_CSUM_PROTOCOL, DESC_EOP, DESC_FIRST, DESC_MALFORMED, DESC_VLAN, PACKET_IPV4, PACKET_IPV6, PACKET_TCP, PACKET_UDP } from '../batch.js';
import type { DescriptorBatch } from '../batch.js';
import { TCP_CSUM_OFFSET, UDP_CSUM_OFFSET } from '../txChecksum.js';
import type { DescriptorFormat } from './descriptorFormat.js';
import { giveBack, givenBack, ownedByDevice } from './ownerBit.js';
import {
  R8169_DESCRIPTOR_BYTES, R8169_EOR, R8169_FS, R8169_LS, R8169_OWN, R8169_TX_LENGTH, R8169_TX_TAGC, R8169_TX_V1_IPCS, R8169_TX_V1_TCPCS, R8169_TX_V1_UDPCS,
  R8169_TX_V2_IPV4CS, R8169_TX_V2_IPV6CS, R8169_TX_V2_TCPCS, R8169_TX_V2_TCPHO_MAX, R8169_TX_V2_TCPHO_SHIFT, R8169_TX_V2_UDPCS, R8169_TXPOLL_NPQ, r8169SwapTci, r8169TxOpts1,
  r8169TxOpts2,
} from './r8169Bits.js';
import type { R8169TxLayout } from './r8169Bits.js';
import { R8169_OWNER, r8169Receive } from './r8169Rx.js';
import { hasLateChecksum, r8169TxFault } from './r8169TxFaults.js';

const WORDS = R8169_DESCRIPTOR_BYTES / 4;
const OPTS1 = 0;
const OPTS2 = 1;
const ADDR_LOW = 2;
const ADDR_HIGH = 3;

/** Offloads of the first descriptor of a frame, read into row `i`. */
function readOffloads(batch: DescriptorBatch, i: number, opts1: number, opts2: number, layout: R8169TxLayout): void {
  let flags = DESC_FIRST | (r8169TxFault(opts1, opts2, layout) !== undefined ? DESC_MALFORMED : 0);
  let type = 0;
  let l4Start = 0;
  if (layout === 'v2') {
    if ((opts2 & R8169_TX_V2_IPV4CS) !== 0) {
      flags |= DESC_CSUM_IPV4;
      type |= PACKET_IPV4;
    }
    if ((opts2 & R8169_TX_V2_IPV6CS) !== 0) type |= PACKET_IPV6;
    if ((opts2 & R8169_TX_V2_TCPCS) !== 0) type |= PACKET_TCP;
    if ((opts2 & R8169_TX_V2_UDPCS) !== 0) type |= PACKET_UDP;
    l4Start = (opts2 >>> R8169_TX_V2_TCPHO_SHIFT) & R8169_TX_V2_TCPHO_MAX;
  } else {
    if ((opts1 & R8169_TX_V1_IPCS) !== 0) flags |= DESC_CSUM_IPV4;
    if ((opts1 & R8169_TX_V1_TCPCS) !== 0) type |= PACKET_TCP;
    if ((opts1 & R8169_TX_V1_UDPCS) !== 0) type |= PACKET_UDP;
    // These chips know no IPv6.
    if (type !== 0 || (flags & DESC_CSUM_IPV4) !== 0) type |= PACKET_IPV4;
  }
  // The IP header's checksum may be asked for alone.
  if ((type & (PACKET_TCP | PACKET_UDP)) !== 0) flags |= DESC_CSUM | DESC_CSUM_PROTOCOL;
  if ((opts2 & R8169_TX_TAGC) !== 0) flags |= DESC_VLAN;
  batch.flags[i] = flags;
  batch.packetType[i] = type;
  // Where layer 3 begins stands nowhere, and v1 doesn't tell layer 4 either: 0, and the engine reads the headers.
  batch.l3Start[i] = 0;
  batch.csumStart[i] = l4Start;
  batch.csumOffset[i] = csumOffsetOf(type);
  batch.vlanTci[i] = (flags & DESC_VLAN) !== 0 ? r8169SwapTci(opts2) : 0;
}

function csumOffsetOf(packetType: number): number {
  if ((packetType & PACKET_TCP) !== 0) return TCP_CSUM_OFFSET;
  return (packetType & PACKET_UDP) !== 0 ? UDP_CSUM_OFFSET : 0;
}

function makeR8169Format(name: string, description: string, layout: R8169TxLayout): DescriptorFormat {
  return {
    name,
    description,
    rxDescriptorBytes: R8169_DESCRIPTOR_BYTES,
    txDescriptorBytes: R8169_DESCRIPTOR_BYTES,
    rxRingBytes: (size) => size * R8169_DESCRIPTOR_BYTES,
    txRingBytes: (size) => size * R8169_DESCRIPTOR_BYTES,
    spareSlots: 0,
    rxPrefixBytes: 0,
    hasTxChecksum: true,
    hasTxVlan: true,

    ...r8169Receive,

    txInit() {},

    txSlots: (buffers) => buffers,

    /**
     * Offload bits go into every descriptor of a frame, as rtl8169_tx_map does (Linux 6.18). The first descriptor of a frame is stored after
     * the others, with its OWN last of all: until then the device stops before it.
     */
    txPost(memory, ring, first, batch) {
      const { u32 } = memory;
      const { iovaLow, iovaHigh, lenBytes, flags, packetType, csumStart, vlanTci, count } = batch;
      const base = ring.address >>> 2;
      const end = ring.size - 1;
      let slot = first % ring.size;
      for (let i = 0; i < count; ) {
        const opts1 = R8169_OWN | r8169TxOpts1(flags[i], packetType[i], layout);
        const opts2 = r8169TxOpts2(flags[i], packetType[i], csumStart[i], vlanTci[i], layout);
        const firstOfFrame = i;
        const firstSlot = slot;
        for (;;) {
          const isLast = (flags[i] & DESC_EOP) !== 0 || i === count - 1;
          if (i !== firstOfFrame) {
            const word = base + slot * WORDS;
            u32[word + OPTS2] = opts2;
            u32[word + ADDR_LOW] = iovaLow[i];
            u32[word + ADDR_HIGH] = iovaHigh[i];
            u32[word + OPTS1] = opts1 | (slot === end ? R8169_EOR : 0) | (isLast ? R8169_LS : 0) | (lenBytes[i] & R8169_TX_LENGTH);
          }
          slot = slot === end ? 0 : slot + 1;
          i++;
          if (isLast) break;
        }
        const word = base + firstSlot * WORDS;
        u32[word + OPTS2] = opts2;
        u32[word + ADDR_LOW] = iovaLow[firstOfFrame];
        u32[word + ADDR_HIGH] = iovaHigh[firstOfFrame];
        // dma_wmb() of a driver: see rxPost.
        u32[word + OPTS1] =
          opts1 | R8169_FS | (firstSlot === end ? R8169_EOR : 0) | (i === firstOfFrame + 1 ? R8169_LS : 0) | (lenBytes[firstOfFrame] & R8169_TX_LENGTH);
      }
    },

    txPublish: () => R8169_TXPOLL_NPQ,

    // LS is the driver's own; the device leaves it.
    txPoll: (memory, ring, first, limit) => givenBack(memory, ring, first, limit, R8169_OWNER),
    txAvailable: (memory, ring, head, _doorbell, limit) => ownedByDevice(memory, ring, head, limit, R8169_OWNER),

    /**
     * A descriptor outside a frame (FS missing) is a frame of its own, malformed; a frame that has no LS before the next FS ends there,
     * malformed. One that has no LS yet and no FS behind it waits for the rest.
     */
    txFetch(memory, ring, first, slots, batch) {
      const { u32 } = memory;
      const { iovaLow, iovaHigh, lenBytes, flags, slots: taken } = batch;
      const base = ring.address >>> 2;
      let slot = first % ring.size;
      /** Row of the first descriptor of the frame that is being read, -1 between frames, and its words. */
      let frame = -1;
      let frameOpts1 = 0;
      let frameOpts2 = 0;
      for (let i = 0; i < slots; i++) {
        const word = base + slot * WORDS;
        const opts1 = u32[word + OPTS1];
        const opts2 = u32[word + OPTS2];
        iovaLow[i] = u32[word + ADDR_LOW];
        iovaHigh[i] = u32[word + ADDR_HIGH];
        lenBytes[i] = opts1 & R8169_TX_LENGTH;
        taken[i] = 1;
        const isFirst = (opts1 & R8169_FS) !== 0;
        let isLast = (opts1 & R8169_LS) !== 0;
        if (frame !== -1 && isFirst) {
          flags[frame] |= DESC_MALFORMED;
          flags[i - 1] |= DESC_EOP;
          frame = -1;
        }
        if (frame === -1) {
          readOffloads(batch, i, opts1, opts2, layout);
          if (!isFirst) {
            flags[i] |= DESC_MALFORMED;
            isLast = true;
          }
          frame = i;
          frameOpts1 = opts1;
          frameOpts2 = opts2;
        } else {
          flags[i] = 0;
          if (hasLateChecksum(frameOpts1, frameOpts2, opts1, opts2, layout)) flags[frame] |= DESC_MALFORMED;
        }
        if (isLast) {
          flags[i] |= DESC_EOP;
          frame = -1;
        }
        if (++slot === ring.size) slot = 0;
      }
      batch.count = slots;
    },

    txWriteBack: (memory, ring, first, slots) => giveBack(memory, ring, first, slots, R8169_OWNER),
  };
}

/** RTL8169, RTL8168b, RTL8101e: checksum bits in opts1, IPv4 only. */
export const r8169V1Format: DescriptorFormat = makeR8169Format(
  'r8169-v1', 'Realtek RTL8169, RTL8168b and RTL8101e: 16 bytes, OWN bits, TX checksum bits in opts1 (r8169_main.c, enum rtl_tx_desc_bit_0)', 'v1',
);

/** RTL8102e, RTL8168c to h, RTL8125, RTL8126: checksum bits and transport offset in opts2. */
export const r8169V2Format: DescriptorFormat = makeR8169Format(
  'r8169-v2', 'Realtek RTL8168c to h and RTL8125: 16 bytes, OWN bits, TX checksum bits in opts2 (r8169_main.c, enum rtl_tx_desc_bit_1)', 'v2',
);
