import { Owner, ownerName } from '../memory/index.js';
import type { HandOver } from './chunkHistory.js';
import type { UmemWatch } from './umemWatch.js';
import type { WatchedRing } from './watchedRing.js';

const UNITS: readonly (readonly [number, string])[] = [[1e9, 's'], [1e6, 'ms'], [1e3, 'us']];

/** A span of time with the unit that suits it: `0 ns`, `1.2 us`, `3.456 ms`. */
export function timeText(ns: number): string {
  for (const [unit, name] of UNITS) if (ns >= unit) return `${Number((ns / unit).toFixed(3))} ${name}`;
  return `${Math.round(ns)} ns`;
}

/** What happened to a chunk: `chunk 3: FILL slot 3 at 0 ns, kernel at 1.2 us, RX slot 5 with packet 12 at 1.2 us, application at 2 us`. */
export function historyText(watch: UmemWatch, chunk: number): string {
  const { history, startNs } = watch;
  const handOvers = history.of(chunk);
  const forgotten = history.forgotten(chunk);
  const before = forgotten === 0 ? '' : `${forgotten} hand-over${forgotten === 1 ? '' : 's'} before, `;
  if (handOvers.length === 0) return `chunk ${chunk}: with the application from the beginning on`;
  return `chunk ${chunk}: ${before}${handOvers.map((each) => `${placeText(watch, each)} at ${timeText(each.tNs - startNs)}`).join(', ')}`;
}

function placeText({ rings }: UmemWatch, { owner, packetId, ring, index }: HandOver): string {
  const watched = rings[ring];
  const place = watched === undefined ? ownerText(owner) : ringText(rings, watched, index);
  return packetId === 0 || (owner !== Owner.rxRing && owner !== Owner.txRing) ? place : `${place} with packet ${packetId}`;
}

/** The socket is named where there are several. */
function ringText(rings: readonly WatchedRing[], watched: WatchedRing, index: number): string {
  const isOnly = rings.every(({ kind, id }) => kind !== watched.kind || id === watched.id);
  return `${watched.kind} slot ${watched.slot(index)}${isOnly ? '' : ` of socket ${watched.socket.id}`}`;
}

function ownerText(owner: number): string {
  switch (owner) {
    case Owner.fillRing:
      return 'FILL';
    case Owner.txRing:
      return 'TX';
    case Owner.rxRing:
      return 'RX';
    case Owner.completionRing:
      return 'COMPLETION';
    default:
      return ownerName(owner);
  }
}

/** Who has a chunk, as the subject of a sentence. */
export function whoHas(owner: number): string {
  const name = ownerText(owner);
  return name === ownerName(owner) ? `the ${name}` : `the ${name} ring`;
}
