import { Owner, ownerName } from '../memory/index.js';
import { addressText } from './descriptorWords.js';
import { MAX_RING_ENTRIES, XDP_RING_NEED_WAKEUP } from './ring.js';
import type { Umem } from './umem.js';
import { baseOfAddress } from './umem.js';
import type { RingKind } from './watchedRing.js';
import type { XdpSock } from './xdpSock.js';
import { XDP_PKT_CONTD, XDP_TX_METADATA } from './xskQueue.js';
import type { XskQueue } from './xskQueue.js';

/** One entry of a ring. */
export interface EntryView {
  /** Free-running, and modulo the size of the ring. */
  readonly index: number;
  readonly slot: number;
  /** As it stands in the ring; beyond 48 bits in hexadecimal. */
  readonly address: string;
  /** RX and TX: bytes of the packet or its part, and what `options` says. */
  readonly lenBytes?: number;
  readonly options?: readonly string[];
  /** Chunk that the address lies in, -1 for none; who has it, and the packet that it carries, 0 for none. */
  readonly chunk: number;
  readonly owner: string;
  readonly packet: number;
  /** The kernel has taken it, or not published it yet: what the indices in memory don't tell. */
  readonly note: string;
}

/** One ring at a moment. */
export interface RingView {
  readonly kind: RingKind;
  readonly size: number;
  /** As they stand in shared memory, and what the kernel remembers of them. */
  readonly producer: number;
  readonly consumer: number;
  readonly cachedProducer: number;
  readonly cachedConsumer: number;
  /** Entries that were produced and not consumed, by the indices in memory; more than `size` when these make no sense. */
  readonly used: number;
  readonly flags: readonly string[];
  /** From the consumer to the producer, the oldest first. */
  readonly entries: readonly EntryView[];
  /** Entries that are left out. */
  readonly omitted: number;
}

/** The rings of a socket, and who has the chunks of its UMEM. */
export interface SocketView {
  readonly socket: number;
  readonly ifindex: number;
  readonly queue: number;
  readonly state: string;
  readonly mode: 'copy' | 'zero-copy';
  readonly rings: readonly RingView[];
  /** Chunks by owner, and what the kernel holds of them apart: unused, and on their way out. */
  readonly chunks: Readonly<Record<string, number>>;
  readonly kernelFree: number;
  readonly kernelInFlight: number;
}

/**
 * The rings of a socket as they are at this moment. Looking changes nothing.
 *
 * @param mostEntries of each ring that are shown
 */
export function viewRings(socket: XdpSock, mostEntries: number = MAX_RING_ENTRIES): SocketView {
  const { umem, pool, rx, tx } = socket;
  umem?.watch?.sync();
  const queues: readonly (readonly [RingKind, XskQueue | undefined])[] = [
    ['FILL', pool?.fill ?? socket.fillUntilBind], ['RX', rx], ['TX', tx], ['COMPLETION', pool?.completion ?? socket.completionUntilBind],
  ];
  return {
    socket: socket.id,
    ifindex: socket.ifindex,
    queue: socket.queueId,
    state: socket.state,
    mode: socket.isZeroCopy ? 'zero-copy' : 'copy',
    rings: queues.flatMap(([kind, queue]) => (queue === undefined ? [] : [viewRing(kind, queue, umem, mostEntries)])),
    chunks: umem?.chunks.census() ?? {},
    kernelFree: pool?.freeCount ?? 0,
    kernelInFlight: pool?.inFlight ?? 0,
  };
}

function viewRing(kind: RingKind, queue: XskQueue, umem: Umem | undefined, mostEntries: number): RingView {
  const { ring, cachedProd, cachedCons } = queue;
  const { producer, consumer, size, used, flags } = ring;
  // The kernel publishes late: what it has reserved on RX and COMPLETION lies behind the producer.
  const isKernels = kind === 'RX' || kind === 'COMPLETION';
  const unpublished = isKernels ? (cachedProd - producer) >>> 0 : 0;
  const present = Math.min(size, used <= size ? used + (kind === 'RX' && unpublished <= size ? unpublished : 0) : size);
  const shown = Math.min(present, mostEntries);
  const entries = Array.from({ length: shown }, (_, n) => {
    const index = (consumer + n) >>> 0;
    const isTaken = !isKernels && (cachedCons - consumer) >>> 0 <= size && n < (cachedCons - consumer) >>> 0;
    return viewEntry(kind, queue, index, umem, isTaken ? 'taken by the kernel' : isKernels && n >= used ? 'not published yet' : '');
  });
  return {
    kind, size, producer, consumer, cachedProducer: cachedProd, cachedConsumer: cachedCons, used, flags: bits(flags, [[XDP_RING_NEED_WAKEUP, 'NEED_WAKEUP']]), entries, omitted: present - shown,
  };
}

function viewEntry(kind: RingKind, { ring }: XskQueue, index: number, umem: Umem | undefined, note: string): EntryView {
  const { u32, size } = ring;
  const word = ring.entryWord(index);
  const [low, high] = [u32[word], u32[word + 1]];
  const offBytes = umem === undefined ? -1 : kind === 'FILL' ? umem.fillChunk(low, high) : umem.chunkOf(low, high);
  const chunk = umem !== undefined && umem.contains(offBytes) ? umem.chunks.indexOf(umem.address + offBytes) : -1;
  const owner = umem === undefined || chunk < 0 ? undefined : umem.chunks.owner[chunk];
  return {
    index,
    slot: index & (size - 1),
    address: umem?.isUnaligned === true && high > 0xffff ? `${baseOfAddress(low, high)}+${high >>> 16}` : addressText(low, high),
    ...(kind === 'RX' || kind === 'TX' ? { lenBytes: u32[word + 2], options: bits(u32[word + 3], [[XDP_PKT_CONTD, 'CONTD'], [XDP_TX_METADATA, 'TX_METADATA']]) } : {}),
    chunk,
    owner: owner === undefined ? '' : ownerName(owner),
    packet: chunk < 0 || owner === Owner.fillRing ? 0 : umem!.chunks.packetId[chunk],
    note,
  };
}

/** Bits by their names, those without one in hexadecimal. */
function bits(value: number, names: readonly (readonly [number, string])[]): string[] {
  const known = names.filter(([bit]) => (value & bit) !== 0);
  const rest = known.reduce((left, [bit]) => left & ~bit, value) >>> 0;
  return [...known.map(([, name]) => name), ...(rest === 0 ? [] : [`0x${rest.toString(16)}`])];
}
