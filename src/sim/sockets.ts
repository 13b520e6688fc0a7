import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import type { NicSettings } from '../nic/index.js';
import type { AfXdp, XdpSock } from '../umem/index.js';
import { socketOfSlot, XskMap } from '../vm/index.js';
import type { LoadedObject } from '../vm/index.js';
import { XskSocket, XskUmem } from '../xsk/index.js';
import { bindFlags, MAX_XSK_CHUNKS, umemConfig, XSK_BIND_MODES } from './xskSettings.js';
import type { XskSettings } from './xskSettings.js';

/** One socket for each queue of a NIC, each with a UMEM of its own. Problems: `unknown-xsk-bind-mode`, `xsk-chunk-count`, `xsk-umem-memory`, those of `xsk/` with the errno. */
export function openSockets(settings: XskSettings, afXdp: AfXdp, nic: NicSettings): Result<readonly XskSocket[]> {
  const { chunkCount, chunkSizeBytes, rings, mode } = settings;
  if (!XSK_BIND_MODES.includes(mode)) {
    return fail({ code: 'unknown-xsk-bind-mode', where: 'AF_XDP sockets', message: `there is no mode '${String(mode)}'`, hint: `use one of: ${XSK_BIND_MODES.join(', ')}` });
  }
  if (!Number.isInteger(chunkCount) || chunkCount < 1 || chunkCount > MAX_XSK_CHUNKS) {
    return fail({ code: 'xsk-chunk-count', where: 'UMEM', message: `there are no UMEMs of ${chunkCount} chunks`, hint: `use a whole number from 1 to ${MAX_XSK_CHUNKS}` });
  }
  for (const [name, size] of [['rx', rings.rx], ['tx', rings.tx]] as const) {
    // The library takes it for no ring at all.
    if (size === 0) return fail({ code: `xsk-${name}-ring`, where: 'AF_XDP sockets', message: `0 entries are not allowed for the ${name} ring (EINVAL)`, hint: 'use a power of two' });
  }
  const sockets: XskSocket[] = [];
  const { memory } = afXdp;
  for (let queue = 0; queue < nic.queues; queue++) {
    const sizeBytes = chunkCount * chunkSizeBytes;
    if (!memory.hasRoom(sizeBytes)) {
      return fail({
        code: 'xsk-umem-memory', where: `UMEM of queue ${queue}`, message: `${chunkCount} chunks of ${chunkSizeBytes} bytes for each of ${nic.queues} queues are more than host memory has room for, ${memory.sizeBytes} bytes`,
        hint: 'use fewer or smaller chunks, or fewer queues',
      });
    }
    const umem = XskUmem.create(afXdp, afXdp.mmapAnonymous(Math.max(1, sizeBytes)), sizeBytes, umemConfig(settings));
    if (!umem.ok) return umem;
    const socket = XskSocket.create(umem.value, nic.ifindex, queue, { rxSize: rings.rx, txSize: rings.tx, bindFlags: bindFlags(settings) });
    if (!socket.ok) return socket;
    sockets.push(socket.value);
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
      for (const { key, value } of map.entries()) {
        if (socketOfSlot(value) === socket.id) map.deleteBytes(key);
      }
    }
  }
}
