import { errnoName, fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import type { NicSettings } from '../nic/index.js';
import {
  AF_XDP, isRingSize, MAX_RING_ENTRIES, SOCK_RAW, SOL_XDP, XDP_COPY, XDP_RX_RING, XDP_TX_RING, XDP_UMEM_COMPLETION_RING, XDP_UMEM_FILL_RING, XDP_UMEM_REG,
  XDP_UMEM_TX_METADATA_LEN, XDP_UMEM_TX_SW_CSUM,
} from '../umem/index.js';
import type { AfXdp, XdpSock } from '../umem/index.js';
import { XskMap } from '../vm/index.js';
import type { LoadedObject } from '../vm/index.js';

/** Entries of the four rings, each a power of two. */
export interface XskRingSizes {
  readonly rx: number;
  readonly tx: number;
  readonly fill: number;
  readonly completion: number;
}

const CHUNK_BYTES = 4096;

/** One socket for each queue of a NIC, each with a UMEM of its own. Problems: `xsk-ring-size`, `xsk-refused`. */
export function openSockets(
  xsk: { readonly rings: XskRingSizes; readonly chunkCount: number; readonly txMetadataBytes?: number; readonly hasTxSwCsum?: boolean },
  afXdp: AfXdp,
  nic: NicSettings,
): Result<readonly XdpSock[]> {
  const sockets: XdpSock[] = [];
  for (const [name, size] of Object.entries(xsk.rings) as [string, number][]) {
    if (isRingSize(size)) continue;
    return fail({
      code: 'xsk-ring-size',
      where: `${name} ring of the AF_XDP sockets`,
      message: `${size} entries are refused (EINVAL)`,
      hint: `use a power of two from 1 to ${MAX_RING_ENTRIES}`,
    });
  }
  if (!Number.isInteger(xsk.chunkCount) || xsk.chunkCount < 1) {
    return fail({ code: 'xsk-refused', where: 'AF_XDP sockets', message: `${xsk.chunkCount} chunks are refused (EINVAL)`, hint: 'use at least one chunk' });
  }
  for (let queue = 0; queue < nic.queues; queue++) {
    const fd = afXdp.socket(SOCK_RAW, 0);
    const umem = afXdp.mmapAnonymous(xsk.chunkCount * CHUNK_BYTES);
    const { txMetadataBytes = 0, hasTxSwCsum = false } = xsk;
    const reg = new DataView(new ArrayBuffer(32));
    reg.setBigUint64(0, umem.address, true);
    reg.setBigUint64(8, BigInt(umem.lenBytes), true);
    reg.setUint32(16, CHUNK_BYTES, true);
    reg.setUint32(24, (txMetadataBytes > 0 ? XDP_UMEM_TX_METADATA_LEN : 0) | (hasTxSwCsum ? XDP_UMEM_TX_SW_CSUM : 0), true);
    reg.setUint32(28, txMetadataBytes, true);
    const size = (entries: number): Uint8Array => new Uint8Array(Uint32Array.of(entries).buffer);
    const address = new Uint8Array(Uint32Array.of(AF_XDP | (XDP_COPY << 16), nic.ifindex, queue, 0).buffer);
    const error =
      afXdp.setsockopt(fd, SOL_XDP, XDP_UMEM_REG, new Uint8Array(reg.buffer)) ||
      afXdp.setsockopt(fd, SOL_XDP, XDP_RX_RING, size(xsk.rings.rx)) ||
      afXdp.setsockopt(fd, SOL_XDP, XDP_TX_RING, size(xsk.rings.tx)) ||
      afXdp.setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, size(xsk.rings.fill)) ||
      afXdp.setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, size(xsk.rings.completion)) ||
      afXdp.bind(fd, address);
    if (error !== 0) {
      return fail({
        code: 'xsk-refused', where: `AF_XDP socket of queue ${queue}`, message: `the kernel refuses it: ${errnoName(error)}`,
        hint: 'a tx_metadata_len is a multiple of 8 up to 248; struct xsk_tx_metadata has 24 bytes',
      });
    }
    sockets.push(afXdp.socketOf(fd)!);
  }
  return ok(sockets);
}

/**
 * Puts the socket of queue q into slot q of every XSKMAP.
 *
 * @param all sockets of the host by id, those that are not open yet included
 */
export function fillXskMaps(loaded: LoadedObject, sockets: readonly XdpSock[], all: readonly XdpSock[]): void {
  for (const map of loaded.maps.values()) {
    if (!(map instanceof XskMap)) continue;
    map.setQueues((id) => all[id]?.queueId ?? 0);
    const bytes = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
    for (const socket of sockets.slice(0, map.spec.maxEntries)) map.updateBytes(bytes(socket.queueId), bytes(socket.id + 1), 0);
  }
}

/** xsk_map_try_sock_delete: a socket that was closed is in no XSKMAP any more. */
export function forgetSocket(objects: Iterable<LoadedObject>, socket: XdpSock): void {
  for (const { maps } of objects) {
    for (const map of maps.values()) {
      if (!(map instanceof XskMap)) continue;
      for (const { key, value } of [...map.entries()]) {
        if (new DataView(value.buffer, value.byteOffset).getUint32(0, true) === socket.id + 1) map.deleteBytes(key);
      }
    }
  }
}
