import { fail, ok } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { XDP_RSS_L3_IPV4, XDP_RSS_L3_IPV6, XDP_RSS_L4, XDP_RSS_L4_TCP, XDP_RSS_L4_UDP, XDP_RSS_TYPE_NONE } from '../../vm/index.js';
import { PACKET_IPV4, PACKET_IPV6, PACKET_TCP, PACKET_UDP } from './batch.js';
import { ParsedFrame, parseFrame } from './parseFrame.js';

/**
 * Key of Microsoft's "Verifying the RSS hash calculation". Linux draws a random key; a simulator that must repeat itself does not.
 * With it 66.9.149.187:2794 to 161.142.100.80:1766 over TCP gives 0x51ccc178.
 */
export const RSS_KEY_MICROSOFT = Uint8Array.from([
  0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
  0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
]);

/** Bytes of the longest input: IPv6 addresses and ports. */
const INPUT_BYTES_MAX = 36;
const KEY_BYTES_MIN = INPUT_BYTES_MAX + 4;
const INDIRECTION_SIZE_DEFAULT = 128;

/** How a driver fills the indirection table at first: `interleaved` is j % queues, `blocks` is j * queues / size. */
export type RssSpread = 'interleaved' | 'blocks';

/** What differs between devices; what is left out is as most have it. */
export interface RssOptions {
  /** Entries of the indirection table, 128 when left out. */
  readonly indirectionSize?: number;
  /** `interleaved` when left out. */
  readonly spread?: RssSpread;
  /** False: UDP is hashed by its addresses alone, as Intel devices do until `ethtool -N DEV rx-flow-hash udp4 sdfn`. True when left out. */
  readonly hashesUdpPorts?: boolean;
}

/** The default key of a device whose key has so many bytes: Microsoft's, from its beginning again when it is used up. */
export function defaultRssKey(keyBytes: number): Uint8Array {
  return Uint8Array.from({ length: keyBytes }, (_, i) => RSS_KEY_MICROSOFT[i % RSS_KEY_MICROSOFT.length]);
}

/** An indirection table that spreads evenly over `queues` queues; `ethtool -X DEV equal N` sets an `interleaved` one. */
export function spreadIndirection(size: number, queues: number, spread: RssSpread): number[] {
  return Array.from({ length: size }, (_, j) => (spread === 'interleaved' ? j % queues : Math.floor((j * queues) / size)));
}

/**
 * Receive-side scaling: Toeplitz hash over addresses and ports, and an indirection table.
 *
 * Hashed are IPv4 and IPv6, with ports for TCP and UDP that are not fragments, behind up to two VLAN tags. Anything else has hash 0
 * and goes to queue 0.
 */
export class Rss {
  hashesUdpPorts: boolean;
  /** What was hashed last, XDP_RSS_*. */
  hashType = XDP_RSS_TYPE_NONE;
  readonly #queues: number;
  readonly #key: Uint8Array;
  /** Hash of input byte `i` with value `v` alone, at `i * 256 + v`: the whole hash is the xor of its bytes' entries. */
  readonly #table = new Int32Array(INPUT_BYTES_MAX * 256);
  readonly #indirection: Uint16Array;
  /** Size of the indirection table less 1 when it is a power of two, else -1. */
  readonly #indirectionMask: number;
  readonly #frame = new ParsedFrame();

