import { errnoName } from '../../base/index.js';
import {
  ADDRESS_BYTES, AF_XDP, RING_ENTRIES, SOCK_RAW, SOL_XDP, XDP_DESC_BYTES, XDP_MAX_TX_SKB_BUDGET, XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING, XDP_RX_RING, XDP_SHARED_UMEM, XDP_STATISTICS,
  XDP_TX_RING, XDP_UMEM_COMPLETION_RING, XDP_UMEM_FILL_RING, XDP_UMEM_PGOFF_COMPLETION_RING, XDP_UMEM_PGOFF_FILL_RING, XDP_UMEM_REG, XDP_UMEM_TX_METADATA_LEN,
  XDP_UMEM_TX_SW_CSUM, XDP_UMEM_UNALIGNED_CHUNK_FLAG,
} from '../../umem/index.js';
import type { Mapping } from '../../umem/index.js';
import { RawRing } from './rawRing.js';
import { release } from './xskOperation.js';
import type { AddressChoice, TxChoice, TxMetadataWords, XskOperation } from './xskOperation.js';
import type { XskEnd } from './xskWorld.js';

/** struct xsk_tx_metadata: flags u64, csum_start u16, csum_offset u16, 4 unused, launch_time u64. */
export const TX_METADATA_BYTES = 24;
/** A frame that another program sends: addresses and an EtherType that no stack takes. */
const OTHER_ETHER_TYPE = 0x88b5;

/** What a UMEM is filled with at first: no two stretches of it are alike. */
const PATTERN = Uint8Array.from({ length: 1 << 17 }, (_, i) => (i * 31 + (i >>> 8) * 7) & 0xff);

/** How a socket and its UMEM are made. */
export interface XskSetting {
  readonly chunkSizeBytes: number;
  /** At most 32. */
  readonly chunkCount: number;
  readonly isUnaligned: boolean;
  readonly headroomBytes: number;
  readonly txMetadataBytes: number;
  readonly hasTxSwCsum: boolean;
  /** Entries of each ring. */
  readonly rx: number;
  readonly tx: number;
  readonly fill: number;
  readonly completion: number;
  /** XDP_COPY and what else bind() gets. */
  readonly bindFlags: number;
  /** XDP_MAX_TX_SKB_BUDGET; 0: it is not set. */
  readonly txBudget: number;
  /** Another socket on the same queue shares the UMEM, FILL and COMPLETION. */
  readonly hasSecond: boolean;
}

export const RING_NAMES = ['rx', 'tx', 'fill', 'completion'] as const;

const RINGS = {
  rx: [XDP_RX_RING, XDP_PGOFF_RX_RING, XDP_DESC_BYTES],
  tx: [XDP_TX_RING, XDP_PGOFF_TX_RING, XDP_DESC_BYTES],
  fill: [XDP_UMEM_FILL_RING, XDP_UMEM_PGOFF_FILL_RING, ADDRESS_BYTES],
  completion: [XDP_UMEM_COMPLETION_RING, XDP_UMEM_PGOFF_COMPLETION_RING, ADDRESS_BYTES],
} as const;

/**
 * An AF_XDP application without any manners: it writes into its rings and its UMEM what it is told, and makes the system calls that it is told, so
 * that two of them on two kernels do exactly the same.
 */
export class RawXsk {
  readonly umem: Uint8Array;
  readonly rings: Readonly<Record<(typeof RING_NAMES)[number], RawRing>>;
  readonly #end: XskEnd;
  readonly #setting: XskSetting;
  readonly #fd: number;
  readonly #mappings: Mapping[] = [];
  readonly #view: DataView;

