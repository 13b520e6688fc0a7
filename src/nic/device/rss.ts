import { XDP_RSS_L3_IPV4, XDP_RSS_L3_IPV6, XDP_RSS_L4, XDP_RSS_L4_TCP, XDP_RSS_L4_UDP, XDP_RSS_TYPE_NONE } from '../../vm/index.js';

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
const INDIRECTION_SIZE = 128;

const ETH_HLEN = 14;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const ETH_P_8021Q = 0x8100;
const ETH_P_8021AD = 0x88a8;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;

/**
 * Receive-side scaling: Toeplitz hash over addresses and ports, and an indirection table of 128 entries.
 *
 * Hashed are IPv4 and IPv6, with ports for TCP and UDP that are not fragments, behind up to two VLAN tags. Anything else has hash 0
 * and goes to queue 0.
 */
export class Rss {
  readonly indirection: Uint8Array;
  /** What `hashFrame` hashed last, XDP_RSS_*. */
  hashType = XDP_RSS_TYPE_NONE;
  /** Hash of input byte `i` with value `v` alone, at `i * 256 + v`: the whole hash is the xor of its bytes' entries. */
  readonly #table: Int32Array;

  constructor(key: Uint8Array, queues: number) {
    if (key.length < INPUT_BYTES_MAX + 4) throw new RangeError(`Rss: key of ${key.length} bytes, at least 40 are needed`);
    this.#table = toeplitzTable(key);
    this.indirection = Uint8Array.from({ length: INDIRECTION_SIZE }, (_, i) => i % queues);
  }

  /** Toeplitz hash of `lenBytes` (at most 36) input bytes, u32. */
  toeplitz(input: Uint8Array, lenBytes: number): number {
    let hash = 0;
    for (let i = 0; i < lenBytes; i++) hash ^= this.#table[(i << 8) | input[i]];
    return hash >>> 0;
  }

  /** Hash of the frame at `address`, as a signed 32-bit integer; 0 when it isn't hashed. */
  hashFrame(u8: Uint8Array, address: number, lenBytes: number): number {
    this.hashType = XDP_RSS_TYPE_NONE;
    const end = address + lenBytes;
    let l3 = address + ETH_HLEN;
    let etherType = (u8[l3 - 2] << 8) | u8[l3 - 1];
    for (let tags = 0; tags < 2 && (etherType === ETH_P_8021Q || etherType === ETH_P_8021AD); tags++) {
      l3 += 4;
      if (l3 > end) return 0;
      etherType = (u8[l3 - 2] << 8) | u8[l3 - 1];
    }
    if (etherType === ETH_P_IP && l3 + 20 <= end) {
      const isFragment = ((u8[l3 + 6] & 0x3f) | u8[l3 + 7]) !== 0;
      const l4 = l3 + (u8[l3] & 15) * 4;
      const hasPorts = !isFragment && isPortProtocol(u8[l3 + 9]) && l4 + 4 <= end;
      this.hashType = XDP_RSS_L3_IPV4 | (hasPorts ? portsType(u8[l3 + 9]) : 0);
      return this.#hash(u8, l3 + 12, 8, hasPorts ? l4 : -1);
    }
    if (etherType === ETH_P_IPV6 && l3 + 40 <= end) {
      const hasPorts = isPortProtocol(u8[l3 + 6]) && l3 + 44 <= end;
      this.hashType = XDP_RSS_L3_IPV6 | (hasPorts ? portsType(u8[l3 + 6]) : 0);
      return this.#hash(u8, l3 + 8, 32, hasPorts ? l3 + 40 : -1);
    }
    return 0;
  }

  #hash(u8: Uint8Array, addresses: number, addressBytes: number, ports: number): number {
    const table = this.#table;
    let hash = 0;
    for (let i = 0; i < addressBytes; i++) hash ^= table[(i << 8) | u8[addresses + i]];
    if (ports >= 0) {
      for (let i = 0; i < 4; i++) hash ^= table[((addressBytes + i) << 8) | u8[ports + i]];
    }
    return hash;
  }

  /** Queue for a hash. */
  queueFor(hash: number): number {
    return this.indirection[hash & (INDIRECTION_SIZE - 1)];
  }
}

function isPortProtocol(protocol: number): boolean {
  return protocol === IPPROTO_TCP || protocol === IPPROTO_UDP;
}

function portsType(protocol: number): number {
  return XDP_RSS_L4 | (protocol === IPPROTO_TCP ? XDP_RSS_L4_TCP : XDP_RSS_L4_UDP);
}

/** For every input byte position and value, the xor of the 32-bit key windows at the value's set bits. */
function toeplitzTable(key: Uint8Array): Int32Array {
  const window = (bit: number): number => {
    let word = 0;
    for (let i = 0; i < 32; i++) {
      const keyBit = (key[(bit + i) >>> 3] >>> (7 - ((bit + i) & 7))) & 1;
      word = (word << 1) | keyBit;
    }
    return word;
  };
  const table = new Int32Array(INPUT_BYTES_MAX * 256);
  for (let position = 0; position < INPUT_BYTES_MAX; position++) {
    const windows = Array.from({ length: 8 }, (_, bit) => window(position * 8 + bit));
    for (let value = 0; value < 256; value++) {
      let hash = 0;
      for (let bit = 0; bit < 8; bit++) if ((value & (0x80 >>> bit)) !== 0) hash ^= windows[bit];
      table[position * 256 + value] = hash;
    }
  }
  return table;
}
