import { PACKET_IPV6, PACKET_TCP } from '../../../device/batch.js';
import { ParsedFrame } from '../../../device/parseFrame.js';
import { CHECKSUM_PROTOCOL, CHECKSUM_REFUSED, requestChecksum, softwareChecksum } from '../../../driver/checksumRequest.js';
import { TX_CONTRACT_BYTES, XDP_TX_CHECKSUM } from '../../../driver/txContract.js';
import type { TxContract } from '../../../driver/txContract.js';
import type { XdpFrame } from '../../xdpObjects.js';
import { ETH_ZLEN, TCPHO_MAX, TCPHO_SHIFT, TD1_IPv4_CS, TD1_IPv6_CS, TD1_TCP_CS, TD1_UDP_CS } from './hardware.js';
import type { R8169Private } from './private.js';

// Checksums for XDP_TX are not in the kernel: what follows honours a private agreement between program and driver (txContract.ts).

const NOTHING = { opts1: 0, opts2: 0 };

/** Reads the contract, if there is one: `metasize` is the only thing that says so. What lies before a packet without metadata is anybody's. */
export function rtl_read_tx_contract({ kernel }: R8169Private, frame: XdpFrame): TxContract | undefined {
  if (frame.metasize < TX_CONTRACT_BYTES) return undefined;
  const { packet } = kernel;
  const flags = packet.read32(frame.data - 8);
  if ((flags & XDP_TX_CHECKSUM) === 0) return undefined;
  return { flags, csumStart: packet.read16(frame.data - 4), csumOffset: packet.read16(frame.data - 2) };
}

/** Which bits the chip wants, layout v2: one for IP, one for the protocol, and where layer 4 begins. Never both protocols. */
export function rtl_checksum_opts2(packetType: number, csumStart: number): { readonly opts1: number; readonly opts2: number } {
  const ip = (packetType & PACKET_IPV6) !== 0 ? TD1_IPv6_CS : TD1_IPv4_CS;
  const protocol = (packetType & PACKET_TCP) !== 0 ? TD1_TCP_CS : TD1_UDP_CS;
  return { opts1: 0, opts2: (ip | protocol | (csumStart << TCPHO_SHIFT)) >>> 0 };
}

/**
 * Offload bits for a frame, or the checksum by the CPU. Undefined: it points behind the frame, nobody can do it.
 *
 * The chip parses headers by itself, so it can only be asked for what the headers say: TCP or UDP at csum_start, the field at
 * csum_offset 16 or 6 behind it. It pads frames below 60 bytes before it sums, so those are done here (rtl8169_features_check).
 */
export function rtl_prepare_checksum(tp: R8169Private, frame: XdpFrame, contract: TxContract): { readonly opts1: number; readonly opts2: number } | undefined {
  const { kernel, counters, steps } = tp;
  const { csumStart, csumOffset } = contract;
  const kind = requestChecksum(kernel.memory.u8, frame.data, frame.len, csumStart, csumOffset, PARSED);
  if (kind === CHECKSUM_REFUSED) {
    counters.csum_refused++;
    return undefined;
  }
  if (kind === CHECKSUM_PROTOCOL && frame.len >= ETH_ZLEN && csumStart <= TCPHO_MAX) {
    counters.csum_hw++;
    return steps.rtl_checksum_opts2(PARSED.packetType, csumStart);
  }
  counters.csum_sw++;
  softwareChecksum(kernel.memory, frame.data, frame.len, csumStart, csumOffset);
  return NOTHING;
}

/** Scratch space, on the stack in C. */
const PARSED = new ParsedFrame();