  /**
   * @param isPatient another bind is tried when the queue is not free yet
   * @param owner the first socket of the queue, for the second one
   */
  constructor(end: XskEnd, setting: XskSetting, isPatient: () => boolean, owner?: RawXsk) {
    this.#end = end;
    this.#setting = setting;
    const { calls } = end;
    this.#fd = calls.socket(SOCK_RAW, 0);
    this.umem = owner?.umem ?? this.#register();
    this.#view = new DataView(this.umem.buffer, this.umem.byteOffset, this.umem.length);
    this.rings = { rx: this.#ring('rx'), tx: this.#ring('tx'), fill: owner?.rings.fill ?? this.#ring('fill'), completion: owner?.rings.completion ?? this.#ring('completion') };
    if (setting.txBudget > 0) this.#expect(calls.setsockopt(this.#fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, word(setting.txBudget)), 'XDP_MAX_TX_SKB_BUDGET');
    // struct sockaddr_xdp: family u16, flags u16, ifindex u32, queue_id u32, shared_umem_fd u32.
    const address = new Uint8Array(16);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_XDP, true);
    view.setUint16(2, owner === undefined ? setting.bindFlags : XDP_SHARED_UMEM, true);
    view.setUint32(4, end.ifindex, true);
    view.setUint32(12, owner?.fd ?? 0, true);
    let bound = calls.bind(this.#fd, address);
    while (bound < 0 && isPatient()) bound = calls.bind(this.#fd, address);
    this.#expect(bound, 'bind');
    if (owner === undefined) end.attach(this.#fd);
  }

  get fd(): number {
    return this.#fd;
  }

  close(): void {
    this.#end.calls.close(this.#fd);
    for (const mapping of this.#mappings) this.#end.calls.munmap(mapping);
  }

  /** XDP_STATISTICS in the form of this length: 3 or 6 counters. */
  statistics(lenBytes: number): number[] {
    const bytes = new Uint8Array(lenBytes);
    this.#expect(this.#end.calls.getsockopt(this.#fd, SOL_XDP, XDP_STATISTICS, bytes), 'XDP_STATISTICS');
    return Array.from({ length: lenBytes / 8 }, (_, i) => Number(new DataView(bytes.buffer).getBigUint64(i * 8, true)));
  }

  /** @returns what the system call gives; 0 where there is none */
  apply(operation: XskOperation): number {
    const { calls } = this.#end;
    const { rings } = this;
    switch (operation.kind) {
      case 'fill': {
        const start = rings.fill.producer;
        operation.entries.forEach((entry, i) => rings.fill.write(start + i, ...this.#address(entry)));
        rings.fill.producer = (start + operation.entries.length + operation.extra) >>> 0;
        return 0;
      }
      case 'queue': {
        const start = rings.tx.producer;
        operation.descs.forEach((desc, i) => rings.tx.write(start + i, ...this.#describe(desc)));
        rings.tx.producer = (start + operation.descs.length + operation.extra) >>> 0;
        return 0;
      }
      case 'consume':
        release(rings[operation.ring], operation.count, operation.extra);
        return 0;
      case 'sendto':
      case 'recvfrom':
        return calls[operation.kind](this.#fd, operation.flags);
      case 'poll':
        return calls.poll(this.#fd, operation.events);
      case 'frame':
        this.#end.send(otherFrame(operation.lenBytes, operation.seed));
        return 0;
      case 'attach':
        this.#end.attach(this.#fd);
        return 0;
      case 'link':
        this.#end.setUp(operation.isUp);
        return 0;
    }
  }

  /** Low and high word. */
  #address(choice: AddressChoice): [number, number] {
    if ('low' in choice) return [choice.low, choice.high];
    const { chunkSizeBytes, chunkCount, isUnaligned } = this.#setting;
    const base = (choice.chunk % chunkCount) * chunkSizeBytes;
    const offBytes = choice.offBytes % chunkSizeBytes;
    // Every other chunk is named by its beginning, the offset in the high bits, as RX descriptors do.
    if (isUnaligned && choice.chunk % 2 === 1) return [base, offBytes << 16];
    return [base + offBytes, 0];
  }

  #describe({ address, len, options, metadata }: TxChoice): [number, number, number, number] {
    const [low, high] = this.#address(address);
    if (metadata !== undefined) this.#writeMetadata(low + (high >>> 16) - this.#setting.txMetadataBytes, metadata);
    return [low, high, len, options];
  }

  #writeMetadata(at: number, { flags, csumStart, csumOffset }: TxMetadataWords): void {
    if (at < 0 || at + TX_METADATA_BYTES > this.umem.length) return;
    this.umem.fill(0, at, at + TX_METADATA_BYTES);
    this.#view.setUint32(at, flags, true);
    this.#view.setUint16(at + 8, csumStart, true);
    this.#view.setUint16(at + 10, csumOffset, true);
  }

  #register(): Uint8Array {
    const { calls } = this.#end;
    const sizeBytes = this.#setting.chunkSizeBytes * this.#setting.chunkCount;
    const memory = calls.mmapAnonymous(sizeBytes);
    this.#mappings.push(memory);
    this.#expect(calls.setsockopt(this.#fd, SOL_XDP, XDP_UMEM_REG, this.#umemReg(memory.address)), 'XDP_UMEM_REG');
    const umem = memory.u8.subarray(memory.offBytes, memory.offBytes + sizeBytes);
    umem.set(PATTERN.subarray(0, sizeBytes));
    return umem;
  }

  /** struct xdp_umem_reg: addr u64, len u64, chunk_size u32, headroom u32, flags u32, tx_metadata_len u32. */
  #umemReg(address: bigint): Uint8Array {
    const { chunkSizeBytes, chunkCount, headroomBytes, isUnaligned, txMetadataBytes, hasTxSwCsum } = this.#setting;
    const bytes = new Uint8Array(32);
    const view = new DataView(bytes.buffer);
    const flags = (isUnaligned ? XDP_UMEM_UNALIGNED_CHUNK_FLAG : 0) | (txMetadataBytes > 0 ? XDP_UMEM_TX_METADATA_LEN : 0) | (hasTxSwCsum ? XDP_UMEM_TX_SW_CSUM : 0);
    view.setBigUint64(0, address, true);
    view.setBigUint64(8, BigInt(chunkSizeBytes * chunkCount), true);
    [chunkSizeBytes, headroomBytes, flags, txMetadataBytes].forEach((each, i) => view.setUint32(16 + 4 * i, each, true));
    return bytes;
  }

  #ring(name: (typeof RING_NAMES)[number]): RawRing {
    const [option, offset, entryBytes] = RINGS[name];
    const size = this.#setting[name];
    this.#expect(this.#end.calls.setsockopt(this.#fd, SOL_XDP, option, word(size)), name);
    const mapping = this.#end.calls.mmap(this.#fd, RING_ENTRIES + size * entryBytes, offset);
    if (typeof mapping === 'number') throw new Error(`RawXsk: mmap of ${name}: ${errnoName(mapping)}`);
    this.#mappings.push(mapping);
    return new RawRing(mapping, size, entryBytes);
  }

  #expect(result: number, what: string): void {
    if (result < 0) throw new Error(`RawXsk: ${what}: ${errnoName(result)}`);
  }
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

function otherFrame(lenBytes: number, seed: number): Uint8Array {
  const frame = Uint8Array.from({ length: lenBytes }, (_, i) => (i * 13 + seed * 29) & 0xff);
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, OTHER_ETHER_TYPE >> 8, OTHER_ETHER_TYPE & 0xff]);
  return frame;
}
