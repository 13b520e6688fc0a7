const MASK = (1n << 64n) - 1n;

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK;
}

/** The four words of state, the key mixed in. */
type State = [bigint, bigint, bigint, bigint];

function round(v: State): void {
  v[0] = (v[0] + v[1]) & MASK;
  v[1] = rotate(v[1], 13n) ^ v[0];
  v[0] = rotate(v[0], 32n);
  v[2] = (v[2] + v[3]) & MASK;
  v[3] = rotate(v[3], 16n) ^ v[2];
  v[0] = (v[0] + v[3]) & MASK;
  v[3] = rotate(v[3], 21n) ^ v[0];
  v[2] = (v[2] + v[1]) & MASK;
  v[1] = rotate(v[1], 17n) ^ v[2];
  v[2] = rotate(v[2], 32n);
}

function absorb(v: State, word: bigint): void {
  v[3] ^= word;
  round(v);
  round(v);
  v[0] ^= word;
}

/**
 * SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012) of any bytes.
 *
 * @param key 16 bytes
 */
export function siphash(bytes: Uint8Array, key: Uint8Array): bigint {
  const word = (from: Uint8Array, at: number): bigint => {
    let value = 0n;
    for (let i = Math.min(at + 8, from.length) - 1; i >= at; i--) value = (value << 8n) | BigInt(from[i]!);
    return value;
  };
  const [k0, k1] = [word(key, 0), word(key, 8)];
  const v: State = [k0 ^ 0x736f6d6570736575n, k1 ^ 0x646f72616e646f6dn, k0 ^ 0x6c7967656e657261n, k1 ^ 0x7465646279746573n];
  const wholeBytes = bytes.length & ~7;
  for (let at = 0; at < wholeBytes; at += 8) absorb(v, word(bytes, at));
  absorb(v, (BigInt(bytes.length & 0xff) << 56n) | word(bytes, wholeBytes));
  v[2] ^= 0xffn;
  for (let i = 0; i < 4; i++) round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}