  /** @param key as many bytes as the device's key has, at least 40 */
  constructor(key: Uint8Array, queues: number, options: RssOptions = {}) {
    const size = options.indirectionSize ?? INDIRECTION_SIZE_DEFAULT;
    if (key.length < KEY_BYTES_MIN) throw new RangeError(`Rss: key of ${key.length} bytes, at least ${KEY_BYTES_MIN} are needed`);
    if (!Number.isInteger(size) || size < 1) throw new RangeError(`Rss: indirection table of ${size} entries`);
    this.#queues = queues;
    this.#key = Uint8Array.from(key);
    this.hashesUdpPorts = options.hashesUdpPorts ?? true;
    this.#indirection = Uint16Array.from(spreadIndirection(size, queues, options.spread ?? 'interleaved'));
    this.#indirectionMask = (size & (size - 1)) === 0 ? size - 1 : -1;
    fillToeplitzTable(this.#table, this.#key);
  }

  /** Queue of each entry of the indirection table; `setIndirection` changes it. */
  get indirection(): Readonly<Uint16Array> {
    return this.#indirection;
  }

  get key(): Readonly<Uint8Array> {
    return this.#key;
  }

  /** `ethtool -X DEV hkey …`. The key must be as long as the device's (ethtool_set_rxfh: EINVAL). */
  setKey(key: Uint8Array): Result<void> {
    // What else has a length would become other bytes without a word.
    if (!(key instanceof Uint8Array)) throw new TypeError('Rss.setKey: the key is no Uint8Array');
    if (key.length !== this.#key.length) {
      return fail({
        code: 'rss-key-length',
        message: `the hash key has ${key.length} bytes, but the device's has ${this.#key.length} (EINVAL)`,
        hint: `give ${this.#key.length} bytes`,
      });
    }
    this.#key.set(key);
    fillToeplitzTable(this.#table, this.#key);
    return ok(undefined);
  }

  /** `ethtool -X DEV weight …` and `equal N`: the whole table, a queue an entry (ethtool_set_rxfh: EINVAL for another size or a queue that isn't there). */
  setIndirection(entries: ArrayLike<number>): Result<void> {
    const size = this.#indirection.length;
    if (entries.length !== size) {
      return fail({
        code: 'rss-indirection-size',
        message: `the indirection table has ${entries.length} entries, but the device's has ${size} (EINVAL)`,
        hint: `give ${size} entries`,
      });
    }
    for (let j = 0; j < size; j++) {
      const queue = entries[j];
      if (Number.isInteger(queue) && queue >= 0 && queue < this.#queues) continue;
      return fail({
        code: 'rss-queue',
        message: `entry ${j} of the indirection table is queue ${queue}, but there are queues 0 to ${this.#queues - 1} (EINVAL)`,
        hint: 'name queues that the device has, or give it more (ethtool -L)',
      });
    }
    this.#indirection.set(entries);
    return ok(undefined);
  }

  /** Toeplitz hash of `lenBytes` (at most 36) input bytes, u32. */
  toeplitz(input: Uint8Array, lenBytes: number): number {
    let hash = 0;
    for (let i = 0; i < lenBytes; i++) hash ^= this.#table[(i << 8) | input[i]];
    return hash >>> 0;
  }

  /** Hash of the frame at `address`, as a signed 32-bit integer; 0 when it isn't hashed. */
  hashFrame(u8: Uint8Array, address: number, lenBytes: number): number {
    parseFrame(u8, address, lenBytes, this.#frame);
    return this.hashParsed(u8, address, this.#frame);
  }

  /** The same for a frame that was parsed already. */
  hashParsed(u8: Uint8Array, address: number, frame: ParsedFrame): number {
    const { packetType } = frame;
    let ports = -1;
    let upper = 0;
    if ((packetType & PACKET_TCP) !== 0) upper = XDP_RSS_L4 | XDP_RSS_L4_TCP;
    else if ((packetType & PACKET_UDP) !== 0 && this.hashesUdpPorts) upper = XDP_RSS_L4 | XDP_RSS_L4_UDP;
    if (upper !== 0) ports = address + frame.l4Start;
    if ((packetType & PACKET_IPV4) !== 0) {
      this.hashType = XDP_RSS_L3_IPV4 | upper;
      return this.#hash(u8, address + frame.l3Start + 12, 8, ports);
    }
    if ((packetType & PACKET_IPV6) !== 0) {
      this.hashType = XDP_RSS_L3_IPV6 | upper;
      return this.#hash(u8, address + frame.l3Start + 8, 32, ports);
    }
    this.hashType = XDP_RSS_TYPE_NONE;
    return 0;
  }

  #hash(u8: Uint8Array, addresses: number, addressBytes: number, ports: number): number {
    const table = this.#table;
    let hash = 0;
    for (let i = 0; i < addressBytes; i += 4) hash ^= hashWord(table, i, u8, addresses + i);
    return ports < 0 ? hash : hash ^ hashWord(table, addressBytes, u8, ports);
  }

  /** Queue for a hash. */
  queueFor(hash: number): number {
    const mask = this.#indirectionMask;
    return this.#indirection[mask >= 0 ? hash & mask : (hash >>> 0) % this.#indirection.length];
  }
}

/** Hash of the four bytes at `at`, which are input bytes `position` (a multiple of 4) and following. */
function hashWord(table: Int32Array, position: number, u8: Uint8Array, at: number): number {
  const row = position << 8;
  return table[row | u8[at]] ^ table[row | 0x100 | u8[at + 1]] ^ table[row | 0x200 | u8[at + 2]] ^ table[row | 0x300 | u8[at + 3]];
}

/** For every input byte position and value, the xor of the 32-bit key windows at the value's set bits. */
function fillToeplitzTable(table: Int32Array, key: Uint8Array): void {
  const window = (bit: number): number => {
    let word = 0;
    for (let i = 0; i < 32; i++) {
      const keyBit = (key[(bit + i) >>> 3] >>> (7 - ((bit + i) & 7))) & 1;
      word = (word << 1) | keyBit;
    }
    return word;
  };
  for (let position = 0; position < INPUT_BYTES_MAX; position++) {
    const windows = Array.from({ length: 8 }, (_, bit) => window(position * 8 + bit));
    for (let value = 0; value < 256; value++) {
      let hash = 0;
      for (let bit = 0; bit < 8; bit++) if ((value & (0x80 >>> bit)) !== 0) hash ^= windows[bit];
      table[position * 256 + value] = hash;
    }
  }
}
