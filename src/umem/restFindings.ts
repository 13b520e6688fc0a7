import { EAGAIN } from '../base/index.js';
import { Owner } from '../memory/index.js';
import { historyText, timeText, whoHas } from './chunkHistoryText.js';
import { XDP_RING_NEED_WAKEUP } from './ring.js';
import type { UmemWatch } from './umemWatch.js';
import type { WatchedRing } from './watchedRing.js';
import { XdpSock } from './xdpSock.js';
import { inOrder, xskFinding } from './xskFindings.js';
import type { XskFinding, XskFindingCode } from './xskFindings.js';

const NO_CHUNK = -1;

const NEVER_FILLED_HINT = 'give chunks to FILL (reserve, setAddr, submit) before the first packet comes; a socket that is only to send belongs into no XSKMAP';
/** An XSKMAP does not matter there: the device itself has no other buffers. */
const NEVER_FILLED_ZERO_COPY_HINT = 'give chunks to FILL (reserve, setAddr, submit) before the first packet comes: with zero copy the queue receives into them alone, also what is for the stack; bind a socket that is only to send in copy mode, or to a queue where nothing arrives';

/**
 * All that is wrong with the applications of some sockets at this moment: the mistakes that were made, and what stands still. Meant for a moment when
 * everything has come to rest: in the middle of the traffic what waits may not have been forgotten.
 *
 * @throws TypeError for what is no list of sockets, such as a NIC
 */
export function xskFindings(sockets: readonly XdpSock[]): XskFinding[] {
  if (!Array.isArray(sockets) || !sockets.every((each: unknown) => each instanceof XdpSock)) throw new TypeError('xskFindings: this is no list of sockets as the kernel has them; give nic.sockets of a test NIC, or simulation.sockets');
  const watches = [...new Set(sockets.flatMap(({ umem }) => umem?.watch ?? []))];
  for (const watch of watches) watch.sync();
  return inOrder([
    ...watches.flatMap(({ findings }) => findings.all),
    ...watches.flatMap((watch) => watch.rings.filter(({ isOpen }) => isOpen).flatMap((watched) => ofRing(watch, watched))),
    ...watches.flatMap((watch) => lostChunks(watch)),
    ...sockets.flatMap((socket) => refusedPackets(socket)),
  ]);
}

function ofRing(watch: UmemWatch, watched: WatchedRing): XskFinding[] {
  switch (watched.kind) {
    case 'RX':
      return ofRx(watch, watched);
    case 'TX':
      return ofTx(watch, watched);
    case 'FILL':
      return ofFill(watch, watched);
    default:
      return ofCompletion(watch, watched);
  }
}

// ── RX ──

function ofRx(watch: UmemWatch, watched: WatchedRing): XskFinding[] {
  const { ring, socket } = watched;
  const findings: XskFinding[] = [];
  const never = watched.isUntouched ? ', of which the application never released an entry' : '';
  if (socket.rxQueueFull > 0) {
    findings.push(of(watch, watched, 'rx-ring-full', socket.rxQueueFull, NO_CHUNK, `packets were dropped because the RX ring (${ring.size}) was full${never}`, 'read RX more often, or make the ring larger'));
  }
  if (!ring.isEmpty && ring.used <= ring.size) {
    findings.push(of(watch, watched, 'rx-not-read', ring.used, chunkAt(watch, watched, watched.seen), `${entries(ring.used)} ${ring.used === 1 ? 'waits' : 'wait'} in the RX ring${never}`, 'peek and release until RX is empty whenever poll says POLLIN'));
  }
  return findings;
}

// ── TX ──

function ofTx(watch: UmemWatch, watched: WatchedRing): XskFinding[] {
  const { ring, pool, socket, queue, lastResult, waitingSinceNs } = watched;
  const waiting = (watched.seen - queue.cachedCons) >>> 0;
  if (waiting === 0 || waiting > ring.size || (ring.flags & XDP_RING_NEED_WAKEUP) === 0) return [];
  // Whoever waits for COMPLETION is told there.
  if (pool.completion.ring.used >= pool.completion.ring.size) return [];
  const chunk = chunkAt(watch, watched, queue.cachedCons);
  const isCalled = waitingSinceNs < 0;
  const why = !isCalled
    ? `no sendto and no poll has come since ${timeText(waitingSinceNs - watch.startNs)}, though NEED_WAKEUP is set`
    : lastResult === -EAGAIN
      ? 'the last sendto gave EAGAIN, and none came after it'
      : 'the last sendto did not send them all, as after an invalid descriptor, and none came after it';
  return [of(watch, watched, 'missing-wakeup', waiting, chunk, `${entries(waiting)} ${waiting === 1 ? 'waits' : 'wait'} in the TX ring of socket ${socket.id}: ${why}`, 'call sendto until the TX ring is empty: one call sends 32 descriptors, and an invalid one ends it')];
}

