import type { HostMemory } from '../memory/index.js';
import { Owner } from '../memory/index.js';
import { ChunkHistory, NO_RING } from './chunkHistory.js';
import { historyText, timeText, whoHas } from './chunkHistoryText.js';
import { whyBadFill, whyInvalid } from './descriptorWords.js';
import { PacketHashes } from './packetHashes.js';
import { XDP_RING_NEED_WAKEUP } from './ring.js';
import { newXdpDesc, readXdpDesc } from './txDescriptor.js';
import type { XdpDesc } from './txDescriptor.js';
import { XDP_PACKET_HEADROOM } from './umem.js';
import type { Umem } from './umem.js';
import { WatchedRing } from './watchedRing.js';
import type { RingKind } from './watchedRing.js';
import type { XdpSock } from './xdpSock.js';
import type { XskBuffPool } from './xskBuffPool.js';
import { MAX_SKB_DESCRIPTORS } from './xskDevice.js';
import { XskFindingLog } from './xskFindings.js';
import type { XskFindingCode } from './xskFindings.js';
import { XDP_PKT_CONTD } from './xskQueue.js';
import type { XskQueue } from './xskQueue.js';

/** Entries that wait for a system call longer than this have been forgotten for a while. */
const LATE_WAKEUP_NS = 1_000_000;

const HALF_U32 = 2 ** 31;

/** No chunk is concerned. */
const NO_CHUNK = -1;

/** Where the watch has the time from. */
export interface WatchClock {
  /** Virtual time, ns. */
  readonly nowNs: number;
}

/**
 * Follows the chunks of one UMEM, the application's half of their way included, of which the kernel knows nothing: by what newly lies in the rings
 * whenever the kernel looks at an index of the application (`sync`), which is before it takes an entry and before it overwrites one. So every entry
 * is seen once, and for a few loads where nothing is new. The kernel's half comes in by `moved`.
 *
 * It changes nothing: an application that breaks the rules meets the kernel's behaviour, and is told of in `findings`. A chunk that was in two hands at once
 * is `isTainted`: its owner is whoever got it last, and no hand-over of it proves anything any more.
 */
export class UmemWatch {
  readonly umem: Umem;
  readonly history: ChunkHistory;
  readonly findings = new XskFindingLog();
  /** Rings of sockets that are bound, also of those that were. */
  readonly rings: WatchedRing[] = [];
  /** When the clock began, ns: texts count from here. */
  readonly startNs: number;
  /** 1 for each chunk that was in two hands at once. */
  readonly isTainted: Uint8Array;
  /** Indices went astray, or entries changed after their submission: where chunks lie can't be told for certain any more. */
  isConfused = false;
  /** Looks whether a packet is still the same when the kernel takes it; costs its bytes twice. */
  readonly #packets: PacketHashes | undefined;
  /** Unaligned chunks: where the one that was last known in each stretch begins. */
  readonly #base: Float64Array | undefined;
  readonly #clock: WatchClock;
  /** RX and COMPLETION, FILL and TX of the sockets that are bound. */
  #consumed: WatchedRing[] = [];
  #submitted: WatchedRing[] = [];
  readonly #desc: XdpDesc = newXdpDesc();

  /** @param hashesPackets compares each packet at the moment of its submission and at that of its sending */
  constructor(umem: Umem, memory: HostMemory, clock: WatchClock, startNs: number, hashesPackets = false) {
    this.umem = umem;
    this.#clock = clock;
    this.startNs = startNs;
    this.history = new ChunkHistory(umem.chunks.count);
    this.isTainted = new Uint8Array(umem.chunks.count);
    this.#base = umem.isUnaligned ? new Float64Array(umem.chunks.count).fill(Infinity) : undefined;
    this.#packets = hashesPackets ? new PacketHashes(umem, memory) : undefined;
  }

  // ── rings ──

  /** The rings of a socket that has been bound, and those of its pool, unless another socket brought them. */
  addSocket(socket: XdpSock): void {
    const { pool, rx, tx } = socket;
    if (pool === undefined) throw new Error('UmemWatch.addSocket: the socket is not bound');
    if (rx !== undefined) this.#add('RX', rx, pool, socket);
    if (tx !== undefined) this.#add('TX', tx, pool, socket);
    if (pool.fill.watchId !== NO_RING) return;
    this.#add('FILL', pool.fill, pool, socket);
    this.#add('COMPLETION', pool.completion, pool, socket);
  }

