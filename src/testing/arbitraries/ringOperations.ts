import * as fc from 'fast-check';
import { checkOptionNames } from '../../base/index.js';
import { checkSize } from './options.js';

/** What an AF_XDP application, and the wire, do to a socket. Chunks are numbers of chunks in the UMEM. */
export type RingOperation =
  /** Puts a chunk on FILL. */
  | { readonly op: 'fill'; readonly chunk: number }
  /** A packet arrives. */
  | { readonly op: 'receive'; readonly lenBytes: number }
  /** Takes up to so many packets from RX. */
  | { readonly op: 'consume'; readonly count: number }
  /** Puts a descriptor on TX, at this offset in the chunk. */
  | { readonly op: 'queue'; readonly chunk: number; readonly offBytes: number; readonly lenBytes: number; readonly options: number }
  /** System calls. */
  | { readonly op: 'sendto' | 'recvfrom' | 'poll' }
  /** Takes up to so many addresses from COMPLETION. */
  | { readonly op: 'reclaim'; readonly count: number };

/** How operations are drawn. */
export interface RingOperationOptions {
  /** Chunks of the UMEM, and bytes of a chunk; left out: 8 of 4096. */
  readonly chunks?: number;
  readonly chunkSizeBytes?: number;
  /** Some descriptors are invalid: too long, empty, unknown options. Left out: no. */
  readonly hasInvalid?: boolean;
  readonly maxLength?: number;
}

/**
 * Sequences of what happens to an AF_XDP socket. Shrinks to few operations with small numbers. They say nothing of who owns a chunk: carry out only what a
 * correct application would, or all of it to test what a broken one does.
 *
 * @throws Error `arbitrary-options` for sizes that no UMEM has
 * @example
 * fc.assert(fc.property(ringOperations({ chunks: 4 }), (operations) => operations.every((each) => each.op !== 'fill' || each.chunk < 4)));
 */
export function ringOperations(options: RingOperationOptions = {}): fc.Arbitrary<readonly RingOperation[]> {
  checkOptionNames('ringOperations', options, { chunks: true, chunkSizeBytes: true, hasInvalid: true, maxLength: true });
  const { chunks = 8, chunkSizeBytes = 4096, hasInvalid = false, maxLength = 60 } = options;
  checkSize('ringOperations({ chunks })', chunks, 1, 2 ** 20);
  checkSize('ringOperations({ chunkSizeBytes })', chunkSizeBytes, 2048, 4096);
  const chunk = fc.integer({ min: 0, max: chunks - 1 });
  const packet = fc.oneof(fc.constantFrom(14, 60, 64, 1514), fc.integer({ min: 14, max: Math.min(1514, chunkSizeBytes - 256) }));
  const sound = fc.record({ op: fc.constant('queue' as const), chunk, offBytes: fc.constantFrom(0, 256), lenBytes: packet, options: fc.constant(0) });
  const broken = fc.record({
    op: fc.constant('queue' as const), chunk: fc.integer({ min: 0, max: chunks }), offBytes: fc.constantFrom(0, chunkSizeBytes - 1), lenBytes: fc.constantFrom(0, 60, chunkSizeBytes + 1, 0xffffffff),
    options: fc.constantFrom(0, 1, 4, 0x10000),
  });
  return fc.array(
    fc.oneof(
      fc.record({ op: fc.constant('fill' as const), chunk }),
      fc.record({ op: fc.constant('receive' as const), lenBytes: packet }),
      fc.record({ op: fc.constantFrom('consume' as const, 'reclaim' as const), count: fc.integer({ min: 1, max: 8 }) }),
      sound,
      ...(hasInvalid ? [broken] : []),
      fc.record({ op: fc.constantFrom('sendto' as const, 'recvfrom' as const, 'poll' as const) }),
    ),
    { maxLength },
  );
}
