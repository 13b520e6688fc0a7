import { ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import { BATCH_FRAMES } from '../nic/index.js';
import type { WireBatch } from '../nic/index.js';
import type { PacketOrigins } from './packetOrigins.js';
import { WIRE_SLOT_BYTES } from './wireSource.js';
import type { WireSource } from './wireSource.js';

/** Frames that somebody from outside puts on the wire of a NIC, while the world stands still. */
export class InjectedFrames implements WireSource {
  readonly #u8: Uint8Array;
  readonly #slots: number;
  readonly #origins: PacketOrigins;
  readonly #waiting: { readonly bytes: Uint8Array; readonly tNs: number }[] = [];

  /** @param memory of the NIC's host */
  constructor(memory: HostMemory, origins: PacketOrigins) {
    this.#u8 = memory.u8;
    this.#slots = memory.reserve('wire of injected frames', BATCH_FRAMES * WIRE_SLOT_BYTES);
    this.#origins = origins;
  }

  get nextNs(): number {
    return this.#waiting[0]?.tNs ?? Infinity;
  }

  /** @param tNs virtual time; not before that of the frames that wait already */
  add(bytes: Uint8Array, tNs: number): void {
    const last = this.#waiting[this.#waiting.length - 1];
    if (last !== undefined && tNs < last.tNs) throw new RangeError(`InjectedFrames: a frame for ${tNs} ns comes after one for ${last.tNs} ns`);
    this.#waiting.push({ bytes, tNs });
  }

  take(untilNs: number, batch: WireBatch): Result<void> {
    let count = 0;
    for (; count < BATCH_FRAMES && this.nextNs <= untilNs; count++) {
      const { bytes } = this.#waiting.shift()!;
      const slot = this.#slots + count * WIRE_SLOT_BYTES;
      this.#u8.set(bytes.subarray(0, WIRE_SLOT_BYTES), slot);
      batch.address[count] = slot;
      batch.lenBytes[count] = bytes.length;
      batch.packetId[count] = this.#origins.next();
    }
    batch.count = count;
    return ok(undefined);
  }
}
