import { ProblemError } from '../../base/index.js';
import type { Problem } from '../../base/index.js';
import {
  ETH_DST_OFF, ETH_HEADER_BYTES, ETH_SRC_OFF, ETH_TYPE_OFF, ETHERTYPE_IPV4, addToSum, fold, internetChecksum, IPPROTO_UDP, IPV4_CHECKSUM_OFF, IPV4_DST_OFF,
  IPV4_MIN_HEADER_BYTES, IPV4_PROTOCOL_OFF, IPV4_SRC_OFF, IPV4_TOTAL_LENGTH_OFF, IPV4_TTL_OFF, pseudoHeaderSumV4, UDP_CHECKSUM_OFF, UDP_DST_PORT_OFF,
  UDP_HEADER_BYTES, UDP_LENGTH_OFF, UDP_SRC_PORT_OFF,
} from '../../packet/index.js';
import { writeTxMetadata, XDP_PKT_CONTD, XDP_TX_METADATA, XSK_TX_METADATA_BYTES, XSK_TX_METADATA_SHORT_BYTES } from '../../umem/index.js';
import type { TxMetadata } from '../../umem/index.js';
import type { XskApplicationFactory } from './application.js';
import { AppSocket } from './appSocket.js';

/** What is sent. */
export interface TxonlyOptions {
  /** Packets of each socket. */
  readonly count: number;
  /** Bytes of a packet, Ethernet header and all; one that does not fit into a chunk lies in several. */
  readonly sizeBytes: number;
  /** Packets that each socket sends in a second; 0: as fast as they go. */
  readonly ratePps: number;
  /** What `struct xsk_tx_metadata` before the packet asks for; it needs a UMEM with room for it. */
  readonly wantsChecksum: boolean;
  readonly wantsTimestamp: boolean;
  /** Time from when a packet is due, by the rate, to its launch time, ns; left out: none is asked for. */
  readonly launchDelayNs?: number | undefined;
}

const IP = ETH_HEADER_BYTES;
const UDP = IP + IPV4_MIN_HEADER_BYTES;
const PAYLOAD = UDP + UDP_HEADER_BYTES;

/** All headers, and the number of the packet. */
export const TXONLY_MIN_BYTES = PAYLOAD + 4;

const FIRST_PORT = 1024;
const DISCARD_PORT = 9;
const TTL = 64;
const NS = 1e9;

/**
 * Sends UDP packets from 198.18.0.1, port 1024 plus queue, to 198.18.0.2, port 9 (addresses for benchmarks, RFC 2544). They are numbered in their first
 * four bytes of payload, from 0 on, and the others count up. A packet that can never be sent is a Problem, `xsk-packet-too-long`, which is thrown; so are
 * requests that the UMEM has no room for, `xsk-metadata-too-short`.
 */
export function txonly(options: TxonlyOptions): XskApplicationFactory {
  return (socket, host) => {
    const { count, sizeBytes, ratePps, wantsChecksum, wantsTimestamp, launchDelayNs } = options;
    const { tx, umem, queueId } = socket;
    const { frameSize, txMetadataLen } = umem.config;
    const { u8 } = umem;
    const view = new DataView(u8.buffer);
    const request: TxMetadata = { wantsTimestamp, csumStart: wantsChecksum ? UDP : -1, csumOffset: UDP_CHECKSUM_OFF, launchTimeNs: -1 };
    const hasMetadata = wantsTimestamp || wantsChecksum || launchDelayNs !== undefined;
    const metadataBytes = !hasMetadata ? 0 : launchDelayNs === undefined ? XSK_TX_METADATA_SHORT_BYTES : XSK_TX_METADATA_BYTES;
    if (txMetadataLen < metadataBytes) throw new ProblemError(noMetadata(metadataBytes, txMetadataLen));
    const app = new AppSocket(socket);
    const packet = template(sizeBytes, queueId);
    const checksum = pseudoAndPacket(packet);
    // Every part has the metadata's room before it, which counts whether or not there is any.
    const parts: Uint8Array[] = [];
    for (let at = 0; at < sizeBytes; at += frameSize - txMetadataLen) parts.push(packet.subarray(at, at + frameSize - txMetadataLen));
    const most = Math.min(tx.size, socket.completion.size, app.freeCount);
    if (parts.length > most) throw new ProblemError(tooLong(sizeBytes, parts.length, most));
    let sent = 0;
    let startNs = -1;

    /** When the packet with the number `sent` is due, ns. */
    const dueNs = (): number => startNs + (ratePps === 0 ? 0 : Math.ceil((sent * NS) / ratePps));

    /** One packet. @returns false when chunks or TX are short */
    const queue = (): boolean => {
      if (app.freeCount < parts.length || tx.reserve(parts.length) === 0) return false;
      writeNumber(packet, sent, wantsChecksum ? undefined : checksum);
      if (launchDelayNs !== undefined) request.launchTimeNs = dueNs() + launchDelayNs;
      for (let i = 0; i < parts.length; i++) {
        const addr = app.take() + txMetadataLen;
        u8.set(parts[i], umem.getData(addr));
        const asks = i === 0 && hasMetadata;
        if (asks) writeTxMetadata(view, umem.getData(addr) - txMetadataLen, request);
        tx.setDesc(tx.index + i, addr, parts[i].length, (i < parts.length - 1 ? XDP_PKT_CONTD : 0) | (asks ? XDP_TX_METADATA : 0));
      }
      tx.submit(parts.length);
      sent++;
      return true;
    };

    return {
      start: () => {},
      run() {
        if (startNs < 0) startNs = host.nowNs;
        app.reclaim();
        const due = ratePps === 0 ? count : Math.min(count, Math.floor(((host.nowNs - startNs) * ratePps) / NS) + 1);
        for (let before = -1; sent > before; ) {
          before = sent;
          while (sent < due && queue());
          app.send();
        }
        // Rounded, its time may have come although it does not count as due yet.
        if (sent === due && due < count) host.wakeAt(Math.max(host.nowNs + 1, dueNs()));
      },
    };
  };
}

