/** What is known about the 64 bits of a register or a stack slot. Values are never changed, only replaced. */
export interface Value {
  readonly kind: number;
  /** SCALAR: the number, signed. Pointers: the offset from what they point into. Both ends included; `hi` of a PACKET may be Infinity. */
  readonly lo: number;
  readonly hi: number;
  /** All possible numbers are `lo` plus a multiple of this, `hi` is one of them; 0 for a single number. */
  readonly stride: number;
  /** PACKET: name of the computed address that this one differs from by `fromName`; 0 for none. MAP_VALUE_OR_NULL: the look-up. */
  readonly name: number;
  readonly fromName: number;
  /** PACKET: bytes from the named address that are known to lie in the packet. */
  readonly nameBytes: number;
  /** MAP_VALUE: bytes of the value, and whether the program may write to it. MAP: its place in the program's knowledge. */
  readonly size: number;
  readonly isWritable: boolean;
}

export const UNKNOWN_KIND = 0;
/** A number. */
export const SCALAR = 1;
/** The context. */
export const CONTEXT = 2;
/** The function's own stack frame; offset 0 is its upper end, where r10 points. */
export const STACK = 3;
/** The packet; offset 0 is `data`. */
export const PACKET = 4;
/** `data_end`. */
export const PACKET_END = 5;
/** A map, as helpers take it. */
export const MAP = 6;
/** The value of a map; offset 0 is its first byte. */
export const MAP_VALUE = 7;
/** The same, or NULL. */
export const MAP_VALUE_OR_NULL = 8;

/** Numbers beyond this are not followed. */
const LIMIT = 2 ** 40;
export const U32_MAX = 2 ** 32 - 1;

const BASE: Value = { kind: UNKNOWN_KIND, lo: 0, hi: 0, stride: 0, name: 0, fromName: 0, nameBytes: 0, size: 0, isWritable: false };

export const UNKNOWN: Value = BASE;

export function scalar(lo: number, hi: number, stride = lo === hi ? 0 : 1): Value {
  return lo < -LIMIT || hi > LIMIT ? UNKNOWN : { ...BASE, kind: SCALAR, lo, hi, stride };
}

export const constant = (value: number): Value => scalar(value, value, 0);
export const U32: Value = scalar(0, U32_MAX);

export function pointer(kind: number, offset = 0, more: Partial<Value> = {}): Value {
  return { ...BASE, kind, lo: offset, hi: offset, ...more };
}

export function isPointer({ kind }: Value): boolean {
  return kind === STACK || kind === PACKET || kind === MAP_VALUE || kind === CONTEXT;
}

/**
 * A pointer moved by a number, or a number added to another; UNKNOWN where that isn't followed.
 *
 * @param site names the address in the packet that comes of it; 0 for an immediate, which leaves the name of the old one
 */
export function add(a: Value, b: Value, site: number): Value {
  if (a.kind === SCALAR && b.kind !== SCALAR) return isPointer(b) ? add(b, a, site) : UNKNOWN;
  if (b.kind !== SCALAR || (a.kind !== SCALAR && !isPointer(a))) return UNKNOWN;
  const [lo, hi] = [a.lo + b.lo, a.hi + b.hi];
  // The offset in a packet may be anything upwards: what counts is what it is compared with.
  if (Math.abs(lo) > LIMIT || (hi > LIMIT && (a.kind !== PACKET || b.hi > 2 ** 31))) return UNKNOWN;
  const stride = a.stride === 0 ? b.stride : b.stride === 0 ? a.stride : gcd(a.stride, b.stride);
  if (a.kind !== PACKET) return { ...a, lo, hi, stride };
  const named = { lo, hi: hi > LIMIT ? Infinity : hi, stride };
  if (site !== 0) return { ...a, ...named, name: site, fromName: 0, nameBytes: 0 };
  return { ...a, ...named, fromName: a.name === 0 ? 0 : a.fromName + b.lo };
}

/** The number with its sign changed, for subtraction. */
export function negated(value: Value): Value {
  return value.kind === SCALAR ? { ...value, lo: -value.hi, hi: -value.lo } : UNKNOWN;
}

function gcd(a: number, b: number): number {
  let [x, y] = [Math.abs(a), Math.abs(b)];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

export function isEqual(a: Value, b: Value): boolean {
  return (
    a === b ||
    (a.kind === b.kind && a.lo === b.lo && a.hi === b.hi && a.stride === b.stride && a.name === b.name && a.fromName === b.fromName &&
      a.nameBytes === b.nameBytes && a.size === b.size && a.isWritable === b.isWritable)
  );
}

/**
 * What holds for both.
 *
 * @param site names an address that both ways into a block have computed differently
 * @param widen bounds that have grown go to the next of these at once (ascending), so that loops come to an end; `undefined` to keep them exact
 */
export function join(a: Value, b: Value, site: number, widen: readonly number[] | undefined): Value {
  if (isEqual(a, b)) return a;
  if (a.kind !== b.kind || a.size !== b.size || a.isWritable !== b.isWritable) return UNKNOWN;
  if (a.kind === UNKNOWN_KIND || a.kind === MAP || (a.kind === MAP_VALUE_OR_NULL && a.name !== b.name)) return UNKNOWN;
  let [lo, hi] = [Math.min(a.lo, b.lo), Math.max(a.hi, b.hi)];
  const stride = gcd(gcd(a.stride, b.stride), Math.abs(a.lo - b.lo));
  if (widen !== undefined) {
    if (hi > a.hi) hi = widenUp(hi, lo, stride, widen);
    if (lo < a.lo) lo = widenDown(lo, hi, stride, widen);
  }
  if (Math.abs(lo) > LIMIT || (hi > LIMIT && a.kind !== PACKET)) return UNKNOWN;
  if (a.kind !== PACKET) return { ...a, lo, hi, stride };
  const isSameName = a.name === b.name && a.fromName === b.fromName && a.name !== 0;
  return {
    ...a, lo, hi: hi > LIMIT ? Infinity : hi, stride,
    name: isSameName ? a.name : site, fromName: isSameName ? a.fromName : 0, nameBytes: isSameName ? Math.min(a.nameBytes, b.nameBytes) : 0,
  };
}


function widenUp(hi: number, lo: number, stride: number, thresholds: readonly number[]): number {
  for (const threshold of thresholds) {
    const aligned = stride === 0 ? threshold : threshold - ((((threshold - lo) % stride) + stride) % stride);
    if (aligned >= hi) return aligned;
  }
  return Infinity;
}

function widenDown(lo: number, hi: number, stride: number, thresholds: readonly number[]): number {
  for (let i = thresholds.length - 1; i >= 0; i--) {
    const threshold = thresholds[i]!;
    const aligned = stride === 0 ? threshold : threshold + ((((hi - threshold) % stride) + stride) % stride);
    if (aligned <= lo) return aligned;
  }
  return -Infinity;
}
