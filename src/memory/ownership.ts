import { hex } from '../base/index.js';

/**
 * Who may touch a buffer at this moment. Each buffer has exactly one owner; a hand-over is one call that names both.
 *
 *     free ─► pool ─► device ─► driver ─► program ─► pool            XDP_DROP, XDP_ABORTED
 *                                            ├─────► stack ─► pool    XDP_PASS
 *                                            ├─────► txRing ─► pool   XDP_TX
 *                                            └─────► redirect ─► pool XDP_REDIRECT into a copy-mode socket
 *     redirect ─► txRing ─► pool                                    to a device
 *     redirect ─► cpumapRing ─► redirect ─► stack ─► pool           to another CPU; in generic mode stack ─► cpumapRing ─► stack
 *     application ─► fillRing ─► kernel ─► rxRing ─► application ─► txRing ─► kernel ─► completionRing ─► application      (UMEM chunks)
 *
 * Chunks in zero-copy mode go through the device itself, and stay the kernel's when the application doesn't get them:
 *
 *     fillRing ─► kernel ─► device ─► driver ─► program ─► driver ─► kernel ─► rxRing    XDP_REDIRECT into a socket
 *                                                             ├────► kernel               dropped, or copied for the stack, XDP_TX, another device
 *                                                             └────► txRing ─► kernel     XDP_TX by a driver that sends chunks (ice)
 *     txRing ─► kernel ─► device ─► completionRing                                        sent by the application
 */
export const Owner = {
  free: 0,
  pool: 1,
  device: 2,
  driver: 3,
  program: 4,
  txRing: 5,
  redirect: 6,
  stack: 7,
  application: 8,
  fillRing: 9,
  kernel: 10,
  rxRing: 11,
  completionRing: 12,
  cpumapRing: 13,
} as const;

export type Owner = (typeof Owner)[keyof typeof Owner];

const OWNER_NAMES = Object.keys(Owner);

/** The owner's name as it is printed. */
export function ownerName(owner: number): string {
  return OWNER_NAMES[owner] ?? `owner ${owner}`;
}

/** A hand-over that broke the rule: the giver was not the owner. */
export interface OwnershipViolation {
  readonly buffer: string;
  readonly expected: string;
  readonly found: string;
  readonly next: string;
  /** Packet that the buffer carried (1-based), 0 when it carried none. */
  readonly packetId: number;
}

/** More violations than these are only counted. */
const KEPT_VIOLATIONS = 32;

/** The owners of equal-sized buffers that lie side by side: the pages of the host, or the chunks of one UMEM. */
export class OwnerLedger {
  readonly unitName: string;
  readonly baseAddress: number;
  readonly unitBytes: number;
  readonly count: number;
  /** Owner of each buffer, an `Owner` value. */
  readonly owner: Uint8Array;
  /** Who had each buffer before its owner: for a lost buffer, who gave it to whom. */
  readonly previousOwner: Uint8Array;
  /** Packet (1-based id) whose bytes each buffer carries: knowledge of the observer, invisible to device and driver. */
  readonly packetId: Int32Array;
  readonly violations: OwnershipViolation[] = [];
  violationCount = 0;
  readonly #shift: number;
  readonly #offsetMask: number;
  /** Of a ledger of half pages: 1 for each page that is one buffer all the same, whose halves have one owner, that of the first. */
  #isWhole: Uint8Array | undefined;

  /** @param unitBytes a power of two */
  constructor(unitName: string, baseAddress: number, unitBytes: number, count: number, firstOwner: Owner) {
    this.unitName = unitName;
    this.baseAddress = baseAddress;
    this.unitBytes = unitBytes;
    this.count = count;
    this.#shift = Math.log2(unitBytes);
    if (!Number.isInteger(this.#shift)) throw new RangeError(`OwnerLedger: ${unitBytes} bytes is not a power of two`);
    this.#offsetMask = unitBytes - 1;
    this.owner = new Uint8Array(count).fill(firstOwner);
    this.previousOwner = new Uint8Array(count).fill(firstOwner);
    this.packetId = new Int32Array(count);
  }

  /** Number of the buffer that holds this address. */
  indexOf(address: number): number {
    const index = (address - this.baseAddress) >>> this.#shift;
    return this.#isWhole === undefined || this.#isWhole[index >>> 1] !== 1 ? index : index - (index & 1);
  }

  /** Start of the buffer that holds this address. */
  bufferOf(address: number): number {
    if (this.#isWhole !== undefined) return this.baseAddress + this.indexOf(address) * this.unitBytes;
    return address - ((address - this.baseAddress) & this.#offsetMask);
  }

  /** The two halves of a page become one buffer, or two again. Nobody owns them at that moment. For ledgers of half pages only. */
  setWhole(page: number, isWhole: boolean): void {
    this.#isWhole ??= new Uint8Array(this.count / 2);
    this.#isWhole[((page - this.baseAddress) >>> this.#shift) >>> 1] = isWhole ? 1 : 0;
  }

  /** The page at this address is one buffer of a ledger of half pages. */
  isWhole(page: number): boolean {
    return this.#isWhole !== undefined && this.#isWhole[((page - this.baseAddress) >>> this.#shift) >>> 1] === 1;
  }

  /** Hands a buffer over. A wrong giver is recorded, and the hand-over happens all the same, as it would in the kernel. */
  move(address: number, from: Owner, to: Owner): void {
    const index = this.indexOf(address);
    const found = this.owner[index];
    if (found !== from) this.#violate(index, from, to);
    this.previousOwner[index] = found;
    this.owner[index] = to;
  }

  #violate(index: number, from: Owner, to: Owner): void {
    this.violationCount++;
    if (this.violations.length >= KEPT_VIOLATIONS) return;
    this.violations.push({
      buffer: this.#nameOf(index),
      expected: ownerName(from),
      found: ownerName(this.owner[index] ?? -1),
      next: ownerName(to),
      packetId: this.packetId[index] ?? 0,
    });
  }

  #nameOf(index: number): string {
    if (this.#isWhole?.[index >>> 1] === 1) return `page ${index >>> 1} at ${hex(this.baseAddress + index * this.unitBytes)}`;
    return `${this.unitName} ${index} at ${hex(this.baseAddress + index * this.unitBytes)}`;
  }

  /** The buffer that holds an address, who has it, and who had it before: `page 12 at 0x2c000 (packet 5), now with txRing, before with driver`. */
  describe(address: number): string {
    const index = this.indexOf(address);
    if (index >= this.count) return `${hex(address)}, which lies in no ${this.unitName}`;
    const packetId = this.packetId[index];
    const packet = packetId === 0 ? '' : ` (packet ${packetId})`;
    return `${this.#nameOf(index)}${packet}, now with ${ownerName(this.owner[index])}, before with ${ownerName(this.previousOwner[index])}`;
  }

  /** How many buffers each owner has, only owners that have some. */
  census(): Record<string, number> {
    const counts = OWNER_NAMES.map(() => 0);
    for (const owner of this.owner) counts[owner] += 1;
    const census: Record<string, number> = {};
    OWNER_NAMES.forEach((name, owner) => {
      if (counts[owner] > 0) census[name] = counts[owner];
    });
    return census;
  }
}