// ── FILL ──

function ofFill(watch: UmemWatch, watched: WatchedRing): XskFinding[] {
  const { ring, pool, queue, waitingSinceNs } = watched;
  const waiting = (watched.seen - queue.cachedCons) >>> 0;
  const findings: XskFinding[] = [];
  if (isStarved(watch, watched)) {
    const { starvedCount, starvedNs } = watched;
    const starvedOwners = pool.isZeroCopy ? watch.umem.ownerCounts() : watched.starvedOwners;
    const first = starvedNs < 0 ? '' : `, first at ${timeText(starvedNs - watch.startNs)}${whereWere(starvedOwners)}`;
    const neverFilledHint = pool.isZeroCopy ? NEVER_FILLED_ZERO_COPY_HINT : NEVER_FILLED_HINT;
    const message = watched.isUntouched
      ? `the application never put a chunk on FILL of queue ${pool.queueId}`
      : `FILL of queue ${pool.queueId} was empty when the kernel wanted a chunk${first}`;
    findings.push(of(watch, watched, 'fill-starvation', Math.max(1, starvedCount), NO_CHUNK, message, watched.isUntouched ? neverFilledHint : fillHint(starvedOwners, watched, watch.umem.chunks.count)));
  }
  // A driver that waits for room on RX is told of there.
  const waitsForRx = [...pool.sockets].some(({ rx }) => rx !== undefined && rx.ring.used >= rx.ring.size);
  if (waiting > 0 && waiting <= ring.size && (ring.flags & XDP_RING_NEED_WAKEUP) !== 0 && !waitsForRx) {
    const since = waitingSinceNs < 0 ? '' : ` since ${timeText(waitingSinceNs - watch.startNs)}`;
    findings.push(of(watch, watched, 'missing-wakeup', waiting, chunkAt(watch, watched, queue.cachedCons), `${entries(waiting)} ${waiting === 1 ? 'waits' : 'wait'} in FILL of queue ${pool.queueId} for a driver that sleeps: no poll and no recvfrom has come${since}, though NEED_WAKEUP is set`, 'call poll or recvfrom after a refill when the FILL ring needs a wake-up'));
  }
  return findings;
}

/** Drivers in zero-copy mode ask for more than they need: only one that has nothing at all is starved, and only where somebody wants to receive. */
function isStarved(watch: UmemWatch, { starvedCount, pool, ring }: WatchedRing): boolean {
  if (!pool.isZeroCopy) return starvedCount > 0;
  if (![...pool.sockets].some(({ rx }) => rx !== undefined)) return false;
  return ring.isEmpty && starvedCount > 0 && !watch.umem.chunks.owner.some((owner) => owner === Owner.kernel || owner === Owner.device);
}

function whereWere(owners: readonly number[]): string {
  const places = owners.flatMap((count, owner) => (count > 0 ? [`${count} with ${whoHas(owner)}`] : []));
  return places.length === 0 ? '' : `; of the chunks ${places.join(', ')}`;
}

/** What helps depends on who has the chunks. */
function fillHint(owners: readonly number[], { ring }: WatchedRing, chunkCount: number): string {
  const most = owners.indexOf(Math.max(...owners));
  switch (most) {
    case Owner.rxRing:
      return 'read RX more often, or make the UMEM larger';
    case Owner.completionRing:
      return 'take chunks from COMPLETION and give them back to FILL';
    case Owner.txRing:
    case Owner.kernel:
      return 'packets wait to be sent: call sendto, drain COMPLETION, or make the UMEM larger';
    default:
      return `${ring.size < chunkCount ? `make FILL larger, which takes ${ring.size} of ${chunkCount} chunks; ` : ''}give chunks to it before the first packet comes, and again as soon as they are read`;
  }
}

// ── COMPLETION ──