  #add(kind: RingKind, queue: XskQueue, pool: XskBuffPool, socket: XdpSock): void {
    const ring = new WatchedRing(this.rings.length, kind, queue, pool, socket);
    queue.watchId = ring.id;
    queue.watch = this;
    this.rings.push(ring);
    (kind === 'RX' || kind === 'COMPLETION' ? this.#consumed : this.#submitted).push(ring);
  }

  /** A socket is closed: what lies on its rings is the application's again. */
  removeSocket(socket: XdpSock): void {
    this.sync();
    for (const queue of [socket.rx, socket.tx]) if (queue !== undefined) this.#remove(queue);
  }

  /** A pool goes away with all that it holds. */
  removePool(pool: XskBuffPool): void {
    this.sync();
    this.#remove(pool.fill);
    this.#remove(pool.completion);
    for (const chunk of pool.freeChunks) this.#handOver(this.#indexOf(chunk), Owner.application, NO_RING, 0);
  }

  #remove({ watchId }: XskQueue): void {
    const watched = this.rings[watchId];
    if (watched === undefined) return;
    watched.isOpen = false;
    this.#consumed = this.#consumed.filter(({ isOpen }) => isOpen);
    this.#submitted = this.#submitted.filter(({ isOpen }) => isOpen);
    for (let chunk = 0; chunk < this.umem.chunks.count; chunk++) if (this.history.ringOf(chunk) === watchId) this.#handOver(chunk, Owner.application, NO_RING, 0);
  }

  ringOf(queue: XskQueue): WatchedRing | undefined {
    return this.rings[queue.watchId];
  }

  // ── the application's half ──

  /** Looks at what the application has done since the last time: first what it has taken, then what it has given. */
  sync(): void {
    const consumed = this.#consumed;
    for (let i = 0; i < consumed.length; i++) if (consumed[i].ring.consumer !== consumed[i].seen) this.#scanConsumed(consumed[i]);
    const submitted = this.#submitted;
    for (let i = 0; i < submitted.length; i++) if (submitted[i].ring.producer !== submitted[i].seen) this.#scanSubmitted(submitted[i]);
  }

  #scanConsumed(watched: WatchedRing): void {
    const { ring, seen } = watched;
    const { consumer } = ring;
    watched.seen = consumer;
    const taken = (consumer - seen) >>> 0;
    const published = (ring.producer - seen) >>> 0;
    if (taken > published) this.#beyond(watched, `its consumer index went from ${seen} to ${consumer}, and its producer index is ${ring.producer}`);
    if (taken >= HALF_U32) return;
    const { u32 } = ring;
    const count = Math.min(taken, published, ring.size);
    for (let n = 0; n < count; n++) {
      const index = (seen + n) >>> 0;
      const word = ring.entryWord(index);
      const offBytes = this.umem.chunkOf(u32[word], u32[word + 1]);
      if (!this.umem.contains(offBytes)) continue;
      const chunk = this.#indexOf(offBytes);
      // Applications give a chunk on before they release the entry that they have it from.
      if (this.history.liesAt(chunk, watched.id, index)) this.#handOver(chunk, Owner.application, NO_RING, 0);
    }
  }

  #scanSubmitted(watched: WatchedRing): void {
    const { ring, seen, queue } = watched;
    const { producer, size } = ring;
    watched.seen = producer;
    if (watched.waitingSinceNs < 0) watched.waitingSinceNs = this.#clock.nowNs;
    const given = (producer - seen) >>> 0;
    const inRing = (producer - queue.cachedCons) >>> 0;
    const isBeyond = inRing > size;
    if (isBeyond) this.#beyond(watched, `its producer index went from ${seen} to ${producer}, and its consumer index is ${queue.cachedCons}: ${size} entries is all it has`);
    if (given >= HALF_U32) return;
    for (let n = Math.min(given, size); n > 0; n--) this.#submit(watched, (producer - n) >>> 0, isBeyond);
  }

  #beyond(watched: WatchedRing, what: string): void {
    this.isConfused = true;
    if (!this.#isFirst('index-beyond-ring', watched)) return;
    const whose = watched.kind === 'FILL' || watched.kind === 'TX' ? 'submit as many entries as reserve gave' : 'release as many entries as peek gave';
    this.#describe('index-beyond-ring', watched, NO_CHUNK, `the ${watched.kind} ring (${watched.ring.size}) makes no sense: ${what}`, `${whose}, and let nothing else write to the indices`);
  }

  /** One new entry of FILL or TX. */
  #submit(watched: WatchedRing, index: number, isBeyond: boolean): void {
    const { umem } = this;
    const { u32 } = watched.ring;
    const word = watched.ring.entryWord(index);
    const isFill = watched.kind === 'FILL';
    if (!isFill) this.#lookAtDescriptor(watched, index, word);
    const offBytes = isFill ? umem.fillChunk(u32[word], u32[word + 1]) : umem.chunkOf(u32[word], u32[word + 1]);
    if (isFill && offBytes < 0) this.#badFill(watched, index, u32[word], u32[word + 1]);
    if (!umem.contains(offBytes)) return;
    const chunk = this.#indexOf(offBytes);
    const owner = umem.chunks.owner[chunk];
    if (owner !== Owner.application && this.#canTake(chunk)) this.#handOver(chunk, Owner.application, NO_RING, 0);
    else if (owner !== Owner.application) this.#submittedTwice(watched, index, chunk, owner);
    if (isBeyond) this.isTainted[chunk] = 1;
    this.#handOver(chunk, isFill ? Owner.fillRing : Owner.txRing, watched.id, index);
    if (this.#base !== undefined) this.#base[chunk] = offBytes;
    if (isFill) umem.chunks.packetId[chunk] = 0;
    else this.#packets?.remember(chunk, this.#desc);
  }

  /** It lies in an entry of RX or COMPLETION that the application sees, so that it may have been taken, whether or not the entry is released. */
  #canTake(chunk: number): boolean {
    const watched = this.rings[this.history.ringOf(chunk)];
    if (watched === undefined || watched.kind === 'FILL' || watched.kind === 'TX') return false;
    return (watched.ring.producer - 1 - this.history.indexOf(chunk)) >>> 0 < watched.ring.size;
  }

  #lookAtDescriptor(watched: WatchedRing, index: number, word: number): void {
    const { umem } = this;
    const { socket } = watched;
    const desc = this.#desc;
    readXdpDesc(watched.ring.u32, word, umem, desc);
    if (!socket.rules.descriptors.isValid(desc, umem)) {
      watched.openDescriptors = 0;
      if (!this.#isFirst('invalid-descriptor', watched)) return;
      const chunk = umem.contains(umem.chunkOf(desc.addrLow, desc.addrHigh)) ? this.#indexOf(umem.chunkOf(desc.addrLow, desc.addrHigh)) : NO_CHUNK;
      const back = socket.rules.completesInvalid && !socket.isZeroCopy ? '' : `; kernel ${socket.rules.kernel} does not complete it either${socket.isZeroCopy ? ' in zero-copy mode' : ''}, so the chunk never comes back`;
      this.#describe('invalid-descriptor', watched, chunk, `the descriptor in TX slot ${watched.slot(index)} is refused: ${whyInvalid(desc, umem, socket.rules)}${back}`, 'a packet has at least one byte and lies, with its metadata, in one chunk');
      return;
    }
    watched.openDescriptors++;
    const most = socket.isZeroCopy ? (socket.device?.zeroCopy?.maxSegments ?? 1) : MAX_SKB_DESCRIPTORS;
    if ((desc.options & XDP_PKT_CONTD) === 0) watched.openDescriptors = 0;
    else if (watched.openDescriptors === most && this.#isFirst('too-many-descriptors', watched)) {
      this.#describe('too-many-descriptors', watched, NO_CHUNK, `a packet that ends behind TX slot ${watched.slot(index)} has more than ${most} descriptors and is dropped`, 'use fewer, larger parts');
    }
  }

  #badFill(watched: WatchedRing, index: number, low: number, high: number): void {
    if (!this.#isFirst('bad-fill-entry', watched)) return;
    this.#describe('bad-fill-entry', watched, NO_CHUNK, `the kernel skips the entry in FILL slot ${watched.slot(index)}, and no counter tells: ${whyBadFill(low, high, this.umem)}`, 'give FILL the UMEM offset of a chunk');
  }

  #submittedTwice(watched: WatchedRing, index: number, chunk: number, owner: number): void {
    this.isTainted[chunk] = 1;
    if (!this.#isFirst('double-submission', watched)) return;
    const { kind } = watched;
    const isSentTwice = kind === 'TX' && owner === Owner.txRing;
    const hint = isSentTwice
      ? 'send a chunk again when it has come back on COMPLETION; one that is sent twice comes back on COMPLETION twice, and is free after the second time'
      : `give ${kind} only chunks that came back on RX or COMPLETION, each once`;
    this.#describe(
      'double-submission', watched, chunk,
      `chunk ${chunk} was put into ${kind} slot ${watched.slot(index)} while ${whoHas(owner)} had it, and the kernel takes it twice`,
      this.#whyNumber(watched, index) ?? hint,
    );
  }

  /** What to do where the number of a chunk seems to stand for its address: no chunk begins there, and the kernel puts no packet that early into one. */
  #whyNumber({ ring }: WatchedRing, index: number): string | undefined {
    const { chunks, chunkSizeBytes, isUnaligned } = this.umem;
    const word = ring.entryWord(index);
    const low = ring.u32[word];
    const isNumber = !isUnaligned && ring.u32[word + 1] === 0 && low > 0 && low < Math.min(chunks.count, XDP_PACKET_HEADROOM);
    return isNumber ? `the address was ${low}: if that is the number of a chunk, write ${low * chunkSizeBytes}, as addresses count bytes; give each chunk once` : undefined;
  }

  /** The application looks at or writes to bytes of the UMEM by the library, or whoever else tells. */
  accessed(offBytes: number): void {
    if (!this.umem.contains(offBytes)) return;
    this.sync();
    const chunk = this.#base === undefined ? this.#indexOf(offBytes) : this.#chunkAround(offBytes, this.#base);
    if (chunk === NO_CHUNK) return;
    const owner = this.umem.chunks.owner[chunk];
    if (owner === Owner.application || this.#canTake(chunk)) return;
    const watched = this.rings[this.history.ringOf(chunk)] ?? this.rings[0];
    if (watched === undefined || !this.#isFirst('use-after-hand-over', watched)) return;
    this.#describe('use-after-hand-over', watched, chunk, `the application used chunk ${chunk} while ${whoHas(owner)} had it`, 'leave a chunk alone from its submission on until it comes back on RX or COMPLETION');
  }

  /** The unaligned chunk that a byte lies in: it may begin up to two stretches before. */
  #chunkAround(offBytes: number, base: Float64Array): number {
    const last = this.#indexOf(offBytes);
    for (let chunk = last; chunk >= Math.max(0, last - 2); chunk--) {
      if (base[chunk] <= offBytes && offBytes < base[chunk] + this.umem.chunkSizeBytes) return chunk;
    }
    return NO_CHUNK;
  }

  // ── the kernel's half ──

  /**
   * The kernel, or a driver in its name, hands a chunk over.
   *
   * @param queue ring on which it lies from then on, in the entry with this index
   */
  moved(offBytes: number, from: Owner, to: Owner, queue: XskQueue | undefined, index: number): void {
    if (!this.umem.contains(offBytes)) return;
    const { chunks } = this.umem;
    const chunk = this.#indexOf(offBytes);
    const found = chunks.owner[chunk];
    if (this.#packets !== undefined && (from === Owner.txRing || (to === Owner.completionRing && this.rings[queue?.watchId ?? NO_RING]?.pool.isZeroCopy === true))) {
      this.#comparePacket(chunk, this.#packets);
    }
    if (found !== from && this.isTainted[chunk] === 0) {
      // The kernel takes what an entry says. When that is not what it said at its submission, the application has changed it.
      if (from === Owner.fillRing || from === Owner.txRing || to === Owner.completionRing) this.#entryChanged(chunk, from, found);
      else chunks.move(this.umem.address + offBytes, from, to);
    }
    this.#handOver(chunk, to, queue?.watchId ?? NO_RING, index);
  }

  #entryChanged(chunk: number, from: Owner, found: number): void {
    this.isConfused = true;
    this.isTainted[chunk] = 1;
    const kind = from === Owner.fillRing ? 'FILL' : from === Owner.txRing ? 'TX' : 'COMPLETION';
    const watched = this.rings.find((each) => each.kind === kind && each.isOpen);
    if (watched === undefined || !this.#isFirst('changed-after-submit', watched)) return;
    this.#describe('changed-after-submit', watched, chunk, `an entry of ${kind} was changed after its submission: the kernel took chunk ${chunk} from it, which ${whoHas(found)} had`, 'write entries between reserve and submit only');
  }

  #comparePacket(chunk: number, packets: PacketHashes): void {
    if (packets.isSame(chunk)) return;
    const watched = this.rings[this.history.ringOf(chunk)] ?? this.rings.find(({ kind }) => kind === 'TX');
    if (watched === undefined || !this.#isFirst('use-after-hand-over', watched)) return;
    this.#describe('use-after-hand-over', watched, chunk, `the packet in chunk ${chunk} was changed between its submission and its sending`, 'write packets before they are submitted');
  }

  /** The kernel took back descriptors of a packet, to `queue.cachedCons`; the application has seen `published` as the consumer index. */
  rewound(queue: XskQueue, published: number): void {
    const watched = this.ringOf(queue);
    const count = (published - queue.cachedCons) >>> 0;
    if (watched === undefined || count === 0 || count > watched.ring.size) return;
    this.isConfused = true;
    let first = NO_CHUNK;
    for (let n = 0; n < count; n++) {
      const word = watched.ring.entryWord((queue.cachedCons + n) >>> 0);
      const offBytes = this.umem.chunkOf(watched.ring.u32[word], watched.ring.u32[word + 1]);
      if (!this.umem.contains(offBytes)) continue;
      first = this.#indexOf(offBytes);
      this.isTainted[first] = 1;
    }
    if (!this.#isFirst('tx-rewound', watched)) return;
    this.#describe('tx-rewound', watched, first, `the driver had no room for a packet that several calls of sendto had taken: the kernel goes back ${count} descriptors behind the consumer index that the application saw, to slots that may have been filled anew`, 'submit all descriptors of a packet at once, and leave room for them on COMPLETION');
  }

  /** A packet found FILL empty. */
  starved({ fill }: XskBuffPool): void {
    const watched = this.ringOf(fill);
    if (watched === undefined) return;
    watched.starvedCount++;
    if (watched.starvedNs >= 0) return;
    this.sync();
    watched.starvedNs = this.#clock.nowNs;
    watched.starvedOwners = this.umem.ownerCounts();
  }

  // ── system calls ──

  /** The application calls the kernel about a socket: sendto, recvfrom or poll. */
  called(socket: XdpSock): void {
    this.sync();
    for (const watched of this.#submitted) {
      if (watched.kind === 'TX' ? watched.socket !== socket : watched.pool !== socket.pool) continue;
      this.#lookAtDelay(watched);
      watched.waitingSinceNs = -1;
    }
  }

  #lookAtDelay(watched: WatchedRing): void {
    const waitedNs = this.#clock.nowNs - watched.waitingSinceNs;
    if (watched.waitingSinceNs < 0 || waitedNs < LATE_WAKEUP_NS || watched.ring.isEmpty) return;
    if ((watched.ring.flags & XDP_RING_NEED_WAKEUP) === 0 || !this.#isFirst('missing-wakeup', watched)) return;
    const { kind } = watched;
    this.#describe('missing-wakeup', watched, NO_CHUNK, `entries of ${kind} waited for ${timeText(waitedNs)} for a system call, though NEED_WAKEUP was set`, kind === 'TX' ? 'call sendto when the TX ring needs a wake-up' : 'call poll or recvfrom when the FILL ring needs a wake-up');
  }

  /** What a sendto gave. */
  sent(socket: XdpSock, result: number, refusesMetadata: boolean): void {
    const watched = socket.tx && this.ringOf(socket.tx);
    if (watched === undefined) return;
    watched.lastResult = result;
    if (!refusesMetadata || !this.#isFirst('metadata-refused', watched)) return;
    const slot = watched.slot(watched.queue.cachedCons);
    this.#describe('metadata-refused', watched, NO_CHUNK, `sendto gave EINVAL for the metadata of the descriptor in TX slot ${slot}, which blocks the ring until it is mended`, 'the UMEM needs a tx_metadata_len, flags that the kernel knows, and a checksum within the packet');
  }

  // ── common ──

  #indexOf(offBytes: number): number {
    return this.umem.chunks.indexOf(this.umem.address + offBytes);
  }

  #handOver(chunk: number, to: Owner, ring: number, index: number): void {
    const { chunks } = this.umem;
    const found = chunks.owner[chunk];
    this.history.record(chunk, to, this.#clock.nowNs, chunks.packetId[chunk], ring, index);
    chunks.previousOwner[chunk] = found;
    chunks.owner[chunk] = to;
    // What comes back from COMPLETION carries nothing any more.
    if (found === Owner.completionRing) chunks.packetId[chunk] = 0;
  }

  #isFirst(code: XskFindingCode, { kind, socket }: WatchedRing): boolean {
    return this.findings.count(code, socket.id, kind);
  }

  #describe(code: XskFindingCode, { kind, socket }: WatchedRing, chunk: number, message: string, hint: string): void {
    const history = chunk === NO_CHUNK ? '' : historyText(this, chunk);
    this.findings.describe({ code, socket: socket.id, queue: socket.queueId, ring: kind, firstNs: this.#clock.nowNs - this.startNs, message, hint, history });
  }
}
