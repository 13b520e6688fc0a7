import { addToSum, fold, internetChecksum, pseudoHeaderSumV4, pseudoHeaderSumV6 } from '../../../src/packet/index.js';
import { fc } from '../../support/property.js';

const TCP = 6;
const UDP = 17;

/** What a test frame is made of. */
export interface FrameSpec {
  readonly isIpv6: boolean;
  readonly protocol: typeof TCP | typeof UDP;
  /** VLAN tags, TPID and TCI each. */
  readonly tags: readonly (readonly [tpid: number, tci: number])[];
  /** IPv4 only; a multiple of 4 bytes. */
  readonly options: Uint8Array;
  readonly addresses: Uint8Array;
  readonly ports: Uint8Array;
  readonly payload: Uint8Array;
  /** Bytes behind the packet. */
  readonly padding: Uint8Array;
}

/** A frame, and where its parts lie. */
export interface BuiltFrame {
  readonly bytes: Uint8Array;
  readonly l3Start: number;
  readonly l4Start: number;
  readonly csumOffset: number;
  /** Where the packet ends. */
  readonly packetEnd: number;
}

export const frameSpecs: fc.Arbitrary<FrameSpec> = fc.record({
  isIpv6: fc.boolean(),
  protocol: fc.constantFrom<typeof TCP | typeof UDP>(TCP, UDP),
  tags: fc.array(fc.tuple(fc.constantFrom(0x8100, 0x88a8), fc.integer({ min: 0, max: 0xffff })), { maxLength: 2 }),
  options: fc.integer({ min: 0, max: 10 }).chain((words) => fc.uint8Array({ minLength: words * 4, maxLength: words * 4 })),
  addresses: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  ports: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  payload: fc.uint8Array({ maxLength: 90 }),
  padding: fc.uint8Array({ maxLength: 9 }),
});

const word = (value: number): number[] => [value >> 8, value & 0xff];

/** A frame with all checksums right, by the functions of src/packet. */
export function buildFrame(spec: FrameSpec): BuiltFrame {
  const isTcp = spec.protocol === TCP;
  const upperBytes = (isTcp ? 20 : 8) + spec.payload.length;
  const tags = spec.tags.flatMap(([tpid, tci]) => [...word(tpid), ...word(tci)]);
  const l3Start = 14 + tags.length;
  const ipBytes = spec.isIpv6 ? 40 : 20 + spec.options.length;
  const ip = spec.isIpv6
    ? [0x60, 0, 0, 0, ...word(upperBytes), spec.protocol, 64, ...spec.addresses]
    : [0x40 | (ipBytes / 4), 0, ...word(ipBytes + upperBytes), 0x12, 0x34, 0x40, 0, 64, spec.protocol, 0, 0, ...spec.addresses.subarray(0, 8), ...spec.options];
  const upper = isTcp
    ? [...spec.ports, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 1, 0, 0, 0, 0, 0]
    : [...spec.ports, ...word(upperBytes), 0, 0];
  const bytes = Uint8Array.from([
    2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, ...tags, ...word(spec.isIpv6 ? 0x86dd : 0x0800), ...ip, ...upper, ...spec.payload, ...spec.padding,
  ]);
  const l4Start = l3Start + ipBytes;
  const csumOffset = isTcp ? 16 : 6;
  if (!spec.isIpv6) bytes.set(word(internetChecksum(bytes, l3Start, ipBytes)), l3Start + 10);
  const pseudo = spec.isIpv6
    ? pseudoHeaderSumV6(bytes, l3Start, spec.protocol, upperBytes)
    : pseudoHeaderSumV4(bytes, l3Start, spec.protocol, upperBytes);
  const checksum = ~fold(addToSum(pseudo, bytes, l4Start, upperBytes)) & 0xffff;
  bytes.set(word(checksum === 0 && !isTcp ? 0xffff : checksum), l4Start + csumOffset);
  return { bytes, l3Start, l4Start, csumOffset, packetEnd: l4Start + upperBytes };
}

/** Memory of 1 KiB with `bytes` at `address` and garbage around. */
export function memoryWith(bytes: Uint8Array, address: number): { readonly u8: Uint8Array; readonly u32: Uint32Array } {
  const u8 = new Uint8Array(1024).fill(0xa5);
  u8.set(bytes, address);
  return { u8, u32: new Uint32Array(u8.buffer) };
}