function ofCompletion(watch: UmemWatch, watched: WatchedRing): XskFinding[] {
  const { ring, pool } = watched;
  const isFull = ring.used === ring.size;
  if (!isFull && !(watched.isUntouched && ring.used >= ring.size / 2)) return [];
  const isWaitedFor = isFull && pool.txSockets.some(({ tx }) => tx !== undefined && !tx.ring.isEmpty);
  const never = watched.isUntouched ? 'the application never took anything from it' : 'the application took nothing from it any more';
  const message = `COMPLETION of queue ${pool.queueId} holds ${ring.used} of ${ring.size}: ${never}${isWaitedFor ? ', and nothing is sent before there is room' : ''}`;
  return [of(watch, watched, 'completion-not-drained', ring.used, chunkAt(watch, watched, watched.seen), message, 'peek and release COMPLETION before each submission to TX')];
}

// ── chunks ──

/** Chunks that the application has kept, where packets were lost for want of them. */
function lostChunks(watch: UmemWatch): XskFinding[] {
  const { umem, history, rings } = watch;
  const starved = rings.find((each) => each.kind === 'FILL' && each.isOpen && !each.isUntouched && each.ring.isEmpty && isStarved(watch, each));
  if (starved === undefined) return [];
  let count = 0;
  let oldest = NO_CHUNK;
  for (let chunk = 0; chunk < umem.chunks.count; chunk++) {
    if (umem.chunks.owner[chunk] !== Owner.application || !history.isKnown(chunk)) continue;
    count++;
    if (oldest === NO_CHUNK || history.lastNs(chunk) < history.lastNs(oldest)) oldest = chunk;
  }
  if (count === 0) return [];
  const message = `the application has ${count} of ${umem.chunks.count} chunks and gives none of them to FILL, which is empty; chunk ${oldest} since ${timeText(history.lastNs(oldest) - watch.startNs)}`;
  return [of(watch, starved, 'lost-chunk', count, oldest, message, 'give each chunk back to FILL when its packet was read, or when it came back on COMPLETION')];
}

// ── packets that the socket refused without a counter ──

function refusedPackets(socket: XdpSock): XskFinding[] {
  const { id, queueId, rxOtherQueue, lastOtherQueue, rxNotBound } = socket;
  const base = { socket: id, queue: queueId, ring: undefined, firstNs: 0, history: '' } as const;
  const findings: XskFinding[] = [];
  if (rxOtherQueue > 0) {
    const message = `packets of other queues, the last one of queue ${lastOtherQueue}, were redirected to socket ${id}, which is bound to queue ${queueId}: dropped with EINVAL, and no counter of the socket tells`;
    findings.push(xskFinding({ ...base, code: 'wrong-queue', message, hint: 'redirect by rx_queue_index to the socket of that queue, and bind one socket to each queue' }, rxOtherQueue));
  }
  if (rxNotBound > 0) {
    const message = `packets were redirected to socket ${id} while it was not bound: dropped with ENXIO`;
    findings.push(xskFinding({ ...base, code: 'not-bound', message, hint: 'bind a socket before it goes into an XSKMAP, and take it out before it is closed' }, rxNotBound));
  }
  return findings;
}

// ── common ──

/** The chunk that the address in an entry means; NO_CHUNK for none, or one that was never handed over. */
function chunkAt({ umem, history }: UmemWatch, { ring }: WatchedRing, index: number): number {
  const word = ring.entryWord(index);
  const offBytes = umem.chunkOf(ring.u32[word], ring.u32[word + 1]);
  if (!umem.contains(offBytes)) return NO_CHUNK;
  const chunk = umem.chunks.indexOf(umem.address + offBytes);
  return history.isKnown(chunk) ? chunk : NO_CHUNK;
}

function entries(count: number): string {
  return count === 1 ? '1 entry' : `${count} entries`;
}

function of(watch: UmemWatch, { kind, socket, waitingSinceNs, starvedNs }: WatchedRing, code: XskFindingCode, count: number, chunk: number, message: string, hint: string): XskFinding {
  const sinceNs = code === 'fill-starvation' ? starvedNs : code === 'missing-wakeup' ? waitingSinceNs : chunk === NO_CHUNK ? -1 : watch.history.lastNs(chunk);
  const history = chunk === NO_CHUNK ? '' : historyText(watch, chunk);
  return xskFinding({ code, socket: socket.id, queue: socket.queueId, ring: kind, firstNs: sinceNs < 0 ? 0 : sinceNs - watch.startNs, message, hint, history }, count);
}
