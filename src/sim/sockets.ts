import { fail, ok } from '../base/index.js';
import type { KernelRelease, Result } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import type { NicSettings } from '../nic/index.js';
import { createUmem, isRingSize, MAX_RING_ENTRIES, XskSocket } from '../umem/index.js';
import type { XskRingSizes } from '../umem/index.js';
import { XskMap } from '../vm/index.js';
import type { LoadedObject } from '../vm/index.js';

/**
 * One socket for each queue of a NIC, each with a UMEM of its own. Problems: `xsk-ring-size`, those of `createUmem`.
 *
 * @param firstId id of the first of them
 */
export function openSockets(
  xsk: { readonly rings: XskRingSizes; readonly chunkCount: number; readonly txMetadataBytes?: number; readonly hasTxSwCsum?: boolean },
  memory: HostMemory,
  nic: NicSettings,
  firstId: number,
  kernel: KernelRelease | undefined,
): Result<readonly XskSocket[]> {
  const { txMetadataBytes = 0, hasTxSwCsum = false } = xsk;
  const sockets: XskSocket[] = [];
  for (const [name, size] of Object.entries(xsk.rings)) {
    if (isRingSize(size)) continue;
    return fail({
      code: 'xsk-ring-size',
      where: `${name} ring of the AF_XDP sockets`,
      message: `${size} entries are refused (EINVAL)`,
      hint: `use a power of two from 1 to ${MAX_RING_ENTRIES}`,
    });
  }
  for (let queue = 0; queue < nic.queues; queue++) {
    const id = firstId + queue;
    const umem = createUmem(memory, `UMEM of socket ${id}`, { chunkCount: xsk.chunkCount, chunkSizeBytes: 4096, headroomBytes: 0, txMetadataBytes, hasTxSwCsum });
    if (!umem.ok) return umem;
    sockets.push(new XskSocket(memory, id, nic.ifindex, queue, umem.value, xsk.rings, kernel));
  }
  return ok(sockets);
}

/**
 * Puts the socket of queue q into slot q of every XSKMAP.
 *
 * @param all sockets of the host by id, those that are not open yet included
 */
export function fillXskMaps(loaded: LoadedObject, sockets: readonly XskSocket[], all: readonly XskSocket[]): void {
  for (const map of loaded.maps.values()) {
    if (!(map instanceof XskMap)) continue;
    map.setQueues((id) => all[id]?.queueId ?? 0);
    const bytes = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
    for (const socket of sockets.slice(0, map.spec.maxEntries)) map.updateBytes(bytes(socket.queueId), bytes(socket.id + 1), 0);
  }
}
