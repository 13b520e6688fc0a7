import { siphash } from './siphash.js';

const KEY_BYTES = 16;
const COOKIE_BITS = 24;
const COOKIE_MASK = 2 ** COOKIE_BITS - 1;
/** A cookie is good in the minute in which it was made and in the next one (MAX_SYNCOOKIE_AGE). */
const MAX_AGE = 2;

/** MSS values that a cookie can carry (msstab of net/ipv4/syncookies.c and net/ipv6/syncookies.c, 6.18). */
const MSS_V4: readonly number[] = [536, 1300, 1440, 1460];
const MSS_V6: readonly number[] = [1220, 1420, 1440, 8940];

/** The ends of a connection as they stand in the headers of the client's packet. */
export interface CookieFlow {
  /** 4 or 16 bytes each. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** In network order, as in the header. */
  readonly sourcePort: Uint8Array;
  readonly destinationPort: Uint8Array;
}

/**
 * The SYN cookies of one machine (secure_tcp_syn_cookie, check_tcp_syn_cookie; 6.18):
 *
 *     cookie = hash(key 0, flow, 0) + seq + (minute << 24) + ((hash(key 1, flow, minute) + index of the MSS) & 0xffffff)
 */
export class Syncookies {
  readonly #secrets: Uint8Array;

  /** @param secrets two keys of 16 bytes for IPv4, then two for IPv6 */
  constructor(secrets: Uint8Array) {
    this.#secrets = secrets;
  }

  /**
   * @param seq sequence number of the SYN
   * @param mss what the client offers; what the cookie carries is the largest value of the table up to that, or its first
   * @param minute tcp_cookie_time: jiffies in minutes
   */
  make(flow: CookieFlow, seq: number, mss: number, minute: number): { readonly cookie: number; readonly mss: number } {
    const table = tableFor(flow);
    const index = Math.max(0, table.findLastIndex((value) => mss >= value));
    const data = (this.#hash(flow, minute, 1) + index) & COOKIE_MASK;
    return { cookie: (this.#hash(flow, 0, 0) + seq + (minute << COOKIE_BITS) + data) >>> 0, mss: table[index]! };
  }

  /**
   * @param cookie acknowledged sequence number - 1
   * @param seq sequence number of the client's SYN: that of its ACK - 1
   * @returns the MSS that the cookie carries, 0 when it is none
   */
  check(flow: CookieFlow, seq: number, cookie: number, minute: number): number {
    const left = (cookie - this.#hash(flow, 0, 0) - seq) >>> 0;
    const age = (minute - (left >>> COOKIE_BITS)) & 0xff;
    if (age >= MAX_AGE) return 0;
    const index = (left - this.#hash(flow, minute - age, 1)) & COOKIE_MASK;
    return tableFor(flow)[index] ?? 0;
  }

  /** cookie_hash: IPv4 over source, destination, ports and count; IPv6 over the addresses, count and ports. */
  #hash({ source, destination, sourcePort, destinationPort }: CookieFlow, count: number, keyIndex: number): number {
    const countBytes = [count & 0xff, (count >>> 8) & 0xff, (count >>> 16) & 0xff, count >>> 24];
    const isV4 = source.length === 4;
    const bytes = isV4
      ? [...source, ...destination, ...destinationPort, ...sourcePort, ...countBytes]
      : [...source, ...destination, ...countBytes, ...sourcePort, ...destinationPort];
    const keyAt = (isV4 ? 0 : 2 * KEY_BYTES) + keyIndex * KEY_BYTES;
    return Number(siphash(Uint8Array.from(bytes), this.#secrets.subarray(keyAt, keyAt + KEY_BYTES)) & 0xffffffffn);
  }
}

function tableFor({ source }: CookieFlow): readonly number[] {
  return source.length === 4 ? MSS_V4 : MSS_V6;
}