function tooLong(sizeBytes: number, parts: number, most: number): Problem {
  return {
    code: 'xsk-packet-too-long', where: 'txonly', message: `a packet of ${sizeBytes} bytes takes ${parts} chunks, and TX, COMPLETION or the UMEM has ${most}`,
    hint: 'send shorter packets, or use larger rings and more chunks',
  };
}

function noMetadata(needed: number, bytes: number): Problem {
  return {
    code: 'xsk-metadata-too-short', where: 'txonly', message: `its requests take ${needed} bytes of metadata before each packet, and the UMEM has ${bytes}`,
    hint: 'use metadata of 24 bytes, a whole struct xsk_tx_metadata, or metadata=none',
  };
}

/** The packet with number 0 and without a UDP checksum. */
function template(sizeBytes: number, queueId: number): Uint8Array {
  const packet = Uint8Array.from({ length: sizeBytes }, (_, i) => i - PAYLOAD);
  packet.fill(0, 0, TXONLY_MIN_BYTES);
  const view = new DataView(packet.buffer);
  packet.set([2, 0, 0, 0, 0, 2], ETH_DST_OFF);
  packet.set([2, 0, 0, 0, 0, 1], ETH_SRC_OFF);
  view.setUint16(ETH_TYPE_OFF, ETHERTYPE_IPV4);
  packet[IP] = 0x45;
  view.setUint16(IP + IPV4_TOTAL_LENGTH_OFF, sizeBytes - IP);
  packet[IP + IPV4_TTL_OFF] = TTL;
  packet[IP + IPV4_PROTOCOL_OFF] = IPPROTO_UDP;
  packet.set([198, 18, 0, 1], IP + IPV4_SRC_OFF);
  packet.set([198, 18, 0, 2], IP + IPV4_DST_OFF);
  view.setUint16(IP + IPV4_CHECKSUM_OFF, internetChecksum(packet, IP, IPV4_MIN_HEADER_BYTES));
  view.setUint16(UDP + UDP_SRC_PORT_OFF, FIRST_PORT + queueId);
  view.setUint16(UDP + UDP_DST_PORT_OFF, DISCARD_PORT);
  view.setUint16(UDP + UDP_LENGTH_OFF, sizeBytes - UDP);
  // Where the checksum goes the device wants the pseudo header's sum.
  view.setUint16(UDP + UDP_CHECKSUM_OFF, fold(pseudoHeaderSumV4(packet, IP, IPPROTO_UDP, sizeBytes - UDP)));
  return packet;
}

/** Sum of all that the UDP checksum covers, the pseudo header's included, which stands in its field. */
function pseudoAndPacket(packet: Uint8Array): number {
  return fold(addToSum(0, packet, UDP, packet.length - UDP));
}

/** @param sum of the packet with number 0, for a checksum that is computed here */
function writeNumber(packet: Uint8Array, id: number, sum: number | undefined): void {
  packet[PAYLOAD] = id >>> 24;
  packet[PAYLOAD + 1] = id >>> 16;
  packet[PAYLOAD + 2] = id >>> 8;
  packet[PAYLOAD + 3] = id;
  if (sum === undefined) return;
  const checksum = ~fold(sum + (id >>> 16) + (id & 0xffff)) & 0xffff || 0xffff;
  packet[UDP + UDP_CHECKSUM_OFF] = checksum >>> 8;
  packet[UDP + UDP_CHECKSUM_OFF + 1] = checksum;
}
