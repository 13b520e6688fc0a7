import { Owner, ownerName } from '../memory/index.js';
import type { Umem } from './umem.js';
import type { UmemWatch } from './umemWatch.js';
import type { WatchedRing } from './watchedRing.js';

export interface ChunkAudit {
  readonly ok: boolean;
  /** The numbers behind it, as a sentence. */
  readonly detail: string;
  /** How many chunks each owner has, only owners that have some. */
  readonly owners: Readonly<Record<string, number>>;
}

/** Disagreements that are told of; more are only counted. */
const SHOWN = 3;

const OWNER_OF_RING = { RX: Owner.rxRing, TX: Owner.txRing, FILL: Owner.fillRing, COMPLETION: Owner.completionRing } as const;

/**
 * Proves conservation of the chunks of a UMEM: each lies in an entry of its own between the indices of the ring that its owner is, or on a list of the
 * kernel, or is with the application. Chunks that the application had in two places at once are only counted.
 *
 * @param drivers chunks that drivers in zero-copy mode have in their own rings
 */
export function auditChunks(umem: Umem, drivers = 0): ChunkAudit {
  const { watch } = umem;
  if (watch === undefined) throw new Error('auditChunks: nobody watches this UMEM');
  watch.sync();
  const wrong = [...(watch.isConfused ? [] : misplacedChunks(watch)), ...wrongLists(watch, drivers)];
  const owners = umem.chunks.census();
  const tainted = watch.isTainted.reduce((sum, each) => sum + each, 0);
  const counts = Object.entries(owners).map(([owner, count]) => `${owner} ${count}`).join(', ');
  const detail = wrong.length === 0
    ? `${umem.chunks.count} accounted for: ${counts}${tainted === 0 ? '' : `; of these ${tainted} that the application had in two places at once`}${watch.isConfused ? '; the application overwrote indices or entries' : ''}`
    : `${wrong.slice(0, SHOWN).join('; ')}${wrong.length > SHOWN ? ` and ${wrong.length - SHOWN} more` : ''}`;
  return { ok: wrong.length === 0, detail, owners };
}

function isRing(owner: number): boolean {
  return owner === Owner.fillRing || owner === Owner.rxRing || owner === Owner.txRing || owner === Owner.completionRing;
}

/** A chunk of a ring lies between its indices. */
function misplacedChunks(watch: UmemWatch): string[] {
  const { umem, history, isTainted } = watch;
  const wrong: string[] = [];
  /** Entries that a chunk lies in, by ring and index. */
  const taken = new Set<number>();
  for (let chunk = 0; chunk < umem.chunks.count; chunk++) {
    const owner = umem.chunks.owner[chunk];
    if (isTainted[chunk] !== 0 || !isRing(owner)) continue;
    const watched = watch.rings[history.ringOf(chunk)];
    const index = history.indexOf(chunk);
    if (watched === undefined || OWNER_OF_RING[watched.kind] !== owner) {
      wrong.push(`chunk ${chunk} belongs to ${ownerName(owner)}, and lies on none`);
      continue;
    }
    if (!isPresent(watched, index)) {
      wrong.push(`chunk ${chunk} is to lie in ${watched.kind} slot ${watched.slot(index)}, which is behind the ring's indices`);
      continue;
    }
    const entry = watched.id * 2 ** 32 + index;
    if (taken.has(entry)) wrong.push(`two chunks are to lie in ${watched.kind} slot ${watched.slot(index)}, one of them chunk ${chunk}`);
    taken.add(entry);
  }
  return wrong;
}

/** An entry lies between the indices: what is reserved counts, what the application has released does not. */
function isPresent({ kind, queue, seen, ring }: WatchedRing, index: number): boolean {
  const first = kind === 'FILL' || kind === 'TX' ? queue.cachedCons : seen;
  const end = kind === 'FILL' || kind === 'TX' ? seen : kind === 'RX' ? queue.cachedProd : ring.producer;
  return (index - first) >>> 0 < (end - first) >>> 0;
}

/** What the kernel holds is on its lists. */
function wrongLists({ umem, rings, isTainted, isConfused }: UmemWatch, drivers: number): string[] {
  const wrong: string[] = [];
  const { chunks } = umem;
  const isListed = new Uint8Array(chunks.count);
  const list = (offBytes: number, where: string): void => {
    if (!umem.contains(offBytes)) return;
    const chunk = chunks.indexOf(umem.address + offBytes);
    if (isTainted[chunk] === 0 && isListed[chunk] !== 0) wrong.push(`chunk ${chunk} is held twice by the kernel`);
    if (isTainted[chunk] === 0 && (chunks.owner[chunk] === Owner.application || isRing(chunks.owner[chunk]))) wrong.push(`chunk ${chunk} is ${where}, and belongs to ${ownerName(chunks.owner[chunk])}`);
    isListed[chunk] = 1;
  };
  for (const { kind, pool, isOpen } of rings) {
    if (kind !== 'FILL' || !isOpen) continue;
    for (const chunk of pool.freeChunks) list(chunk, 'on the free list');
    pool.eachInFlight((low, high) => list(umem.chunkOf(low, high), 'in flight'));
  }
  let unlisted = 0;
  chunks.owner.forEach((owner, chunk) => {
    if (owner !== Owner.application && !isRing(owner) && isListed[chunk] === 0 && isTainted[chunk] === 0) unlisted++;
  });
  if (unlisted !== drivers && !isConfused) wrong.push(`the kernel has ${unlisted} chunks that are on none of its lists${drivers === 0 ? '' : `, and its drivers ${drivers}`}`);
  return wrong;
}
