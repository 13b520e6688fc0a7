import type { Mapping, XskSyscalls } from '../umem/index.js';
import { makeRing, mapRing } from './mappedRing.js';
import type { SocketInMaking } from './mappedRing.js';
import type { XskResult } from './xskProblem.js';
import { CompletionRing } from './xskRingCons.js';
import { FillRing } from './xskRingProd.js';

/** FILL and COMPLETION of one queue, which all sockets on it share (struct xsk_ctx of libxdp). */
export interface QueueRings {
  readonly fill: FillRing;
  readonly completion: CompletionRing;
  readonly mappings: readonly Mapping[];
}

/** Makes and maps them on a socket that is not bound yet (xsk_create_umem_rings). */
export function makeQueueRings(socket: SocketInMaking, fillSize: number, compSize: number): XskResult<QueueRings> {
  const wrong = makeRing(socket, 'FILL', fillSize) ?? makeRing(socket, 'COMPLETION', compSize);
  if (wrong !== undefined) return wrong;
  const fill = mapRing(socket, 'FILL', fillSize);
  if (!fill.ok) return fill;
  const completion = mapRing(socket, 'COMPLETION', compSize);
  if (!completion.ok) {
    socket.syscalls.munmap(fill.value.mapping);
    return completion;
  }
  return {
    ok: true,
    value: { fill: new FillRing(fill.value), completion: new CompletionRing(completion.value), mappings: [fill.value.mapping, completion.value.mapping] },
  };
}

export function unmapQueueRings(syscalls: XskSyscalls, { mappings }: QueueRings): void {
  for (const mapping of mappings) syscalls.munmap(mapping);
}
